"""A client of the socket `/ws`, and frames byte by byte that a library would not send."""

import contextlib
import json
import socket
from types import TracebackType
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support import pb
from tests.support.ports import LOOPBACK

PATIENCE_SECONDS = 20.0
MOST_DRAFTS = 20
INVALID = "数据不合法".encode()
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"\x01\x02\x03\x04"


def acknowledgement(seq: str) -> bytes:
    """Return the response to a heartbeat (wire.md 8.1)."""
    return pb.delimited(1, pb.text(1, seq) + pb.text(2, "heartbeat_ack"))


class SocketClient:
    """One socket, as a chat client has it."""

    def __init__(self, port: int) -> None:
        opening = connect(
            f"ws://{LOOPBACK}:{port}/ws",
            compression=None,
            proxy=None,
            ping_interval=None,
            open_timeout=PATIENCE_SECONDS,
            close_timeout=PATIENCE_SECONDS,
        )
        self.connection: ClientConnection = opening.__enter__()
        self._beats = 0

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.connection.close()

    def send(self, cmd: str, data: object = None, seq: object = "1") -> None:
        """Send a command."""
        message = {"seq": seq, "cmd": cmd, "data": {} if data is None else data}
        self.connection.send(json.dumps(message, ensure_ascii=False))

    def receive(self) -> bytes:
        """Return the next message, which is binary."""
        message = self.connection.recv(timeout=PATIENCE_SECONDS)
        assert isinstance(message, bytes)
        return message

    def beat(self) -> None:
        """Send a heartbeat and wait for its response; earlier messages are processed then."""
        self._beats += 1
        seq = f"beat {self._beats}"
        self.send("heartbeat", seq=seq)
        assert self.receive() == acknowledgement(seq)

    def log_in(self, token: str, **more: object) -> Self:
        """Log in; there is no response (wire.md 8.1), but an invalid command waits for it."""
        self.send("login", {"token": token, **more})
        self.connection.send("in its turn")
        assert self.receive() == INVALID
        self.beat()
        return self

    def next_draft(self, writer: "SocketClient", text: str) -> bytes:
        """Let another socket send drafts until one arrives here; return it."""
        for _ in range(MOST_DRAFTS):
            writer.send("inputInfo", {"chatId": "c", "input": text})
            with contextlib.suppress(TimeoutError):
                message = self.connection.recv(timeout=PATIENCE_SECONDS / MOST_DRAFTS)
                assert isinstance(message, bytes)
                return message
        raise AssertionError("no draft arrived")

    def closed(self) -> int:
        """Wait until the server closes it; return the code."""
        try:
            while True:
                self.connection.recv(timeout=PATIENCE_SECONDS)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


def frame(opcode: int, payload: bytes, *, is_last: bool = True, mask: bytes = MASK) -> bytes:
    """Return a frame as a client sends it; without a mask it is invalid."""
    head = bytes([opcode | (0x80 if is_last else 0)])
    bit = 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += bytes([bit | 126]) + size.to_bytes(2)
    else:
        head += bytes([bit | 127]) + size.to_bytes(8)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else payload
    return head + mask + masked


def upgrade(path: str = "/ws", *headers: str, host: str = LOOPBACK, version: int = 13) -> bytes:
    """Return the request that opens a socket."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {KEY}", f"Sec-WebSocket-Version: {version}", *headers, "", ""]
    return "\r\n".join(lines).encode()


class RawSocket:
    """A connection that sends any bytes."""

    def __init__(self, port: int, request: bytes = b"") -> None:
        self.connection = socket.create_connection((LOOPBACK, port), timeout=PATIENCE_SECONDS)
        self._buffer = b""
        self.connection.sendall(request or upgrade())
        while b"\r\n\r\n" not in self._buffer:
            data = self.connection.recv(65536)
            assert data, self._buffer
            self._buffer += data
        self.head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Drop the connection."""
        self.connection.close()

    def send(self, *frames: bytes) -> None:
        """Send bytes."""
        self.connection.sendall(b"".join(frames))

    def receive(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame, 0 and nothing at the end."""
        head = self._take(2)
        if not head:
            return 0, b""
        size = head[1]
        if size == 126:
            size = int.from_bytes(self._take(2))
        return head[0] & 0x0F, self._take(size)

    def close_code(self) -> int:
        """Read up to the closing frame; return its code, 0 without one."""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2])
            if not opcode:
                return 0

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            try:
                data = self.connection.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return b""
            self._buffer += data
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken
