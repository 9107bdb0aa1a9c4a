"""The integrity check reads a store of any size, and finds all faults and nothing else (R05).

Its statements see different moments, because a distributed database has no common snapshot: a
finding counts only if it is confirmed with the account locked (decision 0034).
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hupan.domain.contacts import replace_contact
from hupan.model import AccountId
from hupan.store import coins, integrity
from hupan.store.accounts import erase_account, lock_account, schedule_erasure
from hupan.store.database import Database, Result, Row, Transaction, Value
from hupan.store.integrity import check_rows
from tests.support.stores import open_engine
from tests.support.world import World, coin_change, phone_address

LEAD = "INSERT INTO identities (kind, value, account_id) VALUES ('phone', ?1, ?2)"
OPEN = """
INSERT INTO sessions (account_id, token_hash, device_id, platform, signed_in_at, last_used_at)
VALUES (?1, ?2, 'd', '', 1, 1)
"""
SHOW = "UPDATE accounts SET phone = '13900000099' WHERE id = ?1"
LAST_ACCOUNT = "SELECT value FROM counters WHERE name = 'account'"
FIRST_ID = 1_000_001
FAR_IDS = (-(2**63), -7, 5, 2_500_000, 2**63 - 1)


class SeenStore:
    """A store that counts the rows of each statement, and can call a hook after one."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self.most_rows = 0
        self.after: dict[str, Callable[[], Awaitable[object]]] = {}

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        """Return the first row."""
        return await self._store.fetch_one(sql, *values)

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        """Return every row."""
        rows = await self._store.fetch_all(sql, *values)
        self.most_rows = max(self.most_rows, len(rows))
        if sql in self.after:
            await self.after[sql]()
        return rows

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` in a transaction."""
        return await self._store.run_transaction(work)


async def write(store: Database, sql: str, *values: Value) -> None:
    """Insert faulty rows."""
    await store.run_transaction(lambda tx: tx.execute(sql, *values))


async def move(world: World, account: AccountId, phone: str) -> None:
    """Change the number of an account, as its owner does."""

    async def change(tx: Transaction) -> None:
        found = await lock_account(tx, account)
        if found is not None:
            await replace_contact(tx, found, "sms", phone_address(phone))

    await world.engine.run_transaction(change)


async def erase(world: World, account: AccountId) -> None:
    """Erase an account with all rows that point to it, as housekeeping does."""

    async def change(tx: Transaction) -> None:
        await schedule_erasure(tx, account, 1)
        await erase_account(tx, account, 2)

    await world.engine.run_transaction(change)


async def test_rows_of_any_account_are_found(tmp_path: Path) -> None:
    """Orphan rows of every id are found, including the first and the last possible one."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        await World(engine).bare_account()
        for number, account in enumerate(FAR_IDS):
            await write(engine, LEAD, f"1390000000{number}", account)
            await write(engine, OPEN, account, bytes([number]) * 32)
        found = await check_rows(engine)
    assert sorted(found) == sorted(
        f"{kind}: account {account}"
        for kind in (integrity.ORPHAN_IDENTITY, integrity.ORPHAN_SESSION)
        for account in FAR_IDS
    )


async def test_a_check_reads_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No statement returns more rows than its bound, even if many lead to one account."""
    monkeypatch.setattr(integrity, "IDS_PER_RANGE", 4)
    monkeypatch.setattr(integrity, "IDENTITIES_PER_READ", 3)
    monkeypatch.setattr(integrity, "MAX_SUSPECTS", 5)
    async with open_engine(tmp_path / "hupan.db") as engine:
        world = World(engine)
        people = [await world.account_id(phone=f"138000000{n:02}") for n in range(9)]
        for number in range(10):
            await write(engine, LEAD, f"139000000{number:02}", people[3])
        await write(engine, SHOW, people[8])
        seen = SeenStore(engine)
        found = await check_rows(seen)
    assert seen.most_rows <= 5
    assert sorted(found) == sorted(
        [
            f"{integrity.FOREIGN_IDENTITY['phone']}: account {people[3]}",
            f"{integrity.FOREIGN_IDENTITY['phone']}: account {people[8]}",
            f"{integrity.MISSING_IDENTITY['phone']}: account {people[8]}",
        ]
    )


@pytest.mark.parametrize("missing", [1, 3, 4, 8])
async def test_a_long_journal_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    """A broken link is found within a piece and at the edge of two."""
    monkeypatch.setattr(coins, "MAX_ENTRIES_AT_ONCE", 3)
    async with open_engine(tmp_path / "hupan.db") as engine:
        world = World(engine)
        accounts = [await world.bare_account() for _ in range(3)]
        for account, count in zip(accounts, (1, 9, 2), strict=True):
            for number in range(count):
                await world.coins.change(coin_change(account, 100, f"{number}"))
        assert await check_rows(engine) == []
        sql = "DELETE FROM coin_entries WHERE account_id = ?1 AND number = ?2"
        await write(engine, sql, accounts[1], missing)
        (found,) = await check_rows(engine)
        assert await world.coins.list_faults() == [
            coins.CoinInconsistency(accounts[1], missing + 1)
        ]
    assert found.startswith(f"coin_entries: entry {missing + 1} ")


async def test_faults_of_a_kind_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report has some rows of each kind, rare kinds included."""
    monkeypatch.setattr(integrity, "MAX_ROW_FAULTS", 2)
    async with open_engine(tmp_path / "hupan.db") as engine:
        world = World(engine)
        people = [await world.account_id(phone=f"138000000{n:02}") for n in range(5)]
        await write(engine, "UPDATE accounts SET coin_cents = 5")
        await write(engine, "UPDATE accounts SET password_hash = 'x' WHERE id = ?1", people[4])
        found = await check_rows(engine)
    assert found == [
        *(f"{integrity.BAD_BALANCE}: account {account}" for account in people[:2]),
        f"{integrity.BAD_PASSWORD_HASH}: account {people[4]}",
    ]


@pytest.mark.parametrize("kind", ["sign-up", "change", "erasure"])
async def test_what_changes_meanwhile_is_no_fault(tmp_path: Path, kind: str) -> None:
    """Accounts are read before identities: what changed in between is checked again."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        world = World(engine)
        account = await world.account_id(phone="13800000001")
        await world.sign_in(account)
        changes: dict[str, Callable[[], Awaitable[object]]] = {
            "sign-up": lambda: world.account_id(phone="13800000002"),
            "change": lambda: move(world, account, "13800000003"),
            "erasure": lambda: erase(world, account),
        }
        store = SeenStore(engine)
        done: list[object] = []

        async def change_once() -> None:
            if not done:
                done.append(await changes[kind]())

        store.after = {integrity.LIST_CHECKED_ACCOUNTS: change_once}
        assert await check_rows(store) == []
        assert len(done) == 1
        await write(engine, LEAD, "13900000000", account)
        assert len(await check_rows(engine)) == 1


async def test_an_interrupted_commit_may_settle(tmp_path: Path) -> None:
    """Where a commit takes several steps, a fault must persist after a pause."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        world = World(engine)
        first, second = [await world.bare_account() for _ in range(2)]
        pauses = []

        async def settle() -> None:
            pauses.append(1)
            await write(engine, "DELETE FROM identities WHERE account_id = ?1", first)
            await write(engine, "UPDATE accounts SET invitation_code = '' WHERE id = ?1", first)

        assert await check_rows(engine, settle) == []
        assert pauses == []
        await write(engine, LEAD, "13900000001", first)
        await write(engine, LEAD, "13900000002", second)
        kind = integrity.FOREIGN_IDENTITY["phone"]
        assert await check_rows(engine, settle) == [f"{kind}: account {second}"]
        assert pauses == [1]


LOOKS, SOAK_LOOKS = 3, 50
CLIENTS = 6


PEOPLE = 60


PEOPLE = 60


class Life:
    """Accounts that come, change and go until the test stops them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._changed = asyncio.Event()
        self.is_over = False

    async def go_on(self, client: int) -> None:
        """Sign up, change numbers, sign in, earn and spend, and erase."""
        chance = random.Random(client)  # noqa: S311 - of a test, not a secret
        made = 0
        while not self.is_over:
            made += 1
            new = f"138{client}{made:07}"
            account = await self._world.account_id(phone=new, email=f"{client}-{made}@example.com")
            await self._world.sign_in(account)
            await move(self._world, account, f"139{client}{made:07}")
            other = AccountId(FIRST_ID + CLIENTS * chance.randrange(PEOPLE // CLIENTS) + client)
            await self._world.sign_in(other)
            await self._world.coins.change(coin_change(other, 500, f"{made} earned"))
            await move(self._world, other, f"136{client}{made:07}")
            self._changed.set()
            await self._world.coins.change(coin_change(other, -200, f"{made} spent"))
            await erase(self._world, account)
            self._changed.set()

    async def pass_by(self) -> None:
        """Wait until something has changed."""
        self._changed.clear()
        await self._changed.wait()


@pytest.mark.slow
@pytest.mark.parametrize("looks", [LOOKS, pytest.param(SOAK_LOOKS, marks=pytest.mark.soak)])
async def test_a_store_in_use_shows_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    """A check finds no fault while accounts come, change and go, even between its statements."""
    monkeypatch.setattr(integrity, "IDS_PER_RANGE", 20)
    async with open_engine(tmp_path / "hupan.db") as engine:
        world = World(engine)
        for number in range(PEOPLE):
            await world.account_id(phone=f"137{number:08}", email=f"User{number}@example.com")
        life = Life(world)
        clients = [asyncio.create_task(life.go_on(client)) for client in range(CLIENTS)]
        store = SeenStore(engine)
        store.after = dict.fromkeys(
            [integrity.LIST_CHECKED_ACCOUNTS, integrity.LIST_CHECKED_IDENTITIES], life.pass_by
        )
        for _ in range(looks):
            assert await check_rows(store) == []
        life.is_over = True
        await asyncio.gather(*clients)
        await write(engine, LEAD, "13600000000", FIRST_ID)
        assert len(await check_rows(engine)) == 1
