"""Reads on SQLite: one tick of the event loop sees one state, and the next tick the newest."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from hupan.model import StoreUnavailable
from hupan.store.database import Transaction
from hupan.store.sqlite import connect
from tests.support.sqlite_files import open_file

READ = "SELECT value FROM counters WHERE name = 'turns'"
SET = """
INSERT INTO counters (name, value) VALUES ('turns', ?1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""


@pytest.fixture
def other_connections() -> Iterator[list[apsw.Connection]]:
    """Yield a list for connections of another process, closed at the end."""
    opened: list[apsw.Connection] = []
    yield opened
    for connection in opened:
        connection.close()


async def test_a_turn_sees_one_state(
    database: Path, other_connections: list[apsw.Connection]
) -> None:
    """A commit between two reads of one tick is seen by the next tick, not by the second read."""

    async def read() -> list[object]:
        async with open_file(database) as engine:
            other_connections.append(connect(database))
            seen: list[object] = []
            for value in (1, 2):
                other_connections[0].execute(SET, (value,)).fetchall()
                seen.append(await engine.fetch_one(READ))
            await asyncio.sleep(0)
            seen.append(await engine.fetch_one(READ))
            return seen

    assert await read() == [(1,), (1,), (2,)]


@pytest.mark.slow
async def test_a_writer_sees_its_change(database: Path) -> None:
    """During many other reads, a read after a change finds it."""

    async def read() -> list[bool]:
        async with open_file(database) as engine:
            others = asyncio.Event()

            async def go_on_reading() -> None:
                while not others.is_set():
                    await engine.fetch_one(READ)
                    await asyncio.sleep(0)

            reading = [asyncio.create_task(go_on_reading()) for _ in range(8)]
            found = []
            for value in range(200):

                async def change(tx: Transaction, value: int = value) -> None:
                    await tx.execute(SET, value)

                await engine.run_transaction(change)
                found.append(await engine.fetch_one(READ) == (value,))
            others.set()
            await asyncio.gather(*reading)
            return found

    assert all(await read())


@pytest.mark.slow
async def test_an_acknowledged_change_is_seen_by_other_servers(database: Path) -> None:
    """A later request to another server sees it."""

    async def read() -> list[bool]:
        async with open_file(database) as first, open_file(database) as second:
            found = []
            for value in range(200):
                await second.fetch_one(READ)

                async def change(tx: Transaction, value: int = value) -> None:
                    await tx.execute(SET, value)

                await first.run_transaction(change)
                found.append(await second.fetch_one(READ) == (value,))
            return found

    assert all(await read())


async def test_nothing_is_held_between_ticks(
    database: Path, other_connections: list[apsw.Connection]
) -> None:
    """An idle server holds no snapshot of the store: another process can truncate the log."""

    async def empty() -> object:
        async with open_file(database) as engine:
            other_connections.append(connect(database))
            other_connections[0].execute(SET, (1,)).fetchall()
            await engine.fetch_one(READ)
            await asyncio.sleep(0)
            other_connections[0].set_busy_timeout(0)
            rows = other_connections[0].execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return rows[0][0]

    assert await empty() == 0


async def test_a_read_that_fails_spoils_no_other(database: Path) -> None:
    """An invalid statement is refused, and the reads around it succeed."""

    async def read() -> list[object]:
        async with open_file(database) as engine:
            await engine.run_transaction(lambda tx: tx.execute(SET, 7))
            before = await engine.fetch_one(READ)
            with pytest.raises(StoreUnavailable):
                await engine.fetch_one("SELECT nothing FROM nowhere")
            after = await engine.fetch_one(READ)
            await asyncio.sleep(0)
            return [before, after, await engine.fetch_one(READ)]

    assert await read() == [(7,), (7,), (7,)]


async def test_a_store_closes_within_a_turn(database: Path) -> None:
    """Closing right after a read neither fails nor leaves the log behind."""
    async with open_file(database) as engine:
        await engine.fetch_one(READ)
    assert not database.with_name(f"{database.name}-wal").exists()
