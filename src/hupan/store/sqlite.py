"""SQLite through apsw: reads run on the event loop, writes on one thread with group commit.

A read takes about 10 µs, less than switching to a thread. The writer runs all pending changes, each
in a savepoint, commits once with `synchronous=FULL` and only then settles all of them in one call
to the loop. Its thread has the only connection that writes.

A file that was moved away, or replaced by a backup, silently accepts every commit, and the next
start finds none of them.

A long-running reader blocks checkpoints: the log grows with each commit and, once the reader is
gone, shrinks only by another checkpoint. So checkpoints are repeated (security R03).
"""

import asyncio
import logging
import os
import queue
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import apsw

from hupan.localized import LocalizedText
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
from hupan.store.database import (
    Conflict,
    DatabaseStats,
    Result,
    Row,
    StoreRefused,
    Transaction,
    Value,
)
from hupan.store.tables import MIGRATIONS_TABLE, list_tables
from hupan.store.wal import wal_path

_log = logging.getLogger("hupan.store")


class FileIdentity:
    """Compares an open SQLite file and its log with what is at their paths now.

    Args:
        path: the file, which is open.
        stat: as `os.stat`, replaceable by tests.
    """

    def __init__(self, path: Path, stat: Callable[[Path], os.stat_result] = os.stat) -> None:
        self._path = path
        self._wal = wal_path(path)
        self._stat = stat
        self._file_id = self._read_id(path)
        self._wal_id: tuple[int, int] | None = None

    def is_unchanged(self) -> bool:
        """Return whether the paths still lead to the open file and to the log being written."""
        if self._file_id is not None and self._read_id(self._path) != self._file_id:
            return False
        return self._wal_id is None or self._read_id(self._wal) == self._wal_id

    def remember_wal(self) -> None:
        """Remember the log, once a commit was written to it."""
        if self._wal_id is None:
            self._wal_id = self._read_id(self._wal)

    def wal_bytes(self) -> int:
        try:
            return self._stat(self._wal).st_size
        except OSError:
            return 0

    def _read_id(self, path: Path) -> tuple[int, int] | None:
        try:
            status = self._stat(path)
        except OSError:
            return None
        return status.st_dev, status.st_ino


CHECKPOINT_PAGES = 1000
TRUNCATE_WAL_BYTES = 8 * 2**20
"""A larger log is truncated after a complete checkpoint."""
LARGE_WAL_BYTES = 64 * 2**20
"""A larger log is logged as an error."""
BUSY_TIMEOUT_MS = 5000
FILE_CHECK_SECONDS = 1.0
REPAIR_RETRY_SECONDS = 1.0
COMMIT_COUNTS = "commit_counts"
# Each commit to a SQLite file changes its one row, so its page shows which program made the last
# checkpoint (decision 0018). It is not part of the schema: PostgreSQL has none.
_CREATE_COMMIT_COUNTS = f"""
CREATE TABLE IF NOT EXISTS {COMMIT_COUNTS} (
  id INTEGER PRIMARY KEY,
  number INTEGER NOT NULL
) STRICT;
"""
_COUNT_COMMIT = """
INSERT INTO commit_counts (id, number) VALUES (1, 1)
ON CONFLICT (id) DO UPDATE SET number = number + 1
"""
# Another program's change also does so, by triggers that our connections do not fire: otherwise a
# row that it changed in place would look like damage.
_INSERT_COMMIT_COUNT = (
    f"INSERT INTO {COMMIT_COUNTS} (id, number) VALUES (1, 0) ON CONFLICT (id) DO NOTHING"
)
_LIST_TRIGGERS = "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
_LIST_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_TRIGGER_EVENTS = ("insert", "update", "delete")
_FIND_ROOT_PAGE = "SELECT rootpage FROM sqlite_schema WHERE name = 'commit_counts'"


