"""A change of coins happens once, completely, and never below zero (security J3, L8, R09).

Pages of the coin records are exact, and use an index however long the list is.
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
from tests.support.world import NOW, World, coin_change, open_world

OTHER_CONTENT: list[dict[str, object]] = [
    {"change_cents": 101},
    {"change_cents": -100},
    {"typ": CoinType.AD},
    {"reason": "别的"},
    {"remark": "别的"},
    {"actor": "operator:lin"},
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield a world with a new store."""
    with open_world(tmp_path / "hupan.db") as world:
        yield world


async def test_an_entry_carries_both_of_its_sides(world: World) -> None:
    """An entry has the balance before and after, the change, reason, actor and counter account."""
    account = await world.bare_account(5501)
    change = CoinChange(
        account=account,
        change_cents=-200,
        typ=CoinType.RAFFLE,
        reason="抽奖",
        remark="第三期",
        key="raffle/3",
        actor="operator:lin",
    )
    assert asdict(await world.coins.change(change)) == {
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
    assert await world.balance(account) == 5301


@pytest.mark.parametrize("typ", CoinType)
async def test_every_type_has_a_counter_account(world: World, typ: CoinType) -> None:
    """Coins of every type come from an account of the journal."""
    change = replace(coin_change(await world.bare_account(), 1, "key"), typ=typ)
    entry = await world.coins.change(change)
    assert (entry.typ, entry.counter_cents) == (typ, -1)
    assert entry.counter_account == COUNTER_ACCOUNTS[typ]
    assert len(set(COUNTER_ACCOUNTS.values())) == len(CoinType)


async def test_a_key_acts_once(world: World) -> None:
    """A repeated change returns the first entry, after any other changes."""
    account = await world.bare_account(100)
    first = await world.coins.change(coin_change(account, -70, "buy"))
    await world.coins.change(coin_change(account, -30, "rest"))
    world.clock.time += 86_400 * 365
    assert await world.coins.change(coin_change(account, -70, "buy")) == first
    assert await world.balance(account) == 0
    assert (await world.coins.list_page(account, size=10, page=1)).total == 3


@pytest.mark.parametrize("other", OTHER_CONTENT, ids=str)
@pytest.mark.parametrize("cents", [100, -100], ids=["entered", "refused"])
async def test_a_key_means_one_change(world: World, cents: int, other: dict[str, object]) -> None:
    """A key that comes with another content is refused, and changes nothing."""
    account = await world.bare_account()
    first = coin_change(account, cents, "key")
    answer = await world.coin_answer(first)
    second = replace(first, **other)
    assert await world.coin_answer(
        second if second != first else coin_change(account, 7, "key")
    ) is (CoinKeyReused)
    assert await world.coin_answer(first) == answer
    assert await world.balance(account) == max(cents, 0)


async def test_a_key_belongs_to_its_account(world: World) -> None:
    """Two accounts may use the same key."""
    one, two = await world.bare_account(), await world.bare_account()
    await world.coins.change(coin_change(one, 5, "key"))
    await world.coins.change(coin_change(two, 6, "key"))
    assert (await world.balance(one), await world.balance(two)) == (5, 6)


async def test_a_refusal_is_an_answer_too(world: World) -> None:
    """A refused change stays refused under its key for seven days, whatever the balance."""
    account = await world.bare_account(99)
    housekeeping = Housekeeping(world.engine, world.clock)
    spend = coin_change(account, -100, "buy")
    assert await world.coin_answer(spend) is NotEnoughCoins
    await world.coins.change(coin_change(account, 1, "one more"))
    world.clock.time += COIN_REFUSAL_RETENTION_SECONDS - 1
    await housekeeping.purge()
    assert await world.coin_answer(spend) is NotEnoughCoins
    assert await world.balance(account) == 100
    world.clock.time += 1
    await housekeeping.purge()
    await world.coins.change(spend)
    assert await world.balance(account) == 0


async def test_a_balance_has_two_ends(world: World) -> None:
    """A balance is at least 0 and at most what the wire can represent exactly."""
    account = await world.bare_account(MAX_BALANCE_CENTS - 1)
    await world.coins.change(coin_change(account, 1, "to the top"))
    assert await world.coin_answer(coin_change(account, 1, "over")) is TooManyCoins
    assert await world.coin_answer(coin_change(account, 1, "over")) is TooManyCoins
    await world.coins.change(coin_change(account, -MAX_BALANCE_CENTS, "to the ground"))
    assert await world.coin_answer(coin_change(account, -1, "under")) is NotEnoughCoins
    assert await world.balance(account) == 0
    assert await world.coins.list_faults() == []


async def test_an_unknown_account_has_no_coins(world: World) -> None:
    """A change for an unknown account is refused and leaves no entry."""
    stranger = AccountId(999_999_999)
    assert await world.coin_answer(coin_change(stranger, 1, "key")) is UnknownUser
    assert (await world.coins.list_page(stranger, size=1, page=1)).total == 0


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
async def test_a_part_that_cannot_be_is_named(world: World, field: str, value: object) -> None:
    """A value out of bounds is refused by the name of its field."""
    account = await world.bare_account(10)
    with pytest.raises(InvalidField) as refused:
        await world.coins.change(replace(coin_change(account, 1, "key"), **{field: value}))
    assert refused.value.field == field
    assert await world.balance(account) == 10


async def test_texts_are_kept_in_one_form(world: World) -> None:
    """Two spellings of the same text are the same change (security U5)."""
    account = await world.bare_account()
    composed = replace(coin_change(account, 1, "caf\u00e9"), reason="caf\u00e9")
    apart = replace(coin_change(account, 1, "cafe\u0301"), reason="cafe\u0301")
    entry = await world.coins.change(composed)
    assert await world.coins.change(apart) == entry
    assert entry.reason == "caf\u00e9"


async def test_a_refusal_within_a_change_leaves_the_rest_of_it(world: World) -> None:
    """A refusal is returned, so the surrounding transaction decides what it means."""
    account = await world.bare_account(10)

    async def change(tx: Transaction) -> list[CoinEntry | AppError]:
        return [
            await world.coins.post(tx, coin_change(account, -11, "too much")),
            await world.coins.post(tx, coin_change(account, -4, "some")),
        ]

    refused, entered = await world.engine.run_transaction(change)
    assert isinstance(refused, NotEnoughCoins)
    assert isinstance(entered, CoinEntry)
    assert await world.balance(account) == 6


async def test_an_undone_change_leaves_no_entry(world: World) -> None:
    """If the surrounding transaction fails, balance, entry and key are unchanged."""
    account = await world.bare_account(10)
    spend = coin_change(account, -4, "some")

    async def change(tx: Transaction) -> None:
        assert isinstance(await world.coins.post(tx, spend), CoinEntry)
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        await world.engine.run_transaction(change)
    assert await world.balance(account) == 10
    assert (await world.coins.change(spend)).number == 2
    assert await world.coins.list_faults() == []


ENTRIES = 23
MILLION = 1_000_000
MOST_STEPS = 10_000
FILL = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
INSERT INTO coin_entries
SELECT ?1, n, 'key ' || n, 2, '奖励', '', 'server', n - 1, 1, n, 'rewards', -1, n FROM numbers
"""


@pytest.mark.parametrize("size", [1, 2, 7, 22, 23, 24, 100])
async def test_pages_hold_every_entry_once(tmp_path: Path, size: int) -> None:
    """The pages list all entries once, newest first; later pages are empty."""
    async with open_world(tmp_path / "hupan.db") as world:
        account, other = await world.bare_account(), await world.bare_account(1)
        for number in range(ENTRIES):
            await world.coins.change(coin_change(account, 1, f"key {number}"))
        seen: list[int] = []
        for page in range(1, ENTRIES + 2):
            found = await world.coins.list_page(account, size=size, page=page)
            assert found.total == ENTRIES
            assert len(found.entries) == min(size, max(0, ENTRIES - (page - 1) * size))
            assert {entry.account_id for entry in found.entries} <= {account}
            seen += [entry.number for entry in found.entries]
        assert seen == list(range(ENTRIES, 0, -1))
        assert (await world.coins.list_page(account, size=100, page=10_000)).entries == []
        assert (await world.coins.list_page(other, size=size, page=1)).total == 1


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
    """Each statement uses an index for all of its terms, and none sorts."""
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
async def test_the_last_page_of_a_million_costs_as_much_as_the_first(tmp_path: Path) -> None:
    """At a million entries any page takes a few thousand steps of SQLite, and is exact."""
    path = tmp_path / "hupan.db"
    migrate_file(path)
    connection = apsw.Connection(str(path))
    connection.execute(FILL, (1_000_001, MILLION)).fetchall()
    connection.close()
    account = AccountId(1_000_001)
    async with open_world(path) as world:
        for page in (1, 5_000, 10_000):
            found = await world.coins.list_page(account, size=100, page=page)
            newest = MILLION - (page - 1) * 100
            assert [entry.number for entry in found.entries] == list(
                range(newest, newest - 100, -1)
            )
            assert found.total == MILLION
    assert steps(path, FIND_NEWEST_ENTRY_NUMBER, 1_000_001) < MOST_STEPS
    for above in (0, MILLION // 2, MILLION - 100):
        assert steps(path, LIST_COIN_ENTRIES, 1_000_001, above, above + 100) < MOST_STEPS


def steps(path: Path, sql: str, *values: int) -> int:
    """Return how many steps of SQLite's machine a query takes, rounded to a hundred."""
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


async def send(world: World, account: AccountId, client: int, *, cut: bool) -> Answer:
    """Send one request; return None if its connection was cut after sending."""
    request = asyncio.create_task(
        world.coin_answer(coin_change(account, -SPENT_CENTS, f"client {client}"))
    )
    if not cut:
        return await request
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    return None


async def spend_at_once(world: World, chance: random.Random) -> None:
    """Send every client's request three times, all at once, and cut a fifth of them."""
    account = await world.bare_account(BALANCE_CENTS)
    order = [client for client in range(CLIENTS) for _ in range(TRIES)]
    chance.shuffle(order)
    sent = (send(world, account, client, cut=chance.random() < 0.2) for client in order)
    answers = list(zip(order, await asyncio.gather(*sent), strict=True))
    spent: list[CoinEntry] = []
    for client in range(CLIENTS):
        final = await world.coin_answer(coin_change(account, -SPENT_CENTS, f"client {client}"))
        given = [answer for other, answer in answers if other == client and answer is not None]
        assert given == [final] * len(given)
        if isinstance(final, CoinEntry):
            spent.append(final)
        else:
            assert final is NotEnoughCoins
    assert sorted(entry.after_cents for entry in spent) == list(range(0, 100_00, 10_00))
    assert await world.balance(account) == 0
    assert await world.row(SUMS, account) == (11, 0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(SOAK_ROUNDS, marks=pytest.mark.soak)])
async def test_a_balance_is_spent_exactly_once(tmp_path: Path, rounds: int) -> None:
    """As many requests succeed as the balance allows; each retry gets the first response (R09)."""
    async with open_world(tmp_path / "hupan.db") as world:
        chance = random.Random(9)  # noqa: S311 - the order of a test, not a secret
        for _ in range(rounds):
            await spend_at_once(world, chance)
        assert await world.coins.list_faults() == []
