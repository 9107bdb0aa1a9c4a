"""Bounds what waits for readers of the journal, however slowly they read (K-3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope, Send

MAX_UNREAD_BYTES: Final = 16 * 1024 * 1024
"""The bound of all readers together, as large as the journal; one entry may always be sent."""


@dataclass(frozen=True, slots=True, eq=False)
class _Unread:
    size: int
    cut_off: Callable[[], None]


class Readers:
    """Sends parts of responses, and disconnects the slowest readers if too much waits for them.

    They may reconnect: an `EventSource` does so by itself, with the id of its last event.
    """

    def __init__(self, max_bytes: int = MAX_UNREAD_BYTES) -> None:
        self._max_bytes = max_bytes
        self._unread: dict[_Unread, None] = {}

    @property
    def unread_bytes(self) -> int:
        return sum(one.size for one in self._unread)

    async def send(self, piece: bytes, scope: Scope, send: Send) -> None:
        """Send a part of a response that continues; return when the client has read most of it."""
        self._make_room(len(piece))
        unread = _Unread(len(piece), scope.get("state", {}).get("cut_off") or _ignore)
        self._unread[unread] = None
        try:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            # The listener waits before it writes, not after: this writes nothing.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        finally:
            self._unread.pop(unread, None)

    def _make_room(self, size: int) -> None:
        while self._unread and self.unread_bytes + size > self._max_bytes:
            slowest = next(iter(self._unread))
            del self._unread[slowest]
            slowest.cut_off()


def _ignore() -> None:
    """Do nothing: another server bounds its readers itself."""
