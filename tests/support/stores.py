"""The store of a test: a SQLite file, or a separate database on PostgreSQL.

A test names a path. Under `sqlite` it is a file; under `postgres` the path stands for a database
with an empty store, which is emptied or dropped after the test.
"""

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import apsw
import asyncpg

from hupan.store.database import Database, DatabaseStats, Result, Row, Transaction, Value
from hupan.store.migrate import migrate_file
from hupan.store.postgres import PostgresDatabase, migrate_postgres
from hupan.store.postgres_dsn import PoolSize, PostgresDsn
from hupan.store.postgres_pool import PostgresPool
from hupan.store.sqlite import SqliteDatabase, WalMaintenance, connect
from tests.support.cleaning import Cleaner
from tests.support.postgres import Cluster

EngineName: TypeAlias = Literal["sqlite", "postgres"]
ENGINES: tuple[EngineName, ...] = ("sqlite", "postgres")
TEMPLATE = "empty"
WAIT_SECONDS = 120
T = TypeVar("T")


class Databases:
    """Create and drop the databases of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._connection = self.wait(self._prepare())
        self._cleaner = self.wait(Cleaner.like(cluster.url(TEMPLATE)))
        self._emptied: list[str] = []
        self._stores: set[str] = set()
        self._made = 0

    def make(self, template: str = TEMPLATE) -> str:
        """Create a database, with an empty store or without; return its name."""
        if template == TEMPLATE and self._emptied:
            return self._emptied.pop()
        self._made += 1
        name = f"store{self._made}"
        self.wait(self._connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}"))
        if template == TEMPLATE:
            self._stores.add(name)
        return name

    def drop(self, name: str) -> None:
        """Drop a database with all its connections, or keep it empty for the next test."""
        if name in self._stores and self.wait(self._cleaner.clean(self.cluster.url(name))):
            self._emptied.append(name)
            return
        self.wait(self._connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))

    def close(self) -> None:
        """End the connection and the thread."""
        self.wait(self._connection.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(WAIT_SECONDS)
        self.loop.close()

    async def _prepare(self) -> "asyncpg.Connection[asyncpg.Record]":
        connection = await asyncpg.connect(self.cluster.url())
        await connection.execute(f"CREATE DATABASE {TEMPLATE}")
        pool = PostgresPool(PostgresDsn(self.cluster.url(TEMPLATE)))
        await migrate_postgres(pool)
        await pool.close()
        return connection

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop of the databases; it must not be called there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_SECONDS)


@dataclass
class Stores:
    """The stores of the running test; the fixture `engine` sets it."""

    engine: EngineName = "sqlite"
    databases: Databases | None = None
    names: dict[Path, str] = field(default_factory=dict)
    unnamed: int = 0
    opened: list["LoopDatabase"] = field(default_factory=list)

    def url(self, place: Path) -> str:
        """Return the URL of the database for a path; it is created on first use."""
        assert self.databases is not None
        if place not in self.names:
            self.names[place] = self.databases.make()
        return self.databases.cluster.url(self.names[place])

    def options(self, data_dir: Path | None) -> list[str]:
        """Return the options of a server's command line for the store, besides the data folder."""
        if self.engine == "sqlite":
            return []
        if set_already := os.environ.get("HUPAN_DATABASE"):
            return ["--database", set_already]
        if data_dir is None:
            self.unnamed += 1
            data_dir = Path(f"unnamed-{self.unnamed}")
        return ["--database", self.url(data_dir / "hupan.db")]

    def environment(self, data_dir: Path) -> dict[str, str]:
        """Return the environment variables with which a command finds the store of a folder."""
        options = self.options(data_dir)
        return {"HUPAN_DATABASE": options[1]} if options else {}

    def setting(self, place: Path) -> str:
        """Return the setting `database` of a server in this process; "" for a file."""
        return "" if self.engine == "sqlite" else self.url(place)

    def forget(self, place: Path) -> None:
        """Drop the database of a path, if it has one."""
        if self.databases is not None and place in self.names:
            self.databases.drop(self.names.pop(place))

    @contextmanager
    def dropped_after(self) -> Iterator[None]:
        """Drop the databases created in the block at its end."""
        before = set(self.names)
        try:
            yield
        finally:
            for engine in self.opened:  # including those that a test left open, as a crash would
                engine.end()
            self.opened.clear()
            for place in set(self.names) - before:
                self.forget(place)


STORES = Stores()


@cache
def empty_file() -> bytes:
    """Return an empty store; a copy takes a tenth of the time of a new one."""
    with tempfile.TemporaryDirectory(prefix="hupan-empty-") as folder:
        place = Path(folder) / "hupan.db"
        migrate_file(place)
        connection = connect(place)
        WalMaintenance(place, connection, lambda: False).close()  # adds the triggers of a server
        connection.close()
        return place.read_bytes()


def connect_without_syncs(place: Path) -> apsw.Connection:
    """Open a file whose commits do not wait for the disk: no data here outlives its test."""
    connection = connect(place)
    connection.execute("PRAGMA synchronous = OFF").fetchall()
    return connection


def make_engine(place: Path) -> Database:
    """Return an open store, which is empty on the path's first use."""
    if STORES.engine == "sqlite":
        if place.exists():
            migrate_file(place)
        else:
            place.write_bytes(empty_file())
    return open_store(place)


def open_store(place: Path) -> Database:
    """Return an open store that exists, perhaps in use by a server."""
    if STORES.engine == "postgres":
        assert STORES.databases is not None
        STORES.opened.append(LoopDatabase(STORES.url(place), STORES.databases))
        return STORES.opened[-1]
    return SqliteDatabase(place, connect_without_syncs)


@asynccontextmanager
async def open_engine(place: Path) -> AsyncIterator[Database]:
    """Yield an open store; close it at the end."""
    engine = make_engine(place)
    try:
        yield engine
    finally:
        await engine.close()


class LoopDatabase:
    """A PostgreSQL store with its own loop, for tests that use one event loop after another."""

    def __init__(self, url: str, databases: Databases) -> None:
        self._databases = databases
        self._engine = PostgresDatabase(PostgresPool(PostgresDsn(url), PoolSize(max_connections=8)))

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        """Return the first row, or None."""
        return await self._there(self._engine.fetch_one(sql, *values))

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        """Return every row."""
        return await self._there(self._engine.fetch_all(sql, *values))

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` in a transaction, on another thread than the caller's, as SQLite does."""
        return await self._there(self._engine.run_transaction(work))

    async def check(self) -> None:
        """Check the server."""
        await self._there(self._engine.check())

    def stats(self) -> DatabaseStats:
        """Return the statistics so far."""
        return self._engine.stats()

    async def close(self) -> None:
        """Close the connections."""
        await self._there(self._engine.close())

    def end(self) -> None:
        """Close the connections, from any thread but the databases' own."""
        self._databases.wait(self._engine.close())

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(work, self._databases.loop)
        )
