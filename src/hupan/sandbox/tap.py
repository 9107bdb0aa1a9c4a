"""The application of the sandbox with its journal around it (K-3).

It is between the listener and the application, so it sees the bytes that a client sent and those
that it gets, even if a fault or a rule answers. Requests that run without a task
(docs/decisions/0019-begun-at-once.md) continue to do so.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import msgspec

from hupan.api.codecs import Receive, Scope, Send
from hupan.api.presence import Socket as SentSocket
from hupan.api.responses import HEALTHZ_PATH, READYZ_PATH
from hupan.clock import Clock
from hupan.contract import ENDPOINTS
from hupan.contract.presence import SocketCommand, SocketLogin
from hupan.model import Headers
from hupan.sandbox.journal import (
    MAX_KEPT_BODY_BYTES,
    Direction,
    Entry,
    Journal,
    PackedRequest,
    Payload,
    pack_headers,
    parse_headers,
    parse_length,
)

_OWN_PREFIX = "/sandbox/"
_OWN_PATHS = frozenset({"/sandbox", "/favicon.ico", HEALTHZ_PATH, READYZ_PATH})
_SWITCHING_PROTOCOLS = 101
_NOT_FOUND = 404
_SERVER_ERROR = 500
_decode_command = msgspec.json.Decoder(SocketCommand).decode
_decode_login = msgspec.json.Decoder(SocketLogin).decode
_ENDPOINT_PATHS = frozenset(
    prefix + endpoint.path for endpoint in ENDPOINTS for prefix in ("", "/web")
)
Answer = Callable[[Scope, Receive, Send], Awaitable[None]]


class OpeningRequest(Protocol):
    """The request that asks for a socket, as the listener describes it."""

    @property
    def path(self) -> str: ...

    @property
    def headers(self) -> Headers: ...

    @property
    def peer(self) -> str: ...


class SocketHandler(Protocol):
    """Receives the messages of a socket."""

    def receive_text(self, text: bytes) -> None: ...

    def receive_binary(self) -> None: ...

    def connection_closed(self) -> None: ...


@runtime_checkable
class PacedSocketHandler(SocketHandler, Protocol):
    """A handler that must know when the peer reads again."""

    def resume_sending(self) -> None: ...


class Socket(SentSocket, Protocol):
    """An open socket of the listener."""

    def abort(self) -> None: ...


class SocketApplication(Protocol):
    """An application of requests and sockets."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def is_socket_path(self, path: str) -> bool: ...

    def open_socket(self, request: Any, socket: Any) -> SocketHandler | None: ...  # noqa: ANN401 - the listener's types, which no layer but it imports


class Rejection(Protocol):
    """A request that the listener refused, as it describes it."""

    @property
    def method(self) -> str: ...

    @property
    def target(self) -> bytes: ...

    @property
    def headers(self) -> Headers: ...

    @property
    def data(self) -> bytes: ...

    @property
    def peer(self) -> str: ...

    @property
    def response(self) -> bytes: ...

    @property
    def scope(self) -> Scope | None: ...


class JournalTap:
    """Records what passes, and lets it pass unchanged.

    Attributes:
        app: the application of the sandbox, without the journal.

    Args:
        app: the application of the sandbox, without the journal.
        journal: keeps what passed.
        clock: the sandbox's own.
    """

    def __init__(self, app: SocketApplication, journal: Journal, clock: Clock) -> None:
        self.app = app
        self._journal = journal
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request pass."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_endpoint = scope["path"] in _ENDPOINT_PATHS
        if not is_endpoint and is_own_path(scope["method"], scope["path"]):
            state = scope.setdefault("state", {})
            state["mark_endless"] = getattr(send, "mark_endless", None)
            cut_off = getattr(send, "cut_off", None)
            state["cut_off"] = None if cut_off is None else partial(cut_off, reset=True)
            await self.app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, self._clock.now())
        try:
            if not is_endpoint and _is_read_ahead(scope):
                await exchange.read_ahead()
            await self.app(scope, exchange.receive, exchange)
        except Exception:
            exchange.status = exchange.status or _SERVER_ERROR  # the listener's
            raise
        finally:
            self._journal.record_request(exchange.pack())
            if not is_endpoint:
                self._count_unserved(scope, exchange)

    def _count_unserved(self, scope: Scope, exchange: "Exchange") -> None:
        is_answered = scope.get("state", {}).get("rule", 0)
        if is_answered or exchange.status == _NOT_FOUND:
            self._journal.count_unserved(scope["method"], scope["path"], exchange.created_at)

    def is_socket_path(self, path: str) -> bool:
        """Return whether a path is that of sockets."""
        return self.app.is_socket_path(path)

    def open_socket(self, request: OpeningRequest, socket: Socket) -> SocketHandler | None:
        """Return the handler of a new socket, which records its messages."""
        entry = Entry(
            "request",
            self._clock.now(),
            method="GET",
            target=request.path.encode(),
            path=request.path,
            peer=request.peer,
            request=Payload(request.headers),
            id=self._journal.next_id(),
        )
        tapped = TappedSocket(self._journal, self._clock, socket, entry)
        handler = self.app.open_socket(request, tapped)
        if handler is None:
            return None  # the listener refuses it, and reports that
        entry.status = _SWITCHING_PROTOCOLS
        self._journal.record(entry)
        return TappedHandler(tapped, handler)

    def record_rejection(self, rejection: Rejection) -> None:
        """Record a request that the listener refused before the application saw the whole of it."""
        status, response = _parse_response(rejection.response)
        if rejection.scope is not None:  # its entry is made when it ends, or it starts only now
            state = rejection.scope.setdefault("state", {})
            state["rejection"] = status, response.headers
            return
        target = rejection.target
        path = target.partition(b"?")[0].decode("latin-1")
        self._journal.record(
            Entry(
                "rejected",
                self._clock.now(),
                method=rejection.method,
                target=target,
                path=path,
                peer=rejection.peer,
                request=Payload(
                    rejection.headers, rejection.data[:MAX_KEPT_BODY_BYTES], len(rejection.data)
                ),
                response=response,
                status=status,
            )
        )


