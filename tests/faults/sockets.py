"""Sockets that leave when and how a test wants."""

import contextlib
import json
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from tests.ports import LOOPBACK

PATIENCE_SECONDS = 120.0
ESTABLISHED = "01"


def connect(port: int) -> socket.socket:
    """Opens a connection that waits for nothing longer than a minute."""
    return socket.create_connection((LOOPBACK, port), PATIENCE_SECONDS)


def post(
    path: str,
    body: bytes | Mapping[str, object],
    token: str = "",
    *headers: str,
    close: bool = False,
) -> tuple[bytes, bytes]:
    """Writes a request to `/v1/<path>`: its head, and its body."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST /v1/{path} HTTP/1.1", "host: a", f"content-length: {len(raw)}", *headers]
    lines += [f"token: {token}"] if token else []
    lines += ["connection: close"] if close else []
    return "\r\n".join([*lines, "", ""]).encode(), raw


def accepted(port: int) -> int:
    """How many open connections to a port its server has taken (Linux; an inode is a taken one's).

    Its descriptors tell less: others come and go, such as the one of an answer just given.
    """
    local = f"{int.from_bytes(socket.inet_aton(LOOPBACK), 'little'):08X}:{port:04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text("ascii").splitlines()]
    return sum(row[1] == local and row[3] == ESTABLISHED and row[9] != "0" for row in rows)


def vanish(connection: socket.socket) -> None:
    """Ends with a reset, as a client does whose machine is gone."""
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def rest(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    found = b""
    with connection, contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            found += data
    return found


def is_whole(answer: bytes) -> bool:
    """Whether these bytes are one answer with all of its body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    words = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    return head.startswith(b"HTTP/1.1 ") and len(body) == int(words[b"content-length"])
