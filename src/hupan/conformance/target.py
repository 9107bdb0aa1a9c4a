"""The server under test: its address, and one request after another, byte by byte.

The public service's names are refused before anything is resolved: it is not ours to probe.
"""

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from hupan.library_errors import localize_reason
from hupan.localized import LocalizedError

PUBLIC_SERVICE = ("jwzhd.com", "jwznb.com", "yhchat.com", "qiniu.com", "qiniup.com", "qiniucdn.com")
"""The domains of the public service and of its storage."""
MAX_ANSWER_BYTES = 4 << 20
_REQUEST_SECONDS = 10.0
_PATH = re.compile(r"[!-~]*")
_HOST = re.compile(r"[0-9a-z_](?:[0-9a-z_.-]*[0-9a-z_])?|[0-9a-f:.]+")


class BadTarget(LocalizedError):
    """The address cannot be used; the text says why."""


class Unreachable(LocalizedError):
    """The server does not respond, or not in HTTP."""


class OutOfTime(LocalizedError):
    """The time for all checks is used up."""

    def __init__(self) -> None:
        super().__init__("已超过时限", "the time is used up")


@dataclass(frozen=True, slots=True)
class Target:
    """An HTTP address: its scheme, host, port and the path before `/v1`."""

    secure: bool
    host: str
    port: int
    prefix: str

    @property
    def authority(self) -> str:
        """What a client sends as Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address without a trailing slash."""
        return f"{'https' if self.secure else 'http'}://{self.authority}{self.prefix}"


def parse_target(url: str) -> Target:
    """Read an address.

    Raises:
        BadTarget: it is not one, or one of the public service.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = unicodedata.normalize("NFKC", parts.hostname or ""), parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    host = host.replace("。", ".").rstrip(".").lower()  # the ideographic full stop of host names
    refuse_public_name(host)
    if (
        parts.scheme not in ("http", "https")
        or not _HOST.fullmatch(host)
        or not _PATH.fullmatch(parts.path)
        or parts.username is not None
        or parts.query
        or parts.fragment
    ):
        raise BadTarget(
            f"无法识别地址 {url[:80]!a}：请使用 http://主机:端口",
            f"{url[:80]!a} is not an address: use http://host:port",
        )
    secure = parts.scheme == "https"
    return Target(secure, host, port or (443 if secure else 80), parts.path.rstrip("/"))


def printable(text: str) -> str:
    """Return a server's text in a form for the terminal: control characters are escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def refuse_public_name(host: str) -> None:
    """Raise BadTarget for a name of the public service.

    Raises:
        BadTarget: it is one.
    """
    for domain in PUBLIC_SERVICE:
        if host == domain or host.endswith(f".{domain}"):
            raise BadTarget(
                f"{host} 属于公共服务，本工具不会访问它：请填写自己的服务器的地址",
                f"{host} belongs to the public service, which is never contacted: specify "
                "the address of your own server",
            )


@dataclass(frozen=True, slots=True)
class Reply:
    """A response as received."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return the values of a header, joined; "" if there is none."""
        return ", ".join(value for key, value in self.headers if key.lower() == name)


@dataclass(slots=True)
class Wire:
    """Sends requests unchanged, each over its own connection.

    Attributes:
        ca_file: certificates to trust besides the system's.
        deadline: the monotonic time at which everything ends.
    """

    target: Target
    ca_file: str = ""
    deadline: float = field(default_factory=lambda: time.monotonic() + 60)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request; no header is added but Host and Content-Length.

        Raises:
            OutOfTime: no time is left.
            Unreachable: no response, or one that is not HTTP.
        """
        return self.send_raw(method, self.target.prefix + path, body, headers or {})

    def send_raw(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        """Send a request to an unchanged path, which may be outside the prefix."""
        seconds = self.seconds_left()
        connection, ends_at = self._connect(seconds), time.monotonic() + seconds
        cut: threading.Timer | None = None
        given = {name.lower(): value for name, value in headers.items()}
        given.setdefault("host", self.target.authority)
        if body is not None or method == "POST":
            given["content-length"] = str(len(body or b""))
        try:
            connection.connect()
            cut = threading.Timer(seconds, _cut, [connection.sock])  # for one that only trickles
            cut.start()
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                connection.putheader(name, value.encode())
            connection.endheaders(body or None)
            response = connection.getresponse()
            content = response.read(MAX_ANSWER_BYTES)
            if time.monotonic() >= ends_at:
                raise TimeoutError("the response was not complete in time")
            return Reply(response.status, tuple(response.getheaders()), content)
        except (OSError, http.client.HTTPException) as error:
            reason = localize_reason(error)
            raise Unreachable(
                f"{self.target.url} 没有返回 HTTP 响应：{printable(reason.zh)}",
                f"{self.target.url} does not answer in HTTP: {printable(reason.en)}",
            ) from error
        finally:
            if cut is not None:
                cut.cancel()
            connection.close()

    def seconds_left(self) -> float:
        """Return how long one request may take.

        Raises:
            OutOfTime: no time is left.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise OutOfTime
        return min(left, _REQUEST_SECONDS)

    def tls_context(self) -> ssl.SSLContext:
        """Return what verifies the server's certificate."""
        context = ssl.create_default_context()
        if self.ca_file:
            context.load_verify_locations(self.ca_file)
        return context

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        host, port = self.target.host, self.target.port
        if self.target.secure:
            return http.client.HTTPSConnection(
                host, port, timeout=seconds, context=self.tls_context()
            )
        return http.client.HTTPConnection(host, port, timeout=seconds)


def reach(wire: Wire) -> None:
    """Send a first request, unless it would reach the public service.

    A name may be an alias of a server there, and a server may redirect its callers there.

    Raises:
        BadTarget: it would.
        Unreachable: no response, or one that is not HTTP.
    """
    target = wire.target
    with contextlib.suppress(OSError, UnicodeError):  # the request says what is wrong
        found = socket.getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME
        )
        # A name of the public service in a hosts file is an alias for the operator's server.
        if any(ip_address(str(entry[4][0])).is_global for entry in found):
            refuse_public_name(found[0][3].rstrip(".").lower())
    location = wire.send("GET", "/healthz").header("location")
    with contextlib.suppress(ValueError):
        refuse_public_name((urlsplit(location).hostname or "").rstrip("."))


def _cut(connection: socket.socket) -> None:
    """End a connection that another thread reads."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # below TLS, which is not for threads
