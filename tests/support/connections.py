"""A connection of the standard library: a request needs a third of the CPU of one by httpx."""

import http.client
import select
import socket
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import httpx

Header = tuple[bytes, bytes]
IDLE_SECONDS: Final = 1.0
"""A connection idle for longer is not used again: the server may be about to close it."""
TIMEOUT_SECONDS: Final = 120.0
_OWN_HEADERS: Final = {b"content-length", b"transfer-encoding", b"connection", b"expect", b"host"}
"""A request with one of these headers uses a connection of httpx."""


def can_send(headers: Sequence[Header]) -> bool:
    """Return whether no header is about the connection or the body."""
    return not any(name.lower() in _OWN_HEADERS for name, _ in headers)


class Connection:
    """Sends requests of one thread to one server on loopback, without TLS; kept until closed."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        self._used_at = 0.0

    def close(self) -> None:
        """Close the connection until the next request."""
        self._connection.close()

    def request(
        self, method: str, path: str, body: bytes, headers: Sequence[Header]
    ) -> httpx.Response:
        """Send one request and read its response.

        Raises:
            httpx.TransportError: as httpx would.
        """
        connection = self._connection
        if connection.sock is not None and not self._is_usable(connection.sock):
            connection.close()
        try:
            connection.putrequest(method, _target(path), skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name.decode("ascii"), value)
            if body or method in ("POST", "PUT", "PATCH"):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            response = connection.getresponse()
            content = response.read()
        except TimeoutError as error:
            connection.close()
            raise httpx.ReadTimeout(str(error)) from error
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            raise httpx.RemoteProtocolError(f"{type(error).__name__}: {error}") from error
        self._used_at = time.monotonic()
        return httpx.Response(response.status, headers=response.getheaders(), content=content)

    def _is_usable(self, sock: socket.socket) -> bool:
        is_recent = time.monotonic() - self._used_at < IDLE_SECONDS
        return is_recent and not select.select([sock], [], [], 0)[0]


@lru_cache(maxsize=4096)
def _target(path: str) -> str:
    """Return the target as httpx would send it, with forbidden characters escaped."""
    return httpx.URL(f"http://host{path}").raw_path.decode("ascii")
