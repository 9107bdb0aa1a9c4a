"""A message server in the test's own process: it records requests and answers by path."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.support.ports import LOOPBACK

PIECE = b"0123456789abcdef" * 1024


@dataclass(frozen=True)
class Arrived:
    """One request: header names in lower case, repeated ones unchanged."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """Return the value of a header, "" without one; it must not be repeated."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, values
        return values[0] if values else ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, _request: object, _address: object) -> None:
        """Ignore connections that Hupan ends."""


Script = Callable[["_Handler"], None]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: "MessageServer"

    def handle_one_request(self) -> None:
        """Read a request line, and answer every method."""
        with contextlib.suppress(OSError):
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline:
                self.close_connection = True
            elif self.parse_request():
                self._answer()

    def _answer(self) -> None:
        name = self.path.partition("?")[0].rpartition("/")[2]
        script = self.owner.scripts.get(name)
        if script is not None and name in _BEFORE_BODY:
            script(self)
            return
        body = self._read_body()
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        self.owner.arrived.append(Arrived(self.command, self.path, headers, body))
        if script is not None:
            script(self)
            return
        told = {"size": len(body), "method": self.command, "target": self.path}
        self.reply(json.dumps(told).encode())

    def _read_body(self) -> bytes:
        if self.headers.get("transfer-encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def reply(
        self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a complete response."""
        self.send_response(status)
        for name, value in (headers or {"content-type": "application/json"}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def raw(self, *parts: bytes) -> None:
        """Write bytes unchanged, then close."""
        self.close_connection = True
        for part in parts:
            self.wfile.write(part)
        self.wfile.flush()

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


_BEFORE_BODY = {"early", "unread"}
"""Scripts that read no body."""


class MessageServer:
    """Run until the block ends; `arrived` has the requests, `busy` counts the waiting ones.

    The last part of the path selects the response: a script of `scripts`, else a JSON object that
    describes the request.
    """

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.busy = 0
        self._lock = threading.Lock()
        self._released = threading.Event()
        self.scripts: dict[str, Script] = {
            "redirect": lambda to: to.reply(b"", 302, {"location": "http://127.0.0.1:1/v1/a"}),
            "nonsense": lambda to: to.raw(b"\x00\x01 what is HTTP?\r\n\r\n"),
            "status": lambda to: to.raw(b"HTTP/1.1 777 What\r\ncontent-length: 0\r\n\r\n"),
            "lengths": lambda to: to.raw(
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!"
            ),
            "closed": lambda to: to.raw(),
            "cut": lambda to: to.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhel"),
            "large": lambda to: to.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"),
            "interim": lambda to: to.raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
            "switch": lambda to: to.raw(
                b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
            ),
            "silent": self._wait,
            "endless-head": lambda to: self._pour(to, b"HTTP/1.1 200 OK\r\n", b"x-a: " + PIECE),
            "endless": lambda to: self._pour(to, b"HTTP/1.1 200 OK\r\n\r\n", PIECE),
            "stalled": self._stall,
            "early": self._refuse_early,
            "unread": self._hold,
            "chatty": lambda to: to.raw(
                b"HTTP/1.1 200 OK\r\nserver: toy\r\nset-cookie: a=b\r\nx-hupan-user-id: 1\r\n"
                b"connection: close, x-private\r\nx-private: p\r\nx-public: q\r\n"
                b"access-control-allow-origin: https://evil.example\r\nx-request-id: 7\r\n"
                b"content-type: application/x-protobuf\r\ncontent-length: 2\r\n\r\nok"
            ),
        }
        self._server = _Server((LOOPBACK, 0), type("Handler", (_Handler,), {"owner": self}))
        self.port = int(self._server.server_address[1])
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        """Start to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop to answer."""
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _wait(self, to: _Handler) -> None:
        """Send nothing until the other side closes; it sends nothing meanwhile, or is not read."""
        to.close_connection = True
        with self._counted():
            while not self._released.wait(0.02) and not _is_closed(to.connection):
                pass

    def _hold(self, to: _Handler) -> None:
        """Neither read nor send."""
        to.close_connection = True
        self._released.wait(30)

    def _refuse_early(self, to: _Handler) -> None:
        """Answer before the body was read, and close once the peer stops sending, as servers do."""
        to.raw(b"HTTP/1.1 409 No\r\ncontent-length: 2\r\n\r\nno")
        with contextlib.suppress(OSError):
            to.rfile.read()

    def _stall(self, to: _Handler) -> None:
        """Begin a response, and send no more."""
        to.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhel")
        self._wait(to)

    def _pour(self, to: _Handler, head: bytes, piece: bytes) -> None:
        """Write until the reader closes."""
        to.close_connection = True
        with self._counted():
            to.wfile.write(head)
            while not self._released.is_set():
                to.wfile.write(piece)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self.busy += 1
        try:
            yield
        finally:
            with self._lock:
                self.busy -= 1


def _is_closed(connection: socket.socket) -> bool:
    """Return whether the other side has closed; its bytes stay unread."""
    flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
    try:
        return not connection.recv(1, flags)
    except BlockingIOError:
        return False
    except OSError:
        return True
