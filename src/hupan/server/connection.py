"""One HTTP/1.1 connection: size limits, pipelining, start of requests (security I2, decision 0019).

An asyncio task can cost as much as the request itself, so a request that never suspends runs
without one. A request that suspends continues in a task (docs/decisions/0019-begun-at-once.md).

The hot path records nothing: what a connection waits for follows from what uvicorn keeps anyway
(`phase`), and one check per second closes connections that wait too long (`ConnectionReaper`).
"""

import asyncio
import contextlib
import enum
import inspect
import logging
import socket
import struct
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from urllib.parse import unquote

import httptools

from hupan.server.rejections import Rejection, RejectionObserver
from hupan.server.uvicorn_parts import (
    HIGH_WATER_LIMIT,
    STATUS_LINE,
    Config,
    HttpToolsProtocol,
    RequestResponseCycle,
    ServerState,
)
from hupan.server.websocket import SocketRequest, WebSocket, WebSockets, accept_upgrade


@dataclass(frozen=True)
class ServerLimits:
    """Limits of one connection, and of the shutdown of the process.

    Attributes:
        max_header_bytes: the maximum size of request line and headers.
        max_headers: the maximum number of headers in a request.
        max_url_bytes: the maximum length of the request target.
        header_timeout_seconds: from the opening of the connection, or from the first byte of a
            later request, to the end of the headers.
        body_timeout_seconds: from the end of the headers to the end of the body; also how long a
            peer may leave a response unread.
        idle_timeout_seconds: between a response and the first byte of the next request.
        close_timeout_seconds: how long a connection that the server ends may take to close.
        stop_timeout_seconds: from the first SIGTERM to the end of the process.
    """

    max_header_bytes: int = 16384
    max_headers: int = 64
    max_url_bytes: int = 2048
    header_timeout_seconds: float = 10
    body_timeout_seconds: float = 20
    idle_timeout_seconds: float = 5
    close_timeout_seconds: float = 5
    stop_timeout_seconds: float = 10


