"""One process at work: from its app's start to the last reply (security R17)."""

import asyncio
import functools
import logging
import socket
from collections.abc import Callable
from typing import Any, cast

from hupan.listener.asgi import ASGIApp
from hupan.listener.exchange import Starts
from hupan.listener.lifespan import Lifespan
from hupan.listener.limits import ListenerLimits
from hupan.listener.protocol import BoundedProtocol, Phase
from hupan.listener.sockets import BACKLOG
from hupan.listener.sweep import Sweep, connections_max
from hupan.listener.uvicorn_parts import Config, ServerState

_LOGGER = logging.getLogger("hupan.listener")
# Of stop_seconds: until when replies may take, and until when the app may take to end.
_REPLIES_SHARE = 0.8
_SHUTDOWN_SHARE = 0.95
# One round of reading for what the system has taken in already, before idle ones are closed.
_LAST_READ_SECONDS = 0.05
_DRAIN_LOOK_SECONDS = 0.02
# What has not come whole by then is no request in flight: nobody waits for the rest of it.
_REST_SECONDS = 1.0


async def serve(
    app: ASGIApp,
    sockets: list[socket.socket],
    limits: ListenerLimits,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
) -> bool:
    """Serves an app until it is told to stop, then lets every request in flight end.

    Args:
        app: What answers.
        sockets: Listening sockets.
        limits: What peers may do.
        stop: Set from outside; may be set before the app has started.
        on_ready: Called once requests are being answered.

    Returns:
        Whether the app ended well.

    Raises:
        StartupRefusedError: The app said that it cannot start.
    """
    lifespan = Lifespan(app)
    if not await _started(lifespan, stop):
        return True
    state = ServerState()
    listeners, sweep = await accept(app, sockets, limits, state, lifespan.state)
    on_ready()
    await stop.wait()
    # Counted from the signal, of which this is the first moment.
    told_at = asyncio.get_running_loop().time()
    await _drain(listeners, state, told_at + limits.stop_seconds * _REPLIES_SHARE)
    sweep.stop()
    return await _ended(lifespan, told_at + limits.stop_seconds * _SHUTDOWN_SHARE)


async def _started(lifespan: Lifespan, stop: asyncio.Event) -> bool:
    startup = asyncio.create_task(lifespan.startup())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({startup, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not startup.done():
        startup.cancel()
        return False
    startup.result()
    return True


async def accept(
    app: ASGIApp,
    sockets: list[socket.socket],
    limits: ListenerLimits,
    state: ServerState,
    app_state: dict[str, Any],
) -> tuple[list[asyncio.Server], Sweep]:
    """Lets peers of listening sockets in, and looks after them."""
    loop = asyncio.get_running_loop()
    # Only connections of this class are ever made below.
    connections = cast("set[BoundedProtocol]", state.connections)
    sweep = Sweep(limits, loop, connections, connections_max())
    starts = Starts(app, loop, state.tasks)
    make = functools.partial(
        BoundedProtocol, limits, _config(app), state, app_state, starts, sweep.make_room
    )
    # It listens again, and its own idea of how many may wait is 100.
    listeners = [
        await loop.create_server(make, sock=listener, backlog=BACKLOG) for listener in sockets
    ]
    sweep.start()
    return listeners, sweep


def _config(app: ASGIApp) -> Config:
    # proxy_headers off: who the caller is behind a proxy is worked out by the api (security I10).
    config = Config(
        app, interface="asgi3", ws="none", log_config=None, access_log=False, proxy_headers=False
    )
    # What Config.load() would set for a protocol, without importing what it would import.
    config.loaded_app = app
    config.ws_protocol_class = None
    config.loaded = True
    return config


async def _drain(listeners: list[asyncio.Server], state: ServerState, deadline: float) -> None:
    loop = asyncio.get_running_loop()
    for listener in listeners:
        listener.close()
    await asyncio.sleep(_LAST_READ_SECONDS)
    for connection in tuple(state.connections):
        connection.shutdown()
    rest_until = min(loop.time() + _REST_SECONDS, deadline)
    while (state.connections or state.tasks) and loop.time() < deadline:
        await asyncio.sleep(_DRAIN_LOOK_SECONDS)
        if loop.time() > rest_until:
            _give_up_halves(cast("set[BoundedProtocol]", state.connections), loop.time())
    if state.tasks:
        _LOGGER.warning("%d requests took too long to end and were cut.", len(state.tasks))
    for task in tuple(state.tasks):
        task.cancel()
    await asyncio.sleep(0)
    for connection in tuple(state.connections):
        connection.transport.abort()


def _give_up_halves(connections: set[BoundedProtocol], now: float) -> None:
    """Closes connections whose request has not come whole."""
    for connection in tuple(connections):
        phase, _waited_seconds = connection.look(now)
        if phase in (Phase.HEAD, Phase.BODY):
            connection.give_up(phase)


async def _ended(lifespan: Lifespan, deadline: float) -> bool:
    left_seconds = deadline - asyncio.get_running_loop().time()
    try:
        return await asyncio.wait_for(lifespan.shutdown(), left_seconds)
    except TimeoutError:
        _LOGGER.error("The app took too long to end.")  # noqa: TRY400  # a traceback of ours says nothing
        return False
