"""The socket byte by byte: the upgrade, invalid frames and lost peers (RFC 6455).

An invalid frame only ends its own socket, with its own code (security X1).
"""

import json

import pytest

from tests.support.client import WireClient
from tests.support.raw_http import exchange
from tests.support.servers import Server
from tests.support.sockets import (
    ACCEPT,
    BINARY,
    CLOSE,
    INVALID,
    PING,
    PONG,
    TEXT,
    RawSocket,
    SocketClient,
    acknowledgement,
    frame,
    upgrade,
)

pytestmark = pytest.mark.one_engine

CONTINUATION = 0
MOST_BYTES = 16384
PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009
BEAT = json.dumps({"seq": "1", "cmd": "heartbeat", "data": {}}).encode()
ANSWER = acknowledgement("1")
VANISHING = 300


@pytest.fixture
def port(sandbox: Server) -> int:
    """Return the port of the shared sandbox."""
    return sandbox.port


def padded(size: int) -> bytes:
    """Return a heartbeat of the given size in bytes."""
    return BEAT + b" " * (size - len(BEAT))


def test_the_upgrade_is_accepted(port: int) -> None:
    """The response has the digest of the key, and no compression even if offered."""
    request = upgrade("/ws?v=1", "Sec-WebSocket-Extensions: permessage-deflate")
    with RawSocket(port, request + frame(TEXT, BEAT)) as socket:
        head = socket.head.decode().lower()
        assert head.startswith("http/1.1 101 ")
        assert f"sec-websocket-accept: {ACCEPT.lower()}" in head
        assert "extensions" not in head
        assert socket.receive() == (BINARY, ANSWER)  # sent with the request, before its answer


def test_many_frames_with_the_request(port: int) -> None:
    """Together they may be longer than a request's headers."""
    count = 500
    with RawSocket(port, upgrade() + frame(TEXT, BEAT) * count) as socket:
        assert [socket.receive() for _ in range(count)] == [(BINARY, ANSWER)] * count


def test_after_a_request_on_the_same_connection(port: int) -> None:
    """A connection that served requests may become a socket."""
    with RawSocket(port, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n") as socket:
        assert b" 200 " in socket.head
        socket.send(upgrade())
        while b"\r\n\r\n" not in socket._buffer:  # noqa: SLF001 - the responses come one after the other
            socket._buffer += socket.connection.recv(65536)  # noqa: SLF001
        assert b"101 Switching" in socket._buffer  # noqa: SLF001


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (upgrade(version=8), 426),
        (upgrade().replace(b"Sec-WebSocket-Key", b"X-Key"), 426),
        (upgrade("/v1/user/medal"), 404),
        (upgrade("/ws/"), 404),
        (upgrade().replace(b"GET", b"POST", 1), 404),
        (upgrade().replace(b"websocket", b"h2c", 1), 404),
        (upgrade().replace(b"HTTP/1.1", b"HTTP/1.0", 1), 404),
        (upgrade().replace(b"Upgrade: websocket\r\n", b"", 1), 404),
        (upgrade("/ws", "Content-Length: 4") + b"abcd", 404),
    ],
)
def test_an_upgrade_that_is_none(sandbox: Server, request_: bytes, status: int) -> None:
    """A wrong handshake is refused; on any other path an offer is ignored (RFC 9110 7.8)."""
    found, headers, _ = exchange(sandbox, request_)
    assert found == status
    assert headers["x-result"]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(TEXT, BEAT, mask=b"")], PROTOCOL_ERROR),
        ([frame(TEXT | 0x40, BEAT)], PROTOCOL_ERROR),
        ([frame(3, b"")], PROTOCOL_ERROR),
        ([frame(11, b"")], PROTOCOL_ERROR),
        ([frame(CONTINUATION, b"x")], PROTOCOL_ERROR),
        ([frame(TEXT, b"{", is_last=False), frame(TEXT, b"}")], PROTOCOL_ERROR),
        ([frame(PING, b"x" * 126)], PROTOCOL_ERROR),
        ([frame(PING, b"", is_last=False)], PROTOCOL_ERROR),
        ([frame(CLOSE, b"\x03")], PROTOCOL_ERROR),
        ([frame(CLOSE, (999).to_bytes(2))], PROTOCOL_ERROR),
        ([frame(TEXT, b'{"a":"\xff"}')], INVALID_DATA),
        ([frame(TEXT, b'{"a":"\xe4', is_last=False), frame(CONTINUATION, b'"}')], INVALID_DATA),
        ([frame(TEXT, padded(MOST_BYTES + 1))], TOO_BIG),
        ([frame(BINARY, bytes(MOST_BYTES + 1))], TOO_BIG),
        ([frame(TEXT, b"x" * 70_000)], TOO_BIG),
        ([b"\x81\xff" + b"\x7f" + b"\xff" * 7], TOO_BIG),
        ([b"\x81\xff" + b"\xff" * 8], TOO_BIG),
        (
            [
                frame(TEXT, b"x" * 9000, is_last=False),
                frame(CONTINUATION, b"x" * 9000, is_last=False),
            ],
            TOO_BIG,
        ),
    ],
)
def test_a_wrong_frame_closes_the_socket(port: int, frames: list[bytes], code: int) -> None:
    """The close code is that of the fault."""
    with RawSocket(port) as socket:
        socket.send(frame(TEXT, BEAT))
        assert socket.receive() == (BINARY, ANSWER)
        socket.send(*frames)
        assert socket.close_code() == code


