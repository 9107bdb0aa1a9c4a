"""An HTTP client of one message server: streams both ways, with bounds (wire.md 8.5).

It connects to the one address of its settings and nowhere else, and follows no redirect. Of a body,
only the piece that is being sent is kept.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

import h11

Headers: TypeAlias = list[tuple[bytes, bytes]]

MAX_ANSWER_HEAD_BYTES = 16 * 1024
MAX_ANSWER_HEADERS = 100
MAX_ANSWER_STATUS = 599
_MAX_INTERIM_RESPONSES = 8
_CHUNK_BYTES = 64 * 1024
_KEPT_CONNECTIONS = 32
_KEPT_SECONDS = 1.0
"""How long an idle connection is kept: less than any server does, so none ends as it is used."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class UpstreamError(Exception):
    """The message server gave no usable answer; the text says why, for the log."""


class UpstreamTimeoutError(UpstreamError):
    """The message server took too long."""


class UpstreamBusyError(UpstreamError):
    """The maximum number of requests is waiting for the message server."""


@dataclass(frozen=True, slots=True)
class UpstreamAddress:
    """Where the message server is.

    Attributes:
        authority: the value of the Host header.
    """

    host: str
    port: int
    is_tls: bool
    authority: str


def parse_upstream(url: str) -> UpstreamAddress:
    """Return the address of `http://host:port`; the setting's type has checked the form."""
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return UpstreamAddress(parts.hostname or "", port, parts.scheme == "https", parts.netloc)


@dataclass(frozen=True, slots=True)
class UpstreamSocketAddress:
    """Where the message server accepts sockets.

    Attributes:
        url: the URL, with the scheme ws or wss.
        tls: the TLS context; None for a connection without TLS.
        timeout_seconds: the time to connect and to open the socket.
    """

    url: str
    tls: ssl.SSLContext | None
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """Bounds of the requests that are forwarded.

    Attributes:
        timeout_seconds: the time to connect, for each step, and between parts of an answer.
        max_seconds: the maximum duration of one request and its answer.
        max_requests: the maximum number of requests at a time in this process.
        max_body_bytes: the maximum size of the body of a request.
        max_answer_bytes: the maximum size of the body of an answer.
    """

    timeout_seconds: float = 15
    max_seconds: float = 600
    max_requests: int = 100
    max_body_bytes: int = 32 * 1024 * 1024
    max_answer_bytes: int = 256 * 1024 * 1024


