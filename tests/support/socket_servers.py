"""A message server that accepts sockets, in the test's own process: it records messages."""

import base64
import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from types import TracebackType
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.support.ports import LOOPBACK
from tests.support.sockets import PATIENCE_SECONDS

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3


class OpenedSocket:
    """One socket at the message server."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        request = connection.request
        assert request is not None
        self.target = request.path
        self.headers = list(request.headers.raw_items())
        self.texts: Queue[str | bytes] = Queue()
        self.closings: Queue[tuple[int, str]] = Queue()

    def header(self, name: str) -> str:
        """Return the value of a header, "" without one; it must not be repeated."""
        values = [value for key, value in self.headers if key.lower() == name]
        assert len(values) <= 1, values
        return values[0] if values else ""

    def text(self) -> str | bytes:
        """Wait for the next message."""
        return self.texts.get(timeout=PATIENCE_SECONDS)

    def closed(self) -> int:
        """Wait until it is closed; return the code, 1006 without one."""
        return self.closings.get(timeout=PATIENCE_SECONDS)[0]


class SocketServer:
    """Accept sockets until the block ends; `opened` has them in order."""

    def __init__(self) -> None:
        self.opened: Queue[OpenedSocket] = Queue()
        self._server = serve(
            self._run,
            LOOPBACK,
            0,
            compression=None,
            ping_interval=None,
            close_timeout=PATIENCE_SECONDS,
        )
        self.port = int(self._server.socket.getsockname()[1])
        self.url = f"ws://{LOOPBACK}:{self.port}/chat/ws?v=1"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        """Start to accept sockets."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop to accept sockets."""
        self._server.shutdown()
        self._thread.join()

    def next(self) -> OpenedSocket:
        """Wait for the next socket."""
        return self.opened.get(timeout=PATIENCE_SECONDS)

    def _run(self, connection: ServerConnection) -> None:
        opened = OpenedSocket(connection)
        self.opened.put(opened)
        try:
            while True:
                opened.texts.put(connection.recv())
        except ConnectionClosed as closed:
            received = closed.rcvd
            opened.closings.put((received.code, received.reason) if received else (1006, ""))


def accept(head: bytes) -> bytes:
    """Return the response that opens a socket."""
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    named = {name.lower(): value for name, value in lines.items()}
    digest = hashlib.sha1(named[b"sec-websocket-key"] + _GUID).digest()  # noqa: S324 - RFC 6455
    answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    return answer + b"sec-websocket-accept: " + base64.b64encode(digest) + b"\r\n\r\n"


@contextmanager
def raw_server(script: Callable[[socket.socket, bytes], None]) -> Iterator[str]:
    """Answer each connection by a script, which gets the head of the request; return the URL."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # so that it fills up quickly
    listener.bind((LOOPBACK, 0))
    listener.listen()
    connections: list[socket.socket] = []

    def serve_one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            script(connection, head)

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"ws://{LOOPBACK}:{listener.getsockname()[1]}/ws"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            connection.close()
        thread.join()
