"""Sends responses: API, CORS and health checks (wire.md 1.5, 1.9)."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import get_args

from hupan.api.codecs import JSON_TYPE, Receive, Scope, Send, encode_json_error
from hupan.errors import AppError, ResultClass, ShuttingDown, StorageFailed
from hupan.model import Headers, StoreUnavailable

NO_STORE = (b"cache-control", b"no-store")
RESULT_HEADERS: dict[ResultClass, tuple[bytes, bytes]] = {
    result: (b"x-result", result.encode()) for result in get_args(ResultClass)
}
"""The class of the outcome, for proxies that only see HTTP 200 (security D3)."""


async def send_response(http_status: int, headers: Headers, body: bytes, send: Send) -> None:
    """Send a response."""
    await send({"type": "http.response.start", "status": http_status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_json(http_status: int, body: bytes, result: ResultClass, send: Send) -> None:
    """Send JSON that belongs to no endpoint."""
    headers = [
        (b"content-type", JSON_TYPE),
        (b"content-length", b"%d" % len(body)),
        NO_STORE,
        RESULT_HEADERS[result],
    ]
    await send_response(http_status, headers, body, send)


async def send_shutting_down(send: Send) -> None:
    """Respond that the server is shutting down (wire.md 1.5)."""
    await _send_error(503, ShuttingDown(), send)


async def _send_error(http_status: int, failure: AppError, send: Send) -> None:
    body = encode_json_error(failure.code, failure.message(english=False))
    await send_json(http_status, body, failure.result, send)


_ALLOWED_METHODS = b"GET, POST"
_ALLOWED_HEADERS = b"token, content-type, device-id, authorization"
# Bounds of the other header names that a client asks for, since the response repeats them.
_MAX_REQUESTED_HEADERS, _MAX_REQUESTED_HEADERS_BYTES = 32, 1024
_HEADER_NAME = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]+")
_DEFAULT_PORTS = {b"https": b":443", b"http": b":80"}
_EXPOSED_HEADERS = b"x-request-id, x-result"
_PREFLIGHT_MAX_AGE_SECONDS = b"600"


class Cors:
    """Adds CORS headers for an exact list of origins, or for all; never with credentials."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._any = list(origins) == ["*"]
        self._origins = frozenset(_without_default_port(origin.encode()) for origin in origins)

    def headers(self, header_map: Mapping[bytes, bytes]) -> Headers:
        """Return the headers of a response; none that allows an origin that is not listed."""
        origin = header_map.get(b"origin")
        if origin is None:
            return []
        vary = [] if self._any else [(b"vary", b"origin")]
        if not self._any and _without_default_port(origin) not in self._origins:
            return vary
        allowed = b"*" if self._any else origin
        return [
            (b"access-control-allow-origin", allowed),
            (b"access-control-expose-headers", _EXPOSED_HEADERS),
            *vary,
        ]

    def preflight_headers(self, header_map: Mapping[bytes, bytes]) -> Headers:
        """Return the headers of the response to a preflight."""
        headers = self.headers(header_map)
        if (b"access-control-expose-headers", _EXPOSED_HEADERS) not in headers:
            return headers
        return [
            *headers,
            (b"access-control-allow-methods", _ALLOWED_METHODS),
            (b"access-control-allow-headers", _allowed_headers(header_map)),
            (b"access-control-max-age", _PREFLIGHT_MAX_AGE_SECONDS),
        ]


def _without_default_port(origin: bytes) -> bytes:
    """Remove the default port of the scheme, as browsers do (RFC 6454 4)."""
    port = _DEFAULT_PORTS.get(origin.partition(b":")[0])
    return origin if port is None else origin.removesuffix(port)


def _allowed_headers(header_map: Mapping[bytes, bytes]) -> bytes:
    """Return the headers of known clients and those that this client asks for."""
    asked = header_map.get(b"access-control-request-headers", b"").lower()
    if not asked or len(asked) > _MAX_REQUESTED_HEADERS_BYTES:
        return _ALLOWED_HEADERS
    names = [name.strip(b" \t") for name in asked.split(b",")]
    if len(names) > _MAX_REQUESTED_HEADERS or not all(map(_HEADER_NAME.fullmatch, names)):
        return _ALLOWED_HEADERS
    known = _ALLOWED_HEADERS.split(b", ")
    return b", ".join(dict.fromkeys([*known, *names]))


def is_preflight(method: str, header_map: Mapping[bytes, bytes]) -> bool:
    """Return whether a request is a preflight."""
    return (
        method == "OPTIONS"
        and b"origin" in header_map
        and b"access-control-request-method" in header_map
    )


HEALTHZ_PATH = "/healthz"
READYZ_PATH = "/readyz"


async def send_not_ready(path: str, send: Send) -> None:
    """Respond while the store is not open: up, not ready, and 1001 for anything else."""
    if path == HEALTHZ_PATH:
        await send_json(200, b'{"status":"up"}', "ok", send)
    elif path == READYZ_PATH:
        await send_json(503, b'{"status":"store unavailable"}', "error", send)
    else:
        await _send_error(200, StorageFailed(), send)


class Health:
    """The ASGI application of `/healthz` and `/readyz`."""

    def __init__(
        self,
        check: Callable[[], Awaitable[None]],
        is_partial: Callable[[], bool],
        is_backup_stale: Callable[[], Awaitable[bool]],
    ) -> None:
        self._check = check
        self._is_partial = is_partial
        self._is_backup_stale = is_backup_stale

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        del receive
        if scope["method"] not in ("GET", "HEAD"):
            await send_json(404, b"", "refused", send)
        elif scope["path"] == HEALTHZ_PATH:
            await send_json(200, b'{"status":"up"}', "ok", send)
        else:
            await self._send_readiness(send)

    async def _send_readiness(self, send: Send) -> None:
        try:
            await self._check()
            is_backup_stale = await self._is_backup_stale()
        except StoreUnavailable:
            await send_json(503, b'{"status":"store unavailable"}', "error", send)
            return
        if is_backup_stale:
            await send_json(503, b'{"status":"backup too old"}', "error", send)
        else:
            status = b"some accounts unavailable" if self._is_partial() else b"ready"
            await send_json(200, b'{"status":"%b"}' % status, "ok", send)
