"""The address of the server to load."""

import socket
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


class InvalidTarget(ValueError):
    """The URL is not the address of a server; the text says why, in Chinese and English."""


@dataclass(frozen=True, slots=True)
class TargetServer:
    """A server's address, resolved once: the address that was checked is the one loaded.

    Attributes:
        host: the host name, for the Host header and for TLS.
        address: its IP address.
        port: the TCP port.
        is_tls: whether it uses HTTPS.
        prefix: prefix of every path, "" or like `/chat`.
    """

    host: str
    address: str
    port: int
    is_tls: bool
    prefix: str

    @property
    def is_loopback(self) -> bool:
        """Return whether connections to it never leave this machine."""
        found = ip_address(self.address)
        mapped = getattr(found, "ipv4_mapped", None)
        return (mapped or found).is_loopback

    @property
    def authority(self) -> str:
        """Return host and port for the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.is_tls else "http"] else self.netloc

    @property
    def netloc(self) -> str:
        """Return host and port; the port is always included."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def resolve_target(url: str) -> TargetServer:
    """Return the server of a URL such as `http://127.0.0.1:8080`.

    Raises:
        InvalidTarget: the URL is not valid, or its host is unknown.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidTarget(f"no URL: {error}") from error
    if parts.scheme not in _PORTS or not host or parts.query or parts.fragment or parts.username:
        raise InvalidTarget("a URL looks like http://127.0.0.1:8080")
    if not url.isascii() or any(c <= " " for c in url):
        raise InvalidTarget("a URL is ASCII without blanks")
    port = _PORTS[parts.scheme] if port is None else port
    address = _resolve_host(host, port)
    return TargetServer(host, address, port, parts.scheme == "https", parts.path.rstrip("/"))


def _resolve_host(host: str, port: int) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InvalidTarget(f"no such host: {host}") from error
    return str(found[0][4][0])
