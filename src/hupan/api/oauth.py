"""Token introspection and ended sessions for other servers of the operator (RFC 7662, wire.md 8.5).

These speak OAuth, not the wire of clients: HTTP statuses and `error` instead of codes.
"""

import asyncio
import base64
import binascii
import hmac
import re
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from hupan.api.app import Services
from hupan.api.codecs import ClientDisconnected, Receive, Scope, Send, read_body
from hupan.api.limits import INTROSPECT_PATH
from hupan.api.responses import NO_STORE, RESULT_HEADERS, send_response
from hupan.background import ensure_task
from hupan.contract.endpoints import AuditEvent
from hupan.domain.session_ends import SessionEndFeed
from hupan.domain.session_events import SessionEvent, SessionEvents
from hupan.domain.sessions import sha256_digest
from hupan.errors import (
    AppError,
    BodyTooLarge,
    Busy,
    ResultClass,
    TooManyFromHere,
    UnreadableBody,
    WrongClientSecret,
)
from hupan.logs import AuditContext
from hupan.model import Caller, Headers, RequestContext, StoreUnavailable
from hupan.ratelimit.memory import Attempt

OAUTH_PREFIX = "/oauth/"
_MAX_BODY_BYTES = 8 * 1024
_MAX_FIELDS = 16
_EVENT_ID = re.compile(rb"[0-9]{1,15}")
_EVENT = AuditEvent("introspection")
_TOKEN_CLIENT = "hupan"  # noqa: S105 - every token comes from Hupan's own sign-in
_NO_CLIENT_HASH = bytes(32)
_JSON_TYPE = (b"content-type", b"application/json")
MAX_STREAMS = 16
"""Streams of ended sessions at a time, per process."""
KEEP_ALIVE_SECONDS = 2.0
"""How often a quiet stream is checked and sends a sign of life; ends for a revoked client."""
_EVENT_STREAM = (b"content-type", b"text/event-stream")
_STREAM_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [_EVENT_STREAM, NO_STORE, (b"x-accel-buffering", b"no"), RESULT_HEADERS["ok"]],
}
_CHALLENGE = (b"www-authenticate", b'Basic realm="hupan"')
_RETRY = (b"retry-after", b"60")


