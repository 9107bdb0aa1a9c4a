"""The ASGI application of `/v1`: routes a request and sends its response (wire.md 1.1, 1.5).

Every outcome of a known endpoint is HTTP 200: most clients drop the body of anything else, and
several delete the stored token on a 401 (wire.md 1.5).
"""

import logging
from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from itertools import count
from time import perf_counter
from typing import Any, Protocol, TypeAlias, overload
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from hupan.addresses import ClientResolver
from hupan.api.codecs import (
    JSON_TYPE,
    MAX_JSON_BYTES,
    MAX_PROTOBUF_BYTES,
    PROTOBUF_TYPE,
    ClientDisconnected,
    Codec,
    FixedJsonCodec,
    JsonCodec,
    ProtobufCodec,
    ProtobufJsonCodec,
    Receive,
    Scope,
    Send,
    encode_json_error,
    encode_protobuf_error,
    read_body,
    read_token,
    wants_english,
)
from hupan.api.limits import RateLimits
from hupan.api.responses import (
    NO_STORE,
    RESULT_HEADERS,
    Cors,
    is_preflight,
    send_response,
)
from hupan.api.upstream import PROTOBUF_TYPES, Upstream
from hupan.clock import Clock
from hupan.contract import AREAS, ENDPOINTS
from hupan.contract.endpoints import (
    SUCCESS_CODE,
    AddressedHost,
    AllowLoggedOut,
    AuditEvent,
    Endpoint,
    IgnoredBody,
    OptionalSession,
    Public,
    Request,
    RequestLimit,
    RequiredSession,
    RequiredVip,
    Response,
)
from hupan.domain.accounts import Medals
from hupan.domain.captchas import Captchas, IssuedCaptcha
from hupan.domain.clients import Clients
from hupan.domain.codes import CodeRequests
from hupan.domain.coins import Coins
from hupan.domain.contacts import Contacts
from hupan.domain.deletion import AccountDeletion
from hupan.domain.devices import Devices, DeviceSettings
from hupan.domain.discovery import Discovery
from hupan.domain.invitations import Invitations
from hupan.domain.media import Media
from hupan.domain.passwords import PasswordResets
from hupan.domain.presence import Presence
from hupan.domain.profiles import PersonalDataService, ProfileEdits, Profiles, Remarks
from hupan.domain.recovery import ContactUndo
from hupan.domain.search import HomeSearch
from hupan.domain.sessions import CodeLogins, PasswordLogins, Sessions
from hupan.domain.shop import CoinShop
from hupan.errors import (
    AppError,
    Banned,
    BodyTooLarge,
    MissingToken,
    NotAnAccountEndpoint,
    NotSignedIn,
    ResultClass,
    ServerError,
    StorageFailed,
    UnknownEndpoint,
    UpstreamOverloaded,
    UpstreamTimedOut,
    UpstreamUnavailable,
    VipOnly,
    to_app_error,
)
from hupan.geoip import CountryResolver
from hupan.localized import LocalizedText
from hupan.logs import AccessLog, AuditContext, AuditLog, StoreFailureLog
from hupan.metrics import EndpointMetrics
from hupan.model import Caller, Headers, RequestContext, Viewer
from hupan.ratelimit.memory import (
    Attempt,
)
from hupan.rules import Adverts, ClientInfo

_log = logging.getLogger("hupan.api")
_store_failure_log = StoreFailureLog(_log)


def log_and_map_error(error: Exception, request_id: int) -> AppError:
    """Return the error that a request ends with, and log a fault of the server."""
    failure = to_app_error(error)
    if isinstance(failure, StorageFailed):
        _store_failure_log.record(request_id, error)
    elif isinstance(failure, ServerError):
        _log.error("request=%d failed", request_id, exc_info=error)
    return failure


@dataclass(frozen=True, slots=True)
class Services:
    """What the handlers use.

    Attributes:
        on_captcha: is called with each captcha that is issued; the sandbox shows the answers.
    """

    clock: Clock
    zone: ZoneInfo
    captchas: Captchas
    verification: CodeRequests
    code_logins: CodeLogins
    password_logins: PasswordLogins
    password_resets: PasswordResets
    contacts: Contacts
    contact_undo: ContactUndo
    sessions: Sessions
    profiles: Profiles
    profile_edits: ProfileEdits
    personal_data: PersonalDataService
    remarks: Remarks
    coins: Coins
    medals: Medals
    invitations: Invitations
    devices: Devices
    presence: Presence
    account_deletion: AccountDeletion
    discovery: Discovery
    search: HomeSearch
    shop: CoinShop
    device_settings: DeviceSettings
    adverts: Adverts
    client_info: ClientInfo
    media: Media
    client_resolver: ClientResolver
    country_resolver: CountryResolver
    audit_log: AuditLog
    rate_limits: RateLimits
    clients: Clients
    on_captcha: Callable[[IssuedCaptcha[Any]], None]


