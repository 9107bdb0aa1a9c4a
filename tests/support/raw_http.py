"""Requests byte by byte, for bytes that an HTTP library would normalise."""

import socket
from collections.abc import Iterable
from http.client import HTTPException, HTTPResponse
from itertools import chain

from tests.support.answers import Answer, read_answer
from tests.support.ports import LOOPBACK
from tests.support.servers import Server

PATIENCE_SECONDS = 60.0


def head(start: str, *headers: str) -> bytes:
    """Return the head of a request that closes its connection."""
    lines = (start, f"host: {LOOPBACK}", "connection: close", *headers, "", "")
    return "\r\n".join(lines).encode()


def exchange(server: Server, *parts: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send the parts on one connection and read one response, without half-closing.

    Returns:
        (HTTP status, headers with lower-case names, body); the status is 0 when the server
        closed the connection without a response.
    """
    address = (LOOPBACK, server.port)
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as connection:
        _send(connection, parts)
        try:
            with HTTPResponse(connection) as reply:
                reply.begin()
                return reply.status, _lower(reply.getheaders()), reply.read()
        except (HTTPException, ConnectionError):
            return 0, {}, b""


def ask(server: Server, *parts: bytes) -> Answer:
    """Send the parts and read a response of the wire."""
    return read_answer(*exchange(server, *parts))


def post_parts(path: str, *headers: str, body: bytes = b"") -> Iterable[bytes]:
    """Return a POST with a correct Content-Length, in two parts."""
    return chain(
        (head(f"POST {path} HTTP/1.1", *headers, f"content-length: {len(body)}"),), (body,)
    )


def _send(connection: socket.socket, parts: Iterable[bytes]) -> None:
    try:
        for part in parts:
            connection.sendall(part)
    except ConnectionError:
        return  # the server may answer and close before the end


def _lower(headers: list[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}
