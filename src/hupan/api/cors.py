"""Lets pages of other origins call the API (wire.md 1.9, security W5)."""

import re
from collections.abc import Mapping, Sequence

from hupan.api.call import Headers

_METHODS = b"GET, POST"
_ALLOWED = b"token, content-type, device-id, authorization"
# What a client asks for besides: the names of headers, few enough for the head of an answer.
_MOST_ASKED, _MOST_ASKED_BYTES = 32, 1024
_NAME = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]+")
_USUAL_PORTS = {b"https": b":443", b"http": b":80"}
_EXPOSED = b"x-request-id, x-result"
_REMEMBER_SECONDS = b"600"


class Cors:
    """Adds headers for origins on an exact list, or for all of them; never with credentials."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = list(origins) == ["*"]
        self._origins = frozenset(_without_port(origin.encode()) for origin in origins)

    def headers(self, first: Mapping[bytes, bytes]) -> Headers:
        """What an answer to a browser carries; nothing for an origin that is not listed."""
        origin = first.get(b"origin")
        if origin is None:
            return []
        vary = [] if self._any else [(b"vary", b"origin")]
        if not self._any and _without_port(origin) not in self._origins:
            return vary
        allowed = b"*" if self._any else origin
        return [
            (b"access-control-allow-origin", allowed),
            (b"access-control-expose-headers", _EXPOSED),
            *vary,
        ]

    def preflight(self, first: Mapping[bytes, bytes]) -> Headers:
        """What the answer to a preflight carries besides."""
        headers = self.headers(first)
        if (b"access-control-expose-headers", _EXPOSED) not in headers:
            return headers
        return [
            *headers,
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _allowed(first)),
            (b"access-control-max-age", _REMEMBER_SECONDS),
        ]


def _without_port(origin: bytes) -> bytes:
    """An origin without the port that its scheme has anyway, as browsers write it (RFC 6454 4)."""
    port = _USUAL_PORTS.get(origin.partition(b":")[0])
    return origin if port is None else origin.removesuffix(port)


def _allowed(first: Mapping[bytes, bytes]) -> bytes:
    """The headers of clients that we know, and those that this one asks for."""
    asked = first.get(b"access-control-request-headers", b"").lower()
    if not asked or len(asked) > _MOST_ASKED_BYTES:
        return _ALLOWED
    names = [name.strip(b" \t") for name in asked.split(b",")]
    if len(names) > _MOST_ASKED or not all(map(_NAME.fullmatch, names)):
        return _ALLOWED
    known = _ALLOWED.split(b", ")
    return b", ".join(dict.fromkeys([*known, *names]))


def is_preflight(method: str, first: Mapping[bytes, bytes]) -> bool:
    """Whether a browser asks for permission."""
    return method == "OPTIONS" and b"origin" in first and b"access-control-request-method" in first
