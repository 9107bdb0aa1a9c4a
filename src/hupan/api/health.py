"""Whether the server is up (`/healthz`) and whether it can serve (`/readyz`): 200 or 503."""

from collections.abc import Awaitable, Callable

from hupan.api.body import Receive, Scope, Send
from hupan.api.codec import JSON_TYPE
from hupan.model import StoreUnavailable

UP = "/healthz"
READY = "/readyz"


class Health:
    """The ASGI application of both paths; on others it is not asked."""

    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        del receive
        if scope["method"] not in ("GET", "HEAD"):
            await _respond(404, b"", send)
        elif scope["path"] == UP:
            await _respond(200, b'{"status":"up"}', send)
        else:
            await self._answer_ready(send)

    async def _answer_ready(self, send: Send) -> None:
        try:
            await self._check()
        except StoreUnavailable:
            await _respond(503, b'{"status":"store unavailable"}', send)
        else:
            await _respond(200, b'{"status":"ready"}', send)


async def _respond(http_status: int, body: bytes, send: Send) -> None:
    headers = [
        (b"content-type", JSON_TYPE),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": http_status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