async def public(_services: Services, context: RequestContext) -> RequestContext:
    """Admit every request."""
    return context


async def require_session(services: Services, context: RequestContext) -> Caller:
    """Return the caller of an endpoint marked `T`.

    Raises:
        MissingToken: the request has no token.
        NotSignedIn, Banned: the token has no live session, or its account is banned.
    """
    if not context.token:
        raise MissingToken
    return await services.sessions.get(context.token)


async def require_vip(services: Services, context: RequestContext) -> Caller:
    """Return the caller of an endpoint marked `T, VIP`.

    Raises:
        MissingToken, NotSignedIn, Banned: as for `require_session`.
        VipOnly: the account has no VIP, or it expired.
    """
    caller = await require_session(services, context)
    if not caller.account.is_vip(services.clock.now()):
        raise VipOnly
    return caller


async def allow_logged_out(services: Services, context: RequestContext) -> Caller | None:
    """Return the caller that logs out; None when the token's session was logged out before.

    Raises:
        MissingToken, NotSignedIn, Banned: as for `require_session`.
    """
    if not context.token:
        raise MissingToken
    try:
        return await services.sessions.get(context.token)
    except NotSignedIn:  # in this order: between the two reads a session can only end
        if await services.sessions.was_logged_out(context.token):
            return None
        raise


async def optional_session(services: Services, context: RequestContext) -> Viewer | None:
    """Return the viewer of an endpoint marked `t`, None for a token without a session (wire.md 4).

    Raises:
        MissingToken: the request has no token.
    """
    if not context.token:
        raise MissingToken
    try:
        return await services.sessions.get_viewer(context.token)
    except (NotSignedIn, Banned):
        return None


PublicHandler: TypeAlias = Callable[[Services, RequestContext, Request], Awaitable[Response]]
ViewerHandler: TypeAlias = Callable[[Services, Viewer | None, Request], Awaitable[Response]]
LogoutHandler: TypeAlias = Callable[[Services, Caller | None, Request], Awaitable[Response]]
SessionHandler: TypeAlias = Callable[[Services, Caller, Request], Awaitable[Response]]
RawHandler: TypeAlias = Callable[[Codec, RequestContext, bytes], Awaitable[bytes]]
Guard: TypeAlias = Callable[
    [Services, RequestContext], Awaitable[RequestContext | Caller | Viewer | None]
]

GUARDS: dict[type, Guard] = {
    Public: public,
    OptionalSession: optional_session,
    RequiredSession: require_session,
    RequiredVip: require_vip,
    AllowLoggedOut: allow_logged_out,
}


@dataclass(frozen=True, slots=True)
class Route:
    """What the dispatcher finds under (surface, method, path).

    Attributes:
        codec: the endpoint's own form.
        json_codec: the JSON form of a protobuf endpoint that has one, else None.
        has_body: whether a body is read; a GET has its query instead.
        max_body_bytes: the largest body that is accepted (security I1).
        handle: decodes the body or the query, calls the handler, encodes the response.
        metrics: the counters of its requests.
        needs_json_type: whether the JSON form is chosen only for `application/json`.
    """

    codec: Codec
    json_codec: Codec | None
    has_body: bool
    max_body_bytes: int
    handle: RawHandler
    metrics: EndpointMetrics = field(default_factory=EndpointMetrics)
    needs_json_type: bool = True


_HANDLERS: dict[tuple[str, str, str], Callable[..., Any]] = {}
"""The handlers by the key of their endpoint; filled while the files of the areas are imported."""


