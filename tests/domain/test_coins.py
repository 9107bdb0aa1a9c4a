"""A change of coins happens once, wholly, and never below zero (security J3, L8, R09)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace

from hupan.domain.coins import COUNTER_ACCOUNTS, MAX_BALANCE_CENTS, CoinChange
from hupan.domain.maintenance import COIN_REFUSAL_RETENTION_SECONDS, Housekeeping
from hupan.errors import (
    AppError,
    CoinKeyReused,
    InvalidField,
    NotEnoughCoins,
    TooManyCoins,
    UnknownUser,
)
from hupan.model import AccountId, CoinEntry, CoinType
from hupan.store.database import Transaction
from tests.domain.purses import NOW, Purses, open_purses, wish

OTHER_CONTENT: list[dict[str, object]] = [
    {"change_cents": 101},
    {"change_cents": -100},
    {"typ": CoinType.AD},
    {"reason": "别的"},
    {"remark": "别的"},
    {"actor": "operator:lin"},
]


@pytest.fixture
def purses(tmp_path: Path) -> Iterator[Purses]:
    """Purses on a store of the test's own."""
    with open_purses(tmp_path / "hupan.db") as purses:
        yield purses


def test_an_entry_carries_both_of_its_sides(purses: Purses) -> None:
    """An entry says what was before, changed and after, why, by whom, and where it came from."""

    async def scenario() -> None:
        account = await purses.account(5501)
        change = CoinChange(
            account=account,
            change_cents=-200,
            typ=CoinType.RAFFLE,
            reason="抽奖",
            remark="第三期",
            key="raffle/3",
            actor="operator:lin",
        )
        assert asdict(await purses.coins.change(change)) == {
            "account_id": account,
            "number": 2,
            "key": "raffle/3",
            "typ": 8,
            "reason": "抽奖",
            "remark": "第三期",
            "actor": "operator:lin",
            "before_cents": 5501,
            "change_cents": -200,
            "after_cents": 5301,
            "counter_account": "raffle",
            "counter_cents": 200,
            "created_at": NOW,
        }
        assert await purses.balance(account) == 5301

    asyncio.run(scenario())


@pytest.mark.parametrize("typ", CoinType)
def test_every_type_has_a_counter_account(purses: Purses, typ: CoinType) -> None:
    """Whatever coins are given for, they come from an account of the journal."""

    async def scenario() -> None:
        change = replace(wish(await purses.account(), 1, "key"), typ=typ)
        entry = await purses.coins.change(change)
        assert (entry.typ, entry.counter_cents) == (typ, -1)
        assert entry.counter_account == COUNTER_ACCOUNTS[typ]

    asyncio.run(scenario())
    assert len(set(COUNTER_ACCOUNTS.values())) == len(CoinType)


def test_a_key_acts_once(purses: Purses) -> None:
    """A change that comes again gets the first entry, whatever happened in between."""

    async def scenario() -> None:
        account = await purses.account(100)
        first = await purses.coins.change(wish(account, -70, "buy"))
        await purses.coins.change(wish(account, -30, "rest"))
        purses.clock.time += 86_400 * 365
        assert await purses.coins.change(wish(account, -70, "buy")) == first
        assert await purses.balance(account) == 0
        assert (await purses.coins.list_page(account, size=10, page=1)).total == 3

    asyncio.run(scenario())


@pytest.mark.parametrize("other", OTHER_CONTENT, ids=str)
@pytest.mark.parametrize("cents", [100, -100], ids=["entered", "refused"])
def test_a_key_means_one_change(purses: Purses, cents: int, other: dict[str, object]) -> None:
    """A key that comes with another content is refused, and changes nothing."""

    async def scenario() -> None:
        account = await purses.account()
        first = wish(account, cents, "key")
        answer = await purses.answer(first)
        second = replace(first, **other)
        assert await purses.answer(second if second != first else wish(account, 7, "key")) is (
            CoinKeyReused
        )
        assert await purses.answer(first) == answer
        assert await purses.balance(account) == max(cents, 0)

    asyncio.run(scenario())


def test_a_key_belongs_to_its_account(purses: Purses) -> None:
    """Two accounts may use the same key."""

    async def scenario() -> None:
        one, two = await purses.account(), await purses.account()
        await purses.coins.change(wish(one, 5, "key"))
        await purses.coins.change(wish(two, 6, "key"))
        assert (await purses.balance(one), await purses.balance(two)) == (5, 6)

    asyncio.run(scenario())


