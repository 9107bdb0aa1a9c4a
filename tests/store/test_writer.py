"""The writer thread: group commit, savepoints, failures of the machine."""

import asyncio
import threading
from pathlib import Path

import apsw
import pytest

from hupan.model import StoreUnavailable
from hupan.store import sqlite
from hupan.store.database import Conflict, Transaction
from hupan.store.migrate import migrate_file
from hupan.store.sqlite import MIN_SQLITE_VERSION, SqliteDatabase, connect
from tests.support.sqlite_files import open_file

PUT = "INSERT INTO counters (name, value) VALUES (?1, ?2)"
GET = "SELECT value FROM counters WHERE name = ?1"


async def put(engine: SqliteDatabase, name: str, value: int) -> int:
    """Store a number under a name; return the number of changed rows."""
    return await engine.run_transaction(lambda tx: tx.execute(PUT, name, value))


def kept(path: Path, name: str) -> int | None:
    """Return the value of a name, read through a new connection."""
    rows = connect(path).execute(GET, (name,)).fetchall()
    return int(str(rows[0][0])) if rows else None


async def test_a_change_is_kept_when_it_returns(database: Path) -> None:
    """A change is committed before its caller continues."""
    async with open_file(database) as engine:
        assert await put(engine, "a", 7) == 1
        assert kept(database, "a") == 7


async def test_an_exception_undoes_its_own_change_alone(database: Path) -> None:
    """A failing change of a group leaves nothing; the others are committed."""

    async def fail(tx: Transaction) -> None:
        await tx.execute(PUT, "bad", 1)
        raise ZeroDivisionError

    async with open_file(database) as engine:
        outcomes = await asyncio.gather(
            put(engine, "before", 1),
            engine.run_transaction(fail),
            put(engine, "after", 2),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes] == [int, ZeroDivisionError, int]
        assert [kept(database, name) for name in ("before", "bad", "after")] == [1, None, 2]


async def test_a_key_that_is_taken_is_a_conflict(database: Path) -> None:
    """A duplicate unique key raises Conflict, on either engine."""
    async with open_file(database) as engine:
        await put(engine, "a", 1)
        with pytest.raises(Conflict):
            await put(engine, "a", 2)
        assert kept(database, "a") == 1


async def test_changes_run_in_the_order_they_came(database: Path) -> None:
    """Five hundred concurrent changes count to five hundred, more than one group has."""

    async def step(tx: Transaction) -> int:
        row = await tx.fetch_one(
            "UPDATE counters SET value = value + 1 WHERE name = 'n' RETURNING value"
        )
        assert row is not None
        return int(row[0])

    async with open_file(database) as engine:
        await put(engine, "n", 0)
        counted = await asyncio.gather(*(engine.run_transaction(step) for _ in range(500)))
        assert counted == list(range(1, 501))


async def test_a_change_may_wait_for_nothing_else(database: Path) -> None:
    """A change that awaits anything but its transaction is an error, and is rolled back."""

    async def wait(tx: Transaction) -> None:
        await tx.execute(PUT, "a", 1)
        await asyncio.sleep(0)

    async with open_file(database) as engine:
        with pytest.raises(RuntimeError):
            await engine.run_transaction(wait)
        assert kept(database, "a") is None


async def test_a_failing_disk_is_reported_until_it_works(database: Path) -> None:
    """If the store cannot grow, changes raise StoreUnavailable; with space again they succeed."""
    async with open_file(database) as engine:
        pages = await engine.fetch_one("PRAGMA page_count")
        assert pages is not None
        await engine.run_transaction(lambda tx: tx.fetch_one(f"PRAGMA max_page_count = {pages[0]}"))
        wide = "x" * 100_000
        with pytest.raises(StoreUnavailable):
            await put(engine, wide, 1)
        await engine.check()  # small writes still succeed
        await engine.run_transaction(lambda tx: tx.fetch_one("PRAGMA max_page_count = 1000000"))
        assert await put(engine, wide, 2) == 1
        assert kept(database, wide) == 2


async def test_a_failed_sync_ends_all_writing(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed sync no change is acknowledged any more."""
    async with open_file(database) as engine:
        await engine.check()
        failure = apsw.IOError("disk I/O error")
        setattr(failure, "extendedresult", apsw.SQLITE_IOERR_FSYNC)  # noqa: B010 - apsw sets it this way
        monkeypatch.setattr(engine._writer, "_run_one", _raise(failure))  # noqa: SLF001 - the fault has no public call
        with pytest.raises(StoreUnavailable):
            await put(engine, "a", 1)
        monkeypatch.undo()
        with pytest.raises(StoreUnavailable):
            await put(engine, "a", 2)
        with pytest.raises(StoreUnavailable):
            await engine.check()
        assert await engine.fetch_one(GET, "process") is not None


def _raise(failure: Exception) -> object:
    def raising(_waiting: object) -> None:
        raise failure

    return raising


async def test_close_finishes_what_waits(database: Path) -> None:
    """Changes submitted before `close` are committed; later ones are refused."""
    migrate_file(database)
    engine = SqliteDatabase(database)
    waiting = [asyncio.ensure_future(put(engine, str(n), n)) for n in range(20)]
    await asyncio.sleep(0)
    await engine.close()
    assert await asyncio.gather(*waiting) == [1] * 20
    with pytest.raises(StoreUnavailable):
        await put(engine, "late", 1)
    assert kept(database, "19") == 19


async def test_readiness_follows_the_disk(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed change the store is ready again once a commit succeeds, and not before."""
    async with open_file(database) as engine:
        full = apsw.FullError("database or disk is full")
        monkeypatch.setattr(engine._writer, "_run_one", _raise(full))  # noqa: SLF001 - the fault has no public call
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await put(engine, "a", 1)
            with pytest.raises(StoreUnavailable):
                await engine.check()
        monkeypatch.undo()
        await engine.check()
        assert await put(engine, "a", 2) == 1


def test_every_commit_is_synced(database: Path) -> None:
    """Every connection uses WAL mode with synchronous FULL, on a recent SQLite."""
    migrate_file(database)
    connection = connect(database)
    found = [connection.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert found == ["wal", 2, 1]  # security D7: 2 is FULL
    assert apsw.SQLITE_VERSION_NUMBER >= MIN_SQLITE_VERSION  # security D8


async def test_too_many_waiting_changes_are_refused(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk hangs a bounded number of changes waits; the next gets Busy (R15)."""
    monkeypatch.setattr(sqlite, "MAX_PENDING_CHANGES", 5)
    begun, over = threading.Event(), threading.Event()

    async def hang(tx: Transaction) -> None:
        begun.set()
        over.wait(30)
        await tx.execute(PUT, "hung", 1)

    async with open_file(database) as engine:
        hung = asyncio.create_task(engine.run_transaction(hang))
        await asyncio.to_thread(begun.wait, 30)
        waiting = [asyncio.create_task(put(engine, f"n{number}", 1)) for number in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable) as refused:
            await put(engine, "one too many", 1)
        assert refused.value.is_busy
        over.set()
        await asyncio.gather(hung, *waiting)
        assert await put(engine, "afterwards", 1) == 1
