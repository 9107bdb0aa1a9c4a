"""Lets pages of other origins call the API (wire.md 1.9, security W5)."""

from collections.abc import Mapping, Sequence

from hupan.api.call import Headers

_METHODS = b"GET, POST"
_ALLOWED = b"token, content-type, device-id, authorization"
_EXPOSED = b"x-request-id, x-result"
_REMEMBER_SECONDS = b"600"


class Cors:
    """Adds headers for origins on an exact list, or for all of them; never with credentials."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = list(origins) == ["*"]
        self._origins = frozenset(origin.encode() for origin in origins)

    def headers(self, first: Mapping[bytes, bytes]) -> Headers:
        """What an answer to a browser carries; nothing for an origin that is not listed."""
        origin = first.get(b"origin")
        if origin is None:
            return []
        vary = [] if self._any else [(b"vary", b"origin")]
        if not self._any and origin not in self._origins:
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
            (b"access-control-allow-headers", _ALLOWED),
            (b"access-control-max-age", _REMEMBER_SECONDS),
        ]


def is_preflight(method: str, first: Mapping[bytes, bytes]) -> bool:
    """Whether a browser asks for permission."""
    return method == "OPTIONS" and b"origin" in first and b"access-control-request-method" in first