@overload
def handles(
    *endpoints: Endpoint[Public, Request, Response],
) -> Callable[[PublicHandler[Request, Response]], PublicHandler[Request, Response]]: ...
@overload
def handles(
    *endpoints: Endpoint[OptionalSession, Request, Response],
) -> Callable[[ViewerHandler[Request, Response]], ViewerHandler[Request, Response]]: ...
@overload
def handles(
    *endpoints: Endpoint[AllowLoggedOut, Request, Response],
) -> Callable[[LogoutHandler[Request, Response]], LogoutHandler[Request, Response]]: ...
@overload
def handles(
    *endpoints: Endpoint[RequiredSession, Request, Response]
    | Endpoint[RequiredVip, Request, Response],
) -> Callable[[SessionHandler[Request, Response]], SessionHandler[Request, Response]]: ...
def handles(*endpoints: Endpoint[Any, Any, Any]) -> Callable[[Any], Any]:
    """Join a handler with its endpoints; the type checker rejects one that does not fit.

    Raises:
        ValueError: an endpoint already has a handler.
    """

    def join(handler: Callable[..., Any]) -> Callable[..., Any]:
        for endpoint in endpoints:
            if endpoint.key in _HANDLERS:
                raise ValueError(f"two handlers for {endpoint.key}")
            _HANDLERS[endpoint.key] = handler
        return handler

    return join


def build_routes(services: Services) -> dict[tuple[str, str, str], Route]:
    """Return the route of every endpoint of the contract.

    Raises:
        KeyError: an endpoint has no handler in the file of its area.
        TypeError: the access of an endpoint has no guard (security Z1: deny by default).
    """
    for area in AREAS:
        import_module(f"hupan.api.{area.__name__.rpartition('.')[2]}")
    return {line.key: build_route(line, _HANDLERS[line.key], services) for line in ENDPOINTS}


def build_route(
    endpoint: Endpoint[Any, Any, Any], handler: Callable[..., Any], services: Services
) -> Route:
    """Join an endpoint with its handler, authentication, rate limit and codec."""
    handle = _build_raw_handler(endpoint, handler, services)
    is_post = endpoint.method == "POST"
    if not issubclass(endpoint.response, Message):
        json = JsonCodec(endpoint.request, is_query=not is_post)
        return Route(json, None, is_post, MAX_JSON_BYTES, handle)
    codec = ProtobufCodec(endpoint.request, endpoint.response)
    if endpoint.json_data is not None:
        fixed = FixedJsonCodec(endpoint.request, endpoint.json_data())
        return Route(codec, fixed, is_post, MAX_PROTOBUF_BYTES, handle, needs_json_type=False)
    has_json_form = issubclass(endpoint.request, Message)
    json_form = ProtobufJsonCodec(endpoint.request, endpoint.response) if has_json_form else None
    return Route(codec, json_form, is_post, MAX_PROTOBUF_BYTES, handle)


def _build_raw_handler(
    endpoint: Endpoint[Any, Any, Any], handler: Callable[..., Any], services: Services
) -> RawHandler:
    """Return the function that checks access first, then decodes the body, then calls the handler.

    An endpoint that authenticates or changes credentials is audited (security L2).
    """
    guard = _guard_for(endpoint)
    decode = _DECODERS.get(endpoint.request, _decode_body)

    async def handle(codec: Codec, context: RequestContext, body: bytes) -> bytes:
        try:
            principal = await guard(services, context)
        except (NotSignedIn, Banned) as refusal:
            services.audit_log.record_token_refused(context, refusal)
            raise
        response = await handler(services, principal, decode(codec, context, body))
        return codec.encode(response, context.request_id)

    async def handle_audited(
        event: AuditEvent, codec: Codec, context: RequestContext, body: bytes
    ) -> bytes:
        audit_context = AuditContext(context)
        try:
            async with Attempt(services.rate_limits.attempt_limiters.get(endpoint.path), context):
                audit_context.principal = await guard(services, context)
                audit_context.request = decode(codec, context, body)
                response = await handler(services, audit_context.principal, audit_context.request)
        except Exception as error:
            services.audit_log.record(event, audit_context, error)
            raise
        services.audit_log.record(event, audit_context, response)
        return codec.encode(response, context.request_id)

    return handle if endpoint.event is None else partial(handle_audited, endpoint.event)


def _guard_for(endpoint: Endpoint[Any, Any, Any]) -> Guard:
    """Return what checks access and request limits, and returns the handler's second parameter.

    Raises:
        TypeError: the endpoint's access has no guard (security Z1: deny by default).
    """
    guard = GUARDS.get(type(endpoint.access))
    if guard is None:
        raise TypeError(f"no guard for {endpoint.path}")
    if endpoint.limit is None or endpoint.limit == "sent_codes":  # counted by the AttemptLimiter
        return guard
    return partial(_rate_limited_guard, guard, endpoint.limit)


