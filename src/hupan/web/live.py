"""Notifies an open page that its content has changed; the page then reloads itself.

A stream compares a cheap fingerprint of what can change. So nothing that changes depends on pages,
and an open page costs one comparison per interval.
"""

import asyncio
import hashlib
from collections.abc import Callable, Hashable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hupan.background import ensure_task
from hupan.web.headers import MARK_ENDLESS

MAX_STREAMS = 32
"""Open streams of a server; a further page shows what is new when it is loaded again."""
CHECK_SECONDS = 0.25
KEEP_ALIVE_SECONDS = 5.0
_STATE_CHARACTERS = 16
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class ChangeStreams:
    """Server-sent events without content: one for each change of the fingerprint."""

    def __init__(self, fingerprint: Callable[[], Hashable]) -> None:
        self._fingerprint = fingerprint
        self._count = 0

    @property
    def open_count(self) -> int:
        return self._count

    def state(self) -> str:
        """Return a short name of what a page shows that is rendered now."""
        return hashlib.sha256(repr(self._fingerprint()).encode()).hexdigest()[:_STATE_CHARACTERS]

    async def respond(self, request: Request) -> Response:
        """Return a stream, or 503 if there are too many."""
        await ensure_task()
        if self._count >= MAX_STREAMS:
            return Response("", 503, headers={"retry-after": "30"}, media_type="text/plain")
        return _Stream(self, request.query_params.get("seen", ""))

    async def run(self, scope: Scope, receive: Receive, send: Send, seen: str) -> None:
        """Send changes until the client disconnects or the server stops.

        Args:
            scope: the scope of the request.
            receive: receives the events of the request.
            send: sends the response.
            seen: the state that the page was rendered from; another one is a change at once.
        """
        scope[MARK_ENDLESS]()
        self._count += 1
        gone = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            await send(
                {"type": "http.response.start", "status": 200, "headers": [*_STREAM_HEADERS]}
            )
            await self._send_changes(gone, send, seen)
        finally:
            self._count -= 1
            gone.cancel()

    async def _send_changes(self, gone: "asyncio.Task[None]", send: Send, seen: str) -> None:
        await _send_piece(b"retry: 1000\n\n", send)
        quiet_seconds = 0.0
        while not gone.done():
            await asyncio.wait({gone}, timeout=CHECK_SECONDS)
            quiet_seconds += CHECK_SECONDS
            current = self.state()
            if current != seen:
                await _send_piece(b"data: changed\n\n", send)
            elif quiet_seconds >= KEEP_ALIVE_SECONDS:
                await _send_piece(b": alive\n\n", send)
            else:
                continue
            seen, quiet_seconds = current, 0.0


class _Stream(Response):
    def __init__(self, streams: ChangeStreams, seen: str) -> None:
        super().__init__()
        self._streams = streams
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._streams.run(scope, receive, send, self._seen)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_piece(piece: bytes, send: Send) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})
