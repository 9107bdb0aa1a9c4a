"""The write-ahead log is checkpointed and kept small, despite other readers (security R03)."""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hupan.model import StoreUnavailable
from hupan.store import sqlite as log_care
from hupan.store.database import Transaction
from hupan.store.migrate import migrate_file
from hupan.store.sqlite import SqliteDatabase
from hupan.store.wal import wal_path
from tests.support.other_program import other_program
from tests.support.sqlite_files import open_file

PATIENCE_SECONDS = 60.0
LARGE, SMALL = 2**20, 2**18
WIDE = "UPDATE accounts SET avatar_url = ?1 WHERE id < 200"
TOUCH = "UPDATE counters SET value = value + 1 WHERE name = 'process'"
ARRIVE = "INSERT INTO accounts (id, name, invitation_code, registered_at) VALUES (?1, ?2, ?2, 0)"
pytestmark = pytest.mark.one_engine


def touch(tx: Transaction) -> Awaitable[int]:
    """Return a small change."""
    return tx.execute(TOUCH)


async def until(condition: Callable[[], bool]) -> bool:
    """Return whether a condition becomes true within a time limit."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110 # another thread sets it
        await asyncio.sleep(0.02)
    return condition()


async def fill(engine: SqliteDatabase, path: Path) -> None:
    """Make changes that enlarge the log while a reader stays."""

    async def arrive(tx: Transaction) -> None:
        for number in range(200):
            await tx.execute(ARRIVE, number + 1, f"lake-{number}")

    await engine.run_transaction(arrive)
    for number in range(100):
        if wal_path(path).stat().st_size > 2 * LARGE:
            return
        text = f"{number:0200}"
        await engine.run_transaction(lambda tx, text=text: tx.execute(WIDE, text))  # type: ignore[misc] # bound now


@pytest.mark.slow
async def test_a_log_that_a_reader_held_shrinks_when_it_is_gone(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged while large, counted, and truncated without a restart (R03)."""
    monkeypatch.setattr(log_care, "LARGE_WAL_BYTES", LARGE)
    monkeypatch.setattr(log_care, "TRUNCATE_WAL_BYTES", SMALL)
    caplog.set_level(logging.INFO, "hupan.store")

    async with open_file(database) as engine:
        with other_program(database) as reader:
            reader.run("BEGIN")
            reader.run("SELECT count(*) FROM accounts")
            await fill(engine, database)
            assert engine.stats().wal_bytes > LARGE
            assert await until(lambda: "has grown" in caplog.text)
            reader.run("ROLLBACK")
        assert await until(lambda: engine.stats().wal_bytes <= SMALL)
        assert await until(lambda: "has shrunk" in caplog.text)
        await engine.run_transaction(touch)


async def test_a_file_that_was_moved_away_takes_no_change(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A write that the next start would not find fails; when the file is back, writes work (X9)."""
    aside = database.with_name("aside.db")

    async with open_file(database) as engine:
        await engine.run_transaction(touch)
        database.rename(aside)  # noqa: ASYNC240 # a short block in a test
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="moved or replaced"):
                await engine.run_transaction(touch)
        with pytest.raises(StoreUnavailable, match="moved or replaced"):
            await engine.check()
        aside.rename(database)
        await engine.run_transaction(touch)
        await engine.check()
    assert caplog.text.count("moved or replaced") == 1


async def test_a_file_that_was_replaced_takes_no_change(database: Path) -> None:
    """A backup in its place is another file; so is a missing log (X9)."""
    migrate_file(database)
    backup = database.with_name("backup.db")
    shutil.copyfile(database, backup)

    async def without_log() -> None:
        engine = SqliteDatabase(database)
        await engine.run_transaction(touch)
        wal_path(database).unlink()
        with pytest.raises(StoreUnavailable, match="replaced"):
            await engine.run_transaction(touch)
        await engine.close()

    engine = SqliteDatabase(database)
    await engine.run_transaction(touch)
    backup.replace(database)
    with pytest.raises(StoreUnavailable, match="replaced"):
        await engine.run_transaction(touch)
    await engine.close()
    for end in ("-wal", "-shm"):
        database.with_name(f"{database.name}{end}").unlink(missing_ok=True)
    await without_log()


async def test_reads_end_when_the_file_is_gone(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads check once a second (X9)."""
    monkeypatch.setattr("hupan.store.sqlite.FILE_CHECK_SECONDS", 0.0)
    aside = database.with_name("aside.db")

    async with open_file(database) as engine:
        assert await engine.fetch_one("SELECT 1") == (1,)
        database.rename(aside)  # noqa: ASYNC240 # a short block in a test
        await asyncio.sleep(0)  # a tick sees one state
        with pytest.raises(StoreUnavailable, match="moved or replaced"):
            await engine.fetch_one("SELECT 1")