async def _rate_limited_guard(
    guard: Guard, limit: RequestLimit, services: Services, context: RequestContext
) -> RequestContext | Caller | Viewer | None:
    limiter = services.rate_limits.request_limiters[limit]
    now = limiter.check_origin(context)
    principal = await guard(services, context)
    limiter.check_account(principal, now)
    return principal


_IGNORED_BODY = IgnoredBody()


def _ignore_body(codec: Codec, context: RequestContext, body: bytes) -> IgnoredBody:
    """Accept anything for an endpoint without a documented body (wire.md 1.4)."""
    del codec, context, body
    return _IGNORED_BODY


def _read_host(codec: Codec, context: RequestContext, body: bytes) -> AddressedHost:
    del codec, body
    host = next((value for name, value in context.headers if name == b"host"), b"")
    return AddressedHost(host.decode("latin-1"))


def _decode_body(codec: Codec, context: RequestContext, body: bytes) -> Any:  # noqa: ANN401 - the endpoint's line knows the type
    del context
    return codec.decode(body)


_DECODERS: dict[type, Callable[[Codec, RequestContext, bytes], Any]] = {
    IgnoredBody: _ignore_body,
    AddressedHost: _read_host,
}
"""How a request without a decoded body is read."""


_COMMON_HEADER_LINES: dict[ResultClass, bytes] = {
    result: b"%b: %b\r\n%b: %b\r\n" % (*header, *NO_STORE)
    for result, header in RESULT_HEADERS.items()
}


def send_direct(
    send: Send,
    http_status: int,
    content_type: bytes,
    body: bytes,
    result: ResultClass,
    request_id: int,
) -> bool:
    """Send a response in one step, if the server can; return whether it did (decision 0019).

    No header holds anything that a client sent, so none needs to be checked.
    """
    send_at_once = getattr(send, "send_direct", None)
    if send_at_once is None:
        return False
    headers = b"content-type: %b\r\ncontent-length: %d\r\nx-request-id: %d\r\n%b" % (
        content_type,
        len(body),
        request_id,
        _COMMON_HEADER_LINES[result],
    )
    return bool(send_at_once(http_status, headers, body))


_WEB_PREFIX = "/web"
_OUTSIDE_AREAS = frozenset({"msg", "group", "community", "sticker", "disk", "live"})
_UPSTREAM_LABEL = "/v1/*"
_HTTP_STATUSES: Mapping[type[AppError], int] = {
    BodyTooLarge: 413,
    UnknownEndpoint: 404,
    UpstreamUnavailable: 502,
    UpstreamOverloaded: 503,
    UpstreamTimedOut: 504,
}
"""Statuses of failed forwarded requests; everything else is 200 (wire.md 1.5)."""
_REQUEST_IDS_PER_PROCESS = 2**36
_PROCESS_NUMBERS = 2**17


class UnroutedApp(Protocol):
    """Responds to requests that are for none of the endpoints."""

    async def respond(
        self,
        scope: Scope,
        header_map: Mapping[bytes, bytes],
        request_id: int,
        receive: Receive,
        send: Send,
    ) -> bool:
        """Respond to a request if it is for this app; return whether it was."""
        ...


