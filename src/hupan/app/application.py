"""The ASGI application of a whole server: its life, its front door, its health, its extra doors."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from hupan.api.answering import respond_stopping
from hupan.api.body import Receive, Scope, Send
from hupan.api.health import READY, UP, respond_waiting
from hupan.app.building import Server
from hupan.background import DONE, BackgroundTask
from hupan.model import StoreUnavailable
from hupan.seal import KeyFileError
from hupan.store.engine import StoreRefused

ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
EVERY_SECONDS = 0.5
"""How long it is until the store is tried again."""
LONGEST_PAUSE_SECONDS = 5.0
"""The same after an error that is no store that cannot be reached."""
_log = logging.getLogger("hupan.app")


class Application:
    """Opens a server when the listener starts and closes it when the listener stops.

    Args:
        open_server: builds the server, on the event loop.
        make_doors: the extra doors, by the start of their paths; none in `hupan serve`.
        waits: whether to start before the store can be reached, and to try until it can.
    """

    def __init__(
        self,
        open_server: Callable[[], Awaitable[Server]],
        make_doors: Callable[[Server], dict[str, ASGIApp]] = lambda _server: {},
        *,
        waits: bool = False,
    ) -> None:
        self._open_server = open_server
        self._make_doors = make_doors
        self._waits = waits
        self._waiting = BackgroundTask(
            "waiting for the store",
            self._try_again,
            every_seconds=EVERY_SECONDS,
            expected=(StoreRefused, KeyFileError, OSError),
            longest_pause_seconds=LONGEST_PAUSE_SECONDS,
        )
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
        elif scope["type"] == "http":
            await respond_waiting(scope["path"], send)
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
            await self._open()
        except (StoreRefused, StoreUnavailable, KeyFileError, OSError, ValueError) as error:
            if not (self._waits and isinstance(error, StoreUnavailable)):
                text = f"服务器无法启动 / the server cannot start: {error}"
                return {"type": "lifespan.startup.failed", "message": text}
            _log.warning("waiting for the store: %s", error)
            self._waiting.start()
        return {"type": "lifespan.startup.complete"}

    async def _open(self) -> None:
        """Opens the server; what was opened is closed again when something fails on the way."""
        async with contextlib.AsyncExitStack() as opened:
            server = await self._open_server()
            opened.push_async_callback(server.stop)
            self._doors = self._make_doors(server)
            server.start()
            opened.pop_all()
        self._server = server

    async def _try_again(self) -> object:
        """Opens the server if the store is there; `/readyz` is red meanwhile."""
        try:
            await self._open()
        except StoreUnavailable:
            return None
        _log.warning("the store is there")
        return DONE

    async def _stop(self) -> dict[str, str]:
        await self._waiting.stop()
        if self._server is not None:
            try:
                await self._server.stop()
            except Exception as error:  # noqa: BLE001 - every part was ended all the same
                _log.error("the server did not end well", exc_info=error)
                return {"type": "lifespan.shutdown.failed", "message": "see the log"}
        return {"type": "lifespan.shutdown.complete"}
