"""SQLite through apsw: reads run on the event loop, writes on one thread with group commit.

A read takes some 10 µs, less than switching to a thread. The writer runs all pending changes, each
in a savepoint, commits once with `synchronous=FULL` and only then resolves all of them.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import apsw

from hupan.model import StoreUnavailable
from hupan.store.checksums import (
    format_sqlite_error,
    get_checksum_vfs,
    get_table_names,
    is_checksum_error,
    is_corruption,
    localize_sqlite_error,
    reserve_checksum_bytes,
)
from hupan.store.database import DatabaseStats, Result, Row, StoreRefused, Transaction, Value
from hupan.store.wal import FILE_CHECK_SECONDS, REPAIR_RETRY_SECONDS, FileIdentity, WalMaintenance
from hupan.store.writer import FILE_MOVED_MESSAGE, Writer

MIN_SQLITE_VERSION = 3_051_003
"""Older ones can lose a commit when the write-ahead log is reset (security D8)."""

# An unchanged value would not be written at all.
_WRITE_PROBE = """
INSERT INTO counters (name, value) VALUES ('probe', 1)
ON CONFLICT (name) DO UPDATE SET value = counters.value + 1
"""
# The busy timeout comes first: switching to the log, or repairing it, may meet another process.
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


class SqliteExecutor:
    """Runs statements on one connection; its coroutines never suspend."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        # One cursor is enough: each statement has run to its end before the next one begins.
        self._cursor = connection.cursor()

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        rows = self.fetch_rows(sql, values)
        return rows[0] if rows else None

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        return self.fetch_rows(sql, values)

    async def execute(self, sql: str, *values: Value) -> int:
        self.fetch_rows(sql, values)
        return self._connection.changes()

    def fetch_rows(self, sql: str, values: tuple[Value, ...]) -> list[Row]:
        """Run a statement; on corruption the log names its tables (security R05)."""
        try:
            return cast("list[Row]", self._cursor.execute(sql, values).fetchall())
        except UnicodeDecodeError:  # its text contains the row's bytes: it must not be logged
            error: apsw.Error = apsw.CorruptError("a text that is none")
        except apsw.Error as sqlite_error:
            error = sqlite_error
        if is_corruption(error):
            _log.error("damage found in %s: %s", get_table_names(sql), format_sqlite_error(error))
        raise error


class TickReadTransaction:
    """One read transaction per tick of the event loop; `begin` comes before `fetch_rows`.

    Beginning and ending a read takes as long as finding its row (docs/performance.md). A tick sees
    nothing older than any of its requests may know of: their bytes arrived, and the changes that
    they waited for were committed, before the tick began.
    """

    def __init__(self, connection: apsw.Connection, check_file: Callable[[], None]) -> None:
        self._connection = connection
        self._check_file = check_file
        self._next_check_at = 0.0
        self.fetch_rows = SqliteExecutor(connection).fetch_rows
        self.is_open = False

    def begin(self) -> None:
        """Begin the transaction; it ends with the current tick of the event loop.

        Raises:
            StoreUnavailable: the file was moved; that is checked once a second.
        """
        loop = asyncio.get_running_loop()
        if (now := loop.time()) >= self._next_check_at:
            self._check_file()
            self._next_check_at = now + FILE_CHECK_SECONDS
        self.fetch_rows("BEGIN", ())
        self.is_open = True
        loop.call_soon(self.end)

    def end(self) -> None:
        """End the transaction; the next read sees newer commits."""
        self.is_open = False
        if self._connection.in_transaction:
            self.fetch_rows("ROLLBACK", ())


