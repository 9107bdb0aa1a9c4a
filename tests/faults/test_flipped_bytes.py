"""Flipped bytes: no wrong row of money or credentials is ever read (security R05, J8)."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from hupan.model import StoreUnavailable
from hupan.store.database import Row, StoreRefused, Transaction
from hupan.store.migrate import migrate_file
from hupan.store.sqlite import SqliteDatabase
from hupan.store.wal import check_wal_intact
from tests.support.world import World, coin_change

NAME, LOG = "hupan.db", "hupan.db-wal"
FLIPS = 200
ACCOUNTS = 60
PAGE_BYTES = 4096
SECRET = "$argon2id$v=19$m=19456,t=2,p=1$" + "S" * 64
READ = (
    "SELECT * FROM coin_entries ORDER BY account_id, number",
    "SELECT * FROM accounts ORDER BY id",
    "SELECT * FROM identities ORDER BY kind, value",
    "SELECT * FROM sessions ORDER BY account_id, token_hash",
    "SELECT * FROM codes ORDER BY target, channel",
)
# Identities are stored twice, in their table and in its index; a read needs only one of them.
PAGES = "SELECT pageno FROM dbstat WHERE name IN ('coin_entries', 'accounts', 'sessions', 'codes')"
OPEN = "INSERT INTO sessions VALUES (?1, ?2, 'd', 'android', 1, 1, 1, '')"
SHOW = "UPDATE accounts SET phone = ?2, password_hash = ?3 WHERE id = ?1"
OWN = "INSERT INTO identities (kind, value, account_id) VALUES ('phone', ?1, ?2)"
CODE = "INSERT INTO codes VALUES (?1, 'sms', 'own', ?2, ?3, 0, 99)"
TOUCH = "UPDATE counters SET value = value + 1 WHERE name = 'process'"
Files: TypeAlias = dict[str, bytes]
Damage: TypeAlias = Callable[[Files, random.Random], Files]
pytestmark = [pytest.mark.one_engine, pytest.mark.slow]


@dataclass(frozen=True)
class Store:
    """The files of a store, its rows, and the pages of these rows."""

    files: Files
    rows: list[list[Row]]
    pages: list[int]


async def fill(world: World) -> None:
    """Create accounts with money and all kinds of credentials."""

    async def arrive(number: int) -> None:
        account = await world.bare_account()
        phone, token = f"139{number:08}", number.to_bytes(32)

        async def change(tx: Transaction) -> None:
            await tx.execute(SHOW, account, phone, SECRET)
            await tx.execute(OWN, phone, account)
            await tx.execute(OPEN, account, token)
            await tx.execute(CODE, phone, account, token)

        await world.engine.run_transaction(change)
        for key in "abc":
            await world.coins.change(coin_change(account, 100, key))

    await asyncio.gather(*(arrive(number) for number in range(ACCOUNTS)))
    for _ in range(6):  # damage to the last commits of a log looks like a power cut
        await world.engine.run_transaction(lambda tx: tx.execute(TOUCH))


async def read(engine: SqliteDatabase) -> list[list[Row]]:
    """Return all relevant rows."""
    return [await engine.fetch_all(sql) for sql in READ]


def make(folder: Path, *, closed: bool) -> Store:
    """Return a store that was stopped in order, or a killed one with all rows in its log."""
    migrate_file(folder / NAME)
    engine = SqliteDatabase(folder / NAME)
    asyncio.run(fill(World(engine)))
    rows = asyncio.run(read(engine))
    pages = [row[0] for row in asyncio.run(engine.fetch_all(PAGES))]
    killed = {file.name: file.read_bytes() for file in folder.iterdir()}
    asyncio.run(engine.close())
    return Store({NAME: (folder / NAME).read_bytes()} if closed else killed, rows, pages)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store with everything in the file."""
    return make(tmp_path_factory.mktemp("stopped"), closed=True)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store with everything in the log."""
    return make(tmp_path_factory.mktemp("killed"), closed=False)


def flipping(name: str) -> Damage:
    """Flip bits in one to eight consecutive bytes."""

    def flip(files: Files, chance: random.Random) -> Files:
        content = bytearray(files[name])
        at, many = chance.randrange(len(content) - 8), chance.randint(1, 8)
        for place in range(at, at + many):
            content[place] ^= chance.randrange(1, 256)
        return {**files, name: bytes(content)}

    return flip


def flipping_rows(store: Store) -> Damage:
    """Flip bytes in a page of a table with money or credentials."""

    def flip(files: Files, chance: random.Random) -> Files:
        content = bytearray(files[NAME])
        at = (chance.choice(store.pages) - 1) * PAGE_BYTES + chance.randrange(PAGE_BYTES - 8)
        for place in range(at, at + chance.randint(1, 8)):
            content[place] ^= chance.randrange(1, 256)
        return {**files, NAME: bytes(content)}

    return flip


def zeroing(name: str) -> Damage:
    """Replace a page by zeros, as some disks do with lost data."""

    def zero(files: Files, chance: random.Random) -> Files:
        content = bytearray(files[name])
        at = chance.randrange(len(content) // PAGE_BYTES) * PAGE_BYTES
        content[at : at + PAGE_BYTES] = bytes(PAGE_BYTES)
        return {**files, name: bytes(content)}

    return zero


def truncating(files: Files, chance: random.Random) -> Files:
    """Cut off the end of the file."""
    content = files[NAME]
    return {**files, NAME: content[: chance.randrange(1, len(content))]}


def met(folder: Path, files: Files) -> list[list[Row]] | None:
    """Return the rows that a server would read after a start; None if it refuses."""
    for file in folder.iterdir():
        file.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)

    async def start() -> list[list[Row]]:
        engine = SqliteDatabase(folder / NAME)
        try:
            return await read(engine)
        except StoreUnavailable:
            with pytest.raises(StoreUnavailable):
                await engine.check()
            raise
        finally:
            await engine.close()

    try:
        check_wal_intact(folder / NAME)
        migrate_file(folder / NAME)
        return asyncio.run(start())
    except (StoreRefused, StoreUnavailable):
        return None


def damage(folder: Path, store: Store, do: Damage, times: int) -> Counter[str]:
    """Damage a store repeatedly: it is reported, or the rows are unchanged."""
    chance = random.Random(5)  # noqa: S311 - where to damage
    seen: Counter[str] = Counter()
    for number in range(times):
        rows = met(folder, do(store.files, chance))
        assert rows is None or rows == store.rows, f"silently wrong after damage {number}"
        seen["told" if rows is None else "harmless"] += 1
    return seen


def test_flips_in_rows(tmp_path: Path, stopped: Store) -> None:
    """Every flip in money or credentials is found (security R05, J3)."""
    assert damage(tmp_path, stopped, flipping_rows(stopped), FLIPS) == {"told": FLIPS}


def test_flips_anywhere(tmp_path: Path, stopped: Store) -> None:
    """Anywhere else, a flip does not change a row (security R05)."""
    seen = damage(tmp_path, stopped, flipping(NAME), FLIPS // 2)
    assert seen["told"] > FLIPS / 20, seen


def test_flips_in_the_log(tmp_path: Path, killed: Store) -> None:
    """A flip in the write-ahead log of a killed server loses no commits (R05, J1)."""
    seen = damage(tmp_path, killed, flipping(LOG), FLIPS)
    assert seen["told"] > FLIPS / 2, seen


def test_flips_in_the_index_of_the_log(tmp_path: Path, killed: Store) -> None:
    """The shared-memory index is rebuilt at a start, for any content (R05)."""
    assert damage(tmp_path, killed, flipping(f"{NAME}-shm"), 20) == {"harmless": 20}


@pytest.mark.parametrize("do", [zeroing(NAME), truncating])
def test_lost_pages(tmp_path: Path, stopped: Store, do: Damage) -> None:
    """Missing or zeroed pages are reported (R05)."""
    seen = damage(tmp_path, stopped, do, FLIPS // 4)
    assert seen["told"] > FLIPS / 20, seen


def test_lost_pages_of_the_log(tmp_path: Path, killed: Store) -> None:
    """The same holds for the log (R05)."""
    assert damage(tmp_path, killed, zeroing(LOG), FLIPS // 4)["told"] > FLIPS / 8


def test_the_log_names_the_table_and_no_secret(
    tmp_path: Path, stopped: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the damaged place, without personal data (R05, L1)."""
    caplog.set_level(logging.DEBUG, "hupan")
    damage(tmp_path, stopped, flipping_rows(stopped), FLIPS // 4)
    assert "damage found in coin_entries" in caplog.text
    assert "damage found in accounts" in caplog.text
    assert "13900" not in caplog.text
    assert "argon2" not in caplog.text


def running(sql: str) -> Callable[[Transaction], Awaitable[int]]:
    """Return a change of one statement."""

    async def change(tx: Transaction) -> int:
        return await tx.execute(sql)

    return change


async def test_what_is_whole_goes_on(tmp_path: Path, stopped: Store) -> None:
    """A write to a damaged row fails alone: others in the same group succeed (R05)."""
    content = stopped.files[NAME]
    at = content.index(SECRET.encode()) // PAGE_BYTES * PAGE_BYTES
    torn = content[: at + 100] + bytes([content[at + 100] ^ 1]) + content[at + 101 :]
    (tmp_path / NAME).write_bytes(torn)

    async def work() -> list[object]:
        engine = SqliteDatabase(tmp_path / NAME)
        changes = (TOUCH, "UPDATE accounts SET name = 'x'", TOUCH)
        done = await asyncio.gather(
            *(engine.run_transaction(running(sql)) for sql in changes),
            return_exceptions=True,
        )
        await engine.close()
        return list(done)

    first, second, third = await work()
    assert (first, third) == (1, 1)
    assert isinstance(second, StoreUnavailable)
