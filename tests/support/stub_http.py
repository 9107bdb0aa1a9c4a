"""A server in the test's process that answers HTTP by path."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.support.ports import LOOPBACK


class _Server(ThreadingHTTPServer):
    def handle_error(self, _request: object, _address: object) -> None:
        """Ignore reset connections: the end of a load causes them."""


class StubServer:
    """Answer each path by a table: status, `x-result`, whether to disconnect without a response.

    The path `/closing` ends its connection after each response. Requests are recorded.
    """

    TABLE = {  # noqa: RUF012 - never changed
        "/refused": (200, "refused"),
        "/error": (500, "error"),
        "/plain": (200, ""),
    }

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        asked = self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                asked.append((self.path, body))
                self.close_connection = self.path in ("/closing", "/silent")
                if self.path == "/silent":
                    return
                status, result = StubServer.TABLE.get(self.path, (200, "ok"))
                self.send_response(status)
                if result:
                    self.send_header("x-result", result)
                if self.path == "/closing":
                    self.send_header("connection", "close")
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *arguments: object) -> None:
                """Log nothing."""

        self._server = _Server((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
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
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