Scope = MutableMapping[str, Any]
ASGIMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[ASGIMessage]]
Send = Callable[[ASGIMessage], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class RequestCycle(RequestResponseCycle):
    """One request and its response; an app gets it as its `send`."""

    wait_count = 0
    is_endless = False

    def mark_endless(self) -> None:
        """Record that only the connection ends the response: a server that stops cuts it."""
        self.is_endless = True

    def restart_wait(self) -> None:
        """Start the deadline of the current wait again: the peer made progress.

        For large bodies and responses, whose whole time the app bounds.
        """
        self.wait_count += 1

    async def __call__(self, message: ASGIMessage) -> None:
        await self.send(message)  # type: ignore[arg-type]  # uvicorn's union of typed dicts

    def read_buffered_body(self) -> bytes | None:
        """Return the body if all of it has arrived; `receive` does not return it again."""
        if self.more_body or self.disconnected or self.waiting_for_100_continue:
            return None
        body, self.body = bytes(self.body), bytearray()
        return body

    def send_direct(self, http_status: int, headers: bytes, body: bytes) -> bool:
        """Send a whole response without waiting.

        Args:
            http_status: the status of the response.
            headers: whole lines with `content-length`; they are not checked.
            body: as long as the headers say.

        Returns:
            False if that is not possible now; the caller then uses `send`, which waits until the
            peer reads.
        """
        if self.response_started or self.flow.write_paused:
            return False
        if self.disconnected:
            return True
        self.response_started = self.response_complete = True
        if self.waiting_for_100_continue:  # the body will not be read
            self.waiting_for_100_continue = self.keep_alive = False
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        head = STATUS_LINE[http_status] + headers + end
        self.transport.write(head if self.scope["method"] == "HEAD" else head + body)
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

    @property
    def is_peer_gone(self) -> bool:
        """Whether the peer has closed its side; clients do so only when they no longer wait."""
        protocol = self.transport.get_protocol()
        return self.disconnected or (isinstance(protocol, HttpConnection) and protocol.received_eof)

    def cut_off(self, *, reset: bool) -> None:
        """End the connection in the middle of this request; what the app still sends is dropped.

        Args:
            reset: whether the peer sees a reset, instead of the end of what was written so far.
        """
        if self.disconnected:
            return
        self.disconnected = True
        self.message_event.set()
        if not reset:
            self.transport.close()
            return
        connection = self.transport.get_extra_info("socket")
        if connection is not None:  # without lingering, a close is a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    async def run_asgi(self, app: ASGIApp) -> None:  # type: ignore[override]  # as above
        """Run an app; respond with 500 if it does not respond."""
        try:
            await app(cast("Scope", self.scope), cast("Receive", self.receive), self)
        except Exception as error:
            self.logger.error("Exception in ASGI application", exc_info=error)  # noqa: TRY400 - once
        if self.response_complete or self.disconnected:
            self.on_response = _do_nothing  # it refers to the connection, and that to this
            return
        if self.response_started:
            self.transport.close()
        else:
            await self.send_500_response()


def _do_nothing() -> None:
    """Do nothing."""


class RequestStarter:
    """Starts the requests that were read in one tick of the loop, after all bytes were read.

    So the first read of an app is newer than every byte of its request.
    """

    def __init__(
        self, app: ASGIApp, loop: asyncio.AbstractEventLoop, tasks: "set[asyncio.Task[None]]"
    ) -> None:
        """Start nothing yet.

        Args:
            app: handles the requests.
            loop: the event loop.
            tasks: holds the tasks of suspended requests until they end.
        """
        self._app = app
        self._loop = loop
        self._tasks = tasks
        self._pending: list[RequestCycle] = []

    def schedule(self, cycle: RequestCycle) -> None:
        """Start a request soon, together with all that are read in this tick of the loop."""
        if not self._pending:
            self._loop.call_soon(self._start_pending)
        self._pending.append(cycle)

    def start_pipelined(self, cycle: RequestCycle) -> None:
        """Start a request that waited for an earlier response.

        It starts alone: if it opened the list, the requests that are read next would start with it,
        while the read transaction of this tick is still open, which is older than their bytes.
        """
        self._loop.call_soon(self._start, [cycle])

    def _start_pending(self) -> None:
        new, self._pending = self._pending, []
        self._start(new)

    def _start(self, cycles: list[RequestCycle]) -> None:
        for cycle in cycles:
            coroutine = cycle.run_asgi(self._app)
            try:
                awaited = coroutine.send(None)
            except StopIteration:
                continue
            except asyncio.CancelledError:
                cycle.transport.close()  # the others of this tick continue
                continue
            task = self._loop.create_task(_continue_request(coroutine, awaited))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(partial(_propagate_cancellation, coroutine))


def _propagate_cancellation(
    coroutine: Coroutine[Any, Any, None], task: "asyncio.Task[None]"
) -> None:
    """Cancel the request of a task that was cancelled before its first step."""
    if task.cancelled() and inspect.getcoroutinestate(coroutine) == inspect.CORO_SUSPENDED:
        with contextlib.suppress(StopIteration, asyncio.CancelledError):
            coroutine.throw(asyncio.CancelledError())
        coroutine.close()


async def _continue_request(coroutine: Coroutine[Any, Any, None], awaited: object) -> None:
    await _resume(coroutine, awaited)


@types.coroutine
def _resume(coroutine: Coroutine[Any, Any, None], awaited: object) -> Generator[object, Any, None]:
    """Run the rest of a coroutine that waits for `awaited`."""
    try:
        while True:
            try:
                value = yield awaited
            except BaseException as error:  # noqa: BLE001 - a cancellation is the coroutine's
                awaited = coroutine.throw(error)
            else:
                awaited = coroutine.send(value)
    except StopIteration:
        return


_LOGGER = logging.getLogger("hupan.listener")
_SLICE_BYTES = 4096
# One read can hold ten thousand small requests, and each costs about 2 KB before it is answered.
_MAX_PIPELINED_REQUESTS = 128
# Maximum chunks of all requests in one read.
_MAX_CHUNKS = 4096


def _error_response(status: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nconnection: close\r\ncache-control: no-store\r\n"
    head += "x-result: refused\r\n"
    return f"{head}content-length: 0\r\n\r\n".encode()


_BAD_REQUEST = _error_response("400 Bad Request")
_URI_TOO_LONG = _error_response("414 URI Too Long")
_HEAD_TOO_LARGE = _error_response("431 Request Header Fields Too Large")
_WRONG_UPGRADE = _error_response(
    "426 Upgrade Required\r\nupgrade: websocket\r\nsec-websocket-version: 13"
)
_NO_ROOM = _error_response("503 Service Unavailable\r\nretry-after: 5")
_UNKNOWN_CODING = _error_response("501 Not Implemented")
_UNSUPPORTED_VERSION = _error_response("505 HTTP Version Not Supported")

# Headers that concern the connection itself; a plain request has only the first.
_HOST_ONLY = [b"host"]
_CONNECTION_HEADERS = frozenset({b"host", b"transfer-encoding", b"expect", b"upgrade"})
_CHUNKED = [b"chunked"]
_COMMON_METHODS = {b"GET": "GET", b"POST": "POST"}


def _headers_size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


class Phase(enum.Enum):
    """What a connection waits for."""

    HEAD = enum.auto()
    BODY = enum.auto()
    PROCESSING = enum.auto()
    WRITE_BLOCKED = enum.auto()
    IDLE = enum.auto()
    CLOSING = enum.auto()


class RequestRejectedError(Exception):
    """Ends the parsing of a request that exceeds a limit or is not valid."""


class HttpConnection(HttpToolsProtocol):
    """A connection that ends when its peer exceeds a limit."""

    def __init__(
        self,
        limits: ServerLimits,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        starter: RequestStarter,
        on_open: Callable[["HttpConnection"], None],
        sockets: WebSockets | None = None,
        observer: RejectionObserver | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._observer = observer
        self.logger = _LOGGER
        self._starter = starter
        self._on_open = on_open
        self._sockets = sockets
        self._socket: WebSocket | None = None  # took the connection over
        self.url = b""
        self._limits = limits
        self._max_header_bytes = limits.max_header_bytes
        self._head_bytes = 0
        self._head_bytes_upper_bound = 0
        self._counted_scope = self.scope
        self._scope_template: dict[str, Any] = {}
        self._connection_headers: list[bytes] = []
        self._is_chunked = False
        self._chunk_count = 0
        self._is_upgrade_offered = False
        self._body_bytes = 0
        # The request whose headers were complete after the last feed, and the bytes after them.
        self._counted_cycle: RequestCycle | None = None
        self._framing_bytes = 0
        self._max_framing_bytes = limits.max_header_bytes
        # Messages that have ended, now and before the current feed.
        self._completed_messages = self._completed_messages_before = 0
        self._is_first_in_read = True
        self._rejection = _BAD_REQUEST
        self._ignores_input = False
        self.received_eof = False
        self._is_closing = False
        self._wait_state: tuple[Phase, RequestCycle | None, int] = (Phase.HEAD, None, 0)
        self._waiting_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Register the connection and start its first wait."""
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        self._scope_template = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
        }
        self._on_open(self)

    @property
    def last_cycle(self) -> RequestCycle | None:
        """The newest request whose headers are complete; uvicorn's type hides the None."""
        return self.cycle  # type: ignore[return-value]  # only such are made below

    @property
    def phase(self) -> Phase:
        """What this connection waits for, derived from what uvicorn keeps."""
        if self._is_closing or self.transport.is_closing():
            return Phase.CLOSING
        cycle = self.last_cycle
        if cycle is None:
            return Phase.HEAD
        waits_for_body = cycle.more_body and cycle.scope is self.scope
        if self.pipeline or not (cycle.response_complete or waits_for_body):
            return Phase.WRITE_BLOCKED if self.flow.write_paused else Phase.PROCESSING
        if waits_for_body:
            return Phase.BODY
        return Phase.IDLE if cycle.scope is self.scope else Phase.HEAD

    def inspect(self, now: float) -> tuple[Phase, float]:
        """Return what this connection waits for, and the seconds since a call first saw that.

        Args:
            now: the loop's time.
        """
        cycle = self.last_cycle
        wait_state = (self.phase, cycle, 0 if cycle is None else cycle.wait_count)
        if wait_state != self._wait_state:
            self._wait_state, self._waiting_since = wait_state, now
        return wait_state[0], now - self._waiting_since

    def data_received(self, data: bytes) -> None:
        """Feed the parser, in slices where headers or framing could exceed their limit."""
        self._head_bytes_upper_bound = upper_bound = self._head_bytes + len(data)
        if upper_bound + self._framing_bytes <= self._max_framing_bytes:
            self._feed(data)
            return
        self._chunk_count = 0
        for start in range(0, len(data), _SLICE_BYTES):
            end = start + _SLICE_BYTES
            self._feed(data[start:end])
            if self._socket is not None:
                self._socket.data_received(data[end:])
                return
            if self._chunk_count > _MAX_CHUNKS:
                self._reject(_BAD_REQUEST)
                return

    def _feed(self, data: bytes) -> None:
        while not self._ignores_input:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
                if self._open_socket(data):
                    return
                self._decline_upgrade()
                continue
            except httptools.HttpParserError:
                self._reject(self._rejection, data)
            else:
                self._count_head_bytes(len(data))
            return

    def _open_socket(self, data: bytes) -> bool:
        """Accept an upgrade to a WebSocket; return False if it is not one, or not asked here.

        Args:
            data: what has arrived after the request.
        """
        sockets, path = self._sockets, self._socket_path()
        if sockets is None or path is None:
            return False
        response = accept_upgrade(path, self.headers)
        if response is None:
            self._reject(_WRONG_UPGRADE)
            return True
        socket = WebSocket(sockets, self.transport)
        peer = str(self.client[0]) if self.client else ""
        handler = sockets.open(SocketRequest(path, self.headers, peer), socket)
        if handler is None:
            self._reject(_NO_ROOM)
            return True
        self._ignores_input = True
        self.connections.discard(self)
        self._socket = socket
        socket.start(handler, response, data)
        return True

    def _socket_path(self) -> str | None:
        # None if the request does not ask for a socket, or an earlier one waits for its response.
        cycle = self.last_cycle
        if self._sockets is None or not (cycle is None or cycle.response_complete):
            return None
        if self.parser.get_method() != b"GET" or self._wants_other_protocol():
            return None
        try:
            path = unquote(httptools.parse_url(self.url).path.decode("ascii"))
        except (httptools.HttpParserError, UnicodeDecodeError, AttributeError):
            return None
        return path if self._sockets.app.is_socket_path(path) else None

    def _wants_other_protocol(self) -> bool:
        # A body would be read as frames. HTTP/1.0 has no upgrades (RFC 9110 7.8).
        named = [value.strip(b" \t").lower() for name, value in self.headers if name == b"upgrade"]
        has_body = any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0")
            for name, value in self.headers
        )
        is_old = self.parser.get_http_version() == "1.0"
        return is_old or named != [b"websocket"] or has_body

    def _decline_upgrade(self) -> None:
        """Parse the headers of an upgrade request again, without the upgrade.

        The parser expects the other protocol after the headers, so a new parser continues: an
        upgrade that is not accepted changes nothing (RFC 9110 7.8).
        """
        self._is_upgrade_offered = False
        self.parser, before = httptools.HttpRequestParser(self), self.parser
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        method, version = before.get_method(), before.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        head = b"\r\n".join([*lines, b"", b""])
        self._head_bytes = len(head)
        try:
            self.parser.feed_data(head)
        except httptools.HttpParserError:
            self._reject(self._rejection)

    def _count_head_bytes(self, fed_bytes: int) -> None:
        """Count the bytes of headers, and bytes after them that are not body (security X1).

        The latter are lengths and extensions of chunks, trailers, and blank lines.
        """
        body_bytes = self._body_bytes
        self._body_bytes = 0
        self._completed_messages_before = self._completed_messages
        cycle: RequestCycle | None = self.cycle  # type: ignore[assignment]  # only such are made below
        if cycle is not None and cycle.scope is self.scope:
            head_bytes, self._head_bytes = self._head_bytes, 0
            if cycle is not self._counted_cycle:
                self._counted_cycle = cycle
                self._framing_bytes = 0
                is_chunked = self._max_framing_bytes != self._max_header_bytes
                if not (self._is_first_in_read and (is_chunked or head_bytes)):
                    return
                # The read holds only this request, so all that is not body is headers or framing.
                self._framing_bytes = head_bytes - self._max_header_bytes + self._max_framing_bytes
            self._framing_bytes += fed_bytes - body_bytes
            if self._framing_bytes > self._max_framing_bytes:
                self._reject(_BAD_REQUEST)
            return
        if self.scope is not self._counted_scope:
            # Not the headers that were incomplete after the last slice.
            self._counted_scope = self.scope
            if cycle is not None:
                self._head_bytes = 0
        self._head_bytes += fed_bytes
        if self._head_bytes > self._limits.max_header_bytes:
            is_url = len(self.url) > self._limits.max_url_bytes
            self._reject(_URI_TOO_LONG if is_url else _HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin a request as uvicorn does, and disallow again what only trailers may contain."""
        if self._is_chunked:
            self._is_chunked = False
            self.parser.set_dangerous_leniencies(
                lenient_chunked_length=False, lenient_keep_alive=False
            )
        self.url = b""
        self.expect_100_continue = False
        self._connection_headers = []
        scope: Any = self._scope_template.copy()
        scope["headers"] = self.headers = []
        scope["state"] = self.app_state.copy()
        self.scope = scope
        self._max_framing_bytes = self._max_header_bytes
        self._is_first_in_read = self._completed_messages == self._completed_messages_before

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header, or a trailer if no header is read."""
        name = name.lower()
        self.headers.append((name, value))
        if name in _CONNECTION_HEADERS:
            self._connection_headers.append(name)

    def on_chunk_header(self) -> None:
        """Freeze the headers before the first chunk: a trailer is not a header (security X1)."""
        if not self._is_chunked:
            self._is_chunked = True
            self.headers = []
            # A trailer says nothing about lengths and connections, so it cannot contradict either.
            self.parser.set_dangerous_leniencies(
                lenient_chunked_length=True, lenient_keep_alive=True
            )
        self._chunk_count += 1

    def on_body(self, body: bytes) -> None:
        """Take a part of the body as uvicorn does, and count its bytes."""
        self._body_bytes += len(body)
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_headers_complete(self) -> None:
        """Accept headers within the limits.

        Raises:
            RequestRejectedError: a limit is exceeded; the parser stops.
        """
        limits = self._limits
        if len(self.url) > limits.max_url_bytes:
            self._rejection = _URI_TOO_LONG
            raise RequestRejectedError
        if len(self.headers) > limits.max_headers or (
            self._head_bytes_upper_bound > limits.max_header_bytes
            and self._head_size() > limits.max_header_bytes
        ):
            self._rejection = _HEAD_TOO_LARGE
            raise RequestRejectedError
        if len(self.pipeline) >= _MAX_PIPELINED_REQUESTS:
            raise RequestRejectedError
        http_version = self.parser.get_http_version()
        if http_version != "1.1" or self._connection_headers != _HOST_ONLY:
            self._validate_head(http_version)
        if not self._is_upgrade_offered:
            self._accept_head(http_version)

    def _validate_head(self, http_version: str) -> None:
        """Check what a plain request does not have (RFC 9112 2.3, 3.2, 6.1; RFC 9110 10.1.1).

        Raises:
            RequestRejectedError: the request is ambiguous.
        """
        if http_version not in ("1.0", "1.1"):
            self._rejection = _UNSUPPORTED_VERSION
            raise RequestRejectedError
        hosts = self._connection_headers.count(b"host")
        if hosts > 1 or (not hosts and http_version == "1.1"):
            raise RequestRejectedError
        if b"transfer-encoding" in self._connection_headers:
            transfer_encoding = b",".join(
                value for name, value in self.headers if name == b"transfer-encoding"
            )
            codings = [coding.strip(b" \t").lower() for coding in transfer_encoding.split(b",")]
            if codings != _CHUNKED or http_version == "1.0":
                is_broken = http_version == "1.0" or codings[-1:] != _CHUNKED
                self._rejection = _BAD_REQUEST if is_broken else _UNKNOWN_CODING
                raise RequestRejectedError
            self._max_framing_bytes -= self._head_size()
        self.expect_100_continue = http_version == "1.1" and any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in self.headers
        )
        # CONNECT is not an upgrade: it is refused because its target is not a path.
        self._is_upgrade_offered = (
            b"upgrade" in self._connection_headers and self.parser.should_upgrade()
        )

    def _accept_head(self, http_version: str) -> None:
        """Accept the head as uvicorn does, except for how and when the app is started."""
        scope = self.scope
        method = self.parser.get_method()
        scope["method"] = _COMMON_METHODS.get(method) or method.decode("ascii")
        if method == b"CONNECT":
            raise RequestRejectedError
        if http_version != "1.1":
            scope["http_version"] = http_version
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        before = self.last_cycle
        self.cycle = cycle = RequestCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=_LOGGER,
            access_logger=_LOGGER,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=http_version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._starter.schedule(cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def _head_size(self) -> int:
        request_line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        return request_line + _headers_size(self.headers) + 2

    def on_message_complete(self) -> None:
        """Record the end of the body, even of a request that was answered before.

        Raises:
            RequestRejectedError: headers and trailers together exceed a limit.
        """
        if self._is_upgrade_offered:
            return
        if self._is_chunked and self.headers:
            count = len(self.scope["headers"]) + len(self.headers)  # type: ignore[arg-type]  # a list
            if (
                count > self._limits.max_headers
                or _headers_size(self.headers) > self._max_framing_bytes
            ):
                raise RequestRejectedError
        self._completed_messages += 1
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Start the next pipelined request.

        No timer per response: the reaper finds idle connections.
        """
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._starter.start_pipelined(cast("RequestCycle", self.pipeline.pop()[0]))
        elif self._ignores_input:
            self._close_gracefully()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's never wants to stay open
        """Stay open while a peer that has finished sending still waits for responses."""
        self._ignores_input = self.received_eof = True
        return self.phase in {Phase.PROCESSING, Phase.WRITE_BLOCKED}

    def _reject(self, response: bytes, data: bytes = b"") -> None:
        """Stop reading, let complete requests finish, then send the error and close."""
        phase = self.phase
        self._ignores_input = True
        if self.pipeline and self.cycle.more_body:
            self.pipeline.popleft()
        if phase in {Phase.PROCESSING, Phase.WRITE_BLOCKED, Phase.CLOSING}:
            return
        if phase is not Phase.BODY or not self.cycle.response_started:
            self.transport.write(response)
            if self._observer is not None:
                self._report(self._observer, response, data, phase)
        self._disconnect_cycle()
        self._close_gracefully()

    def _report(
        self, observer: RejectionObserver, response: bytes, data: bytes, phase: Phase
    ) -> None:
        is_known = bool(self.url)  # before, the parser names a method that was not sent
        observer.record_rejection(
            Rejection(
                self.parser.get_method().decode("latin-1") if is_known else "",
                self.url,
                self.headers if is_known else [],
                data,
                str(self.client[0]) if self.client else "",
                response,
                cast("dict[str, Any]", self.cycle.scope) if phase is Phase.BODY else None,
            )
        )

    def time_out(self, phase: Phase) -> None:
        """End a wait that took too long.

        Args:
            phase: what the connection waited for.
        """
        if phase in {Phase.CLOSING, Phase.WRITE_BLOCKED}:
            self.transport.abort()
            return
        self._disconnect_cycle()
        self.transport.close()

    def shutdown(self) -> None:
        """Close once the response is complete, or at once if it never will be."""
        cycle = self.last_cycle
        if cycle is None or not cycle.is_endless or cycle.response_complete:
            super().shutdown()
            return
        self._disconnect_cycle()
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _disconnect_cycle(self) -> None:
        # The app receives http.disconnect.
        cycle = self.last_cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def _close_gracefully(self) -> None:
        # Closing with unread bytes would reset the connection and could lose the response.
        self._is_closing = True
        if self.received_eof:
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write_eof()
