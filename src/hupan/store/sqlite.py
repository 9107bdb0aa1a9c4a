"""SQLite through apsw: reads on the event loop, writes on one thread with group commit.

A read takes some 10 µs, less than a hop to a thread. The writer takes all changes that wait, runs
each in a savepoint, commits once with `synchronous=FULL` and only then answers all of them.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import apsw

from hupan.model import StoreUnavailable
from hupan.store.engine import (
    Result,
    Row,
    StoreRefused,
    Transaction,
    Value,
)
from hupan.store.writer import Writer

OLDEST_SQLITE = 3_051_003
"""Older ones can lose a commit when the write-ahead log is reset (security D8)."""

# Waiting comes first: switching to the log, or repairing it, may meet another process.
_PROBE = "UPDATE counters SET value = value WHERE name = 'process'"
_PRAGMAS = """
PRAGMA busy_timeout = 5000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA journal_size_limit = 67108864;
PRAGMA busy_timeout = 5000;
"""


class Statements:
    """Runs statements on one connection; its coroutines never suspend."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        rows = self._connection.execute(sql, values).fetchall()
        return cast("Row", rows[0]) if rows else None

    async def all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        return cast("list[Row]", self._connection.execute(sql, values).fetchall())

    async def run(self, sql: str, *values: Value) -> int:
        """The number of rows changed."""
        self._connection.execute(sql, values).fetchall()
        return self._connection.changes()


class SqliteEngine:
    """A store in one file that is up to date."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._reader = Statements(self._connection)
        self._writer = Writer(lambda: connect(path), Statements)

    async def one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        try:
            return await self._reader.one(sql, *values)
        except apsw.Error as error:
            raise StoreUnavailable(str(error)) from error

    async def all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        try:
            return await self._reader.all(sql, *values)
        except apsw.Error as error:
            raise StoreUnavailable(str(error)) from error

    async def change(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Runs `work` on the writer thread; returns when its commit is on the disk."""
        return await self._writer.change(work)

    async def check(self) -> None:
        """Reads a row; after a write has failed, writes one to see whether that is over."""
        await self.one("SELECT number FROM migrations ORDER BY number DESC LIMIT 1")
        self._writer.check()
        if self._writer.has_failed:  # is it over? A write that changes nothing tells
            await self.change(lambda tx: tx.run(_PROBE))

    async def close(self) -> None:
        """Finishes waiting changes, empties the write-ahead log, closes the file."""
        await self._writer.close()
        self._connection.close()


def connect(path: Path) -> apsw.Connection:
    """Opens the file with the settings that every connection needs.

    Raises:
        StoreRefused: SQLite is too old, or the file cannot be opened as a database.
    """
    if apsw.SQLITE_VERSION_NUMBER < OLDEST_SQLITE:
        raise StoreRefused(f"SQLite 版本过旧 / SQLite is too old: {apsw.sqlite_lib_version()}")
    try:
        connection = apsw.Connection(str(path))
        # Without it SQLite looks at each value that is bound and plans the statement anew for it:
        # the read of a caller then takes 23 µs instead of 7.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        connection.execute(_PRAGMAS).fetchall()
    except apsw.Error as error:
        raise StoreRefused(f"无法打开数据库 / cannot open the store {path}: {error}") from error
    return connection
