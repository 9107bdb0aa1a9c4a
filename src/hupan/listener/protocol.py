"""One HTTP/1.1 connection: uvicorn's, with the bounds that it lacks (security I2).

The hot path notes nothing: what a connection is waiting for follows from what uvicorn keeps
anyway (`phase`), and one sweep per second closes who takes too long (`sweep.py`).
"""

import asyncio
import enum
import logging
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

import httptools

from hupan.listener.exchange import Exchange, Starts
from hupan.listener.limits import ListenerLimits
from hupan.listener.uvicorn_parts import HIGH_WATER_LIMIT, Config, HttpToolsProtocol, ServerState

_LOGGER = logging.getLogger("hupan.listener")
_SLICE_BYTES = 4096
# One read can hold ten thousand small requests, and each costs some 2 KB before it is answered.
_PIPELINE_MAX = 128
# Likewise of chunks, of all requests in one read.
_CHUNKS_MAX = 4096


def _refusal(status: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nconnection: close\r\ncache-control: no-store\r\n"
    head += "x-result: refused\r\n"
    return f"{head}content-length: 0\r\n\r\n".encode()


_BAD_REQUEST = _refusal("400 Bad Request")
_URI_TOO_LONG = _refusal("414 URI Too Long")
_HEAD_TOO_LARGE = _refusal("431 Request Header Fields Too Large")
_UNKNOWN_CODING = _refusal("501 Not Implemented")
_OTHER_VERSION = _refusal("505 HTTP Version Not Supported")

# Headers that say something to the connection itself; a plain request has the first alone.
_PLAIN = [b"host"]
_TOLD = frozenset({b"host", b"transfer-encoding", b"expect", b"upgrade"})
_CHUNKED = [b"chunked"]
_USUAL_METHODS = {b"GET": "GET", b"POST": "POST"}


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


class Phase(enum.Enum):
    """What a connection is waiting for."""

    HEAD = enum.auto()
    BODY = enum.auto()
    BUSY = enum.auto()
    UNREAD = enum.auto()
    IDLE = enum.auto()
    LEAVING = enum.auto()


class HeadRefusedError(Exception):
    """Ends the parsing of a request that is out of bounds, or is none that we can read."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection that ends when its peer sends too much."""

    def __init__(
        self,
        limits: ListenerLimits,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        starts: Starts,
        on_open: Callable[["BoundedProtocol"], None],
    ) -> None:
        super().__init__(config, server_state, app_state)
        self.logger = _LOGGER
        self._starts = starts
        self._on_open = on_open
        self.url = b""
        self._limits = limits
        self._header_bytes_max = limits.header_bytes
        self._head_bytes = 0
        self._head_bytes_at_most = 0
        self._counted = self.scope
        self._blank: dict[str, Any] = {}
        self._told: list[bytes] = []
        self._chunked = False
        self._chunks = 0
        self._offered = False
        self._body_bytes = 0
        # Whose head was complete when the last bytes had been fed, and what came after it.
        self._seen: Exchange | None = None
        self._beyond_bytes = 0
        self._beyond_bytes_max = limits.header_bytes
        # Messages that ended so far, and when the bytes before these had been fed.
        self._ends = self._ends_before = 0
        self._begins_alone = True
        self._refusal = _BAD_REQUEST
        self._deaf = False
        self._heard_all = False
        self._leaving = False
        self._waits_for: tuple[Phase, Exchange | None] = (Phase.HEAD, None)
        self._waits_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Counts the connection in and starts its first wait."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        self._blank = {
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
    def last_cycle(self) -> Exchange | None:
        """The youngest request whose head is complete; uvicorn's type hides the None."""
        return self.cycle  # type: ignore[return-value]  # only such are made below

    @property
    def phase(self) -> Phase:
        """What this connection is waiting for, from what uvicorn keeps."""
        if self._leaving or self.transport.is_closing():
            return Phase.LEAVING
        cycle = self.last_cycle
        if cycle is None:
            return Phase.HEAD
        waits_for_body = cycle.more_body and cycle.scope is self.scope
        if self.pipeline or not (cycle.response_complete or waits_for_body):
            return Phase.UNREAD if self.flow.write_paused else Phase.BUSY
        if waits_for_body:
            return Phase.BODY
        return Phase.IDLE if cycle.scope is self.scope else Phase.HEAD

    def look(self, now: float) -> tuple[Phase, float]:
        """What this connection waits for, and for how many seconds as far as was looked.

        Args:
            now: The loop's time.
        """
        waits_for = (self.phase, self.last_cycle)
        if waits_for != self._waits_for:
            self._waits_for, self._waits_since = waits_for, now
        return waits_for[0], now - self._waits_since

    def data_received(self, data: bytes) -> None:
        """Feeds the parser; in slices where a head, or what follows one, could pass its bound."""
        self._head_bytes_at_most = at_most = self._head_bytes + len(data)
        if at_most + self._beyond_bytes <= self._beyond_bytes_max:
            self._feed(data)
            return
        self._chunks = 0
        for start in range(0, len(data), _SLICE_BYTES):
            self._feed(data[start : start + _SLICE_BYTES])
            if self._chunks > _CHUNKS_MAX:
                self._refuse(_BAD_REQUEST)
                return

    def _feed(self, data: bytes) -> None:
        while not self._deaf:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
                self._decline()
                continue
            except httptools.HttpParserError:
                self._refuse(self._refusal)
            else:
                self._count(len(data))
            return

    def _decline(self) -> None:
        """Reads the head of a request that offered another protocol anew, without the offer.

        The parser takes what follows an offer for the other protocol, so another one goes on:
        an offer that is not taken changes nothing (RFC 9110 7.8).
        """
        self._offered = False
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
            self._refuse(self._refusal)

    def _count(self, fed_bytes: int) -> None:
        """Counts the bytes of a head, and those that follow one and are no body (security X1).

        The latter are lengths and extensions of chunks, trailers, and blank lines.
        """
        body_bytes = self._body_bytes
        self._body_bytes = 0
        self._ends_before = self._ends
        cycle: Exchange | None = self.cycle  # type: ignore[assignment]  # only such are made below
        if cycle is not None and cycle.scope is self.scope:
            head_bytes, self._head_bytes = self._head_bytes, 0
            if cycle is not self._seen:
                self._seen = cycle
                self._beyond_bytes = 0
                is_chunked = self._beyond_bytes_max != self._header_bytes_max
                if not (self._begins_alone and (is_chunked or head_bytes)):
                    return
                # Nothing but this request came with it, so what is no body is its head or beyond.
                self._beyond_bytes = head_bytes - self._header_bytes_max + self._beyond_bytes_max
            self._beyond_bytes += fed_bytes - body_bytes
            if self._beyond_bytes > self._beyond_bytes_max:
                self._refuse(_BAD_REQUEST)
            return
        if self.scope is not self._counted:
            # Another head than the one that was unfinished after the last slice.
            self._counted = self.scope
            if cycle is not None:
                self._head_bytes = 0
        self._head_bytes += fed_bytes
        if self._head_bytes > self._limits.header_bytes:
            is_url = len(self.url) > self._limits.url_bytes
            self._refuse(_URI_TOO_LONG if is_url else _HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """As uvicorn does; what only trailers may hold is a fault again."""
        if self._chunked:
            self._chunked = False
            self.parser.set_dangerous_leniencies(
                lenient_chunked_length=False, lenient_keep_alive=False
            )
        self.url = b""
        self.expect_100_continue = False
        self._told = []
        scope: Any = self._blank.copy()
        scope["headers"] = self.headers = []
        scope["state"] = self.app_state.copy()
        self.scope = scope
        self._beyond_bytes_max = self._header_bytes_max
        self._begins_alone = self._ends == self._ends_before

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps a header, or a trailer where nobody looks for headers."""
        name = name.lower()
        self.headers.append((name, value))
        if name in _TOLD:
            self._told.append(name)

    def on_chunk_header(self) -> None:
        """Freezes the head before the first chunk: a trailer is no header (security X1)."""
        if not self._chunked:
            self._chunked = True
            self.headers = []
            # A trailer says nothing about lengths and connections, so it cannot contradict either.
            self.parser.set_dangerous_leniencies(
                lenient_chunked_length=True, lenient_keep_alive=True
            )
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        """As uvicorn does; counts."""
        self._body_bytes += len(body)
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_headers_complete(self) -> None:
        """Admits a head that is within bounds.

        Raises:
            HeadRefusedError: It is not; the parser stops there.
        """
        limits = self._limits
        if len(self.url) > limits.url_bytes:
            self._refusal = _URI_TOO_LONG
            raise HeadRefusedError
        if len(self.headers) > limits.header_count or (
            self._head_bytes_at_most > limits.header_bytes
            and self._head_size() > limits.header_bytes
        ):
            self._refusal = _HEAD_TOO_LARGE
            raise HeadRefusedError
        if len(self.pipeline) >= _PIPELINE_MAX:
            raise HeadRefusedError
        http_version = self.parser.get_http_version()
        if http_version != "1.1" or self._told != _PLAIN:
            self._look_closer(http_version)
        if not self._offered:
            self._take_head(http_version)

    def _look_closer(self, http_version: str) -> None:
        """Looks at what a plain request has not (RFC 9112 2.3, 3.2, 6.1; RFC 9110 10.1.1).

        Raises:
            HeadRefusedError: nobody could be sure what it means.
        """
        if http_version not in ("1.0", "1.1"):
            self._refusal = _OTHER_VERSION
            raise HeadRefusedError
        hosts = self._told.count(b"host")
        if hosts > 1 or (not hosts and http_version == "1.1"):
            raise HeadRefusedError
        if b"transfer-encoding" in self._told:
            said = b",".join(value for name, value in self.headers if name == b"transfer-encoding")
            codings = [coding.strip(b" \t").lower() for coding in said.split(b",")]
            if codings != _CHUNKED or http_version == "1.0":
                is_broken = http_version == "1.0" or codings[-1:] != _CHUNKED
                self._refusal = _BAD_REQUEST if is_broken else _UNKNOWN_CODING
                raise HeadRefusedError
            self._beyond_bytes_max -= self._head_size()
        self.expect_100_continue = http_version == "1.1" and any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in self.headers
        )
        # CONNECT is no offer: it is refused for its target, which is no path.
        self._offered = b"upgrade" in self._told and self.parser.should_upgrade()

    def _take_head(self, http_version: str) -> None:
        """As uvicorn does, but for who begins the app, and when."""
        scope = self.scope
        method = self.parser.get_method()
        scope["method"] = _USUAL_METHODS.get(method) or method.decode("ascii")
        if method == b"CONNECT":
            raise HeadRefusedError
        if http_version != "1.1":
            scope["http_version"] = http_version
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        before = self.last_cycle
        self.cycle = exchange = Exchange(
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
            self._starts.add(exchange)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))

    def _head_size(self) -> int:
        request_line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        return request_line + _size(self.headers) + 2

    def on_message_complete(self) -> None:
        """Notes the end of the body, also of one that was answered before its end.

        Raises:
            HeadRefusedError: head and trailers together are out of bounds.
        """
        if self._offered:
            return
        if self._chunked and self.headers:
            count = len(self.scope["headers"]) + len(self.headers)  # type: ignore[arg-type]  # a list
            if count > self._limits.header_count or _size(self.headers) > self._beyond_bytes_max:
                raise HeadRefusedError
        self._ends += 1
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Starts the next request that waits; no timer per answer, the sweep sees who idles."""
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._starts.follow(cast("Exchange", self.pipeline.pop()[0]))
        elif self._deaf:
            self._leave()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's never wants to stay open
        """Stays open for those answers that a peer still waits for, who has no more to say."""
        self._deaf = self._heard_all = True
        return self.phase in {Phase.BUSY, Phase.UNREAD}

    def _refuse(self, answer: bytes) -> None:
        """Hears no more, lets requests that came whole be answered, then says why and leaves."""
        phase = self.phase
        self._deaf = True
        if self.pipeline and self.cycle.more_body:
            self.pipeline.popleft()
        if phase in {Phase.BUSY, Phase.UNREAD, Phase.LEAVING}:
            return
        if phase is not Phase.BODY or not self.cycle.response_started:
            self.transport.write(answer)
        self._abandon_body()
        self._leave()

    def give_up(self, phase: Phase) -> None:
        """Ends a wait that took too long.

        Args:
            phase: What for.
        """
        if phase in {Phase.LEAVING, Phase.UNREAD}:
            self.transport.abort()
            return
        self._abandon_body()
        self.transport.close()

    def _abandon_body(self) -> None:
        # What the app hears of it is http.disconnect.
        cycle = self.last_cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def _leave(self) -> None:
        # Closing with bytes unread would reset the connection and could take the answer along.
        self._leaving = True
        if self._heard_all:
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write_eof()
