"""Serve ASGI apps in one process: lifespan, signals, idle connections, shutdown (security R17).

SIGHUP, SIGUSR1 and SIGUSR2, which make other servers reopen their logs, do not stop this one: the
log is standard error, which another process keeps. But if SIGHUP means that the terminal in which
the server was started is gone, Ctrl-C is no longer possible, so the server stops gracefully.
"""

import asyncio
import contextlib
import errno
import functools
import heapq
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeAlias, cast

from hupan.library_errors import localize_reason
from hupan.localized import LocalizedError
from hupan.server.connection import (
    ASGIApp,
    ASGIMessage,
    HttpConnection,
    Phase,
    RequestStarter,
    ServerLimits,
)
from hupan.server.rejections import RejectionObserver
from hupan.server.uvicorn_parts import Config, ServerState
from hupan.server.websocket import SocketApp, WebSocketLimits, WebSockets

BACKLOG = 2048
"""Connections that wait to be accepted, limited by the system (`net.core.somaxconn`)."""
_MAX_PORT = 65535
# The family and the address, without the port.
_SocketAddress: TypeAlias = tuple[socket.AddressFamily, tuple[str | int, ...]]
# A name such as localhost means IPv4 and IPv6; a machine may have only one of them.
_UNAVAILABLE_ERRORS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class BindError(LocalizedError):
    """The address cannot be used; the text says why."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of a host name.

    Args:
        host: a name, an IPv4 or IPv6 address, or several with commas between; "*" is every address
            of the machine, of both families.
        port: 0 lets the system choose; all addresses then share the port of the first.

    Returns:
        At least one socket; peers may connect from now on.

    Raises:
        BindError: the address cannot be used.
    """
    with contextlib.ExitStack() as opened:
        sockets: dict[_SocketAddress, socket.socket] = {}
        for name in host.split(","):
            for socket_address, listener in _listen_on_host(name, port, sockets).items():
                sockets[socket_address] = opened.enter_context(listener)
        opened.pop_all()
    return list(sockets.values())


def socket_urls(sockets: list[socket.socket]) -> list[str]:
    """Return the URLs of listening sockets."""
    return [_url(*listener.getsockname()) for listener in sockets]


def _url(address: str, port: int, _flow: int = 0, zone: int = 0) -> str:
    if ":" in address:  # RFC 6874: the interface follows a percent-encoded %
        address = f"[{address}%25{socket.if_indextoname(zone)}]" if zone else f"[{address}]"
    return f"http://{address}:{port}"


def _listen_on_host(
    host: str, port: int, existing: Mapping[_SocketAddress, socket.socket]
) -> dict[_SocketAddress, socket.socket]:
    """Listen on every address of one host that has no socket yet."""
    sockets: dict[_SocketAddress, socket.socket] = {}
    with contextlib.ExitStack() as opened:
        try:
            socket_addresses = _resolve_host(host, port)
            for socket_address in socket_addresses:
                if socket_address in existing:
                    continue
                shared_port = _port_of({**existing, **sockets}) or port
                listener = _listen_on_address(socket_address, shared_port)
                if listener is not None:
                    sockets[socket_address] = opened.enter_context(listener)
        except (OSError, OverflowError, UnicodeError) as error:
            raise _bind_error(error, host, port) from error
        if not sockets and not existing.keys() & set(socket_addresses):
            raise _bind_error(OSError(errno.EADDRNOTAVAIL, ""), host, port)
        opened.pop_all()
    return sockets


def _port_of(sockets: Mapping[_SocketAddress, socket.socket]) -> int:
    return next((int(listener.getsockname()[1]) for listener in sockets.values()), 0)