def test_a_message_may_be_as_large_as_the_bound(port: int) -> None:
    """It comes in one frame, or in fragments with a ping or empty ones between them."""
    whole = padded(MOST_BYTES)
    parts = [frame(TEXT, whole[:1], is_last=False)]
    parts += [frame(CONTINUATION, b"", is_last=False)] * 500
    parts += [frame(PING, b"between"), frame(CONTINUATION, whole[1:])]
    with RawSocket(port) as socket:
        socket.send(frame(TEXT, whole))
        assert socket.receive() == (BINARY, ANSWER)
        socket.send(*parts)
        assert socket.receive() == (PONG, b"between")
        assert socket.receive() == (BINARY, ANSWER)


def test_bytes_may_come_one_by_one(port: int) -> None:
    """Incomplete frames wait for the rest."""
    with RawSocket(port) as socket:
        for byte in frame(TEXT, BEAT):
            socket.send(bytes([byte]))
        assert socket.receive() == (BINARY, ANSWER)


def test_a_close_is_answered(port: int) -> None:
    """The response has the same code; then the connection ends (RFC 6455 5.5.1)."""
    with RawSocket(port) as socket:
        socket.send(frame(CLOSE, (1000).to_bytes(2) + b"bye"))
        assert socket.receive() == (CLOSE, (1000).to_bytes(2) + b"bye")
        assert socket.receive() == (0, b"")


def test_thousands_of_frames_in_one_piece(port: int) -> None:
    """All are answered in order, and others are served meanwhile."""
    with RawSocket(port) as flood, SocketClient(port) as other:
        flood.send(frame(TEXT, BEAT) * 3000)
        other.beat()
        for _ in range(3000):
            assert flood.receive() == (BINARY, ANSWER)


def test_binary_is_refused(port: int) -> None:
    """It is refused like any invalid message, even in fragments."""
    with RawSocket(port) as socket:
        socket.send(frame(BINARY, b"a", is_last=False), frame(CONTINUATION, BEAT))
        assert socket.receive() == (BINARY, INVALID)


@pytest.mark.slow
def test_sockets_that_vanish_leave_nothing(port: int, wire: WireClient) -> None:
    """Half of them reset within a frame; the account can connect again."""
    token = wire.account().token
    login = json.dumps({"cmd": "login", "data": {"token": token}}).encode()
    for number in range(VANISHING):
        with RawSocket(port) as socket:
            socket.send(frame(TEXT, login), frame(TEXT, BEAT)[: number % 7])
    with SocketClient(port).log_in(token) as one, SocketClient(port).log_in(token) as other:
        other.send("inputInfo", {"chatId": "c", "input": "x"})
        assert b"draft_input" in one.receive()