class WalMaintenance:
    """Checkpoints and watches the log for one writer.

    Args:
        path: the file.
        connection: the writer's.
        repair: repairs what another program wrote; returns whether there was anything.
    """

    def __init__(self, path: Path, connection: apsw.Connection, repair: Callable[[], bool]) -> None:
        self.file = FileIdentity(path)
        self._connection = connection
        self._repair = repair
        self._wal_pages = 0
        self._checked_at, self._repair_failed_at = 0.0, -REPAIR_RETRY_SECONDS
        self._is_large = False
        self._counts_commits = self._enable_commit_counts()
        connection.set_wal_hook(self._on_wal_commit)

    def count_commit(self) -> None:
        """Change, within the commit, the page that shows which program checkpointed the log."""
        if self._counts_commits:
            self._connection.execute(_COUNT_COMMIT).fetchall()

    def try_repair(self) -> bool:
        """Repair what another program wrote, unless just tried; return whether anything was."""
        now = time.monotonic()
        if now - self._repair_failed_at < REPAIR_RETRY_SECONDS:
            return False
        if self._repair():
            return True
        self._repair_failed_at = time.monotonic()
        return False

    def run_after_commit(self) -> None:
        """Checkpoint if the log has many pages; otherwise check now and then."""
        if (
            self._wal_pages >= CHECKPOINT_PAGES
            or time.monotonic() - self._checked_at > FILE_CHECK_SECONDS
        ):
            self.run()

    def run(self) -> None:
        """Repair after a foreign checkpoint, checkpoint, and log a large log file."""
        self._checked_at = time.monotonic()
        if not self.file.is_unchanged():
            return
        try:
            self._detect_foreign_checkpoint()
            size = self.file.wal_bytes()
            if self._wal_pages >= CHECKPOINT_PAGES or size > TRUNCATE_WAL_BYTES:
                self._checkpoint()
        except apsw.Error as error:
            _log.warning(
                "the write-ahead log could not be written back: %s", format_sqlite_error(error)
            )
        self._log_wal_size()

    def close(self) -> None:
        """Checkpoint and empty the log."""
        if not self.file.is_unchanged():
            return
        try:
            self._detect_foreign_checkpoint()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except apsw.Error as error:
            _log.warning(
                "the write-ahead log was kept: %s", format_sqlite_error(error)
            )  # the next start reads it

    def _enable_commit_counts(self) -> bool:
        """Create missing table and triggers; return whether they exist."""
        connection = self._connection
        try:
            if not connection.execute(_FIND_ROOT_PAGE).fetchall():
                connection.execute(_CREATE_COMMIT_COUNTS).fetchall()
            if _missing_triggers(connection):
                _create_triggers(connection)
        except apsw.Error as error:
            _log.warning("commits are not counted: %s", format_sqlite_error(error))
            return False
        return True

    def _on_wal_commit(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _detect_foreign_checkpoint(self) -> None:
        """Check before a checkpoint: it would hide one of another program (decision 0018)."""
        if not self._counts_commits:
            return
        try:
            for (root,) in self._connection.execute(_FIND_ROOT_PAGE).fetchall():
                size = int(str(self._connection.pragma("page_size")))
                offset = (int(str(root)) - 1) * size
                if self._connection.read("main", 0, offset, size):
                    return
        except apsw.Error as error:
            if not is_checksum_error(error):
                raise
            self.try_repair()

    def _checkpoint(self) -> None:
        connection = self._connection
        rows = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        _busy, pages, done = (int(str(value)) for value in rows[0])
        if pages != done or self.file.wal_bytes() <= TRUNCATE_WAL_BYTES:
            return
        connection.set_busy_timeout(0)  # other readers and writers need not wait
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)

    def _log_wal_size(self) -> None:
        size = self.file.wal_bytes()
        if size > LARGE_WAL_BYTES and not self._is_large:
            _log.error(
                "the write-ahead log has grown to %d MB: another program keeps a read open; stop "
                "that program, and the log shrinks",
                size // 2**20,
            )
        elif size <= LARGE_WAL_BYTES and self._is_large:
            _log.warning("the write-ahead log has shrunk again")
        self._is_large = size > LARGE_WAL_BYTES


def _missing_triggers(connection: apsw.Connection) -> dict[str, str]:
    existing = {name for (name,) in connection.execute(_LIST_TRIGGERS).fetchall()}
    tables = {name for (name,) in connection.execute(_LIST_TABLES).fetchall()}
    return {
        name: f"CREATE TRIGGER {name} AFTER {kind} ON {table} BEGIN "
        f"UPDATE {COMMIT_COUNTS} SET number = number + 1 WHERE id = 1; END"
        for table in (MIGRATIONS_TABLE, *(one.name for one in list_tables()))
        if table in tables
        for kind in _TRIGGER_EVENTS
        if (name := f"{COMMIT_COUNTS}_{table}_{kind}") not in existing
    }


