"""The feed of ended sessions: each process learns within a second what ended in any of them.

The end of a session is a row of the same transaction; here they are read, a few times a second
and only while there are subscribers. A poll needs only the store: it works for a command line
next to a server, for several nodes and through a pooler (docs/decisions/0036-presence.md).
"""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from hupan.background import BackgroundTask
from hupan.metrics import IncrementMetric, ignore_metric
from hupan.model import AccountId, StoreUnavailable
from hupan.store.database import Database
from hupan.store.sessions import SessionEnd, SessionEndPosition, list_session_ends

POLL_SECONDS = 0.3
SESSION_END_RETENTION_SECONDS = 300
"""How long a row stays; a process that could not read for longer has missed some."""
OVERLAP_MS = 5_000
"""Read again before the newest known row: a change commits after it has recorded the end."""
FULL_READ_SECONDS = 30.0
"""How often every row is read again, in case the store's clock jumped."""
ROWS_PER_READ = 500
MAX_KNOWN_ENDS = 100_000
"""Ends that a process remembers; one that it forgot may be delivered again."""

OnSessionEnd: TypeAlias = Callable[[SessionEnd], None]


def _ignore_gap() -> None:
    """Do nothing."""


class SessionEndSubscription:
    """A subscriber to ended sessions, until `cancel`.

    Args:
        on_end: is called with each end at least once, including those of the last minutes before.
        on_gap: is called if ends may have been missed, as the store was away for too long.
    """

    def __init__(
        self,
        subscriptions: "set[SessionEndSubscription]",
        on_end: OnSessionEnd,
        on_gap: Callable[[], None],
    ) -> None:
        self._subscriptions = subscriptions
        self.on_end = on_end
        self.on_gap = on_gap
        self.is_new = True
        subscriptions.add(self)

    def cancel(self) -> None:
        """End the subscription."""
        self._subscriptions.discard(self)


class SessionEndFeed:
    """Reads ended sessions and calls the subscribers of this process.

    Args:
        database: the store.
        count: counts rounds that failed.
        time: seconds of a clock that never jumps; by default the loop's.
    """

    def __init__(
        self,
        database: Database,
        count: IncrementMetric = ignore_metric,
        time: Callable[[], float] | None = None,
    ) -> None:
        self._database = database
        self._time = time
        self._subscriptions: set[SessionEndSubscription] = set()
        self._known: dict[tuple[AccountId, bytes], int] = {}
        self._newest = 0
        self._read_at: float | None = None
        self._full_read_at = 0.0
        self._task = BackgroundTask(
            "ended sessions",
            self.poll,
            interval_seconds=POLL_SECONDS,
            expected_errors=(StoreUnavailable,),
            max_retry_seconds=1.0,
            count=count,
        )

    def start(self) -> None:
        """Start to read, on the running loop."""
        self._task.start()

    async def stop(self) -> None:
        """Stop reading."""
        await self._task.stop()

    def subscribe(
        self, on_end: OnSessionEnd, on_gap: Callable[[], None] = _ignore_gap
    ) -> SessionEndSubscription:
        """Subscribe to ended sessions from now on, beginning with those of the last minutes."""
        return SessionEndSubscription(self._subscriptions, on_end, on_gap)

    async def poll(self) -> None:
        """Read new ends, and deliver them; without subscribers do nothing.

        Raises:
            StoreUnavailable: the store cannot be read; the next poll reads all rows.
        """
        if not self._subscriptions:
            self._read_at, self._newest = None, 0
            self._known.clear()
            return
        now = asyncio.get_running_loop().time() if self._time is None else self._time()
        if self._read_at is not None and now - self._read_at > SESSION_END_RETENTION_SECONDS:
            for subscription in tuple(self._subscriptions):
                subscription.on_gap()
        new = [subscription for subscription in self._subscriptions if subscription.is_new]
        is_full = bool(new) or now - self._full_read_at >= FULL_READ_SECONDS or not self._newest
        try:
            await self._read_after(0 if is_full else self._newest - OVERLAP_MS)
        except StoreUnavailable:
            self._newest = 0  # another server's clock may answer next
            raise
        self._read_at = now
        if is_full:
            self._full_read_at = now
        for subscription in new:
            subscription.is_new = False

    async def _read_after(self, recorded_at: int) -> None:
        position: SessionEndPosition = (recorded_at, 0, b"")
        while True:
            ends = await list_session_ends(self._database, position, ROWS_PER_READ)
            for end in ends:
                self._tell(end)
            if len(ends) < ROWS_PER_READ:
                return
            position = ends[-1].position
            await asyncio.sleep(0)  # reads of a file never yield to other tasks

    def _tell(self, end: SessionEnd) -> None:
        self._newest = max(self._newest, end.recorded_at)
        key = (end.account_id, end.token_hash)
        is_known = self._known.pop(key, 0) == end.recorded_at
        self._known[key] = end.recorded_at
        if len(self._known) > MAX_KNOWN_ENDS:
            del self._known[next(iter(self._known))]
        for subscription in tuple(self._subscriptions):
            if subscription.is_new or not is_known:
                subscription.on_end(end)
