"""The ASGI application of a whole server: its life, its front door, its health, its extra doors."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from hupan.api.answering import respond_stopping
from hupan.api.body import Receive, Scope, Send
from hupan.api.health import READY, UP
from hupan.app.building import Server
from hupan.model import StoreUnavailable
from hupan.seal import KeyFileError
from hupan.store.engine import StoreRefused

ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
_log = logging.getLogger("hupan.app")


class Application:
    """Opens a server when the listener starts and closes it when the listener stops.

    Args:
        open_server: builds the server, on the event loop.
        make_doors: the extra doors, by the start of their paths; none in `hupan serve`.
    """

    def __init__(
        self,
        open_server: Callable[[], Awaitable[Server]],
        make_doors: Callable[[Server], dict[str, ASGIApp]] = lambda _server: {},
    ) -> None:
        self._open_server = open_server
        self._make_doors = make_doors
        self._server: Server | None = None
        self._doors: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or lives through start and stop."""
        if scope["type"] == "http" and self._server is not None:
            try:
                await self._door(self._server, scope["path"])(scope, receive, send)
            except asyncio.CancelledError:  # the server stops and can wait no longer
                with contextlib.suppress(RuntimeError):  # unless its answer has begun already
                    await respond_stopping(send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    def _door(self, server: Server, path: str) -> ASGIApp:
        if path in (UP, READY):
            return server.health
        for start, door in self._doors.items():
            if path.startswith(start):
                return door
        return server.dispatcher

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                await send(await self._start())
            else:
                await send(await self._stop())
                return

    async def _start(self) -> dict[str, str]:
        try:
            server = await self._open_server()
        except (StoreRefused, StoreUnavailable, KeyFileError, OSError, ValueError) as error:
            text = f"服务器无法启动 / the server cannot start: {error}"
            return {"type": "lifespan.startup.failed", "message": text}
        self._doors = self._make_doors(server)
        server.start()
        self._server = server
        return {"type": "lifespan.startup.complete"}

    async def _stop(self) -> dict[str, str]:
        if self._server is not None:
            await self._server.stop()
        return {"type": "lifespan.shutdown.complete"}