class _Connection:
    """A connection, and its HTTP state."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_ANSWER_HEAD_BYTES)
        self.idle_since = 0.0

    @property
    def is_usable(self) -> bool:
        return not (self.reader.at_eof() or self.writer.is_closing())

    def close(self) -> None:
        self.writer.transport.abort()


class UpstreamRequest:
    """One request in progress, and its answer.

    The caller sends the head, then all of the body; it may read at any time after the head.
    """

    def __init__(self, connection: _Connection, *, is_reused: bool) -> None:
        self._connection = connection
        self._http = connection.http
        self.is_reused = is_reused
        self.has_answer_bytes = False

    async def send_head(self, method: bytes, target: bytes, headers: Headers) -> None:
        """Send the head.

        Raises:
            UpstreamError: it cannot be sent.
        """
        try:
            request = h11.Request(method=method, target=target, headers=headers)
        except h11.ProtocolError as error:
            raise UpstreamError(f"the request cannot be sent: {error}") from error
        await self._send(request)

    async def send_body(self, chunk: bytes) -> None:
        """Send a part of the body.

        Raises:
            UpstreamError: it cannot be sent.
        """
        await self._send(h11.Data(data=chunk))

    async def end_body(self) -> None:
        """Mark the body as complete.

        Raises:
            UpstreamError: it cannot be sent.
        """
        await self._send(h11.EndOfMessage())

    async def read_head(self) -> tuple[int, Headers]:
        """Return status and headers of the answer.

        Raises:
            UpstreamError: the answer is not HTTP, or exceeds a bound.
        """
        for _ in range(_MAX_INTERIM_RESPONSES):
            event = await self._next_event()
            if isinstance(event, h11.Response):
                headers = list(event.headers)
                if event.status_code > MAX_ANSWER_STATUS or len(headers) > MAX_ANSWER_HEADERS:
                    raise UpstreamError("its answer has an unknown status or too many headers")
                return event.status_code, headers
            if not isinstance(event, h11.InformationalResponse):
                break
        raise UpstreamError("it closed the connection without an answer")

    async def read_body(self) -> bytes:
        """Return the next part of the answer's body, b"" after the last one.

        Raises:
            UpstreamError: the answer ends too early or is not HTTP.
        """
        while not isinstance(event := await self._next_event(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise UpstreamError("its answer is incomplete")
            if event.data:
                return bytes(event.data)
        return b""

    def is_complete(self) -> bool:
        """Whether request and answer are complete, so that the connection can be used again."""
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _send(self, event: h11.Event) -> None:
        try:
            data = self._http.send(event)
            if data:
                self._connection.writer.write(data)
                await self._connection.writer.drain()
        except (OSError, h11.ProtocolError) as error:
            raise UpstreamError(f"it stopped reading the request: {error}") from error

    async def _next_event(self) -> h11.Event:
        try:
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    data = await self._connection.reader.read(_CHUNK_BYTES)
                    self.has_answer_bytes |= bool(data)
                    self._http.receive_data(data)
                elif isinstance(event, h11.Event):
                    return event
                else:  # it waits to change the protocol, which was not offered
                    raise UpstreamError("it sends data after its answer")
        except (OSError, h11.ProtocolError) as error:
            raise UpstreamError(f"its answer is not HTTP: {error}") from error


class UpstreamClient:
    """Sends requests to one address, over connections that are used again.

    Args:
        address: the only one that is ever connected to.
        limits: bounds of the requests.
        ca_file: PEM file of the authorities that are trusted, "" for those of the system.
    """

    def __init__(self, address: UpstreamAddress, limits: UpstreamLimits, ca_file: str = "") -> None:
        self.address = address
        self.limits = limits
        self._tls = ssl.create_default_context(cafile=ca_file or None) if address.is_tls else None
        self._idle: list[_Connection] = []
        self._request_count = 0

    @asynccontextmanager
    async def open(self, *, fresh: bool = False) -> AsyncIterator[UpstreamRequest]:
        """Open a request; close the connection unless request and answer are complete.

        Args:
            fresh: on a new connection.

        Raises:
            UpstreamBusyError: too many requests are open.
            UpstreamTimeoutError, UpstreamError: the message server cannot be reached.
        """
        if self._request_count >= self.limits.max_requests:
            raise UpstreamBusyError("too many requests are waiting for it")
        self._request_count += 1
        is_complete = False
        connection = None if fresh else self._take_idle()
        is_reused = connection is not None
        try:
            if connection is None:
                connection = await self._connect()
            request = UpstreamRequest(connection, is_reused=is_reused)
            yield request
            is_complete = request.is_complete()
        finally:
            self._request_count -= 1
            if connection is not None:
                self._give_back(connection, is_complete=is_complete)

    def close(self) -> None:
        """Close idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _connect(self) -> _Connection:
        address = self.address
        try:
            async with asyncio.timeout(self.limits.timeout_seconds):
                reader, writer = await asyncio.open_connection(
                    address.host, address.port, ssl=self._tls, limit=_CHUNK_BYTES
                )
        except TimeoutError as error:
            raise UpstreamTimeoutError("it does not accept the connection") from error
        except (OSError, ValueError) as error:  # an invalid host name is a ValueError
            raise UpstreamError(f"it cannot be reached: {error}") from error
        return _Connection(reader, writer)

    def _take_idle(self) -> _Connection | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable and now - connection.idle_since < _KEPT_SECONDS:
                return connection
            connection.close()
        return None

    def _give_back(self, connection: _Connection, *, is_complete: bool) -> None:
        if is_complete and connection.is_usable and len(self._idle) < _KEPT_CONNECTIONS:
            with contextlib.suppress(h11.ProtocolError):  # bytes that follow the answer
                connection.http.start_next_cycle()
                if not connection.http.trailing_data[0]:
                    connection.idle_since = asyncio.get_running_loop().time()
                    self._idle.append(connection)
                    return
        connection.close()