class SqliteDatabase:
    """A store in one file that is up to date.

    Args:
        path: the file.
        connect_to: opens a connection; replaces `connect` in tests of disk faults.
    """

    def __init__(
        self, path: Path, connect_to: Callable[[Path], apsw.Connection] | None = None
    ) -> None:
        open_file = connect_to or connect
        self._connection = open_file(path)
        self._file = FileIdentity(path)
        self._read_transaction = TickReadTransaction(self._connection, self._check_file)
        self._repair: Callable[[], bool] = _no_repair
        self._writer = Writer(
            lambda: open_file(path),
            SqliteExecutor,
            lambda connection: WalMaintenance(path, connection, self._repair_now),
        )
        self._repair_task: asyncio.Task[bool] | None = None
        self._repair_failed_at = -REPAIR_RETRY_SECONDS
        self._is_closed = False
        self._has_met_damage = False
        self._failed_reads = 0

    def set_repair(self, repair: Callable[[], bool]) -> None:
        """Set the function that repairs pages of another program; it returns whether it did."""
        self._repair = repair

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        transaction = self._read_transaction
        try:
            if not transaction.is_open:
                transaction.begin()
            rows = transaction.fetch_rows(sql, values)
        except apsw.Error as error:
            rows = await self._retry_read(error, sql, values)
        return rows[0] if rows else None

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        transaction = self._read_transaction
        try:
            if not transaction.is_open:
                transaction.begin()
            return transaction.fetch_rows(sql, values)
        except apsw.Error as error:
            return await self._retry_read(error, sql, values)

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` on the writer thread; return when its commit is on disk."""
        return await self._writer.run_transaction(work)

    async def check(self) -> None:
        """Read a row; after a failed write, write one to see whether that is over."""
        self._check_file()
        await self.fetch_one("SELECT number FROM migrations ORDER BY number DESC LIMIT 1")
        self._writer.check()
        if self._has_met_damage or self._writer.has_met_damage:
            raise StoreUnavailable("a damaged row was met; see the log")
        if self._writer.has_failed:  # a write shows whether that is over
            await self.run_transaction(lambda tx: tx.execute(_WRITE_PROBE))

    async def close(self) -> None:
        """Finish pending changes, empty the write-ahead log and close the file."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._repair_task is not None:
            await asyncio.wait({self._repair_task})
        try:
            self._read_transaction.end()
        finally:
            await self._writer.close()
            self._connection.close()

    def stats(self) -> DatabaseStats:
        writer = self._writer
        failures = writer.failures + self._failed_reads
        size = self._file.wal_bytes()
        return DatabaseStats(
            writer.pending_changes, writer.committed_changes, writer.commits, failures, size
        )

    def _repair_now(self) -> bool:
        return self._repair()

    def _check_file(self) -> None:
        if not self._file.is_unchanged():
            raise StoreUnavailable(FILE_MOVED_MESSAGE)

    async def _retry_read(
        self, error: apsw.Error, sql: str, values: tuple[Value, ...]
    ) -> list[Row]:
        """Repair what another program wrote, and read again.

        Raises:
            StoreUnavailable: nothing was repaired, or the read failed again.
        """
        if is_checksum_error(error) and await self._try_repair():
            try:
                if not self._read_transaction.is_open:
                    self._read_transaction.begin()
                return self._read_transaction.fetch_rows(sql, values)
            except apsw.Error as retry_error:
                error = retry_error
        self._failed_reads += 1
        self._has_met_damage = self._has_met_damage or is_corruption(error)
        raise StoreUnavailable(localize_sqlite_error(error)) from error

    async def _try_repair(self) -> bool:
        """Repair once for all waiting reads; not again soon, for then the page is damaged."""
        if self._repair_task is None:
            if time.monotonic() - self._repair_failed_at < REPAIR_RETRY_SECONDS:
                return False
            self._repair_task = asyncio.create_task(asyncio.to_thread(self._repair), name="mending")
        repair_task = self._repair_task
        try:
            was_repaired = await asyncio.shield(repair_task)
        finally:
            if repair_task.done() and self._repair_task is repair_task:
                self._repair_task = None
        self._repair_failed_at = -REPAIR_RETRY_SECONDS if was_repaired else time.monotonic()
        return was_repaired


def _no_repair() -> bool:
    return False


def connect(path: Path, vfs: str = "", *, verify_checksums: bool = True) -> apsw.Connection:
    """Open the file with the settings that every connection needs.

    Args:
        path: the file; a new one gets page checksums.
        vfs: SQLite VFS; by default the one that verifies checksums.
        verify_checksums: whether pages are read only with the right checksum.

    Raises:
        StoreRefused: SQLite is too old, or the file cannot be opened as a database.
    """
    if apsw.SQLITE_VERSION_NUMBER < MIN_SQLITE_VERSION:
        version = apsw.sqlite_lib_version()
        raise StoreRefused(f"SQLite 版本过旧：{version}", f"SQLite is too old: {version}")
    try:
        connection = apsw.Connection(str(path), vfs=vfs or get_checksum_vfs())
        reserve_checksum_bytes(connection)
        # Without it SQLite replans a statement for each bound value: the read of a caller takes
        # 23 µs instead of 7.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        # The triggers are for other programs only (wal.py).
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        if not verify_checksums:
            connection.execute("PRAGMA checksum_verification = OFF").fetchall()
        connection.execute(_PRAGMAS).fetchall()
    except apsw.Error as error:
        reason = localize_sqlite_error(error)
        raise StoreRefused(
            f"无法打开数据库 {path}：{reason.zh}", f"cannot open the store {path}: {reason.en}"
        ) from error
    return connection