def _create_triggers(connection: apsw.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE").fetchall()
    statements = [_INSERT_COMMIT_COUNT, *_missing_triggers(connection).values()]
    try:
        for statement in statements:
            connection.execute(statement).fetchall()
        connection.execute("COMMIT").fetchall()
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK").fetchall()


MAX_CHANGES_PER_COMMIT = 128
# Some seconds' worth: later changes fail at once instead of waiting in vain (R15), and a hanging
# disk does not fill the memory.
MAX_PENDING_CHANGES = 2048
IDLE_MAINTENANCE_SECONDS = 1.0
"""Interval of the log's maintenance while nothing is written."""
FILE_MOVED_MESSAGE = LocalizedText(
    "数据库文件已被移走或替换，请放回原处或重启服务器",
    "the store's file was moved or replaced: move it back, or restart the server",
)


@dataclass(slots=True)
class PendingChange:
    """A change that waits for its commit, and then its outcome."""

    work: Callable[[Transaction], Awaitable[Any]]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    value: object = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Resolve the future; runs on its loop."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)


class Writer:
    """Owns the writing connection and its thread."""

    def __init__(
        self,
        connect: Callable[[], apsw.Connection],
        make_transaction: Callable[[apsw.Connection], Transaction],
        make_wal_maintenance: Callable[[apsw.Connection], WalMaintenance],
    ) -> None:
        self._connection = connect()
        self._wal_maintenance = make_wal_maintenance(self._connection)
        self._transaction = make_transaction(self._connection)
        self._queue: queue.SimpleQueue[PendingChange | None] = queue.SimpleQueue()
        self._fatal_error: str | None = None
        self._last_failure: str | None = None
        self._is_closed = False
        self.has_met_damage = False
        self.committed_changes = self.commits = self.failures = 0
        self._thread = threading.Thread(target=self._run, name="hupan-writer", daemon=True)
        self._thread.start()

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Pass a change to the thread and wait until it is durable.

        Raises:
            StoreUnavailable: it could not be kept, or too many wait already.
        """
        self.check()
        if self._queue.qsize() >= MAX_PENDING_CHANGES:
            raise StoreUnavailable("too many changes wait", is_busy=True)
        loop = asyncio.get_running_loop()
        pending = PendingChange(work, loop, loop.create_future())
        self._queue.put(pending)
        return cast("Result", await pending.future)

    def check(self) -> None:
        """Raise StoreUnavailable after a failed sync to disk, or after `close`."""
        if self._is_closed or self._fatal_error is not None:
            raise StoreUnavailable(self._fatal_error or "closed")

    @property
    def pending_changes(self) -> int:
        """Number of changes that wait for the thread."""
        return self._queue.qsize()

    @property
    def has_failed(self) -> bool:
        """Whether the last commit failed."""
        return self._last_failure is not None

    async def close(self) -> None:
        """Finish pending changes and end the thread."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        is_closing = False
        while not is_closing:
            try:
                first = self._queue.get(timeout=IDLE_MAINTENANCE_SECONDS)
            except queue.Empty:
                self._wal_maintenance.run()
                continue
            if first is None:
                break
            group, is_closing = self._collect_group(first)
            try:
                self._commit_group(group)
            except Exception as error:  # noqa: BLE001 - without this thread, nothing is written
                self._fail_unexpectedly(group, error)
            _settle_group(group)
            self._wal_maintenance.run_after_commit()
        self._wal_maintenance.close()
        self._connection.close()

    def _fail_unexpectedly(self, group: list[PendingChange], error: Exception) -> None:
        """Fail a group after an unexpected error (security X7)."""
        _log.error("a group of changes failed", exc_info=error)
        self._last_failure = str(error)
        self.failures += 1
        failure = StoreUnavailable(f"{type(error).__name__}: {error}")
        for pending in group:
            pending.error = failure
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK").fetchall()
        except apsw.Error as rollback_error:
            self._fatal_error = str(rollback_error)

    def _collect_group(self, first: PendingChange) -> tuple[list[PendingChange], bool]:
        """Return all changes that wait now, and whether the writer is closing."""
        group = [first]
        while len(group) < MAX_CHANGES_PER_COMMIT:
            try:
                pending = self._queue.get_nowait()
            except queue.Empty:
                break
            if pending is None:
                return group, True
            group.append(pending)
        return group, False

    def _commit_group(self, group: list[PendingChange]) -> None:
        """Run a group in one transaction; a database failure fails all of it."""
        if not self._wal_maintenance.file.is_unchanged():
            self._fail_group(group, FILE_MOVED_MESSAGE.en)
            return
        changes_before = self._connection.total_changes()
        try:
            self._connection.execute("BEGIN IMMEDIATE").fetchall()
            for pending in group:
                self._run_one(pending)
            has_changed = self._connection.total_changes() > changes_before
            if has_changed:
                self._wal_maintenance.count_commit()
            self._connection.execute("COMMIT").fetchall()
            if has_changed:  # otherwise nothing had to be written
                self._last_failure = None
                self._wal_maintenance.file.remember_wal()
            self.commits += 1
            self.committed_changes += len(group)
        except apsw.Error as error:
            self._roll_back(error)
            if self._retry_individually(group, error):
                return
            for pending in group:
                pending.error = StoreUnavailable(localize_sqlite_error(error))

    def _fail_group(self, group: list[PendingChange], reason: str) -> None:
        if self._last_failure != reason:
            _log.critical(reason)
        self._last_failure = reason
        self.failures += 1
        for pending in group:
            pending.error = StoreUnavailable(reason)

    def _retry_individually(self, group: list[PendingChange], error: apsw.Error) -> bool:
        """Rerun the changes one by one: a damaged row fails only the change that needs it."""
        if not is_corruption(error):
            return False
        if is_checksum_error(error) and self._wal_maintenance.try_repair():
            for pending in group:
                pending.value = pending.error = None
            self._commit_group(group)
            return True
        self.has_met_damage = True
        if len(group) == 1:
            return False
        for pending in group:
            pending.value = pending.error = None
            self._commit_group([pending])
        return True

    def _run_one(self, pending: PendingChange) -> None:
        """Run a change in a savepoint; database errors are left to the group."""
        self._connection.execute("SAVEPOINT one").fetchall()
        try:
            pending.value = run_sync(pending.work(self._transaction))
        except apsw.ConstraintError as error:
            pending.error = Conflict(str(error))
        except apsw.Error:
            raise
        except Exception as error:  # noqa: BLE001 - any error of a change goes to its caller
            pending.error = error
        if pending.error is not None:
            self._connection.execute("ROLLBACK TO one").fetchall()
        self._connection.execute("RELEASE one").fetchall()

    def _roll_back(self, error: apsw.Error) -> None:
        _log.error("store failed: %s", format_sqlite_error(error))
        self._last_failure = format_sqlite_error(error)
        self.failures += 1
        if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_FSYNC:
            # After a failed sync the page cache may have dropped what it could not write, and a
            # second attempt would seem to work (security 4, SQLite): never report success again.
            self._fatal_error = format_sqlite_error(error)
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK").fetchall()
        except apsw.Error as rollback_error:
            self._fatal_error = format_sqlite_error(rollback_error)


def run_sync(coroutine: Awaitable[Result]) -> Result:
    """Run a coroutine that never suspends to completion.

    Raises:
        RuntimeError: it awaited something other than the store.
    """
    steps = coroutine.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        return cast("Result", stop.value)
    raise RuntimeError("a change may await only its own transaction")


def _settle_group(group: list[PendingChange]) -> None:
    """Settle a group with one call per event loop (nearly always one)."""
    for loop in {waiting.loop for waiting in group}:
        mine = [waiting for waiting in group if waiting.loop is loop]
        try:
            loop.call_soon_threadsafe(_settle_on_loop, mine)
        except RuntimeError:  # the loop is closed: no caller waits
            _log.warning("%d changes were committed for an event loop that has ended", len(mine))


def _settle_on_loop(group: list[PendingChange]) -> None:
    for pending in group:
        pending.settle()


MIN_SQLITE_VERSION = 3_051_003
"""Older ones can lose a commit when the write-ahead log is reset (security D8)."""

# An unchanged value would not be written at all.
_WRITE_PROBE = """
INSERT INTO counters (name, value) VALUES ('probe', 1)
ON CONFLICT (name) DO UPDATE SET value = counters.value + 1
"""
# The busy timeout comes first: switching to the log, or repairing it, may wait for another process.
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

    async def lock_tables(self, *names: str) -> None:
        """Do nothing: there is one writer."""

    def fetch_rows(self, sql: str, values: tuple[Value, ...]) -> list[Row]:
        """Run a statement; on corruption the log names its tables (security R05)."""
        try:
            return cast("list[Row]", self._cursor.execute(sql, values).fetchall())
        except UnicodeDecodeError:  # its text contains the row's bytes: it must not be logged
            error: apsw.Error = apsw.CorruptError("a text value that is not text")
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
            raise StoreUnavailable("a damaged row was read; see the log")
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
        """Repair once for all waiting reads; not again soon, because then the page is damaged."""
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
