"""The writer thread of SQLite: group commit.

The thread holds the only connection that writes. It takes every change that waits (up to a bound),
runs each inside a savepoint, commits once and then settles all of them in one call to the loop.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import apsw

from hupan.model import StoreUnavailable
from hupan.store.engine import Conflict, Result, Transaction
from hupan.store.log_care import LogCare
from hupan.store.page_sums import is_damage, is_wrong_sum, told

MOST_IN_A_GROUP = 128
# Some seconds' worth: whoever comes later is told so at once instead of waiting in vain (R15), and
# a disk that hangs fills no memory.
MOST_WAITING = 2048
CARE_SECONDS = 1.0
"""How often the log is looked after while nothing is written."""
MOVED = (
    "数据库文件已被移走或替换，请放回原处或重启服务器 / the store's file was moved away or "
    "replaced: put it back, or restart the server"
)
_log = logging.getLogger("hupan.store")


@dataclass(slots=True)
class Waiting:
    """A change that waits for its commit, and then its outcome."""

    work: Callable[[Transaction], Awaitable[Any]]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    value: object = None
    error: BaseException | None = None

    def settle(self) -> None:
        """Tells whoever waits; runs on the loop."""
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
        transaction: Callable[[apsw.Connection], Transaction],
        care: Callable[[apsw.Connection], LogCare],
    ) -> None:
        self._connection = connect()
        self._care = care(self._connection)
        self._transaction = transaction(self._connection)
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._broken: str | None = None
        self._last_failure: str | None = None
        self._closed = False
        self.has_met_damage = False
        self.changes = self.groups = self.failures = 0
        self._thread = threading.Thread(target=self._run, name="hupan-writer", daemon=True)
        self._thread.start()

    async def change(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Hands a change to the thread and waits until it is durable.

        Raises:
            StoreUnavailable: it could not be kept, or too many wait already.
        """
        self.check()
        if self._queue.qsize() >= MOST_WAITING:
            raise StoreUnavailable("too many changes wait", is_busy=True)
        loop = asyncio.get_running_loop()
        waiting = Waiting(work, loop, loop.create_future())
        self._queue.put(waiting)
        return cast("Result", await waiting.future)

    def check(self) -> None:
        """Raises StoreUnavailable once a sync to the disk has failed, or after `close`."""
        if self._closed or self._broken is not None:
            raise StoreUnavailable(self._broken or "closed")

    @property
    def waiting(self) -> int:
        """How many changes wait for the thread."""
        return self._queue.qsize()

    @property
    def has_failed(self) -> bool:
        """Whether the last group could not be kept."""
        return self._last_failure is not None

    async def close(self) -> None:
        """Finishes what waits and ends the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        ended = False
        while not ended:
            try:
                first = self._queue.get(timeout=CARE_SECONDS)
            except queue.Empty:
                self._care.look()
                continue
            if first is None:
                break
            group, ended = self._gather(first)
            try:
                self._keep(group)
            except Exception as error:  # noqa: BLE001 - without this thread nothing is kept any more
                self._give_up(group, error)
            _settle(group)
            self._care.look_after_a_group()
        self._care.end()
        self._connection.close()

    def _give_up(self, group: list[Waiting], error: Exception) -> None:
        """Fails a group in which something happened that nobody expected (security X7)."""
        _log.error("the changes of a group failed", exc_info=error)
        self._last_failure = str(error)
        self.failures += 1
        failure = StoreUnavailable(f"{type(error).__name__}: {error}")
        for waiting in group:
            waiting.error = failure
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK").fetchall()
        except apsw.Error as second:
            self._broken = str(second)

    def _gather(self, first: Waiting) -> tuple[list[Waiting], bool]:
        """Everything that waits now, and whether the end was among it."""
        group = [first]
        while len(group) < MOST_IN_A_GROUP:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return group, True
            group.append(following)
        return group, False

    def _keep(self, group: list[Waiting]) -> None:
        """Runs a group in one transaction; a failure of the machine fails all of it."""
        if not self._care.file.is_there():
            self._fail(group, MOVED)
            return
        rows = self._connection.total_changes()
        try:
            self._connection.execute("BEGIN IMMEDIATE").fetchall()
            for waiting in group:
                self._run_one(waiting)
            has_changed = self._connection.total_changes() > rows
            if has_changed:
                self._care.count_commit()
            self._connection.execute("COMMIT").fetchall()
            if has_changed:  # else nothing had to be kept
                self._last_failure = None
                self._care.file.note_log()
            self.groups += 1
            self.changes += len(group)
        except apsw.Error as error:
            self._undo(error)
            if self._keeps_each_alone(group, error):
                return
            for waiting in group:
                waiting.error = StoreUnavailable(told(error))

    def _fail(self, group: list[Waiting], why: str) -> None:
        if self._last_failure != why:
            _log.critical(why)
        self._last_failure = why
        self.failures += 1
        for waiting in group:
            waiting.error = StoreUnavailable(why)

    def _keeps_each_alone(self, group: list[Waiting], error: apsw.Error) -> bool:
        """A damaged row is the matter of who asks for it: the others are run again without."""
        if not is_damage(error):
            return False
        if is_wrong_sum(error) and self._care.mend():
            for waiting in group:
                waiting.value = waiting.error = None
            self._keep(group)
            return True
        self.has_met_damage = True
        if len(group) == 1:
            return False
        for waiting in group:
            waiting.value = waiting.error = None
            self._keep([waiting])
        return True

    def _run_one(self, waiting: Waiting) -> None:
        """Runs one change in a savepoint; an error of the machine is left to the group."""
        self._connection.execute("SAVEPOINT one").fetchall()
        try:
            waiting.value = drive(waiting.work(self._transaction))
        except apsw.ConstraintError as error:
            waiting.error = Conflict(str(error))
        except apsw.Error:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a change raises is its caller's
            waiting.error = error
        if waiting.error is not None:
            self._connection.execute("ROLLBACK TO one").fetchall()
        self._connection.execute("RELEASE one").fetchall()

    def _undo(self, error: apsw.Error) -> None:
        _log.error("store failed: %s", told(error))
        self._last_failure = told(error)
        self.failures += 1
        if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_FSYNC:
            # After a failed sync the page cache may have dropped what it could not write, and a
            # second try would seem to work (security 4, SQLite): never answer success again.
            self._broken = told(error)
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK").fetchall()
        except apsw.Error as second:
            self._broken = told(second)


def drive(coroutine: Awaitable[Result]) -> Result:
    """Runs a coroutine that never suspends to its end.

    Raises:
        RuntimeError: it waited for something other than the store.
    """
    steps = coroutine.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        return cast("Result", stop.value)
    raise RuntimeError("a change may wait for nothing but its own transaction")


def _settle(group: list[Waiting]) -> None:
    """Settles a group with one call for each loop that waits (nearly always one)."""
    for loop in {waiting.loop for waiting in group}:
        mine = [waiting for waiting in group if waiting.loop is loop]
        try:
            loop.call_soon_threadsafe(_settle_all, mine)
        except RuntimeError:  # the loop is closed: nobody waits any more
            _log.warning("%d changes were kept for a loop that has ended", len(mine))


def _settle_all(group: list[Waiting]) -> None:
    for waiting in group:
        waiting.settle()
