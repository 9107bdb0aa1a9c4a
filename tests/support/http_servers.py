"""A real HTTP server in a thread, and a socket with scripted output."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the gateway received it; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Gateway:
    """The responses of a gateway, and the requests it received."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seen: list[Seen] = field(default_factory=list)


def _handler(gateway: Gateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            gateway.seen.append(Seen(self.command, self.path, headers, body))
            self.send_response(gateway.status)
            for name, value in gateway.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(gateway.body)))
            self.end_headers()
            self.wfile.write(gateway.body)

        do_POST = do_PUT = do_GET = _answer  # noqa: N815  names of http.server's hooks

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler


@contextmanager
def serving(gateway: Gateway, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve until the block ends; yield the port."""
    with ThreadingHTTPServer((HOST, 0), _handler(gateway)) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def talking(script: Callable[[socket.socket], None]) -> Iterator[int]:
    """Pass one connection to `script`; it ends when the client disconnects, or after 10 seconds."""
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(10)

        def talk() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                script(connection)

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()
