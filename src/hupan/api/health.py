"""Whether the server is up (`/healthz`) and whether it can serve (`/readyz`): 200 or 503."""

from collections.abc import Awaitable, Callable

from hupan.api.answering import respond_json
from hupan.api.body import Receive, Scope, Send
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
            await respond_json(404, b"", send)
        elif scope["path"] == UP:
            await respond_json(200, b'{"status":"up"}', send)
        else:
            await self._answer_ready(send)

    async def _answer_ready(self, send: Send) -> None:
        try:
            await self._check()
        except StoreUnavailable:
            await respond_json(503, b'{"status":"store unavailable"}', send)
        else:
            await respond_json(200, b'{"status":"ready"}', send)
