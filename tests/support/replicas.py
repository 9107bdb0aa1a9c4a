"""A PostgreSQL server with a synchronous standby: real processes on loopback.

It also reads rows of a PostgreSQL store while servers use it.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from hupan.store.database import Row
from hupan.store.postgres import PostgresDatabase
from hupan.store.postgres_dsn import PostgresDsn
from hupan.store.postgres_pool import PostgresPool
from tests.support.load_clients import ENVIRONMENT
from tests.support.ports import LOOPBACK
from tests.support.postgres import USER, Cluster
from tests.support.running import Running
from tests.support.servers import Server

STORE = "lake"
STANDBY = "standby"
WAIT_SECONDS = 60.0
_DURABLE = {"wal_level": "replica", "max_connections": "100", "shared_buffers": "32MB"}


class Pair(Running):
    """A primary, and a standby that has each commit before the client gets its response."""

    def __init__(self) -> None:
        self.primary = Cluster(_DURABLE)
        self.standby = Cluster(_DURABLE)

    def url(self) -> str:
        """Return the URL with both hosts, and the store."""
        hosts = ",".join(f"{LOOPBACK}:{each.port}" for each in (self.primary, self.standby))
        return f"postgresql://{USER}@{hosts}/{STORE}"

    def promote(self) -> None:
        """Promote the standby."""
        assert self.standby.sql("SELECT pg_promote(true, 60)") == "t"

    def close(self) -> None:
        """Stop both and remove their folders."""
        self.primary.close()
        self.standby.close()

    def start(self) -> None:
        """Start both, and wait until commits wait for the standby."""
        self.primary.start()
        self.primary.sql(f"CREATE DATABASE {STORE}")
        self._copy()
        self.standby.start()
        # After the copy: the promoted standby must not wait for another one.
        self.primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
        self.primary.sql("SELECT pg_reload_conf()")
        deadline = time.monotonic() + WAIT_SECONDS
        while self.primary.sql("SELECT sync_state FROM pg_stat_replication") != "sync":
            assert time.monotonic() < deadline, "the standby does not follow"
            time.sleep(0.1)

    def _copy(self) -> None:
        home = f"host={LOOPBACK} port={self.primary.port} user={USER}"
        self.standby.binaries.run(
            *("pg_basebackup", "-D", str(self.standby.data), "-X", "stream", "-c", "fast"),
            *("--no-sync", "-R", "-d", f"{home} application_name={STANDBY}"),
        )
        os.chmod(self.standby.data, 0o700)  # noqa: PTH101 - PostgreSQL requires it


def rows_on(url: str) -> Callable[[str], list[Row]]:
    """Return the rows of a query, as tuples."""

    async def ask(sql: str) -> list[Row]:
        engine = PostgresDatabase(PostgresPool(PostgresDsn(url)))
        try:
            return [tuple(row) for row in await engine.fetch_all(sql)]
        finally:
            await engine.close()

    return lambda sql: asyncio.run(ask(sql))


def server_on(pair: Pair, folder: Path, *more: str) -> Server:
    """Return a sandbox whose store is on both hosts; it uses the primary."""
    places = ("--data-dir", str(folder), "--database", pair.url())
    environment = {**ENVIRONMENT, "HUPAN_DATABASE_TIMEOUT_SECONDS": "2"}
    return Server("sandbox", *places, *more, environment=environment)
