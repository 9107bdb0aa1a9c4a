"""Whether the server is up (`/healthz`) and whether it can serve (`/readyz`): 200 or 503."""

from collections.abc import Awaitable, Callable

from hupan.api.answering import respond_json
from hupan.api.body import Receive, Scope, Send
from hupan.api.codec import json_failure
from hupan.contract.failures import STORE_UNAVAILABLE
from hupan.model import StoreUnavailable

UP = "/healthz"
READY = "/readyz"


async def respond_waiting(path: str, send: Send) -> None:
    """Answers before the store is there: up, not ready, and nothing else can be done."""
    if path == UP:
        await respond_json(200, b'{"status":"up"}', "ok", send)
    elif path == READY:
        await respond_json(503, b'{"status":"store unavailable"}', "error", send)
    else:
        body = json_failure(STORE_UNAVAILABLE.code, STORE_UNAVAILABLE.message(english=False))
        await respond_json(200, body, STORE_UNAVAILABLE.result, send)


class Health:
    """The ASGI application of both paths; on others it is not asked."""

    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        del receive
        if scope["method"] not in ("GET", "HEAD"):
            await respond_json(404, b"", "refused", send)
        elif scope["path"] == UP:
            await respond_json(200, b'{"status":"up"}', "ok", send)
        else:
            await self._answer_ready(send)

    async def _answer_ready(self, send: Send) -> None:
        try:
            await self._check()
        except StoreUnavailable:
            await respond_json(503, b'{"status":"store unavailable"}', "error", send)
        else:
            await respond_json(200, b'{"status":"ready"}', "ok", send)
