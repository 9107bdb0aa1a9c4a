"""A change of coins happens once, wholly, and never below zero (security J3, L8, R09).

Pages of the record of coins: exact, and found in the index however long it is.
Many clients spend one balance at once (security R09).
"""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import apsw
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
from hupan.store.coins import FIND_COIN_ENTRY, FIND_NEWEST_ENTRY_NUMBER, LIST_COIN_ENTRIES
from hupan.store.coins import FIND_COIN_REFUSAL as FIND_REFUSAL
from hupan.store.database import Transaction
from hupan.store.migrate import migrate_file
from tests.support.purses import Purses, open_purses, wish
from tests.support.world import NOW

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


ENTRIES = 23
MILLION = 1_000_000
MOST_STEPS = 10_000
FILL = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
INSERT INTO coin_entries
SELECT ?1, n, 'key ' || n, 2, '奖励', '', 'server', n - 1, 1, n, 'rewards', -1, n FROM numbers
"""


@pytest.mark.parametrize("size", [1, 2, 7, 22, 23, 24, 100])
def test_pages_hold_every_entry_once(tmp_path: Path, size: int) -> None:
    """The pages one after the other are all entries, newest first; behind them come empty ones."""

    async def scenario(purses: Purses) -> None:
        account, other = await purses.account(), await purses.account(1)
        for number in range(ENTRIES):
            await purses.coins.change(wish(account, 1, f"key {number}"))
        seen: list[int] = []
        for page in range(1, ENTRIES + 2):
            found = await purses.coins.list_page(account, size=size, page=page)
            assert found.total == ENTRIES
            assert len(found.entries) == min(size, max(0, ENTRIES - (page - 1) * size))
            assert {entry.account_id for entry in found.entries} <= {account}
            seen += [entry.number for entry in found.entries]
        assert seen == list(range(ENTRIES, 0, -1))
        assert (await purses.coins.list_page(account, size=100, page=10_000)).entries == []
        assert (await purses.coins.list_page(other, size=size, page=1)).total == 1

    with open_purses(tmp_path / "hupan.db") as purses:
        asyncio.run(scenario(purses))


@pytest.mark.parametrize(
    ("sql", "terms"),
    [
        (FIND_NEWEST_ENTRY_NUMBER, "account_id=?"),
        (LIST_COIN_ENTRIES, "account_id=? AND number>? AND number<?"),
        (FIND_COIN_ENTRY, "account_id=? AND key=?"),
        (FIND_REFUSAL, "account_id=? AND key=?"),
    ],
)
def test_every_query_is_a_look_up(tmp_path: Path, sql: str, terms: str) -> None:
    """Each statement goes through an index by all of its terms, and none sorts."""
    migrate_file(tmp_path / "hupan.db")
    connection = apsw.Connection(str(tmp_path / "hupan.db"))
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (1,) * sql.count("?")).fetchall()
    connection.close()
    assert len(plan) == 1, plan
    step = str(plan[0][3])
    assert step.startswith("SEARCH")
    assert step.endswith(f"({terms})")


@pytest.mark.one_engine
@pytest.mark.slow
def test_the_last_page_of_a_million_costs_as_much_as_the_first(tmp_path: Path) -> None:
    """At a million entries any page takes a few thousand steps of the store, and is exact."""
    path = tmp_path / "hupan.db"
    migrate_file(path)
    connection = apsw.Connection(str(path))
    connection.execute(FILL, (1_000_001, MILLION)).fetchall()
    connection.close()
    account = AccountId(1_000_001)
    with open_purses(path) as purses:
        for page in (1, 5_000, 10_000):
            found = asyncio.run(purses.coins.list_page(account, size=100, page=page))
            newest = MILLION - (page - 1) * 100
            assert [entry.number for entry in found.entries] == list(
                range(newest, newest - 100, -1)
            )
            assert found.total == MILLION
    assert steps(path, FIND_NEWEST_ENTRY_NUMBER, 1_000_001) < MOST_STEPS
    for above in (0, MILLION // 2, MILLION - 100):
        assert steps(path, LIST_COIN_ENTRIES, 1_000_001, above, above + 100) < MOST_STEPS


def steps(path: Path, sql: str, *values: int) -> int:
    """How many steps of SQLite's machine a query takes, within a hundred."""
    connection = apsw.Connection(str(path))
    taken = [0]

    def progress() -> bool:
        taken[0] += 100
        return False

    connection.set_progress_handler(progress, 100)
    connection.execute(sql, values).fetchall()
    connection.close()
    return taken[0]


ROUNDS, SOAK_ROUNDS = 20, 200
CLIENTS = 64
TRIES = 3
BALANCE_CENTS = 100_00
SPENT_CENTS = 10_00

Answer = CoinEntry | type[AppError] | None
SUMS = """
SELECT count(*), sum(change_cents), sum(change_cents) + sum(counter_cents), min(after_cents)
FROM coin_entries WHERE account_id = ?1
"""


async def send(purses: Purses, account: AccountId, client: int, *, cut: bool) -> Answer:
    """One request of a client; None when its connection was cut once it had been sent."""
    request = asyncio.create_task(purses.answer(wish(account, -SPENT_CENTS, f"client {client}")))
    if not cut:
        return await request
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    return None


async def spend_at_once(purses: Purses, chance: random.Random) -> None:
    """Sends every client's request three times, all at once and a fifth of them cut."""
    account = await purses.account(BALANCE_CENTS)
    order = [client for client in range(CLIENTS) for _ in range(TRIES)]
    chance.shuffle(order)
    sent = (send(purses, account, client, cut=chance.random() < 0.2) for client in order)
    answers = list(zip(order, await asyncio.gather(*sent), strict=True))
    spent: list[CoinEntry] = []
    for client in range(CLIENTS):
        final = await purses.answer(wish(account, -SPENT_CENTS, f"client {client}"))
        given = [answer for other, answer in answers if other == client and answer is not None]
        assert given == [final] * len(given)
        if isinstance(final, CoinEntry):
            spent.append(final)
        else:
            assert final is NotEnoughCoins
    assert sorted(entry.after_cents for entry in spent) == list(range(0, 100_00, 10_00))
    assert await purses.balance(account) == 0
    assert await purses.row(SUMS, account) == (11, 0, 0, 0)


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(SOAK_ROUNDS, marks=pytest.mark.soak)])
def test_a_balance_is_spent_exactly_once(tmp_path: Path, rounds: int) -> None:
    """As many requests succeed as the balance allows; each retry gets its first answer (R09)."""

    async def scenario(purses: Purses) -> None:
        chance = random.Random(9)  # noqa: S311 - the order of a test, not a secret
        for _ in range(rounds):
            await spend_at_once(purses, chance)
        assert await purses.coins.list_faults() == []

    with open_purses(tmp_path / "hupan.db") as purses:
        asyncio.run(scenario(purses))