def is_own_path(method: str, path: str) -> bool:
    """Return whether a request is for the sandbox itself, so that the journal leaves it out."""
    if path == "/":  # a POST may upload a picture
        return method in {"GET", "HEAD"}
    return path.startswith(_OWN_PREFIX) or path in _OWN_PATHS


def _is_read_ahead(scope: Scope) -> bool:
    """Return whether the body is read before the application has seen the request.

    Endpoints read their own. A long body is refused by its length, so it need not be sent.
    """
    if "multipart/form-data" in _content_type(scope["headers"]):
        return False
    return _length(scope["headers"]) <= MAX_KEPT_BODY_BYTES


def _length(headers: Headers) -> int:
    """Return the declared length of a request's body."""
    return parse_length(next((value for name, value in headers if name == b"content-length"), b""))


def _content_type(headers: Headers) -> str:
    value = next((value for name, value in headers if name == b"content-type"), b"")
    return value.decode("latin-1").lower()


def _parse_response(response: bytes) -> tuple[int, Payload]:
    head, _, body = response.partition(b"\r\n\r\n")
    line, _, lines = head.partition(b"\r\n")
    status = line.split(b" ")[1] if line.startswith(b"HTTP/") else b"0"
    return int(status), Payload(parse_headers(lines), body, len(body))


