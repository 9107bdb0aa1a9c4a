"""SQLite through apsw: reads on the event loop, writes on one thread with group commit.

A read takes some 10 µs, less than a hop to a thread. The writer takes all changes that wait, runs
each in a savepoint, commits once with `synchronous=FULL` and only then answers all of them.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import apsw

from hupan.model import StoreUnavailable
from hupan.store.engine import (
    Figures,
    Result,
    Row,
    StoreRefused,
    Transaction,
    Value,
)
from hupan.store.log_care import LOOK_SECONDS, MEND_SECONDS, LogCare
from hupan.store.open_file import OpenFile
from hupan.store.page_sums import (
    is_damage,
    is_wrong_sum,
    reserve_sums,
    tables_of,
    told,
    vfs_with_sums,
)
from hupan.store.writer import MOVED, Writer

OLDEST_SQLITE = 3_051_003
"""Older ones can lose a commit when the write-ahead log is reset (security D8)."""

# A value that stays the same would not be written at all.
_PROBE = """
INSERT INTO counters (name, value) VALUES ('probe', 1)
ON CONFLICT (name) DO UPDATE SET value = counters.value + 1
"""
# Waiting comes first: switching to the log, or repairing it, may meet another process.
_PRAGMAS = """
PRAGMA busy_timeout = 5000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA journal_size_limit = 67108864;
PRAGMA cache_size = -65536;
PRAGMA busy_timeout = 5000;
"""
_log = logging.getLogger("hupan.store")


class Statements:
    """Runs statements on one connection; its coroutines never suspend."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        # One for all: each statement has run to its end before the next one begins.
        self._cursor = connection.cursor()

    async def one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        rows = self.rows(sql, values)
        return rows[0] if rows else None

    async def all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        return self.rows(sql, values)

    async def run(self, sql: str, *values: Value) -> int:
        """The number of rows changed."""
        self.rows(sql, values)
        return self._connection.changes()

    def rows(self, sql: str, values: tuple[Value, ...]) -> list[Row]:
        """Runs a statement; of damage the log names the tables (security R05)."""
        try:
            return cast("list[Row]", self._cursor.execute(sql, values).fetchall())
        except UnicodeDecodeError:  # its text holds the row's own bytes: they go no further
            error: apsw.Error = apsw.CorruptError("a text that is none")
        except apsw.Error as met:
            error = met
        if is_damage(error):
            _log.error("damage found in %s: %s", tables_of(sql), told(error))
        raise error


class Turn:
    """Reads, all of one turn of the event loop in one transaction; `begin` comes before `rows`.

    To begin and end a read takes as long as to find its row (docs/performance.md). What a turn sees
    is never older than what any request of that turn may know of: their bytes came, and changes
    that they waited for were kept, before the turn began.
    """

    def __init__(self, connection: apsw.Connection, look: Callable[[], None]) -> None:
        self._connection = connection
        self._look = look
        self._look_at = 0.0
        self.rows = Statements(connection).rows
        self.has_begun = False

    def begin(self) -> None:
        """Begins a turn; it ends with that of the event loop.

        Raises:
            StoreUnavailable: the file is not where it was; that is looked at once a second.
        """
        loop = asyncio.get_running_loop()
        if (now := loop.time()) >= self._look_at:
            self._look()
            self._look_at = now + LOOK_SECONDS
        self.rows("BEGIN", ())
        self.has_begun = True
        loop.call_soon(self.end)

    def end(self) -> None:
        """Lets go of what was seen; the next read sees what was kept meanwhile."""
        self.has_begun = False
        if self._connection.in_transaction:
            self.rows("ROLLBACK", ())


