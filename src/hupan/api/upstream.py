"""Forwards requests to the operator's message server (wire.md 8.5, decision 37).

The message server learns the caller from headers that only this file writes, signed with a key that
both share. What the client sends as `x-hupan-…`, cookies and its token are left out.
"""

import asyncio
import contextlib
import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

from hupan.addresses import ClientResolver
from hupan.api.codecs import PROTOBUF_TYPE, ClientDisconnected, Receive, Scope, Send
from hupan.api.responses import NO_STORE, RESULT_HEADERS
from hupan.background import ensure_task
from hupan.clock import Clock
from hupan.errors import (
    AppError,
    Banned,
    BodyTooLarge,
    MissingToken,
    NotSignedIn,
    UnknownEndpoint,
    UpstreamOverloaded,
    UpstreamTimedOut,
    UpstreamUnavailable,
)
from hupan.logs import AuditLog
from hupan.metrics import EndpointMetrics
from hupan.model import Caller, Headers, RequestContext
from hupan.ratelimit.memory import RequestLimiter
from hupan.upstream import (
    UpstreamBusyError,
    UpstreamClient,
    UpstreamError,
    UpstreamRequest,
    UpstreamTimeoutError,
)

_log = logging.getLogger("hupan.upstream")

PROTOBUF_TYPES = (PROTOBUF_TYPE, b"application/protobuf", b"application/octet-stream")
_HOP_HEADERS = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"),
        *(b"transfer-encoding", b"content-length", b"expect", b"http2-settings"),
        *(b"proxy-authenticate", b"proxy-authorization", b"proxy-authentication-info"),
    }
)
_REQUEST_HEADERS_LEFT_OUT = _HOP_HEADERS | {
    *(b"host", b"cookie", b"token", b"authorization", b"x-request-id"),
    *(b"x-original-url", b"x-rewrite-url"),  # some servers take it for the path
    *(b"forwarded", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"),
}
_ANSWER_HEADERS_LEFT_OUT = _HOP_HEADERS - {b"content-length"} | {
    *(b"set-cookie", b"server", b"x-request-id", b"x-result"),
}
_LEFT_OUT_PREFIXES = (b"x-hupan-", b"x-forwarded-")
_ANSWER_PREFIXES_LEFT_OUT = (b"x-hupan-", b"access-control-")
_HEADER_NAME = re.compile(rb"[a-z0-9-]+")
_HEADER_VALUE = re.compile(rb"[\x21-\x7e\x80-\xff]([\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
_ENCODED_TWICE = ("%2e", "%2f", "%5c", "%00")
_DIGITS = re.compile(rb"[0-9]{1,15}")
_TOKEN_PARAMETERS = frozenset(
    {
        *("token", "accesstoken", "authtoken", "usertoken", "logintoken", "sessiontoken"),
        *("xtoken", "xauthtoken", "xaccesstoken", "auth", "authorization", "bearer", "jwt"),
    }
)
"""Names of parameters that hold a token, without case and punctuation."""
_TOKEN_ENDINGS = ("token", "auth", "session", "sessionid", "sid", "key", "credential", "secret")
"""Endings of names whose parameters hold a token if it looks like one of ours."""
_TOKEN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_MAX_UNQUOTE_ROUNDS = 3
_REFLECTING_METHODS = frozenset({"TRACE", "TRACK", "CONNECT"})
"""Methods whose answer may repeat the signed headers (RFC 9110 9.3.8), or open a tunnel."""
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
_WITHOUT_BODY = frozenset({204, 304})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class UpstreamRules:
    """What is forwarded, and with which signature.

    Attributes:
        secret: the key of the signature.
        public_paths: paths that need no session; `*` at the end stands for anything.
        contract_paths: surface and path of the endpoints that are answered here.
        protobuf_paths: those that are forwarded and whose responses are protobuf.
    """

    secret: str
    public_paths: tuple[str, ...]
    contract_paths: Collection[tuple[str, str]]
    protobuf_paths: Collection[tuple[str, str]]

    def takes(self, surface: str, method: str, path: str) -> bool:
        """Return whether a request is forwarded: it is below /v1 and not in the contract.

        Nor a path that another server could take for one of the contract's.
        """
        return (
            path.startswith("/v1/")
            and method not in _REFLECTING_METHODS
            and (surface, _plain_path(path)) not in self.contract_paths
            and not _is_ambiguous(path)
        )

    def is_public(self, path: str) -> bool:
        """Return whether a path needs no session."""
        return any(
            path == public or (public.endswith("*") and path.startswith(public[:-1]))
            for public in self.public_paths
        )

    def is_protobuf(self, surface: str, path: str, content_type: bytes) -> bool:
        """Return whether an error about a path is protobuf, as its own responses are."""
        if (surface, path) in self.protobuf_paths:
            return content_type != b"application/json"
        return content_type in PROTOBUF_TYPES


def _plain_path(path: str) -> str:
    """Return a path as a lenient server reads it: without case, parameters and final slashes."""
    segments = [part.partition(";")[0].rstrip(". ") for part in path.split("/")]
    return "/".join(segments).rstrip("/").lower()


def _is_ambiguous(path: str) -> bool:
    """Return whether a server could read a decoded path as another one."""
    return (
        "\\" in path
        or "//" in path
        or not path.isprintable()
        or any(code in path.lower() for code in _ENCODED_TWICE)
        or any(part.partition(";")[0] in {".", ".."} for part in path.split("/"))
    )


def sign(secret: str, parts: Sequence[str]) -> str:
    """Return the signature: HMAC-SHA-256 over the parts, one per line, in hex."""
    return hmac.digest(secret.encode(), "\n".join(parts).encode(), "sha256").hex()


class CallerSigner:
    """Makes the headers that identify the caller, which the message server can verify."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def headers(
        self,
        surface: str,
        method: str,
        target: str,
        caller: Caller | None,
        request_id: int,
        address: str,
    ) -> Headers:
        """Return the headers of one request; those without a value are left out."""
        user_id = "" if caller is None else str(caller.account.id)
        device_id = "" if caller is None else quote(caller.session.device_id, safe="")
        nickname = "" if caller is None else quote(caller.account.name, safe="")
        time = str(int(self._clock.now()))
        signed = (method, target, user_id, time, device_id, nickname, str(request_id))
        own = {
            "x-forwarded-for": address,
            "x-hupan-surface": surface,
            "x-hupan-user-id": user_id,
            "x-hupan-device-id": device_id,
            "x-hupan-nickname": nickname,
            "x-hupan-request-id": str(request_id),
            "x-hupan-time": time,
            "x-hupan-signature": sign(self._secret, signed),
        }
        return [(name.encode(), value.encode()) for name, value in own.items() if value]


@dataclass(frozen=True, slots=True)
class UpstreamCallers:
    """Recognizes and limits the clients whose requests are forwarded.

    Attributes:
        authenticate: returns the caller, or raises MissingToken, NotSignedIn or Banned.
    """

    authenticate: Callable[[RequestContext], Awaitable[Caller]]
    limiter: RequestLimiter
    audit_log: AuditLog
    client_resolver: ClientResolver
    clock: Clock


class Upstream:
    """Forwards requests, and returns the answers.

    Args:
        client: connects to the message server.
        rules: what is forwarded.
        callers: callers whose requests may be forwarded.
    """

    def __init__(
        self, client: UpstreamClient, rules: UpstreamRules, callers: UpstreamCallers
    ) -> None:
        self.client = client
        self.rules = rules
        self.metrics = EndpointMetrics()
        self._callers = callers
        self._signer = CallerSigner(rules.secret, callers.clock)

    async def hand_on(
        self,
        surface: str,
        path: str,
        scope: Scope,
        context: RequestContext,
        receive: Receive,
        send: Send,
        extra_headers: Headers,
    ) -> None:
        """Forward a request and send the answer.

        Raises:
            MissingToken, NotSignedIn, Banned: there is no session.
            TooManyTries, TooManyFromHere: the caller sends too many.
            UnknownEndpoint: the path contains the token.
            UpstreamOverloaded, UpstreamUnavailable, UpstreamTimedOut: there is no answer.
            BodyTooLarge: the body exceeds the bound.
        """
        await ensure_task()
        now = self._callers.limiter.check_origin(context)
        caller = await self._authenticate(context, path)
        self._callers.limiter.check_account(caller, now)
        token = "" if caller is None else context.token
        if token and token.lower() in _unquote(path).lower():
            raise UnknownEndpoint
        relay = _Relay(self.client, scope, receive, send, _target(scope, token))
        headers = self._request_headers(surface, scope, context, caller, relay.target)
        own_headers = [
            (b"x-request-id", b"%d" % context.request_id),
            RESULT_HEADERS["ok"],
            *extra_headers,
        ]
        try:
            async with asyncio.timeout(self.client.limits.max_seconds):
                await relay.run(headers, own_headers)
        except ClientDisconnected:
            return
        except BodyTooLarge:
            if not relay.is_started:
                raise
        except (UpstreamError, TimeoutError) as error:
            # Not the error's text: it may quote what the message server sent.
            _log.warning("request=%d not answered: %s", context.request_id, type(error).__name__)
            if not relay.is_started:  # otherwise the client sees that the answer was cut
                raise _failure(error) from error

    async def _authenticate(self, context: RequestContext, path: str) -> Caller | None:
        is_public = self.rules.is_public(path)
        try:
            return await self._callers.authenticate(context)
        except (MissingToken, NotSignedIn, Banned) as refusal:
            if not is_public or isinstance(refusal, Banned):
                if not isinstance(refusal, MissingToken):
                    self._callers.audit_log.record_token_refused(context, refusal)
                raise
            return None

    def _request_headers(
        self,
        surface: str,
        scope: Scope,
        context: RequestContext,
        caller: Caller | None,
        target: bytes,
    ) -> Headers:
        """Return what the client sent, without what is left out, and the signed headers."""
        named = _named_in_connection(context.headers)
        token = b"" if caller is None else context.token.encode()
        kept = [
            (name, value)
            for name, value in context.headers
            if _HEADER_NAME.fullmatch(name)  # others, such as _ and ., may be read as a hyphen
            and name not in _REQUEST_HEADERS_LEFT_OUT
            and name not in named
            and not name.startswith(_LEFT_OUT_PREFIXES)
            and _HEADER_VALUE.fullmatch(value)
            and not (token and token in value)  # as Referer has that of a page
        ]
        address = self._callers.client_resolver.resolve_address(context)
        own = self._signer.headers(
            surface,
            scope["method"],
            target.decode("ascii"),
            caller,
            context.request_id,
            str(address or ""),
        )
        return [(b"host", self.client.address.authority.encode()), *kept, *own]


def _failure(error: Exception) -> AppError:
    if isinstance(error, UpstreamBusyError):
        return UpstreamOverloaded()
    is_late = isinstance(error, UpstreamTimeoutError | TimeoutError)
    return UpstreamTimedOut() if is_late else UpstreamUnavailable()


def _named_in_connection(headers: Headers) -> set[bytes]:
    """Return the headers that Connection names, which are only for the next hop."""
    values = (value for name, value in headers if name == b"connection")
    return {word.strip(b" \t").lower() for value in values for word in value.split(b",")}


def _without_token(query: bytes, token: str) -> bytes:
    """Return a query without parameters that could hold a token, `;` read as `&` too.

    Args:
        query: as received.
        token: the token of the caller, removed under any name; "" for none.
    """
    return b"&".join(
        part
        for part in query.split(b"&")
        if not any(_is_token_parameter(piece, token) for piece in part.split(b";"))
    )


def _is_token_parameter(part: bytes, token: str) -> bool:
    text = _unquote(part.decode("latin-1"))
    if token and token.lower() in text.lower():
        return True
    name, _, value = text.partition("=")
    plain = "".join(filter(str.isalnum, name)).lower()
    return plain in _TOKEN_PARAMETERS or (
        plain.endswith(_TOKEN_ENDINGS) and _TOKEN.fullmatch(value.split(" ")[-1]) is not None
    )


def _unquote(text: str) -> str:
    """Return a text decoded as often as a chain of servers might."""
    for _ in range(_MAX_UNQUOTE_ROUNDS):
        decoded = unquote_plus(text)
        if decoded == text:
            break
        text = decoded
    return text


class _Relay:
    """One forwarded request, and its answer."""

    def __init__(
        self, client: UpstreamClient, scope: Scope, receive: Receive, send: Send, target: bytes
    ) -> None:
        self._client = client
        self._limits = client.limits
        self._scope = scope
        self._receive = receive
        self._send = send
        self._timer: asyncio.Timeout | None = None
        self.target = target
        self.is_started = False

    async def run(self, headers: Headers, extra_headers: Headers) -> None:
        """Forward the request, and return its answer.

        Raises:
            BodyTooLarge, ClientDisconnected: the request is not complete.
            UpstreamError: there is no whole answer; `is_started` says whether a part was sent.
        """
        framing = self._framing()
        body = self._read_buffered_body()
        can_repeat = self._scope["method"] in _SAFE_METHODS and not framing
        async with self._client.open() as request:
            try:
                await self._exchange(request, [*headers, *framing], body, extra_headers)
            except UpstreamTimeoutError:
                raise
            except UpstreamError:  # a kept connection may end in the moment that it is used
                if not (can_repeat and request.is_reused) or request.has_answer_bytes:
                    raise
            else:
                return
        async with self._client.open(fresh=True) as request:
            await self._exchange(request, headers, body, extra_headers)

    def _framing(self) -> Headers:
        """Return the header that says how the body ends.

        Raises:
            BodyTooLarge: the body would exceed the bound.
        """
        headers = dict(self._scope["headers"])
        if b"transfer-encoding" in headers:
            return [(b"transfer-encoding", b"chunked")]
        length = headers.get(b"content-length", b"")
        if not length:
            return []
        if not _DIGITS.fullmatch(length) or int(length) > self._limits.max_body_bytes:
            raise BodyTooLarge
        return [(b"content-length", length)]

    def _read_buffered_body(self) -> bytes | None:
        """Return the body if all of it has arrived, None if it must be streamed.

        Raises:
            BodyTooLarge: the body exceeds the bound.
        """
        read_buffered = getattr(self._send, "read_buffered_body", None)  # our server's
        body: bytes | None = None if read_buffered is None else read_buffered()
        if body is not None and len(body) > self._limits.max_body_bytes:
            raise BodyTooLarge
        return body

    async def _exchange(
        self, request: UpstreamRequest, headers: Headers, body: bytes | None, extra_headers: Headers
    ) -> None:
        """Send the request, and return the answer while the body is still being sent."""
        try:
            async with asyncio.timeout(self._limits.timeout_seconds):
                await request.send_head(self._scope["method"].encode(), self.target, headers)
                with contextlib.suppress(UpstreamError):  # it may answer without reading the body
                    if body:
                        await request.send_body(body)
                    if body is not None:
                        await request.end_body()
        except TimeoutError as error:
            raise UpstreamTimeoutError("it does not read the request") from error
        answer = asyncio.create_task(self._hand_back(request, extra_headers))
        feed = asyncio.create_task(self._feed(request, is_sent=body is not None))
        try:
            await asyncio.wait({answer, feed}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                await feed  # it only ends by an error
            await answer
        finally:
            answer.cancel()
            feed.cancel()
            await asyncio.gather(answer, feed, return_exceptions=True)

    async def _feed(self, request: UpstreamRequest, *, is_sent: bool) -> None:
        """Forward the rest of the body, then wait until the client disconnects.

        Raises:
            BodyTooLarge, ClientDisconnected
        """
        if not is_sent:
            with contextlib.suppress(UpstreamError):  # it may answer without reading the body
                await self._stream_body(request)
        while (await self._receive())["type"] != "http.disconnect":
            pass
        raise ClientDisconnected

    async def _stream_body(self, request: UpstreamRequest) -> None:
        size, is_more = 0, True
        while is_more:
            self._set_deadline(None)  # the listener bounds how long the client takes
            event = await self._receive()
            if event["type"] == "http.disconnect":
                raise ClientDisconnected
            self._set_deadline(self._limits.timeout_seconds)
            self._restart_wait()
            chunk, is_more = event.get("body", b""), event.get("more_body", False)
            size += len(chunk)
            if size > self._limits.max_body_bytes:
                raise BodyTooLarge
            if chunk:
                await request.send_body(chunk)
        await request.end_body()

    async def _hand_back(self, request: UpstreamRequest, extra_headers: Headers) -> None:
        try:
            async with asyncio.timeout(self._limits.timeout_seconds) as self._timer:
                status, headers = await request.read_head()
                length = dict(headers).get(b"content-length", b"0")
                if int(length) > self._limits.max_answer_bytes:
                    raise UpstreamError("its answer is too large")
                self.is_started = True
                kept = _answer_headers(status, headers)
                await self._send(
                    {
                        "type": "http.response.start",
                        "status": status,
                        "headers": [*kept, *extra_headers],
                    }
                )
                await self._stream_answer(request, self._timer)
        except TimeoutError as error:
            raise UpstreamTimeoutError("it does not answer") from error

    async def _stream_answer(self, request: UpstreamRequest, timer: asyncio.Timeout) -> None:
        size, loop = 0, asyncio.get_running_loop()
        while True:
            timer.reschedule(loop.time() + self._limits.timeout_seconds)
            chunk = await request.read_body()
            size += len(chunk)
            if size > self._limits.max_answer_bytes:
                raise UpstreamError("its answer is too large")
            timer.reschedule(None)  # the listener bounds how long the client takes
            self._restart_wait()
            await self._send(
                {"type": "http.response.body", "body": chunk, "more_body": bool(chunk)}
            )
            if not chunk:
                return

    def _set_deadline(self, seconds: float | None) -> None:
        """Set how long the message server may take until its response starts."""
        if self._timer is not None and not self.is_started:
            now = asyncio.get_running_loop().time()
            self._timer.reschedule(None if seconds is None else now + seconds)

    def _restart_wait(self) -> None:
        """Notify our server that the client made progress."""
        restart = getattr(self._send, "restart_wait", None)
        if restart is not None:
            restart()


def _target(scope: Scope, token: str) -> bytes:
    """Return path and query as received, without a token."""
    query = _without_token(scope.get("query_string", b""), token)
    target: bytes = scope["raw_path"] + (b"?" + query if query else b"")
    return quote(target, safe=_VISIBLE).encode()


def _answer_headers(status: int, headers: Headers) -> Headers:
    """Return the message server's headers, except those of its connection and ours."""
    named = _named_in_connection(headers)
    left_out = _ANSWER_HEADERS_LEFT_OUT | named
    if status in _WITHOUT_BODY:
        left_out |= {b"content-length"}
    kept = [
        (name, value)
        for name, value in headers
        if name not in left_out and not name.startswith(_ANSWER_PREFIXES_LEFT_OUT)
    ]
    return kept if any(name == b"cache-control" for name, _ in kept) else [*kept, NO_STORE]
