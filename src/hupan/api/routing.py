"""Router: joins each endpoint with its handler, authentication, rate limit and codec.

The type of a handler follows from the endpoint's line: its access, request and response. The type
checker rejects a handler that does not match.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, overload
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from hupan.api.audit import AuditContext, AuditLog
from hupan.api.codecs import (
    MAX_JSON_BYTES,
    MAX_PROTOBUF_BYTES,
    Codec,
    FixedJsonCodec,
    JsonCodec,
    ProtobufCodec,
    ProtobufJsonCodec,
)
from hupan.api.context import ClientResolver, RequestContext
from hupan.api.limits import Attempt, RateLimits
from hupan.clock import Clock
from hupan.contract.endpoints import (
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
from hupan.domain.captchas import Captchas, IssuedCaptcha
from hupan.domain.clients import Clients
from hupan.domain.codes import CodeRequests
from hupan.domain.coins import Coins
from hupan.domain.contacts import Contacts
from hupan.domain.deletion import AccountDeletion
from hupan.domain.devices import Devices, DeviceSettings
from hupan.domain.discovery import Discovery
from hupan.domain.invitations import Invitations
from hupan.domain.login import CodeLogins, PasswordLogins
from hupan.domain.medals import Medals
from hupan.domain.passwords import PasswordResets
from hupan.domain.profiles import PersonalDataService, ProfileEdits, Profiles, Remarks
from hupan.domain.recovery import ContactUndo
from hupan.domain.sessions import Sessions
from hupan.errors import Banned, MissingToken, NotSignedIn, VipOnly
from hupan.geoip import CountryResolver
from hupan.metrics import EndpointMetrics
from hupan.model import Caller, Viewer
from hupan.rules import Adverts, ClientInfo


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
    account_deletion: AccountDeletion
    discovery: Discovery
    device_settings: DeviceSettings
    adverts: Adverts
    client_info: ClientInfo
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
    """Return the caller who logs out; None when the token's session was logged out before.

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
        needs_json_type: whether the JSON form is chosen only for `application/json`.
        has_body: whether a body is read; a GET has its query instead.
        max_body_bytes: the largest body that is accepted (security I1).
        handle: decodes the body or the query, calls the handler, encodes the response.
        metrics: the counters of its requests.
    """

    codec: Codec
    json_codec: Codec | None
    has_body: bool
    max_body_bytes: int
    handle: RawHandler
    needs_json_type: bool = True
    metrics: EndpointMetrics = field(default_factory=EndpointMetrics)


class Router:
    """The routing table of one server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.table: dict[tuple[str, str, str], Route] = {}

    @overload
    def add(
        self,
        endpoint: Endpoint[Public, Request, Response],
        handler: PublicHandler[Request, Response],
    ) -> None: ...
    @overload
    def add(
        self,
        endpoint: Endpoint[OptionalSession, Request, Response],
        handler: ViewerHandler[Request, Response],
    ) -> None: ...
    @overload
    def add(
        self,
        endpoint: Endpoint[AllowLoggedOut, Request, Response],
        handler: LogoutHandler[Request, Response],
    ) -> None: ...
    @overload
    def add(
        self,
        endpoint: Endpoint[RequiredSession, Request, Response]
        | Endpoint[RequiredVip, Request, Response],
        handler: SessionHandler[Request, Response],
    ) -> None: ...
    def add(self, endpoint: Endpoint[Any, Any, Any], handler: Callable[..., Any]) -> None:
        """Route an endpoint to its handler.

        Raises:
            ValueError: the endpoint already has a handler.
        """
        if endpoint.key in self.table:
            raise ValueError(f"two handlers for {endpoint.key}")
        self.table[endpoint.key] = _build_route(
            endpoint, _build_raw_handler(endpoint, handler, self._services)
        )


def _build_route(endpoint: Endpoint[Any, Any, Any], handle: RawHandler) -> Route:
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
"""How a request is read that is no decoded body."""
