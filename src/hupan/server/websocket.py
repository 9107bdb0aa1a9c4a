"""WebSocket connections: limits, deadlines and closing (RFC 6455, wire.md 8.1).

The protocol itself is that of `websockets`, without its input and output. A socket costs no task
and no timer: one sweep per second serves all of them (docs/decisions/0036-presence.md).
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SERVER, State
from websockets.protocol import Protocol as Framing
from websockets.server import ServerProtocol

GOING_AWAY, INVALID_DATA, POLICY_VIOLATION, INTERNAL_ERROR = 1001, 1007, 1008, 1011
_SLICE_BYTES = 1024
"""Read in one tick of the loop: about 170 frames at most, so that others have their turn."""
_SWEEP_SECONDS = 1.0
_log = logging.getLogger("hupan.listener")
_framing_log = logging.getLogger("hupan.listener.frames")
_framing_log.setLevel(logging.WARNING)  # it would log each opening and closing


@dataclass(frozen=True, slots=True)
class WebSocketLimits:
    """Limits of one socket.

    Attributes:
        max_message_bytes: the maximum size of a message, all its fragments together.
        ready_seconds: from the opening until the handler calls `confirm`.
        silent_seconds: how long the peer may send nothing.
        blocked_seconds: how long the peer may leave pending data unread.
        close_seconds: from a closing frame to the end of the connection.
    """

    max_message_bytes: int = 16384
    ready_seconds: float = 10
    silent_seconds: float = 90
    blocked_seconds: float = 10
    close_seconds: float = 5


@dataclass(frozen=True, slots=True)
class SocketRequest:
    """The request that asks for a socket.

    Attributes:
        path: decoded.
        headers: names in lower case.
        peer: the address of the peer, "" for none.
    """

    path: str
    headers: list[tuple[bytes, bytes]]
    peer: str


class SocketHandler(Protocol):
    """What an app does with a socket; nothing may block or raise."""

    def receive_text(self, text: bytes) -> None:
        """Take a text message, which is valid UTF-8."""
        ...

    def receive_binary(self) -> None:
        """Handle a binary message, whose bytes are dropped."""
        ...

    def connection_closed(self) -> None:
        """Record that the socket has closed; called once."""
        ...


@runtime_checkable
class PacedSocketHandler(SocketHandler, Protocol):
    """A handler that sends without being asked, and so must know when the peer is slow."""

    def resume_sending(self) -> None:
        """Resume sending: the peer reads again."""
        ...


@runtime_checkable
class SocketApp(Protocol):
    """An app that accepts sockets as well as requests."""

    def is_socket_path(self, path: str) -> bool:
        """Return whether a path is that of sockets."""
        ...

    def open_socket(self, request: SocketRequest, socket: "WebSocket") -> SocketHandler | None:
        """Return the handler of a new socket; None if there is no room now."""
        ...


def accept_upgrade(path: str, headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """Return the response that accepts an upgrade to a WebSocket; None for a request that is wrong.

    Args:
        path: the request target.
        headers: names in lower case; the upgrade names `websocket`.
    """
    decoded = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
    handshake = ServerProtocol(logger=_framing_log)
    try:
        response = handshake.accept(Request(path, decoded))
    except (InvalidHandshake, ValueError):
        return None
    return bytes(response.serialize()) if response.status_code == 101 else None  # noqa: PLR2004 - switching protocols


class WebSockets:
    """The sockets of one listener, and the one timer that serves all of them.

    Args:
        app: takes the sockets.
        loop: the event loop.
        limits: the limits of each socket.
        capacity: how many fit.
    """

    def __init__(
        self,
        app: SocketApp,
        loop: asyncio.AbstractEventLoop,
        limits: WebSocketLimits,
        capacity: int,
    ) -> None:
        self.app = app
        self.loop = loop
        self.limits = limits
        self.now = loop.time()
        """The time of the last sweep: exact to a second."""
        # Each in the order in which its time comes.
        self.heard: dict[WebSocket, float] = {}
        self.unconfirmed: dict[WebSocket, float] = {}
        self.blocked: dict[WebSocket, float] = {}
        self.closing: dict[WebSocket, float] = {}
        self._capacity = capacity
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return the number of open sockets, those that are closing included."""
        return len(self.heard)

    def open(self, request: SocketRequest, socket: "WebSocket") -> SocketHandler | None:
        """Return the handler of a new socket; None if there is no room."""
        return self.app.open_socket(request, socket) if len(self) < self._capacity else None

    def start(self) -> None:
        """Sweep now and every second, even after an error."""
        self._timer = self.loop.call_later(_SWEEP_SECONDS, self.start)
        self.now = now = self.loop.time()
        limits = self.limits
        for waiting, seconds, end in (
            (self.heard, limits.silent_seconds, _close_silent),
            (self.unconfirmed, limits.ready_seconds, _close_unconfirmed),
            (self.blocked, limits.blocked_seconds, WebSocket.abort),
            (self.closing, limits.close_seconds, WebSocket.abort),
        ):
            _end_overdue(waiting, now - seconds, end)

    def stop(self) -> None:
        """Stop sweeping."""
        if self._timer is not None:
            self._timer.cancel()

    def close_all(self) -> None:
        """Ask every peer to close because the server stops; clients reconnect (wire.md 8.1)."""
        for socket in tuple(self.heard):
            socket.close(GOING_AWAY, "the server stops")

    def abort_all(self) -> None:
        """End every connection at once."""
        for socket in tuple(self.heard):
            socket.abort()

    def forget(self, socket: "WebSocket") -> None:
        """Drop a socket whose connection is gone."""
        for waiting in (self.heard, self.unconfirmed, self.blocked, self.closing):
            waiting.pop(socket, None)