class Exchange:
    """One request in progress; replaces the listener's `send` and forwards everything."""

    status = 0
    headers: Headers | bytes = b""
    _body: bytes | bytearray = b""
    _body_size = 0
    _response: bytes | bytearray = b""
    _response_size = 0
    _is_complete = False
    _ahead: Sequence[Any] = ()

    def __init__(self, scope: Scope, receive: Receive, send: Send, now: float) -> None:
        self._scope = scope
        self._receive = receive
        self._send: Any = send
        self.created_at = now
        self._started_at = perf_counter()

    @property
    def connection(self) -> Any:  # noqa: ANN401 - the listener's
        """The connection that a fault cuts off."""
        return getattr(self._send, "connection", self._send)

    async def read_ahead(self) -> None:
        """Read the beginning of the body, because no endpoint reads it.

        The application gets it all the same.
        """
        self._ahead = ahead = deque[Any]()
        is_partial = True
        while is_partial and len(self._body) < MAX_KEPT_BODY_BYTES:
            event = await self._read()
            ahead.append(event)
            is_partial = event["type"] == "http.request" and event.get("more_body", False)

    async def receive(self) -> Any:  # noqa: ANN401 - an ASGI event
        """Return the next event of the request."""
        if isinstance(self._ahead, deque) and self._ahead:
            return self._ahead.popleft()
        return await self._read()

    async def _read(self) -> Any:  # noqa: ANN401 - an ASGI event
        event = await self._receive()
        if event["type"] == "http.request":
            self._keep_body(event.get("body", b""))
        return event

    def read_buffered_body(self) -> bytes | None:
        """Return the body if all of it has arrived."""
        read_buffered = getattr(self._send, "read_buffered_body", None)
        if read_buffered is None or self._ahead:
            return None
        body: bytes | None = read_buffered()
        if body is not None:
            self._keep_body(body)
        return body

    def send_direct(self, http_status: int, headers: bytes, body: bytes) -> bool:
        """Send a whole response without waiting; return False if that is not possible."""
        send_direct = getattr(self._send, "send_direct", None)
        if send_direct is None or not send_direct(http_status, headers, body):
            return False
        self.status, self.headers, self._is_complete = http_status, headers, True
        self._keep_response(body)
        return True

    async def __call__(self, message: Any) -> None:  # noqa: ANN401 - an ASGI event
        """Send a part of the response."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self._keep_response(message.get("body", b""))
            self._is_complete = not message.get("more_body", False)
        await self._send(message)

    def mark_endless(self) -> None:
        """Record that only the end of the connection ends the response."""
        mark_endless = getattr(self._send, "mark_endless", None)
        if mark_endless is not None:
            mark_endless()

    def restart_wait(self) -> None:
        """Start the deadline of the peer again."""
        restart_wait = getattr(self._send, "restart_wait", None)
        if restart_wait is not None:
            restart_wait()

    def pack(self) -> PackedRequest:
        """Return what is kept of the request."""
        scope, headers = self._scope, self.headers
        if not self._body_size:  # nothing has read it
            self._keep_body(bytes(getattr(self._send, "body", b"")))
        query: bytes = scope["query_string"]
        target: bytes = scope["raw_path"]
        state = scope["state"]
        if "rejection" in state and not self.status:
            self.status, headers = state["rejection"]
        client = scope["client"]
        is_lines = isinstance(headers, bytes)
        return (
            self.created_at,
            scope["method"],
            target + b"?" + query if query else target,
            scope["path"],
            scope["http_version"],
            client[0] if client else "",
            scope["server"] or ("127.0.0.1", 0),
            self.status,
            perf_counter() - self._started_at,
            state.get("rule", 0),
            state.get("fault", 0),
            not self._is_complete,
            pack_headers(scope["headers"]),
            self._body if type(self._body) is bytes else bytes(self._body),
            self._body_size,
            headers if isinstance(headers, bytes) else pack_headers(headers),
            is_lines,
            self._response if type(self._response) is bytes else bytes(self._response),
            self._response_size,
        )

    def _keep_body(self, chunk: bytes) -> None:
        self._body_size += len(chunk)
        self._body = _append(self._body, chunk)

    def _keep_response(self, chunk: bytes) -> None:
        self._response_size += len(chunk)
        self._response = _append(self._response, chunk)


def _append(kept: bytes | bytearray, chunk: bytes) -> bytes | bytearray:
    """Return what is kept of a body; most bodies are one chunk, which is not copied."""
    if not kept:
        return chunk if len(chunk) <= MAX_KEPT_BODY_BYTES else chunk[:MAX_KEPT_BODY_BYTES]
    if not chunk or len(kept) >= MAX_KEPT_BODY_BYTES:
        return kept
    grown = kept if isinstance(kept, bytearray) else bytearray(kept)
    grown += chunk[: MAX_KEPT_BODY_BYTES - len(grown)]
    return grown


class TappedSocket:
    """A socket that records what is sent on it."""

    def __init__(self, journal: Journal, clock: Clock, socket: Socket, opening: Entry) -> None:
        self._journal = journal
        self._clock = clock
        self._socket = socket
        self._opening = opening
        self.token = ""

    def confirm(self) -> None:
        """Lift the deadline of the login."""
        self._socket.confirm()

    def send(self, data: bytes, *, is_optional: bool = False) -> None:
        """Send a message."""
        self._socket.send(data, is_optional=is_optional)
        self.record("message", "out", data)

    def send_text(self, text: bytes) -> None:
        """Send a text message."""
        self._socket.send_text(text)
        self.record("message", "out", text)

    @property
    def is_blocked(self) -> bool:
        """Whether the peer is slow to read."""
        return self._socket.is_blocked

    def close(self, code: int, reason: str) -> None:
        """Begin to close."""
        self._socket.close(code, reason)
        self.record("closed", "out", reason.encode(), code)

    def abort(self) -> None:
        """End the connection without a closing frame."""
        self._socket.abort()
        self.record("closed", "out", b"")

    def record(self, kind: Any, direction: Direction, data: bytes, status: int = 0) -> None:  # noqa: ANN401 - one of the kinds
        """Record a message, or the code and reason of a closing."""
        payload = Payload([], data[:MAX_KEPT_BODY_BYTES], len(data))
        opening = self._opening
        self._journal.record(
            Entry(
                kind,
                self._clock.now(),
                path=opening.path,
                peer=opening.peer,
                request=payload if direction == "in" else Payload(),
                response=payload if direction == "out" else Payload(),
                status=status,
                socket=opening.id,
                direction=direction,
                token=self.token,
            )
        )


class TappedHandler:
    """Records the messages of a client and passes them on."""

    def __init__(self, socket: TappedSocket, handler: SocketHandler) -> None:
        self._socket = socket
        self._handler = handler

    def receive_text(self, text: bytes) -> None:
        """Take a text message."""
        if b"login" in text:
            self._socket.token = token_of_login(text) or self._socket.token
        self._socket.record("message", "in", text)
        self._handler.receive_text(text)

    def receive_binary(self) -> None:
        """Record a binary message, whose bytes the listener drops."""
        self._socket.record("message", "in", b"")
        self._handler.receive_binary()

    def resume_sending(self) -> None:
        """Resume sending: the peer reads again."""
        if isinstance(self._handler, PacedSocketHandler):
            self._handler.resume_sending()

    def connection_closed(self) -> None:
        """Record that the socket has closed."""
        self._socket.record("closed", "in", b"")
        self._handler.connection_closed()


def token_of_login(text: bytes) -> str:
    """Return the token of a login, "" for any other message."""
    try:
        command = _decode_command(text)
        token = _decode_login(command.data).token if command.cmd == "login" else ""
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return ""
    return token if isinstance(token, str) else ""
