"""Ended sessions as a stream for one reader, resumable at another process (wire.md 8.5)."""

import asyncio
from types import TracebackType
from typing import Self

from msgspec import Struct

from hupan.domain.session_ends import OVERLAP_MS, SESSION_END_RETENTION_SECONDS, SessionEndFeed
from hupan.store.sessions import SessionEnd

MAX_UNREAD_EVENTS = 10_000
"""A reader that is further behind has its stream ended, and may resume it."""
_GAP_MARGIN_SECONDS = 10


class SessionEvent(Struct, frozen=True):
    """An event of the stream.

    Attributes:
        id: resumes the stream after this event; 0 for the event that reports that some may be
            missing.
        sid: SHA-256 of the token, in hex.
    """

    id: int = 0
    sub: str = ""
    sid: str = ""
    device_id: str = ""
    reason: str = ""
    ended_at: int = 0


class SessionEvents:
    """Context manager of one stream; each end is delivered at least once.

    Args:
        feed: delivers the ends of all processes.
        last_id: the id of the last event that the reader has, 0 for none.
        now: unix seconds, to know whether the reader was away for too long.
    """

    def __init__(self, feed: SessionEndFeed, last_id: int, now: float) -> None:
        self._feed = feed
        # Ends may become visible in another order than that of their recording.
        self._after = last_id - OVERLAP_MS
        self._events: asyncio.Queue[SessionEvent] = asyncio.Queue(MAX_UNREAD_EVENTS)
        self._is_overrun = False
        if last_id and now - last_id / 1000 > SESSION_END_RETENTION_SECONDS - _GAP_MARGIN_SECONDS:
            self._put(SessionEvent())

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._subscription = self._feed.subscribe(self._tell, lambda: self._put(SessionEvent()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self._subscription.cancel()

    async def next(self) -> SessionEvent | None:
        """Return the next event as soon as there is one; None after an event that was dropped."""
        if self._is_overrun and self._events.empty():
            return None
        return await self._events.get()

    def _tell(self, end: SessionEnd) -> None:
        if end.recorded_at > self._after:
            sub, sid = str(end.account_id), end.token_hash.hex()
            self._put(
                SessionEvent(end.recorded_at, sub, sid, end.device_id, end.reason, end.ended_at)
            )

    def _put(self, event: SessionEvent) -> None:
        if self._events.full():
            self._is_overrun = True
        # Nothing after one that is left out: a reader that resumes would never learn of it.
        if not self._is_overrun:
            self._events.put_nowait(event)
