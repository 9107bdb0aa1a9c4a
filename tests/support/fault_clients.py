"""A client that accepts any response: during a fault server errors are valid, too.

It also has sockets that disconnect when and how a test wants.

It keeps its connection, because a fault test sends thousands of requests; each thread needs one.
"""

import contextlib
import http.client
import json
import re
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import pb
from tests.support.ports import LOOPBACK

PATIENCE_SECONDS = 60.0
OWN_INFO = "user/info"
_PRIVATE = re.compile(rb"1[0-9]{10}|[a-z0-9.]+@[a-z]+\.example")


class NoAnswer(Exception):
    """The connection was refused or broke before the whole response arrived."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response of `/v1`: HTTP 200 in either format, with any code.

    Attributes:
        result: the header of its class (security D3).
    """

    code: int
    result: str
    body: bytes
    form: str

    @property
    def data(self) -> pb.Message:
        """Return the protobuf data of a success."""
        return pb.decode(self.body).message(2)

    def text(self, key: str) -> str:
        """Return a string of the JSON data of a success."""
        return str(json.loads(self.body)["data"][key])

    def private(self) -> set[str]:
        """Return every number and address of a test's members in the response (security J8)."""
        return {found.decode() for found in _PRIVATE.findall(self.body)}


class Asker:
    """One connection to a server on this machine."""

    def __init__(self, port: int, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=patience_seconds)

    def __enter__(self) -> Self:
        """Return itself; the first request opens the connection."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._connection.close()

    def raw(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str, str, bytes]:
        """Send one request; return its status, type, class of result and body.

        Raises:
            NoAnswer: there was no response, or an incomplete one.
        """
        try:
            self._connection.request(method, path, body, dict(headers or {}))
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NoAnswer(f"{method} {path}: {error!r}") from error
        if answer.will_close:
            self._connection.close()
        form, result = answer.headers.get("content-type", ""), answer.headers.get("x-result", "")
        return answer.status, form, result, content

    def post(
        self, path: str, body: Mapping[str, object] | bytes = b"", token: str | None = None
    ) -> Reply:
        """Send a POST to `/v1/<path>`."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._read("POST", path, raw, token)

    def own_info(self, token: str) -> Reply:
        """Send GET `/v1/user/info`."""
        return self._read("GET", OWN_INFO, b"", token)

    def status(self, path: str) -> int:
        """Return the HTTP status of a path such as `/readyz`."""
        return self.raw("GET", path)[0]

    def call_sandbox(self, path: str, body: Mapping[str, object] | None = None) -> object:
        """Call a sandbox route, `/sandbox/<path>`; a body makes it a POST.

        Raises:
            NoAnswer: also if the route fails.
        """
        method = "GET" if body is None else "POST"
        raw = b"" if body is None else json.dumps(body).encode()
        status, _, _, content = self.raw(method, f"/sandbox/{path}", raw)
        if status != http.client.OK:
            raise NoAnswer(f"/sandbox/{path}: {status} {content!r}")
        return json.loads(content)

    def _read(self, method: str, path: str, body: bytes, token: str | None) -> Reply:
        headers = {} if token is None else {"token": token}
        status, form, result, content = self.raw(method, f"/v1/{path}", body, headers)
        assert status == http.client.OK, (path, status, content[:200])
        if form.startswith("application/json"):
            return Reply(int(json.loads(content)["code"]), result, content, form)
        return Reply(pb.decode(content).message(1).signed(2), result, content, form)


WRITE_WAIT_SECONDS = 60.0


def seconds_until_writes(port: int) -> float:
    """Return the seconds until the server accepts a write."""
    begin = time.monotonic()
    while time.monotonic() - begin < WRITE_WAIT_SECONDS:
        try:
            with Asker(port) as asker:
                asker.call_sandbox("accounts", {"nickname": "again"})
        except NoAnswer:
            time.sleep(0.05)
        else:
            return time.monotonic() - begin
    raise AssertionError("the server does not write again")


SOCKET_TIMEOUT_SECONDS = 120.0
ESTABLISHED = "01"


def connect(port: int) -> socket.socket:
    """Open a connection with a timeout of a minute."""
    return socket.create_connection((LOOPBACK, port), SOCKET_TIMEOUT_SECONDS)


def post(
    path: str,
    body: bytes | Mapping[str, object],
    token: str = "",
    *headers: str,
    close: bool = False,
) -> tuple[bytes, bytes]:
    """Return a request to `/v1/<path>`: its head, and its body."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST /v1/{path} HTTP/1.1", "host: a", f"content-length: {len(raw)}", *headers]
    lines += [f"token: {token}"] if token else []
    lines += ["connection: close"] if close else []
    return "\r\n".join([*lines, "", ""]).encode(), raw


def accepted(port: int) -> int:
    """Return how many open connections to a port its server has accepted (Linux).

    An inode means accepted. Descriptors are less reliable: others come and go, such as that of a
    response.
    """
    local = f"{int.from_bytes(socket.inet_aton(LOOPBACK), 'little'):08X}:{port:04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text("ascii").splitlines()]
    return sum(row[1] == local and row[3] == ESTABLISHED and row[9] != "0" for row in rows)


def vanish(connection: socket.socket) -> None:
    """Reset the connection, like a client whose machine is gone."""
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def rest(connection: socket.socket) -> bytes:
    """Return all bytes until the other side closes."""
    found = b""
    with connection, contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            found += data
    return found


def is_whole(answer: bytes) -> bool:
    """Return whether these bytes are one response with its complete body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    words = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    return head.startswith(b"HTTP/1.1 ") and len(body) == int(words[b"content-length"])