def test_a_refusal_is_an_answer_too(purses: Purses) -> None:
    """What the balance refused stays refused under its key for seven days, coins or no coins."""

    async def scenario() -> None:
        account = await purses.account(99)
        housekeeping = Housekeeping(purses.engine, purses.clock)
        spend = wish(account, -100, "buy")
        assert await purses.answer(spend) is NotEnoughCoins
        await purses.coins.change(wish(account, 1, "one more"))
        purses.clock.time += COIN_REFUSAL_RETENTION_SECONDS - 1
        await housekeeping.purge()
        assert await purses.answer(spend) is NotEnoughCoins
        assert await purses.balance(account) == 100
        purses.clock.time += 1
        await housekeeping.purge()
        await purses.coins.change(spend)
        assert await purses.balance(account) == 0

    asyncio.run(scenario())


def test_a_balance_has_two_ends(purses: Purses) -> None:
    """A balance may fall to 0 and rise to what the wire can say exactly, and no further."""

    async def scenario() -> None:
        account = await purses.account(MAX_BALANCE_CENTS - 1)
        await purses.coins.change(wish(account, 1, "to the top"))
        assert await purses.answer(wish(account, 1, "over")) is TooManyCoins
        assert await purses.answer(wish(account, 1, "over")) is TooManyCoins
        await purses.coins.change(wish(account, -MAX_BALANCE_CENTS, "to the ground"))
        assert await purses.answer(wish(account, -1, "under")) is NotEnoughCoins
        assert await purses.balance(account) == 0
        assert await purses.coins.list_faults() == []

    asyncio.run(scenario())


def test_nobody_has_no_coins(purses: Purses) -> None:
    """A change for an account that does not exist is refused and leaves no entry."""

    async def scenario() -> None:
        stranger = AccountId(999_999_999)
        assert await purses.answer(wish(stranger, 1, "key")) is UnknownUser
        assert (await purses.coins.list_page(stranger, size=1, page=1)).total == 0

    asyncio.run(scenario())


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("change_cents", 0),
        ("change_cents", MAX_BALANCE_CENTS + 1),
        ("change_cents", -(2**63)),
        ("change_cents", 10**30),
        ("reason", ""),
        ("reason", "因" * 65),
        ("reason", "a\u202eb"),
        ("remark", "a\x00b"),
        ("remark", "备" * 257),
        ("key", ""),
        ("key", "k" * 129),
        ("key", "a\nb"),
        ("actor", ""),
        ("actor", "\ud800"),
    ],
)
def test_a_part_that_cannot_be_is_named(purses: Purses, field: str, value: object) -> None:
    """Each part has its bounds, and what is outside of them is refused by name."""

    async def scenario() -> None:
        account = await purses.account(10)
        with pytest.raises(InvalidField) as refused:
            await purses.coins.change(replace(wish(account, 1, "key"), **{field: value}))
        assert refused.value.field == field
        assert await purses.balance(account) == 10

    asyncio.run(scenario())


def test_texts_are_kept_in_one_form(purses: Purses) -> None:
    """Two spellings of the same text are the same change (security U5)."""

    async def scenario() -> None:
        account = await purses.account()
        composed = replace(wish(account, 1, "caf\u00e9"), reason="caf\u00e9")
        apart = replace(wish(account, 1, "cafe\u0301"), reason="cafe\u0301")
        entry = await purses.coins.change(composed)
        assert await purses.coins.change(apart) == entry
        assert entry.reason == "caf\u00e9"

    asyncio.run(scenario())


def test_a_refusal_within_a_change_leaves_the_rest_of_it(purses: Purses) -> None:
    """Whoever posts within a change decides what a refusal means for it."""

    async def scenario() -> None:
        account = await purses.account(10)

        async def change(tx: Transaction) -> list[CoinEntry | AppError]:
            return [
                await purses.coins.post(tx, wish(account, -11, "too much")),
                await purses.coins.post(tx, wish(account, -4, "some")),
            ]

        refused, entered = await purses.engine.run_transaction(change)
        assert isinstance(refused, NotEnoughCoins)
        assert isinstance(entered, CoinEntry)
        assert await purses.balance(account) == 6

    asyncio.run(scenario())


def test_an_undone_change_leaves_no_entry(purses: Purses) -> None:
    """When the change around it fails, balance, entry and key are as if nothing had come."""

    async def scenario() -> None:
        account = await purses.account(10)
        spend = wish(account, -4, "some")

        async def change(tx: Transaction) -> None:
            assert isinstance(await purses.coins.post(tx, spend), CoinEntry)
            raise ArithmeticError

        with pytest.raises(ArithmeticError):
            await purses.engine.run_transaction(change)
        assert await purses.balance(account) == 10
        assert (await purses.coins.change(spend)).number == 2
        assert await purses.coins.list_faults() == []

    asyncio.run(scenario())
