"""Serve ASGI apps in one process: lifespan, signals, idle connections and graceful shutdown (security R17).

SIGHUP, SIGUSR1 and SIGUSR2, which ask other servers to open their logs anew, end nothing here: the
log is standard error, which somebody else keeps. But where SIGHUP tells that the terminal is gone
in which the server was started, nobody can press Ctrl-C any more, so it ends gracefully.
"""

import asyncio
import errno
import functools
import heapq
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, cast

from hupan.localized import LocalizedError
from hupan.server.connection import (
    ASGIApp,
    ASGIMessage,
    HttpConnection,
    Phase,
    RequestStarter,
    ServerLimits,
)
from hupan.server.sockets import BACKLOG, BindError, listen
from hupan.server.uvicorn_parts import Config, ServerState

_LIFESPAN_LOGGER = logging.getLogger("hupan.listener")


class StartupFailedError(LocalizedError):
    """The app does not start; its text is what the app said, for the operator."""


class Lifespan:
    """Tells an app to start and to end, and hears how that went."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.state: dict[str, Any] = {}
        self._requests: asyncio.Queue[ASGIMessage] = asyncio.Queue()
        self._replies: asyncio.Queue[ASGIMessage] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Starts the app.

        Raises:
            StartupRefusedError: The app said that it cannot.
        """
        self._task = asyncio.create_task(self._run())
        outcome = await self._send("lifespan.startup")
        if outcome["type"] != "lifespan.startup.complete":
            message = str(outcome.get("message", ""))
            raise StartupFailedError(str(outcome.get("message_zh", message)), message)

    async def shutdown(self) -> bool:
        """Ends the app; whether it ended well."""
        outcome = await self._send("lifespan.shutdown")
        if outcome["type"] == "lifespan.shutdown.complete":
            return True
        _LIFESPAN_LOGGER.error("The app did not end well. %s", outcome.get("message", ""))
        return False

    async def _send(self, message_type: str) -> ASGIMessage:
        self._requests.put_nowait({"type": message_type})
        return await self._replies.get()

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._app(scope, self._requests.get, self._replies.put)
        except Exception:
            _LIFESPAN_LOGGER.exception("The app failed outside any request.")
        # Whoever still waits for an outcome hears that none will come.
        self._replies.put_nowait({"type": "lifespan.ended"})


_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_IGNORED_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
_STANDARD_STREAMS = (0, 1, 2)


@contextmanager
def handle_stop_signals(
    on_first: Callable[[], None], on_second: Callable[[], None]
) -> Iterator[None]:
    """Hears the operator for as long as the block runs; outside the main thread it hears nothing.

    Args:
        on_first: Called at the first signal.
        on_second: Called at the second, just before it ends the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    terminals = [stream for stream in _STANDARD_STREAMS if os.isatty(stream)]

    def handle(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            on_first()
            return
        on_second()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    def handle_hangup(number: int, _frame: FrameType | None) -> None:
        if not received and not all(map(os.isatty, terminals)):
            received.append(number)
            on_first()

    before = {number: signal.signal(number, handle) for number in _STOP_SIGNALS}
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, handle_hangup)
    # Ignored rather than handled: processes that are begun from here on inherit just that.
    before |= {number: signal.signal(number, signal.SIG_IGN) for number in _IGNORED_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def block_sighup() -> Iterator[None]:
    """Has SIGHUP wait meanwhile; a process that is begun meanwhile never gets one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_CHECKS_PER_DEADLINE = 4
_MAX_PERIOD_SECONDS = 1.0
# What is no connection: the store, its log, mail, the listening sockets.
_MAX_OTHER_DESCRIPTORS = 128
# Who makes room is found by looking at everybody; so it is done for several newcomers at once.
_EVICTION_DIVISOR = 32