class OAuthApp:
    """The ASGI application below `/oauth/`."""

    def __init__(self, services: Services, session_ends: SessionEndFeed) -> None:
        self._services = services
        self._session_ends = session_ends
        self._stream_count = 0
        self._limiter = services.rate_limits.request_limiters["introspection"]
        self._attempts = services.rate_limits.attempt_limiters[INTROSPECT_PATH]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        context = make_context(scope)
        match scope["method"], scope["path"]:
            case "POST", "/oauth/introspect":
                await self._respond(context, receive, send)
            case "GET", "/oauth/events":
                await self._stream(context, receive, send)
            case _:
                await _send_json(404, {"error": "not_found"}, "refused", send)

    async def _respond(self, context: RequestContext, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive, send, _MAX_BODY_BYTES)
            self._limiter.check_origin(context)
            fields = _parse_form(body)
            await self.authenticate(context, fields)
            answer = await self._introspect(fields)
        except ClientDisconnected:
            return
        except (AppError, StoreUnavailable) as error:
            await send_oauth_error(error, send)
        else:
            await _send_json(200, answer, "ok", send)

    async def _stream(self, context: RequestContext, receive: Receive, send: Send) -> None:
        """Send ended sessions as they come, until the client disconnects or is revoked."""
        try:
            self._limiter.check_origin(context)
            name = await self.authenticate(context, {})
            last_id = _read_last_id(context.headers)
            if self._stream_count >= MAX_STREAMS:
                raise Busy
        except (AppError, StoreUnavailable) as error:
            await send_oauth_error(error, send)
            return
        await ensure_task()
        mark_endless = getattr(send, "mark_endless", None)  # our server's
        if mark_endless is not None:
            mark_endless()
        self._stream_count += 1
        gone = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            with SessionEvents(self._session_ends, last_id, time.time()) as events:
                await send(_STREAM_START)
                await self._send_events(name, events, gone, send)
        finally:
            self._stream_count -= 1
            gone.cancel()

    async def _send_events(
        self, name: str, events: SessionEvents, gone: "asyncio.Task[None]", send: Send
    ) -> None:
        upcoming = asyncio.create_task(events.next())
        loop = asyncio.get_running_loop()
        check_at = loop.time() + KEEP_ALIVE_SECONDS
        try:
            await _send_piece(b"retry: 2000\n\n", send)
            while not gone.done():
                await asyncio.wait(
                    {upcoming, gone},
                    timeout=KEEP_ALIVE_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if loop.time() >= check_at or not upcoming.done():
                    if gone.done() or await self._services.clients.find(name) is None:
                        return
                    check_at = loop.time() + KEEP_ALIVE_SECONDS
                    await _send_piece(b": alive\n\n", send)
                if upcoming.done():
                    event = upcoming.result()
                    if event is None:
                        return
                    await _send_piece(_format_event(event), send)
                    upcoming = asyncio.create_task(events.next())
        except StoreUnavailable:  # the client reconnects, and is checked again
            return
        finally:
            upcoming.cancel()

    async def authenticate(self, context: RequestContext, fields: Mapping[str, str]) -> str:
        """Return the name of the client that asks.

        Raises:
            WrongClientSecret: name or secret is wrong, or absent.
            TooManyFromHere: too many were wrong from this address.
            UnreadableBody: there are credentials of two kinds.
        """
        try:
            async with Attempt(self._attempts, context):
                name, secret = _read_credentials(context.headers, fields)
                client = await self._services.clients.find(name)
                _check_secret(None if client is None else client.secret_hash, secret)
        except (WrongClientSecret, TooManyFromHere) as refusal:
            self._services.audit_log.record(_EVENT, AuditContext(context), refusal)
            raise
        return name

    async def _introspect(self, fields: Mapping[str, str]) -> dict[str, object]:
        token = fields.get("token", "")
        if not token:
            raise UnreadableBody
        caller = await self._services.sessions.inspect(token)
        return {"active": False} if caller is None else self._describe(caller)

    def _describe(self, caller: Caller) -> dict[str, object]:
        session, account = caller.session, caller.account
        return {
            "active": True,
            "sub": str(account.id),
            "username": account.name,
            "client_id": _TOKEN_CLIENT,
            "token_type": "Bearer",
            "iat": session.signed_in_at,
            "exp": self._services.sessions.expires_at(session),
            "sid": session.token_hash.hex(),
            "device_id": session.device_id,
            "platform": session.platform,
        }


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_piece(piece: bytes, send: Send) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


def _format_event(event: SessionEvent) -> bytes:
    if not event.id:
        return b"event: gap\ndata: {}\n\n"
    data = msgspec.json.encode(
        {
            "sub": event.sub,
            "sid": event.sid,
            "device_id": event.device_id,
            "reason": event.reason,
            "ended_at": event.ended_at,
        }
    )
    return b"id: %d\nevent: session-end\ndata: %b\n\n" % (event.id, data)


def _read_last_id(headers: Headers) -> int:
    """Return the id of the last event that the client has, 0 for none.

    Raises:
        UnreadableBody: it is not an id of this stream.
    """
    values = [value for name, value in headers if name == b"last-event-id" and value]
    if not values:
        return 0
    if len(values) > 1 or not _EVENT_ID.fullmatch(values[0]):
        raise UnreadableBody
    return int(values[0])


def _check_secret(expected: bytes | None, secret: str) -> None:
    if not hmac.compare_digest(sha256_digest(secret), expected or _NO_CLIENT_HASH):
        raise WrongClientSecret


def make_context(scope: Scope) -> RequestContext:
    """Return the context of a request that no client of the wire sends."""
    peer = (scope.get("client") or ("",))[0]
    headers: Headers = scope["headers"]
    return RequestContext(request_id=0, token="", english=True, headers=headers, peer=peer)


async def send_oauth_error(error: Exception, send: Send) -> None:
    """Send an error as OAuth names it (RFC 6749 5.2)."""
    match error:
        case WrongClientSecret():
            await _send_json(401, {"error": "invalid_client"}, "refused", send, _CHALLENGE)
        case UnreadableBody():
            await _send_json(400, {"error": "invalid_request"}, "refused", send)
        case BodyTooLarge():
            await _send_json(413, {"error": "invalid_request"}, "refused", send)
        case TooManyFromHere():
            await _send_json(429, {"error": "slow_down"}, "limited", send, _RETRY)
        case _:
            await _send_json(503, {"error": "temporarily_unavailable"}, "error", send, _RETRY)


async def _send_json(
    http_status: int,
    content: Mapping[str, object],
    result: ResultClass,
    send: Send,
    *more: tuple[bytes, bytes],
) -> None:
    body = msgspec.json.encode(content)
    length = (b"content-length", b"%d" % len(body))
    headers = [_JSON_TYPE, length, NO_STORE, RESULT_HEADERS[result], *more]
    await send_response(http_status, headers, body, send)


def _parse_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form; none may be repeated (RFC 6749 3.1).

    Raises:
        UnreadableBody
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError as error:  # also UnicodeDecodeError
        raise UnreadableBody from error
    if len(dict(pairs)) != len(pairs):
        raise UnreadableBody
    return dict(pairs)


def _read_credentials(headers: Headers, fields: Mapping[str, str]) -> tuple[str, str]:
    """Return name and secret, from Basic or from the form, never from both (RFC 6749 2.3.1).

    Raises:
        WrongClientSecret, UnreadableBody
    """
    given = [value for name, value in headers if name == b"authorization"]
    in_form = "client_secret" in fields
    if len(given) + in_form > 1:
        raise UnreadableBody
    if in_form:
        return fields.get("client_id", ""), fields["client_secret"]
    scheme, _, encoded = (given or [b""])[0].partition(b" ")
    if scheme.lower() != b"basic":
        raise WrongClientSecret
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise WrongClientSecret from error
    name, _, secret = text.partition(":")
    return unquote_plus(name), unquote_plus(secret)