class Dispatcher:
    """The ASGI application of `/v1` on both surfaces.

    Attributes:
        unrouted: the counters of requests without an endpoint.
        outside: those of requests for messages, groups and the like (wire.md 8.2).
        upstream: forwards requests to a message server, None without one (wire.md 8.5).
    """

    def __init__(
        self,
        table: Mapping[tuple[str, str, str], Route],
        cors: Cors,
        log: AccessLog,
        *,
        process_number: int,
        web_host_prefix: str,
        media: UnroutedApp,
        upstream: Upstream | None = None,
    ) -> None:
        self._table = table
        self.upstream = upstream
        self._media = media
        self._cors = cors
        self._log = log
        self._web_host_prefix = web_host_prefix.encode()
        self.unrouted = EndpointMetrics()
        self.outside = EndpointMetrics()
        # Unique among the last 131,072 processes of the store, and below 2^53 (wire.md 1.8).
        self._request_ids = count(process_number % _PROCESS_NUMBERS * _REQUEST_IDS_PER_PROCESS + 1)

    def next_request_id(self) -> int:
        """Return an id that no other request has (wire.md 1.8)."""
        return next(self._request_ids)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        headers: Headers = scope["headers"]
        header_map = dict(headers)
        key = self._route_key(scope, header_map)
        route = self._table.get(key)
        request_id = next(self._request_ids)
        if route is None:
            if not await self._hand_on(key, scope, header_map, request_id, receive, send):
                await self._respond_unrouted(scope, header_map, request_id, receive, send)
            return
        peer = (scope.get("client") or ("",))[0]
        context = RequestContext(
            request_id, read_token(headers, header_map), wants_english(header_map), headers, peer
        )
        try:
            body = (
                await read_body(receive, send, route.max_body_bytes)
                if route.has_body
                else scope.get("query_string", b"")
            )
        except ClientDisconnected:
            return
        except BodyTooLarge as error:
            route.metrics.increment(error.result)
            await self._send_http_error(error, 413, request_id, header_map, send)
            return
        await self._respond(route, context, body, scope, header_map, send)

    async def _respond(
        self,
        route: Route,
        context: RequestContext,
        body: bytes,
        scope: Scope,
        header_map: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        started_at = perf_counter()
        codec = _select_codec(route, body, header_map)
        content_type = codec.content_type
        result: ResultClass = "ok"
        code = SUCCESS_CODE
        try:
            encoded = await route.handle(codec, context, body)
        except Exception as error:  # noqa: BLE001 - every failure has its response
            failure = log_and_map_error(error, context.request_id)
            message = failure.message(english=context.english)
            code, result = failure.code, failure.result
            if isinstance(failure, MissingToken):  # JSON on every endpoint (wire.md 1.7)
                content_type, encoded = JSON_TYPE, encode_json_error(code, message)
            else:
                encoded = codec.encode_error(code, message, context.request_id)
        route.metrics.observe(result, perf_counter() - started_at)
        self._log.record(context.request_id, scope["path"], result, code)
        await self._send(200, content_type, encoded, result, context.request_id, header_map, send)

    async def refuse(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        code: int,
        text: LocalizedText,
        result: ResultClass,
        http_status: int,
    ) -> None:
        """Respond with a code in the form of the path's endpoint, without handling the request."""
        header_map = dict(scope["headers"])
        route = self._table.get(self._route_key(scope, header_map))
        request_id = next(self._request_ids)
        message = text.text(english=wants_english(header_map))
        content_type, encoded = JSON_TYPE, encode_json_error(code, message)
        if route is not None:
            body = b""
            if route.has_body:
                with suppress(ClientDisconnected, BodyTooLarge):
                    body = await read_body(receive, send, route.max_body_bytes)
            codec = _select_codec(route, body, header_map)
            content_type = codec.content_type
            encoded = codec.encode_error(code, message, request_id)
        await self._send(http_status, content_type, encoded, result, request_id, header_map, send)

    async def _hand_on(
        self,
        key: tuple[str, str, str],
        scope: Scope,
        header_map: Mapping[bytes, bytes],
        request_id: int,
        receive: Receive,
        send: Send,
    ) -> bool:
        """Let the message server respond, if there is one for this path (wire.md 8.5)."""
        surface, method, path = key
        upstream = self.upstream
        if (
            upstream is None
            or not upstream.rules.takes(surface, method, path)
            or is_preflight(method, header_map)
        ):
            return False
        headers: Headers = scope["headers"]
        peer = (scope.get("client") or ("",))[0]
        token, english = read_token(headers, header_map), wants_english(header_map)
        context = RequestContext(request_id, token, english, headers, peer)
        started_at = perf_counter()
        result: ResultClass = "ok"
        code = SUCCESS_CODE
        try:
            await upstream.hand_on(
                surface, path, scope, context, receive, send, self._cors.headers(header_map)
            )
        except Exception as error:  # noqa: BLE001 - every failure has its response
            failure = log_and_map_error(error, request_id)
            code, result = failure.code, failure.result
            is_protobuf = upstream.rules.is_protobuf(surface, path, _content_type(header_map))
            await self._send_in_form(
                failure,
                _HTTP_STATUSES.get(type(failure), 200),
                # JSON on every endpoint (wire.md 1.7)
                is_protobuf=is_protobuf and not isinstance(failure, MissingToken),
                request_id=request_id,
                header_map=header_map,
                send=send,
            )
        upstream.metrics.observe(result, perf_counter() - started_at)
        self._log.record(request_id, _UPSTREAM_LABEL, result, code)  # the path is the client's text
        return True

    async def _respond_unrouted(
        self,
        scope: Scope,
        header_map: Mapping[bytes, bytes],
        request_id: int,
        receive: Receive,
        send: Send,
    ) -> None:
        if is_preflight(scope["method"], header_map):
            headers = [
                (b"content-length", b"0"),
                NO_STORE,
                RESULT_HEADERS["ok"],
                *self._cors.preflight_headers(header_map),
            ]
            await send_response(204, headers, b"", send)
            return
        if await self._media.respond(scope, header_map, request_id, receive, send):
            return
        area = _outside_area(scope["path"])
        if area:
            self.outside.increment(NotAnAccountEndpoint.result)
            failure: AppError = NotAnAccountEndpoint()
            # The rest of the path is the client's own text.
            self._log.record(request_id, f"/v1/{area}/*", failure.result, failure.code)
        else:
            self.unrouted.increment(UnknownEndpoint.result)
            failure = UnknownEndpoint()
        is_protobuf = bool(area) and _content_type(header_map) in PROTOBUF_TYPES
        await self._send_in_form(
            failure,
            404,
            is_protobuf=is_protobuf,
            request_id=request_id,
            header_map=header_map,
            send=send,
        )

    async def _send_in_form(
        self,
        failure: AppError,
        http_status: int,
        *,
        is_protobuf: bool,
        request_id: int,
        header_map: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        """Respond about a path that is not an endpoint, in the form that its client reads."""
        if not is_protobuf:
            await self._send_http_error(failure, http_status, request_id, header_map, send)
            return
        message = failure.message(english=wants_english(header_map))
        body = encode_protobuf_error(failure.code, message, request_id)
        await self._send(
            http_status, PROTOBUF_TYPE, body, failure.result, request_id, header_map, send
        )

    async def _send_http_error(
        self,
        failure: AppError,
        http_status: int,
        request_id: int,
        header_map: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        """Respond with one of the few HTTP statuses other than 200 (wire.md 1.5)."""
        message = failure.message(english=wants_english(header_map))
        body = encode_json_error(failure.code, message)
        await self._send(http_status, JSON_TYPE, body, failure.result, request_id, header_map, send)

    async def _send(
        self,
        http_status: int,
        content_type: bytes,
        body: bytes,
        result: ResultClass,
        request_id: int,
        header_map: Mapping[bytes, bytes],
        send: Send,
    ) -> None:
        if b"origin" not in header_map and send_direct(
            send, http_status, content_type, body, result, request_id
        ):
            return
        headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", b"%d" % request_id),
            RESULT_HEADERS[result],
            NO_STORE,
        ]
        if b"origin" in header_map:
            headers += self._cors.headers(header_map)
        await send_response(http_status, headers, body, send)

    def _route_key(self, scope: Scope, header_map: Mapping[bytes, bytes]) -> tuple[str, str, str]:
        """Return surface, method and path; host name or prefix select web (wire.md 1.1)."""
        path: str = scope["path"]
        if path.startswith(_WEB_PREFIX + "/"):
            return "web", scope["method"], path.removeprefix(_WEB_PREFIX)
        is_web = header_map.get(b"host", b"").lower().startswith(self._web_host_prefix)
        return ("web" if is_web else "app"), scope["method"], path


def _select_codec(route: Route, body: bytes, header_map: Mapping[bytes, bytes]) -> Codec:
    """Choose the JSON form only if content type and body both say JSON (wire.md 1.3).

    For an endpoint whose JSON clients are known, the body alone decides (wire.md 8.2).
    """
    if route.json_codec is None:
        return route.codec
    if not body.removeprefix(BOM_UTF8).lstrip().startswith(b"{"):
        return route.codec
    if route.needs_json_type and _content_type(header_map) != b"application/json":
        return route.codec
    return route.json_codec


def _content_type(header_map: Mapping[bytes, bytes]) -> bytes:
    return header_map.get(b"content-type", b"").partition(b";")[0].strip().lower()


def _outside_area(path: str) -> str:
    """Return the part of the public service that a path belongs to, "" for none of them."""
    version, _, rest = path.removeprefix(_WEB_PREFIX).removeprefix("/").partition("/")
    area, slash, name = rest.partition("/")
    return area if version == "v1" and name and area in _OUTSIDE_AREAS and slash else ""