def max_connections() -> int:
    """How many connections fit below the process's limit of open files."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1 << 30
    return soft - min(_MAX_OTHER_DESCRIPTORS, soft // 4)


class ConnectionReaper:
    """Ends the waits that take too long.

    A wait is noticed at one look and ended at a later one, so a deadline holds to within two
    periods (a second each, less where a deadline is short) and costs nothing between looks.
    """

    def __init__(
        self,
        limits: ServerLimits,
        loop: asyncio.AbstractEventLoop,
        connections: set[HttpConnection],
        capacity: int,
    ) -> None:
        """Looks at nothing yet.

        Args:
            limits: The deadlines.
            loop: Whose time counts.
            connections: The open connections; kept by the connections themselves.
            capacity: How many may be open before those that wait longest make room.
        """
        self._deadlines = {
            Phase.HEAD: limits.header_timeout_seconds,
            Phase.BODY: limits.body_timeout_seconds,
            Phase.WRITE_BLOCKED: limits.body_timeout_seconds,
            Phase.IDLE: limits.idle_timeout_seconds,
            Phase.CLOSING: limits.close_timeout_seconds,
        }
        shortest = min(self._deadlines.values())
        self._period_seconds = min(_MAX_PERIOD_SECONDS, shortest / _CHECKS_PER_DEADLINE)
        self._loop = loop
        self._connections = connections
        self._capacity = capacity
        self._timer: asyncio.TimerHandle | None = None
        # Who was closed to make room; the loop counts them among the open ones a while longer.
        self._evicted: set[HttpConnection] = set()

    def start(self) -> None:
        """Looks once, and again every period, whatever happens at a look."""
        self._timer = self._loop.call_later(self._period_seconds, self.start)
        now = self._loop.time()
        for connection in tuple(self._connections):
            phase, waited_seconds = connection.inspect(now)
            if waited_seconds > self._deadlines.get(phase, waited_seconds):
                connection.time_out(phase)

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()

    def evict(self, new_connection: HttpConnection) -> None:
        """Closes the connections that have waited longest for their peers, when all is full."""
        self._evicted &= self._connections
        if len(self._connections) - len(self._evicted) <= self._capacity:
            return
        spared = {new_connection, *self._evicted}
        now = self._loop.time()
        looks = ((*connection.inspect(now), connection) for connection in self._connections)
        waits = [
            (waited_seconds, id(connection), connection)
            for phase, waited_seconds, connection in looks
            if phase in self._deadlines and connection not in spared
        ]
        for *_, connection in heapq.nlargest(1 + self._capacity // _EVICTION_DIVISOR, waits):
            connection.transport.abort()
            self._evicted.add(connection)


_LOGGER = logging.getLogger("hupan.listener")
# Of stop_seconds: until when replies may take, and until when the app may take to end.
_DRAIN_SHARE = 0.8
_SHUTDOWN_SHARE = 0.95
# One round of reading for what the system has taken in already, before idle ones are closed.
_LAST_READ_SECONDS = 0.05
_DRAIN_POLL_SECONDS = 0.02
# What has not come whole by then is no request in flight: nobody waits for the rest of it.
_INCOMPLETE_REQUEST_SECONDS = 1.0


async def serve(
    app: ASGIApp,
    sockets: list[socket.socket],
    limits: ServerLimits,
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
    if not await _start_unless_stopped(lifespan, stop):
        return True
    state = ServerState()
    listeners, reaper = await start_accepting(app, sockets, limits, state, lifespan.state)
    on_ready()
    await stop.wait()
    # Counted from the signal, of which this is the first moment.
    stop_requested_at = asyncio.get_running_loop().time()
    await _drain(listeners, state, stop_requested_at + limits.stop_timeout_seconds * _DRAIN_SHARE)
    reaper.stop()
    return await _shut_down(
        lifespan, stop_requested_at + limits.stop_timeout_seconds * _SHUTDOWN_SHARE
    )


async def _start_unless_stopped(lifespan: Lifespan, stop: asyncio.Event) -> bool:
    startup = asyncio.create_task(lifespan.startup())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({startup, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not startup.done():
        startup.cancel()
        return False
    startup.result()
    return True


async def start_accepting(
    app: ASGIApp,
    sockets: list[socket.socket],
    limits: ServerLimits,
    state: ServerState,
    app_state: dict[str, Any],
) -> tuple[list[asyncio.Server], ConnectionReaper]:
    """Lets peers of listening sockets in, and looks after them."""
    loop = asyncio.get_running_loop()
    # Only connections of this class are ever made below.
    connections = cast("set[HttpConnection]", state.connections)
    reaper = ConnectionReaper(limits, loop, connections, max_connections())
    starter = RequestStarter(app, loop, state.tasks)
    new_connection = functools.partial(
        HttpConnection, limits, _uvicorn_config(app), state, app_state, starter, reaper.evict
    )
    # It listens again, and its own idea of how many may wait is 100.
    listeners = [
        await loop.create_server(new_connection, sock=listener, backlog=BACKLOG)
        for listener in sockets
    ]
    reaper.start()
    return listeners, reaper


def _uvicorn_config(app: ASGIApp) -> Config:
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
    rest_until = min(loop.time() + _INCOMPLETE_REQUEST_SECONDS, deadline)
    while (state.connections or state.tasks) and loop.time() < deadline:
        await asyncio.sleep(_DRAIN_POLL_SECONDS)
        if loop.time() > rest_until:
            _close_incomplete_requests(cast("set[HttpConnection]", state.connections), loop.time())
    if state.tasks:
        _LOGGER.warning("%d requests took too long to end and were cut.", len(state.tasks))
    for task in tuple(state.tasks):
        task.cancel()
    await asyncio.sleep(0)
    for connection in tuple(state.connections):
        connection.transport.abort()


def _close_incomplete_requests(connections: set[HttpConnection], now: float) -> None:
    """Closes connections whose request has not come whole."""
    for connection in tuple(connections):
        phase, _waited_seconds = connection.inspect(now)
        if phase in (Phase.HEAD, Phase.BODY):
            connection.time_out(phase)


async def _shut_down(lifespan: Lifespan, deadline: float) -> bool:
    left_seconds = deadline - asyncio.get_running_loop().time()
    try:
        return await asyncio.wait_for(lifespan.shutdown(), left_seconds)
    except TimeoutError:
        _LOGGER.error("The app took too long to end.")  # noqa: TRY400  # a traceback of ours says nothing
        return False


def listen_on_free_port(host: str, port: int, port_count: int) -> list[socket.socket]:
    """Listens on the first of some ports in a row that nobody has: each worker finds its own.

    Raises:
        BindRefusedError: all are taken, or nobody can listen there.
    """
    for candidate in range(port, port + port_count - 1):
        try:
            return listen(host, candidate)
        except BindError as refusal:
            if getattr(refusal.__cause__, "errno", None) != errno.EADDRINUSE:
                raise
    return listen(host, port + port_count - 1)


class SideServer:
    """Serves an app that has no life of its own, until it is closed."""

    def __init__(self, app: ASGIApp, sockets: list[socket.socket], limits: ServerLimits) -> None:
        self._app = app
        self._sockets = sockets
        self._limits = limits
        self._state = ServerState()
        self._listeners: list[asyncio.Server] = []
        self._reaper: ConnectionReaper | None = None

    async def start(self) -> None:
        """Begins to answer."""
        self._listeners, self._reaper = await start_accepting(
            self._app, self._sockets, self._limits, self._state, {}
        )

    def stop(self) -> None:
        """Ends at once, also what is under way."""
        for listener in self._listeners:
            listener.close()
        if self._reaper is not None:
            self._reaper.stop()
        for task in tuple(self._state.tasks):
            task.cancel()
        for connection in tuple(cast("set[HttpConnection]", self._state.connections)):
            connection.transport.abort()
