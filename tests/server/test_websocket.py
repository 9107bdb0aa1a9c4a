"""Deadlines and bounds of sockets, on a loop with a clock set by the test (security X1, X5)."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT
from websockets.protocol import Protocol as Framing

from hupan.server.websocket import (
    SocketHandler,
    SocketRequest,
    WebSocket,
    WebSocketLimits,
    WebSockets,
    accept_upgrade,
)

LIMITS = WebSocketLimits()
REQUEST = SocketRequest("/ws", [], "192.0.2.1")
GOING_AWAY, POLICY, INTERNAL = 1001, 1008, 1011


class Loop:
    """A loop that the test drives."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.soon: list[Callable[[], None]] = []

    def time(self) -> float:
        """Return the time that the test has set."""
        return self.now

    def call_later(self, delay: float, work: Callable[[], None]) -> asyncio.TimerHandle:
        """Ignore the timer: the test runs the sweep."""
        del delay, work
        return cast("asyncio.TimerHandle", None)

    def call_soon(self, work: Callable[[], None]) -> None:
        """Queue the callback for the test."""
        self.soon.append(work)


class Transport:
    """A connection with a simulated peer."""

    def __init__(self) -> None:
        self.peer = Framing(CLIENT)
        self.is_reading = True
        self.has_ended = self.is_aborted = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Do nothing."""

    def is_closing(self) -> bool:
        """Return whether it was aborted."""
        return self.is_aborted

    def pause_reading(self) -> None:
        """Stop reading."""
        self.is_reading = False

    def resume_reading(self) -> None:
        """Resume reading."""
        self.is_reading = True

    def write(self, data: bytes) -> None:
        """Record frames, but not the response of the upgrade."""
        if data:
            self.peer.receive_data(data)

    def write_eof(self) -> None:
        """Record the end."""
        self.has_ended = True

    def abort(self) -> None:
        """Record the abort."""
        self.is_aborted = True

    @property
    def messages(self) -> list[bytes]:
        """Return the peer's messages since the last call."""
        events = cast("list[Frame]", self.peer.events_received())
        return [bytes(one.data) for one in events if one.opcode is Opcode.BINARY]

    @property
    def close_code(self) -> int:
        """Return the peer's close code, 0 for none."""
        return self.peer.close_rcvd.code if self.peer.close_rcvd else 0


class Handler:
    """Echo texts; fail on a special one."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.binaries = self.closings = 0

    def receive_text(self, text: bytes) -> None:
        """Echo the text."""
        if text == b"fail":
            raise ValueError
        self.socket.send(text)

    def receive_binary(self) -> None:
        """Count the message."""
        self.binaries += 1

    def connection_closed(self) -> None:
        """Count the call."""
        self.closings += 1


class App:
    """An app that accepts every socket."""

    def is_socket_path(self, path: str) -> bool:
        """Return True."""
        return bool(path)

    def open_socket(self, request: SocketRequest, socket: WebSocket) -> SocketHandler:
        """Return a handler."""
        del request
        return Handler(socket)


class Host:
    """A socket host with one open socket."""

    def __init__(self, *, confirmed: bool = True, capacity: int = 10) -> None:
        self.loop = Loop()
        loop = cast("asyncio.AbstractEventLoop", self.loop)
        self.sockets = WebSockets(App(), loop, LIMITS, capacity)
        self.transport = Transport()
        self.socket = WebSocket(self.sockets, cast("asyncio.Transport", self.transport))
        handler = self.sockets.open(REQUEST, self.socket)
        assert isinstance(handler, Handler)
        self.handler = handler
        self.socket.start(handler, b"", b"")
        if confirmed:
            self.socket.confirm()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and run the sweep."""
        self.loop.now += seconds
        self.sockets.start()

    def say(self, text: bytes, times: int = 1) -> None:
        """Send texts in one read."""
        for _ in range(times):
            self.transport.peer.send_text(text)
        self.socket.data_received(b"".join(self.transport.peer.data_to_send()))

    def run_soon(self) -> int:
        """Run one tick of the loop; return the number of its callbacks."""
        soon, self.loop.soon = self.loop.soon, []
        for work in soon:
            work()
        return len(soon)


def test_a_silent_socket_is_closed() -> None:
    """It is closed after 90 s of silence; every message restarts the time."""
    host = Host()
    for _ in range(3):
        host.pass_time(LIMITS.silent_seconds - 2)
        host.say(b"x")
    assert host.transport.close_code == 0
    host.pass_time(LIMITS.silent_seconds + 1)
    assert host.transport.close_code == POLICY


