"""Servers register in a PostgreSQL store while they run; silent ones are removed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hupan.domain.running_servers import LISTINGS_TO_FORGET, RunningServer
from hupan.store.database import Database, StoreRefused
from hupan.store.postgres import PostgresDatabase
from hupan.store.postgres_dsn import PoolSize, PostgresDsn
from hupan.store.postgres_pool import PostgresPool
from hupan.store.running_servers import WATCH_SECONDS, ensure_no_servers, list_servers
from tests.support.stores import Databases

pytestmark = pytest.mark.slow
KILLED = 300

Scenario = Callable[[Database], Awaitable[None]]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Yield the store."""
    database = PostgresDatabase(PostgresPool(PostgresDsn(url), PoolSize(max_connections=2)))
    try:
        yield database
    finally:
        await database.close()


def play(databases: Databases, scenario: Scenario) -> None:
    """Run a scenario on a separate store."""
    name = databases.make()

    async def run() -> None:
        async with opened(databases.cluster.url(name)) as database:
            await scenario(database)

    databases.wait(run())
    databases.drop(name)


class Sleeps:
    """Replace sleeping; a process may report itself during a sleep."""

    def __init__(self, at: int = 0, act: Callable[[], Awaitable[object]] | None = None) -> None:
        self.seconds = 0.0
        self._at, self._act = at, act

    async def __call__(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        if self._act is not None and self.seconds >= self._at:
            await self._act()


def test_a_running_process_is_seen(databases: Databases) -> None:
    """A process counts once it reports itself again; a stopped one does not."""

    async def scenario(database: Database) -> None:
        running_server = RunningServer(database, 7)
        await ensure_no_servers(database, sleep=Sleeps())
        await running_server.announce()
        sleeps = Sleeps(3, running_server.announce)
        with pytest.raises(StoreRefused, match="1 server process"):
            await ensure_no_servers(database, sleep=sleeps)
        assert sleeps.seconds == 3
        await running_server.withdraw()
        sleeps = Sleeps()
        await ensure_no_servers(database, sleep=sleeps)
        assert sleeps.seconds == 0

    play(databases, scenario)


def test_a_process_that_starts_meanwhile_is_seen(databases: Databases) -> None:
    """It is found while a killed one is being watched."""

    async def scenario(database: Database) -> None:
        await RunningServer(database, 1).announce()
        sleeps = Sleeps(WATCH_SECONDS, RunningServer(database, 2).announce)
        with pytest.raises(StoreRefused, match="1 server process"):
            await ensure_no_servers(database, sleep=sleeps)

    play(databases, scenario)


def test_a_killed_process_is_watched_once(databases: Databases) -> None:
    """Then it is known to have ended; if it only slept, it is found again."""

    async def scenario(database: Database) -> None:
        running_server = RunningServer(database, 7)
        await running_server.announce()
        watched: list[tuple[int, int]] = []
        sleeps = Sleeps()
        await ensure_no_servers(database, lambda *seconds: watched.append(seconds), sleeps)
        assert sleeps.seconds == WATCH_SECONDS
        assert watched == [(second, WATCH_SECONDS) for second in range(WATCH_SECONDS)]
        again = Sleeps()
        await ensure_no_servers(database, sleep=again)
        assert again.seconds == 0
        await running_server.announce()
        with pytest.raises(StoreRefused):
            await ensure_no_servers(database, sleep=Sleeps(1, running_server.announce))

    play(databases, scenario)


def test_killed_processes_leave_nothing(databases: Databases) -> None:
    """A running process removes the rows of killed ones."""

    async def scenario(database: Database) -> None:
        running, other = RunningServer(database, 1), RunningServer(database, 2)
        for number in range(3, KILLED):
            await RunningServer(database, number).announce()
        for _ in range(LISTINGS_TO_FORGET + 1):
            await other.announce()
            await running.forget_ended()
            await running.announce()
        assert set(await list_servers(database)) == {"server:1", "server:2"}

    play(databases, scenario)