def _resolve_host(host: str, port: int) -> list[_SocketAddress]:
    """Return the addresses of a host; IPv6 addresses include the interface's number."""
    every = host in ("", "*")
    found = socket.getaddrinfo(
        None if every else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return list(
        dict.fromkeys((family, (address[0], *address[2:])) for family, _, _, _, address in found)
    )


def _listen_on_address(socket_address: _SocketAddress, port: int) -> socket.socket | None:
    family, (address, *rest) = socket_address
    try:
        # A separate IPv6 socket, so that an IPv4 client never appears as ::ffff:….
        return socket.create_server((address, port, *rest), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno in _UNAVAILABLE_ERRORS:
            return None
        raise


def _bind_error(error: Exception, host: str, port: int) -> BindError:
    if isinstance(error, OverflowError):
        return BindError(
            f"端口 {port} 超出 0 到 {_MAX_PORT}", f"port {port} is not within 0 to {_MAX_PORT}"
        )
    if not isinstance(error, OSError) or isinstance(error, socket.gaierror):
        return BindError(f"无法识别监听地址 {host}", f"{host} is not a host name or an address")
    reasons = {
        errno.EADDRINUSE: (f"端口 {port} 已被占用", f"port {port} is already in use"),
        errno.EACCES: (f"没有权限监听端口 {port}", f"no permission to listen on port {port}"),
        errno.EADDRNOTAVAIL: (
            f"{host} 不是本机的地址",
            f"{host} is not an address of this machine",
        ),
    }
    reason = localize_reason(error)
    other = (
        f"无法监听 {host} 端口 {port}：{reason.zh}",
        f"cannot listen on {host} port {port}: {reason.en}",
    )
    return BindError(*reasons.get(error.errno or 0, other))


_LOGGER = logging.getLogger("hupan.listener")


class StartupFailedError(LocalizedError):
    """The app cannot start; the text is the app's message for the operator."""


class Lifespan:
    """Runs the lifespan protocol of an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.state: dict[str, Any] = {}
        self._requests: asyncio.Queue[ASGIMessage] = asyncio.Queue()
        self._replies: asyncio.Queue[ASGIMessage] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Start the app.

        Raises:
            StartupFailedError: the app cannot start.
        """
        self._task = asyncio.create_task(self._run())
        outcome = await self._send("lifespan.startup")
        if outcome["type"] != "lifespan.startup.complete":
            message = str(outcome.get("message", ""))
            raise StartupFailedError(str(outcome.get("message_zh", message)), message)

    async def shutdown(self) -> bool:
        """Stop the app; return whether it stopped without an error."""
        outcome = await self._send("lifespan.shutdown")
        if outcome["type"] == "lifespan.shutdown.complete":
            return True
        _LOGGER.error("The app did not shut down cleanly. %s", outcome.get("message", ""))
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
            _LOGGER.exception("The app failed outside any request.")
        # Wakes a caller that still waits for an event that will not come.
        self._replies.put_nowait({"type": "lifespan.ended"})


_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_IGNORED_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
_STANDARD_STREAMS = (0, 1, 2)


@contextmanager
def handle_stop_signals(
    on_first: Callable[[], None], on_second: Callable[[], None]
) -> Iterator[None]:
    """Handle signals during the block; outside the main thread, do nothing.

    Args:
        on_first: is called at the first signal.
        on_second: is called at the second, just before it ends the process.
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
    # Ignored rather than handled: only that is inherited by child processes.
    before |= {number: signal.signal(number, signal.SIG_IGN) for number in _IGNORED_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def block_sighup() -> Iterator[None]:
    """Block SIGHUP during the block, including for processes that are started in it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_CHECKS_PER_DEADLINE = 4
_MAX_PERIOD_SECONDS = 1.0
# Files other than connections: the store, its log, mail, listening sockets.
_MAX_OTHER_DESCRIPTORS = 128
# Connections that sockets leave free for requests, if there are enough.
_CONNECTIONS_FOR_REQUESTS = 256
# An eviction inspects all connections, so it makes room for several new ones at once.
_EVICTION_DIVISOR = 32


def max_connections() -> int:
    """Return how many connections fit within the process's limit of open files."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1 << 30
    return soft - min(_MAX_OTHER_DESCRIPTORS, soft // 4)


def max_sockets() -> int:
    """Return how many of these connections may be sockets."""
    most = max_connections()
    return most - min(_CONNECTIONS_FOR_REQUESTS, most // 4)


class ConnectionReaper:
    """Closes connections that wait too long.

    A wait is noticed in one inspection and ended in a later one, so a deadline is exact to two
    periods (a second each, less for short deadlines) and costs nothing in between.
    """

    def __init__(
        self,
        limits: ServerLimits,
        loop: asyncio.AbstractEventLoop,
        connections: set[HttpConnection],
        capacity: int,
        sockets: WebSockets | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            limits: the deadlines.
            loop: the event loop.
            connections: the open connections, which register themselves.
            capacity: how many may be open before the longest waiting ones are closed.
            sockets: take descriptors too.
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
        self._sockets = sockets
        self._timer: asyncio.TimerHandle | None = None
        # Connections already evicted but not yet removed by the event loop.
        self._evicted: set[HttpConnection] = set()

    def start(self) -> None:
        """Inspect the connections now and every period, even after an error."""
        self._timer = self._loop.call_later(self._period_seconds, self.start)
        now = self._loop.time()
        for connection in tuple(self._connections):
            phase, waited_seconds = connection.inspect(now)
            if waited_seconds > self._deadlines.get(phase, waited_seconds):
                connection.time_out(phase)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def evict(self, new_connection: HttpConnection) -> None:
        """Close the connections that have waited longest, if the capacity is exceeded."""
        self._evicted &= self._connections
        socket_count = 0 if self._sockets is None else len(self._sockets)
        if len(self._connections) - len(self._evicted) + socket_count <= self._capacity:
            return
        spared = {new_connection, *self._evicted}
        now = self._loop.time()
        inspected = ((*connection.inspect(now), connection) for connection in self._connections)
        waits = [
            (waited_seconds, id(connection), connection)
            for phase, waited_seconds, connection in inspected
            if phase in self._deadlines and connection not in spared
        ]
        for *_, connection in heapq.nlargest(1 + self._capacity // _EVICTION_DIVISOR, waits):
            connection.transport.abort()
            self._evicted.add(connection)


# Shares of stop_seconds: the end of responses, and the end of the app.
_DRAIN_SHARE = 0.8
_SHUTDOWN_SHARE = 0.95
# One tick to read what the system has already received, before idle ones are closed.
_LAST_READ_SECONDS = 0.05
_DRAIN_POLL_SECONDS = 0.02
# A request that is still incomplete is not in flight: its rest is not waited for.
_INCOMPLETE_REQUEST_SECONDS = 1.0


async def serve(
    app: ASGIApp,
    sockets: list[socket.socket],
    limits: ServerLimits,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
) -> bool:
    """Serve an app until `stop` is set, then let every request in flight finish.

    Args:
        app: handles the requests.
        sockets: listening sockets.
        limits: the limits of peers.
        stop: set by the caller; may be set before the app has started.
        on_ready: is called once requests are served.

    Returns:
        Whether the app stopped without an error.

    Raises:
        StartupFailedError: the app cannot start.
    """
    lifespan = Lifespan(app)
    if not await _start_unless_stopped(lifespan, stop):
        return True
    state = ServerState()
    accepting = await start_accepting(app, sockets, limits, state, lifespan.state)
    on_ready()
    await stop.wait()
    # Counted from the signal, which has just arrived.
    stop_requested_at = asyncio.get_running_loop().time()
    await _drain(accepting, state, stop_requested_at + limits.stop_timeout_seconds * _DRAIN_SHARE)
    accepting.stop()
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


@dataclass(frozen=True, slots=True)
class Accepting:
    """The listening sockets of one app, and the reaper of its connections."""

    listeners: list[asyncio.Server]
    reaper: ConnectionReaper
    sockets: WebSockets | None

    def close_listeners(self) -> None:
        """Accept no more connections."""
        for listener in self.listeners:
            listener.close()

    @property
    def has_sockets(self) -> bool:
        """Whether a socket is still open."""
        return bool(self.sockets)

    def stop(self) -> None:
        """Stop watching."""
        self.reaper.stop()
        if self.sockets is not None:
            self.sockets.stop()


async def start_accepting(
    app: ASGIApp,
    sockets: list[socket.socket],
    limits: ServerLimits,
    state: ServerState,
    app_state: dict[str, Any],
) -> Accepting:
    """Accept connections on listening sockets, with a reaper for them."""
    loop = asyncio.get_running_loop()
    # The factory below makes only connections of this class.
    connections = cast("set[HttpConnection]", state.connections)
    offered: object = app
    websockets = (
        WebSockets(offered, loop, WebSocketLimits(), max_sockets())
        if isinstance(offered, SocketApp)
        else None
    )
    reaper = ConnectionReaper(limits, loop, connections, max_connections(), websockets)
    starter = RequestStarter(app, loop, state.tasks)
    new_connection = functools.partial(
        HttpConnection,
        limits,
        _uvicorn_config(app),
        state,
        app_state,
        starter,
        reaper.evict,
        websockets,
        offered if isinstance(offered, RejectionObserver) else None,
    )
    # asyncio calls listen() again, with a backlog of 100 by default.
    listeners = [
        await loop.create_server(new_connection, sock=listener, backlog=BACKLOG)
        for listener in sockets
    ]
    reaper.start()
    if websockets is not None:
        websockets.start()
    return Accepting(listeners, reaper, websockets)


def _uvicorn_config(app: ASGIApp) -> Config:
    # proxy_headers off: the api determines the client behind a proxy (security I10).
    config = Config(
        app, interface="asgi3", ws="none", log_config=None, access_log=False, proxy_headers=False
    )
    # Sets what Config.load() would set for a protocol, without its imports.
    config.loaded_app = app
    config.ws_protocol_class = None
    config.loaded = True
    return config


async def _drain(accepting: Accepting, state: ServerState, deadline: float) -> None:
    loop = asyncio.get_running_loop()
    accepting.close_listeners()
    await asyncio.sleep(_LAST_READ_SECONDS)
    for connection in tuple(state.connections):
        connection.shutdown()
    if accepting.sockets is not None:
        accepting.sockets.close_all()
    incomplete_until = min(loop.time() + _INCOMPLETE_REQUEST_SECONDS, deadline)
    while (state.connections or state.tasks or accepting.has_sockets) and loop.time() < deadline:
        await asyncio.sleep(_DRAIN_POLL_SECONDS)
        if loop.time() > incomplete_until:
            if accepting.sockets is not None:
                accepting.sockets.abort_all()
            _close_incomplete_requests(cast("set[HttpConnection]", state.connections), loop.time())
    if state.tasks:
        _LOGGER.warning("%d requests took too long to finish and were aborted.", len(state.tasks))
    for task in tuple(state.tasks):
        task.cancel()
    await asyncio.sleep(0)
    for connection in tuple(state.connections):
        connection.transport.abort()
    if accepting.sockets is not None:
        accepting.sockets.abort_all()
        await asyncio.sleep(0)


def _close_incomplete_requests(connections: set[HttpConnection], now: float) -> None:
    for connection in tuple(connections):
        phase, _waited_seconds = connection.inspect(now)
        if phase in (Phase.HEAD, Phase.BODY):
            connection.time_out(phase)


async def _shut_down(lifespan: Lifespan, deadline: float) -> bool:
    left_seconds = deadline - asyncio.get_running_loop().time()
    try:
        return await asyncio.wait_for(lifespan.shutdown(), left_seconds)
    except TimeoutError:
        _LOGGER.error("The app took too long to shut down.")  # noqa: TRY400  # the traceback would say nothing
        return False


def listen_on_free_port(host: str, port: int, port_count: int) -> list[socket.socket]:
    """Listen on the first free one of consecutive ports: each worker finds its own.

    Raises:
        BindError: all are in use, or the address cannot be used.
    """
    for candidate in range(port, port + port_count - 1):
        try:
            return listen(host, candidate)
        except BindError as refusal:
            if getattr(refusal.__cause__, "errno", None) != errno.EADDRINUSE:
                raise
    return listen(host, port + port_count - 1)


class SideServer:
    """Serves an app without lifespan until it is stopped."""

    def __init__(self, app: ASGIApp, sockets: list[socket.socket], limits: ServerLimits) -> None:
        self._app = app
        self._sockets = sockets
        self._limits = limits
        self._state = ServerState()
        self._accepting: Accepting | None = None

    async def start(self) -> None:
        self._accepting = await start_accepting(
            self._app, self._sockets, self._limits, self._state, {}
        )

    def stop(self) -> None:
        """Stop at once, even with requests in flight."""
        if self._accepting is not None:
            self._accepting.close_listeners()
            self._accepting.stop()
        for task in tuple(self._state.tasks):
            task.cancel()
        for connection in tuple(cast("set[HttpConnection]", self._state.connections)):
            connection.transport.abort()
