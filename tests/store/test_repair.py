"""Files that another SQLite program copied or wrote open; damage is recognised (security X8)."""

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from hupan.model import StoreUnavailable
from hupan.store.database import StoreRefused, Transaction
from hupan.store.integrity import check_file
from hupan.store.migrate import migrate_file
from hupan.store.repair import accept_all_pages, repair_before_start, repair_while_serving
from hupan.store.sqlite import SqliteDatabase
from tests.support.other_program import OtherProgram, other_program

ACCOUNTS = 120
PAGE_BYTES = 4096
ARRIVE = "INSERT INTO accounts (id, name, invitation_code, registered_at) VALUES (?1, ?2, ?2, 0)"
NAME = "SELECT name FROM accounts WHERE id = ?1"
LITESTREAM = """
CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);
CREATE TABLE _litestream_lock (id INTEGER);
INSERT INTO _litestream_seq (id, seq) VALUES (1, 1);
"""
Change: TypeAlias = Callable[[Path, Path], None]
pytestmark = pytest.mark.one_engine


async def arrive(engine: SqliteDatabase, number: int) -> None:
    """Sign up an account."""

    async def change(tx: Transaction) -> None:
        await tx.execute(ARRIVE, number, f"lake-{number}")

    await engine.run_transaction(change)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store with activity, as a server left it."""
    path = tmp_path / "hupan.db"
    migrate_file(path)

    async def live() -> None:
        engine = SqliteDatabase(path)
        await asyncio.gather(*(arrive(engine, number) for number in range(1, ACCOUNTS)))
        await engine.close()

    asyncio.run(live())
    return path


@contextmanager
def program(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect as another program, without page checksums."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def running(*statements: str) -> Change:
    """Return a program that works on a copy of the file."""

    def change(source: Path, target: Path) -> None:
        shutil.copy(source, target)
        with program(target) as connection:
            for statement in statements:
                connection.executescript(statement)

    return change


def backed_up(source: Path, target: Path) -> None:
    """Copy with `.backup`, of the command line or of Python."""
    with program(source) as one, program(target) as other:
        one.backup(other)


def vacuumed_into(source: Path, target: Path) -> None:
    """Copy with VACUUM INTO."""
    with program(source) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))


def dumped(source: Path, target: Path) -> None:
    """Copy by statements."""
    with program(source) as one, program(target) as other:
        other.executescript("\n".join(one.iterdump()))


CHANGES: dict[str, Change] = {
    "backup": backed_up,
    "vacuum into": vacuumed_into,
    "dump": dumped,
    "vacuum": running("VACUUM"),
    "litestream": running(LITESTREAM, "PRAGMA wal_checkpoint(TRUNCATE)"),
    "journal mode": running("PRAGMA journal_mode = DELETE"),
    "journal mode and back": running("PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = WAL"),
    "a row without a log": running(
        "PRAGMA journal_mode = DELETE", "UPDATE accounts SET vip_until = 9 WHERE id = 7"
    ),
    "a row in place": running("UPDATE accounts SET vip_until = 9 WHERE id = 7"),
    "a row of two tables": running(
        "PRAGMA journal_mode = DELETE",
        "DELETE FROM accounts WHERE id > 10000",
        "INSERT INTO counters (name, value) VALUES ('other', 1)",
        "PRAGMA journal_mode = WAL",
    ),
    "analyze": running("ANALYZE"),
    "page size": running("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 8192", "VACUUM"),
    "auto vacuum": running("PRAGMA auto_vacuum = FULL", "VACUUM"),
}


async def read(path: Path) -> list[str]:
    """Return all names, as a server reads them after a start."""
    repair_before_start(path)
    migrate_file(path)
    engine = SqliteDatabase(path)
    try:
        await engine.check()
        await arrive(engine, ACCOUNTS + 1)
        return [
            str(row[0]) for row in await engine.fetch_all("SELECT name FROM accounts ORDER BY id")
        ]
    finally:
        await engine.close()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_copy_opens(store: Path, tmp_path: Path, change: Change) -> None:
    """A store that another program copied or wrote correctly opens, and is sound (X8)."""
    copy = tmp_path / "copy.db"
    change(store, copy)
    names = asyncio.run(read(copy))
    assert names == [f"lake-{number}" for number in [*range(1, ACCOUNTS), ACCOUNTS + 1]]
    assert asyncio.run(check_file(copy)) == []


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_flip_after_a_copy_was_opened_is_found(
    store: Path, tmp_path: Path, change: Change
) -> None:
    """A copy has all its checksums once it was opened (X8, R05)."""
    copy = tmp_path / "copy.db"
    change(store, copy)
    asyncio.run(read(copy))
    content = bytearray(copy.read_bytes())
    content[content.index(b"lake-7")] ^= 1
    copy.write_bytes(content)
    assert not repair_before_start(copy)
    assert asyncio.run(check_file(copy)) != []


def test_a_killed_servers_log_written_back_by_another(store: Path, tmp_path: Path) -> None:
    """After a crash `sqlite3` may write the log back; the store opens then too (X8)."""
    copy = tmp_path / "killed.db"

    async def crash() -> None:
        engine = SqliteDatabase(store)
        await arrive(engine, ACCOUNTS)
        for end in ("", "-wal"):
            shutil.copy(f"{store}{end}", f"{copy}{end}")
        await engine.close()

    asyncio.run(crash())
    with program(copy) as connection:
        assert connection.execute("SELECT count(*) FROM accounts").fetchone() == (ACCOUNTS,)
    assert not copy.with_name("killed.db-wal").exists()
    assert repair_before_start(copy)
    assert not repair_before_start(copy)
    assert asyncio.run(check_file(copy)) == []


def flip(path: Path, text: bytes) -> None:
    """Damage the page of a text."""
    content = bytearray(path.read_bytes())
    content[content.index(text)] ^= 1
    path.write_bytes(content)


def test_damage_in_a_copy_is_refused(store: Path, tmp_path: Path) -> None:
    """If the other pages have their checksums, no other program wrote this one (X8)."""
    copy = tmp_path / "copy.db"
    backed_up(store, copy)
    flip(copy, b"lake-7")
    before = copy.read_bytes()
    with pytest.raises(StoreRefused, match="accept-writes"):
        repair_before_start(copy)
    assert copy.read_bytes() == before


def test_a_damaged_schema_is_refused(store: Path) -> None:
    """A wrong checksum of the schema is repaired only if the schema is right (X8)."""
    content = store.read_bytes()
    store.write_bytes(content.replace(b"password_hash", b"password_hush"))
    with pytest.raises(StoreRefused, match="is damaged"):
        repair_before_start(store)


def test_a_lost_sector_is_no_missing_checksum(store: Path, tmp_path: Path) -> None:
    """Zeros at the end of a page are damage (X8, R05)."""
    copy = tmp_path / "copy.db"
    backed_up(store, copy)
    content = bytearray(copy.read_bytes())
    end = (content.index(b"lake-7") // PAGE_BYTES + 1) * PAGE_BYTES
    content[end - 512 : end] = bytes(512)
    copy.write_bytes(content)
    with pytest.raises(StoreRefused):
        repair_before_start(copy)


def test_an_operator_accepts_ambiguous_changes(store: Path) -> None:
    """A row changed by another program may be damage: it is reported, then accepted (X8)."""
    with program(store) as connection:
        connection.execute("DROP TRIGGER commit_counts_accounts_update")
    repair_before_start(store)
    with program(store) as connection:
        connection.execute("UPDATE accounts SET name = 'other' WHERE id = 7")

    async def look() -> None:
        engine = SqliteDatabase(store)
        engine.set_repair(partial(repair_while_serving, store))
        with pytest.raises(StoreUnavailable, match="checksum") as refusal:
            await engine.fetch_one(NAME, 7)
        assert "I/O" not in str(refusal.value)
        assert "accept-writes" in str(refusal.value)  # even if `database check` cannot open it
        await engine.close()

    asyncio.run(look())
    (told,) = asyncio.run(check_file(store))
    assert "accept-writes" in told
    assert accept_all_pages(store)
    assert asyncio.run(check_file(store)) == []


def test_a_damaged_structure_is_never_accepted(store: Path) -> None:
    """An invalid structure is refused even if an operator accepts it (R05)."""
    content = bytearray(store.read_bytes())
    start = content.index(b"lake-7") // PAGE_BYTES * PAGE_BYTES
    content[start + 8 : start + 40] = bytes(range(32))
    store.write_bytes(content)
    with pytest.raises(StoreRefused, match="restore a backup"):
        accept_all_pages(store)


def run_with_other_program(
    store: Path, work: Callable[[SqliteDatabase, OtherProgram], Awaitable[None]]
) -> None:
    """Run a server and another program on the same file."""

    async def live() -> None:
        engine = SqliteDatabase(store)
        engine.set_repair(partial(repair_while_serving, store))
        with other_program(store) as other:
            await work(engine, other)
            await engine.check()
        await engine.close()

    asyncio.run(live())
    assert asyncio.run(check_file(store)) == []


def test_another_program_writes_during_a_server(store: Path) -> None:
    """Its tables, its rows and its checkpoints do not stop the server (X8)."""

    async def work(engine: SqliteDatabase, other: OtherProgram) -> None:
        await arrive(engine, ACCOUNTS)
        for statement in filter(str.strip, LITESTREAM.split(";")):
            other.run(statement)
        other.run("UPDATE accounts SET name = 'other' WHERE id = 7")
        other.run("PRAGMA wal_checkpoint(TRUNCATE)")
        assert await engine.fetch_one(NAME, 7) == ("other",)
        for number in range(ACCOUNTS + 1, ACCOUNTS + 9):
            await arrive(engine, number)
            other.run("PRAGMA wal_checkpoint(PASSIVE)")
            other.run("UPDATE _litestream_seq SET seq = seq + 1")
            assert await engine.fetch_one(NAME, number) == (f"lake-{number}",)
        await asyncio.sleep(0)  # a read ends with its tick, and until then the log is in use
        other.run("PRAGMA wal_checkpoint(TRUNCATE)")

    run_with_other_program(store, work)


def test_a_change_meets_what_another_program_wrote_back(store: Path) -> None:
    """The writer repairs as a reader does, without an error for the caller (X8)."""

    async def work(engine: SqliteDatabase, other: OtherProgram) -> None:
        for number in range(ACCOUNTS, ACCOUNTS + 5):
            await arrive(engine, number)
            other.run("PRAGMA wal_checkpoint(TRUNCATE)")

    run_with_other_program(store, work)


def test_damage_during_a_server_is_still_reported(store: Path) -> None:
    """A page that no program could have written is not repaired: it stays damaged (R05)."""
    flip(store, b"lake-7")

    async def live() -> None:
        engine = SqliteDatabase(store)
        engine.set_repair(partial(repair_while_serving, store))
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await engine.fetch_one(NAME, 7)
        with pytest.raises(StoreUnavailable):
            await engine.check()
        await engine.close()

    asyncio.run(live())
    assert asyncio.run(check_file(store)) != []
