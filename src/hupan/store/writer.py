"""Writer thread of SQLite: runs pending changes in savepoints and commits them together.

The thread has the only connection that writes. It takes all pending changes (up to a maximum), runs
each in a savepoint, commits once and then settles all of them in one call to the loop.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import apsw

from hupan.localized import LocalizedText
from hupan.model import StoreUnavailable
from hupan.store.checksums import (
    format_sqlite_error,
    is_checksum_error,
    is_corruption,
    localize_sqlite_error,
)
from hupan.store.database import Conflict, Result, Transaction
from hupan.store.wal import WalMaintenance

MAX_CHANGES_PER_COMMIT = 128
# Some seconds' worth: later changes fail at once instead of waiting in vain (R15), and a hanging
# disk does not fill the memory.
MAX_PENDING_CHANGES = 2048
IDLE_MAINTENANCE_SECONDS = 1.0
"""Interval of the log's maintenance while nothing is written."""
FILE_MOVED_MESSAGE = LocalizedText(
    "数据库文件已被移走或替换，请放回原处或重启服务器",
    "the store's file was moved away or replaced: put it back, or restart the server",
)
_log = logging.getLogger("hupan.store")


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
            except Exception as error:  # noqa: BLE001 - without this thread nothing is written any more
                self._fail_unexpectedly(group, error)
            _settle_group(group)
            self._wal_maintenance.run_after_commit()
        self._wal_maintenance.close()
        self._connection.close()

    def _fail_unexpectedly(self, group: list[PendingChange], error: Exception) -> None:
        """Fail a group after an unexpected error (security X7)."""
        _log.error("the changes of a group failed", exc_info=error)
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
    raise RuntimeError("a change may wait for nothing but its own transaction")


def _settle_group(group: list[PendingChange]) -> None:
    """Settle a group with one call per event loop (nearly always one)."""
    for loop in {waiting.loop for waiting in group}:
        mine = [waiting for waiting in group if waiting.loop is loop]
        try:
            loop.call_soon_threadsafe(_settle_on_loop, mine)
        except RuntimeError:  # the loop is closed: no caller waits any more
            _log.warning("%d changes were kept for a loop that has ended", len(mine))


def _settle_on_loop(group: list[PendingChange]) -> None:
    for pending in group:
        pending.settle()
