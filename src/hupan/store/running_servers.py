"""Server processes that use a PostgreSQL store, as rows of `counters` that show they are alive.

Behind a pooler, connections do not reveal them. Each process increments its own counter
regularly, so no clock is needed to see whether it runs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from hupan.store.cluster_state import DELETE_VALUE
from hupan.store.database import Database, Reader, StoreRefused, Transaction

BEAT_SECONDS = 5.0
"""How often a process raises its counter."""
WATCH_SECONDS = 25
"""A counter that has not changed for this long belongs to a process that ended."""
PREFIX = "server:"
AFTER_PREFIX = "server;"
"""The names between the two are those of processes."""
OnWatch = Callable[[int, int], None]
"""Is called with the elapsed and the total seconds of a watch."""
BEAT = """
INSERT INTO counters (name, value) VALUES (?1, 1)
ON CONFLICT (name) DO UPDATE SET value = counters.value + 1
"""
LIST_SERVERS = f"""
SELECT name, value FROM counters WHERE name >= '{PREFIX}' AND name < '{AFTER_PREFIX}'
"""
FORGET_SERVER = "DELETE FROM counters WHERE name = ?1 AND value = ?2"


def server_name(process_number: int) -> str:
    return f"{PREFIX}{process_number}"


async def beat(tx: Transaction, name: str) -> None:
    """Record that a process runs."""
    await tx.execute(BEAT, name)


async def withdraw(tx: Transaction, name: str) -> None:
    """Record that a process has stopped."""
    await tx.execute(DELETE_VALUE, name)


async def list_servers(reader: Reader) -> dict[str, int]:
    """Return the counter of each process by its name."""
    return {str(row[0]): int(row[1]) for row in await reader.fetch_all(LIST_SERVERS)}


async def forget_servers(database: Database, ended: Mapping[str, int]) -> None:
    """Remove processes whose counters are still the same."""

    async def change(tx: Transaction) -> None:
        for name, value in ended.items():
            await tx.execute(FORGET_SERVER, name, value)

    await database.run_transaction(change)


async def ensure_no_servers(
    database: Database,
    on_watch: OnWatch = lambda _passed, _all: None,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Raise if a server uses the store; watch those that may have been killed for a while.

    Raises:
        StoreRefused: one does.
    """
    before = await list_servers(database)
    for second in range(WATCH_SECONDS if before else 0):
        on_watch(second, WATCH_SECONDS)
        await sleep(1.0)
        running = (await list_servers(database)).items() - before.items()
        if running:
            raise StoreRefused(
                f"还有 {len(running)} 个湖畔服务进程在使用该数据库，请先停止",
                f"{len(running)} server processes of Hupan use this store: stop them first",
            )
    if before:
        await forget_servers(database, before)