def _end_overdue(
    waiting: "dict[WebSocket, float]", until: float, end: "Callable[[WebSocket], None]"
) -> None:
    overdue = []
    for socket, since in waiting.items():
        if since > until:
            break
        overdue.append(socket)
    for socket in overdue:
        end(socket)


def _close_silent(socket: "WebSocket") -> None:
    socket.close(POLICY_VIOLATION, "silent for too long")


def _close_unconfirmed(socket: "WebSocket") -> None:
    socket.close(POLICY_VIOLATION, "no login in time")


class WebSocket(asyncio.Protocol):
    """One open socket; takes the place of the HTTP connection that it was."""

    __slots__ = (
        "_framing",
        "_handler",
        "_is_receiving",
        "_is_text",
        "_message",
        "_rest",
        "_sockets",
        "_transport",
    )

    def __init__(self, sockets: WebSockets, transport: asyncio.Transport) -> None:
        self._sockets = sockets
        self._transport = transport
        self._framing = Framing(
            SERVER,
            state=State.OPEN,
            max_size=sockets.limits.max_message_bytes,
            logger=_framing_log,
        )
        self._handler: SocketHandler | None = None
        self._message: bytearray | None = None
        self._rest = b""
        self._is_text = self._is_receiving = False

    def start(self, handler: SocketHandler, response: bytes, data: bytes) -> None:
        """Take over the connection.

        Args:
            handler: gets the messages.
            response: accepts the upgrade.
            data: what has arrived after the request.
        """
        sockets = self._sockets
        self._handler = handler
        sockets.heard[self] = sockets.unconfirmed[self] = sockets.loop.time()
        self._transport.set_protocol(self)
        self._transport.write(response)
        if self._transport.is_closing():
            return
        self._transport.resume_reading()
        if data:
            self.data_received(data)

    def confirm(self) -> None:
        """Lift the first deadline: the peer has logged in."""
        self._sockets.unconfirmed.pop(self, None)

    def send(self, data: bytes, *, is_optional: bool = False) -> None:
        """Send a binary message, unless the socket is closing.

        Args:
            data: the message.
            is_optional: whether it is dropped if the peer is slow to read.
        """
        if self._framing.state is not State.OPEN:
            return
        if is_optional and self in self._sockets.blocked:
            return
        self._framing.send_binary(data)
        if not self._is_receiving:
            self._flush()

    def send_text(self, text: bytes) -> None:
        """Send a text message, unless the socket is closing."""
        if self._framing.state is State.OPEN:
            self._framing.send_text(text)
            if not self._is_receiving:
                self._flush()

    @property
    def is_blocked(self) -> bool:
        """Whether more waits for the peer than it reads."""
        return self in self._sockets.blocked

    def close(self, code: int, reason: str) -> None:
        """Begin to close, unless that has begun."""
        if self._framing.state is State.OPEN:
            self._framing.send_close(code, reason)
            self._note_closing()
            if not self._is_receiving:
                self._flush()

    def abort(self) -> None:
        """End the connection without a closing frame."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read frames; the rest of a long read in the next ticks of the loop."""
        if self._rest:
            self._rest += data
            return
        sockets = self._sockets
        sockets.heard.pop(self, None)
        sockets.heard[self] = sockets.now
        if len(data) > _SLICE_BYTES:
            self._rest = data[_SLICE_BYTES:]
            data = data[:_SLICE_BYTES]
            self._transport.pause_reading()
            sockets.loop.call_soon(self._read_rest)
        self._framing.receive_data(data)
        self._handle_events()

    def _read_rest(self) -> None:
        data, self._rest = self._rest, b""
        if self._transport.is_closing():
            return
        if self in self._sockets.blocked:
            self._rest = data  # until the peer reads again
            return
        self._transport.resume_reading()
        self.data_received(data)

    def eof_received(self) -> None:
        """Close when the peer has closed its side."""
        self._framing.receive_eof()
        self._handle_events()

    def connection_lost(self, exc: Exception | None) -> None:
        """Call the handler, once."""
        del exc
        self._sockets.forget(self)
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.connection_closed()

    def pause_writing(self) -> None:
        """Read nothing more while the peer does not read: what waits for it stays bounded."""
        self._sockets.blocked[self] = self._sockets.loop.time()
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self._sockets.blocked.pop(self, None)
        if self._transport.is_closing():
            return
        if self._rest:
            self._sockets.loop.call_soon(self._read_rest)
        else:
            self._transport.resume_reading()
        if isinstance(self._handler, PacedSocketHandler):
            self._handler.resume_sending()

    def _handle_events(self) -> None:
        self._is_receiving = True
        try:
            for frame in self._framing.events_received():
                self._handle_frame(cast("Frame", frame))
        except Exception:  # noqa: BLE001 - an error of one handler must not affect others
            _log.exception("a message of a socket failed")
            self.close(INTERNAL_ERROR, "")
        finally:
            self._is_receiving = False
        self._flush()

    def _handle_frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        if self._framing.close_sent is not None:
            return
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            self._is_text = opcode is Opcode.TEXT
            if frame.fin:
                self._handle_message(bytes(frame.data))
            else:
                self._message = bytearray(frame.data)
        elif opcode is Opcode.CONT and self._message is not None:
            self._message += frame.data
            if frame.fin:
                message, self._message = self._message, None
                self._handle_message(bytes(message))

    def _handle_message(self, message: bytes) -> None:
        handler = self._handler
        if handler is None:
            return
        if not self._is_text:
            handler.receive_binary()
            return
        if not message.isascii():
            try:
                message.decode()
            except UnicodeDecodeError:
                self._framing.fail(INVALID_DATA, "invalid UTF-8")
                self._note_closing()
                return
        handler.receive_text(message)

    def _note_closing(self) -> None:
        self._sockets.unconfirmed.pop(self, None)
        self._sockets.closing.setdefault(self, self._sockets.loop.time())

    def _flush(self) -> None:
        writes = self._framing.data_to_send()
        if not writes:
            return
        transport = self._transport
        if transport.is_closing():
            return
        has_ended = not writes[-1]  # the end of what is sent
        data = writes[0] if len(writes) == 1 else b"".join(writes)
        if data:
            transport.write(data)
        if has_ended:
            self._note_closing()
            if not transport.is_closing():
                transport.write_eof()