def test_a_ping_is_no_silence() -> None:
    """Clients may use pings as heartbeats, which are answered (RFC 6455 5.5.2)."""
    host = Host()
    for _ in range(3):
        host.pass_time(LIMITS.silent_seconds - 2)
        host.transport.peer.send_ping(b"p")
        host.socket.data_received(b"".join(host.transport.peer.data_to_send()))
    assert host.transport.close_code == 0


@pytest.mark.parametrize(("confirmed", "code"), [(True, 0), (False, POLICY)])
def test_a_socket_without_a_login_is_closed(confirmed: bool, code: int) -> None:
    """Without a login it is closed after 10 s, despite heartbeats."""
    host = Host(confirmed=confirmed)
    for _ in range(3):
        host.pass_time(3)
        host.say(b"x")
    assert host.transport.close_code == 0
    host.pass_time(3)
    assert host.transport.close_code == code


def test_a_peer_that_does_not_close_is_cut() -> None:
    """The connection is closed 5 s after the closing frame."""
    host = Host()
    host.socket.close(GOING_AWAY, "")
    host.pass_time(LIMITS.close_seconds - 1)
    assert not host.transport.is_aborted
    host.pass_time(2)
    assert host.transport.is_aborted


def test_a_peer_that_does_not_read_is_not_read_and_then_cut() -> None:
    """A full write buffer stops reading, drops optional messages, and then ends the connection."""
    host = Host()
    host.socket.pause_writing()
    reading = [host.transport.is_reading]
    host.socket.send(b"draft", is_optional=True)
    assert host.transport.messages == []
    host.socket.resume_writing()
    reading.append(host.transport.is_reading)
    assert reading == [False, True]
    host.socket.send(b"draft", is_optional=True)
    assert host.transport.messages == [b"draft"]
    host.socket.pause_writing()
    host.pass_time(LIMITS.blocked_seconds + 1)
    assert host.transport.is_aborted


def test_a_long_read_is_taken_in_turns() -> None:
    """A tick handles only a few frames, and each is answered once, in order."""
    host = Host()
    host.say(b"x" * 100, times=200)
    assert not host.transport.is_reading
    answered, turns = len(host.transport.messages), 0
    while host.run_soon():
        turns += 1
        answered += len(host.transport.messages)
    assert (answered, host.transport.is_reading) == (200, True)
    assert turns > 10


def test_the_rest_of_a_long_read_waits_for_a_slow_peer() -> None:
    """Messages are not answered while the write buffer is full."""
    host = Host()
    host.say(b"x" * 100, times=200)
    host.socket.pause_writing()
    before = len(host.transport.messages)
    host.run_soon()
    assert host.run_soon() == 0
    host.socket.resume_writing()
    while host.run_soon():
        pass
    assert before + len(host.transport.messages) == 200


def test_a_handler_that_fails_costs_one_socket() -> None:
    """Its socket is closed with an internal error."""
    host = Host()
    host.say(b"fail")
    assert host.transport.close_code == INTERNAL


def test_a_lost_connection_is_handled_once() -> None:
    """The handler is called once, and nothing remains."""
    host = Host(confirmed=False)
    host.socket.connection_lost(None)
    host.socket.connection_lost(None)
    assert (host.handler.closings, len(host.sockets)) == (1, 0)
    host.pass_time(1000)


def test_a_stop_closes_all() -> None:
    """Sockets get the code for "going away"."""
    host = Host()
    host.sockets.close_all()
    assert host.transport.close_code == GOING_AWAY
    host.sockets.abort_all()
    assert host.transport.is_aborted


def test_beyond_the_capacity_there_is_no_room() -> None:
    """Some descriptors are reserved for requests."""
    host = Host(capacity=1)
    assert host.sockets.open(REQUEST, host.socket) is None


@pytest.mark.parametrize("missing", ["upgrade", "connection", "sec-websocket-version"])
def test_a_handshake_that_lacks_something_is_none(missing: str) -> None:
    """Each header is required (RFC 6455 4.2.1)."""
    headers = {
        "upgrade": "websocket",
        "connection": "keep-alive, Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    whole = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert accept_upgrade("/ws", whole) is not None
    assert accept_upgrade("/ws", [one for one in whole if one[0] != missing.encode()]) is None
