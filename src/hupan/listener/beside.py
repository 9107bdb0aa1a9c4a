"""A second app on an address of its own, in the process and on the loop of the first."""

import asyncio
import errno
import socket
from typing import cast

from hupan.listener.asgi import ASGIApp
from hupan.listener.limits import ListenerLimits
from hupan.listener.protocol import BoundedProtocol
from hupan.listener.serving import accept
from hupan.listener.sockets import BindRefusedError, listen
from hupan.listener.sweep import Sweep
from hupan.listener.uvicorn_parts import ServerState


def listen_at_first_free(host: str, port: int, ports: int) -> list[socket.socket]:
    """Listens on the first of some ports in a row that nobody has: each worker finds its own.

    Raises:
        BindRefusedError: all are taken, or nobody can listen there.
    """
    for candidate in range(port, port + ports - 1):
        try:
            return listen(host, candidate)
        except BindRefusedError as refusal:
            if getattr(refusal.__cause__, "errno", None) != errno.EADDRINUSE:
                raise
    return listen(host, port + ports - 1)


class Beside:
    """Serves an app that has no life of its own, until it is closed."""

    def __init__(self, app: ASGIApp, sockets: list[socket.socket], limits: ListenerLimits) -> None:
        self._app = app
        self._sockets = sockets
        self._limits = limits
        self._state = ServerState()
        self._listeners: list[asyncio.Server] = []
        self._sweep: Sweep | None = None

    async def open(self) -> None:
        """Begins to answer."""
        self._listeners, self._sweep = await accept(
            self._app, self._sockets, self._limits, self._state, {}
        )

    def close(self) -> None:
        """Ends at once, also what is under way."""
        for listener in self._listeners:
            listener.close()
        if self._sweep is not None:
            self._sweep.stop()
        for task in tuple(self._state.tasks):
            task.cancel()
        for connection in tuple(cast("set[BoundedProtocol]", self._state.connections)):
            connection.transport.abort()