class SqliteEngine:
    """A store in one file that is up to date.

    Args:
        path: the file.
        connect_to: opens a connection; as `connect` does, but for tests of the machine's faults.
    """

    def __init__(
        self, path: Path, connect_to: Callable[[Path], apsw.Connection] | None = None
    ) -> None:
        open_file = connect_to or connect
        self._connection = open_file(path)
        self._file = OpenFile(path)
        self._turn = Turn(self._connection, self._look_at_file)
        self._mend: Callable[[], bool] = _mends_nothing
        self._writer = Writer(
            lambda: open_file(path),
            Statements,
            lambda connection: LogCare(path, connection, self._mend_now),
        )
        self._mending: asyncio.Task[bool] | None = None
        self._mended_at = -MEND_SECONDS
        self._is_closed = False
        self._damaged = False
        self._failed_reads = 0

    def mend_with(self, mend: Callable[[], bool]) -> None:
        """Hands in what mends the pages that another program wrote, and tells whether it did."""
        self._mend = mend

    async def one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        turn = self._turn
        try:
            if not turn.has_begun:
                turn.begin()
            rows = turn.rows(sql, values)
        except apsw.Error as error:
            rows = await self._again(error, sql, values)
        return rows[0] if rows else None

    async def all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        turn = self._turn
        try:
            if not turn.has_begun:
                turn.begin()
            return turn.rows(sql, values)
        except apsw.Error as error:
            return await self._again(error, sql, values)

    async def change(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Runs `work` on the writer thread; returns when its commit is on the disk."""
        return await self._writer.change(work)

    async def check(self) -> None:
        """Reads a row; after a write has failed, writes one to see whether that is over."""
        self._look_at_file()
        await self.one("SELECT number FROM migrations ORDER BY number DESC LIMIT 1")
        self._writer.check()
        if self._damaged or self._writer.has_met_damage:
            raise StoreUnavailable("a damaged row was met; see the log")
        if self._writer.has_failed:  # is it over? A write tells
            await self.change(lambda tx: tx.run(_PROBE))

    async def close(self) -> None:
        """Finishes waiting changes, empties the write-ahead log, closes the file."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._mending is not None:
            await asyncio.wait({self._mending})
        try:
            self._turn.end()
        finally:
            await self._writer.close()
            self._connection.close()

    def figures(self) -> Figures:
        """What the writer did, and reads that failed."""
        writer = self._writer
        failures = writer.failures + self._failed_reads
        size = self._file.log_bytes()
        return Figures(writer.waiting, writer.changes, writer.groups, failures, size)

    def _mend_now(self) -> bool:
        return self._mend()

    def _look_at_file(self) -> None:
        """Raises StoreUnavailable when the path leads to another file, or to none."""
        if not self._file.is_there():
            raise StoreUnavailable(MOVED)

    async def _again(self, error: apsw.Error, sql: str, values: tuple[Value, ...]) -> list[Row]:
        """What a read gives once what another program wrote is mended.

        Raises:
            StoreUnavailable: nothing was to be mended, or the read fails again.
        """
        if is_wrong_sum(error) and await self._mended():
            try:
                if not self._turn.has_begun:
                    self._turn.begin()
                return self._turn.rows(sql, values)
            except apsw.Error as second:
                error = second
        self._failed_reads += 1
        self._damaged = self._damaged or is_damage(error)
        raise StoreUnavailable(told(error)) from error

    async def _mended(self) -> bool:
        """Mends once for all who wait; not again at once, for then the page is damaged."""
        if self._mending is None:
            if time.monotonic() - self._mended_at < MEND_SECONDS:
                return False
            self._mending = asyncio.create_task(asyncio.to_thread(self._mend), name="mending")
        mending = self._mending
        try:
            is_done = await asyncio.shield(mending)
        finally:
            if mending.done() and self._mending is mending:
                self._mending = None
        self._mended_at = -MEND_SECONDS if is_done else time.monotonic()
        return is_done


def _mends_nothing() -> bool:
    return False


def connect(path: Path, vfs: str = "", *, verifies: bool = True) -> apsw.Connection:
    """Opens the file with the settings that every connection needs.

    Args:
        path: the file; one that is made now has page checksums.
        vfs: what files are opened with; by default what verifies the checksums.
        verifies: whether pages are read only with the right checksum.

    Raises:
        StoreRefused: SQLite is too old, or the file cannot be opened as a database.
    """
    if apsw.SQLITE_VERSION_NUMBER < OLDEST_SQLITE:
        raise StoreRefused(f"SQLite 版本过旧 / SQLite is too old: {apsw.sqlite_lib_version()}")
    try:
        connection = apsw.Connection(str(path), vfs=vfs or vfs_with_sums())
        reserve_sums(connection)
        # Without it SQLite looks at each value that is bound and plans the statement anew for it:
        # the read of a caller then takes 23 µs instead of 7.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        # They are for other programs alone (log_care.py).
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        if not verifies:
            connection.execute("PRAGMA checksum_verification = OFF").fetchall()
        connection.execute(_PRAGMAS).fetchall()
    except apsw.Error as error:
        raise StoreRefused(
            f"无法打开数据库 / cannot open the store {path}: {told(error)}"
        ) from error
    return connection
