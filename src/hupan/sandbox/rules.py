"""Answers for paths that Hupan does not serve: fixed ones, or those of a program on loopback (K-4).

A forward reaches only this machine: its address is a literal loopback address, or localhost,
which stands for 127.0.0.1 and ::1 here regardless of name servers. Redirects are not followed.
"""

import asyncio
import contextlib
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hupan.api.codecs import (
    JSON_TYPE,
    ClientDisconnected,
    Receive,
    Scope,
    Send,
    encode_json_error,
    read_body,
    wants_english,
)
from hupan.api.presence import SOCKET_PATH
from hupan.api.responses import HEALTHZ_PATH, READYZ_PATH, Cors, is_preflight
from hupan.background import ensure_task
from hupan.errors import (
    AppError,
    BodyTooLarge,
    UpstreamOverloaded,
    UpstreamTimedOut,
    UpstreamUnavailable,
)
from hupan.library_errors import localize_reason
from hupan.model import Headers
from hupan.sandbox.routes import (
    MAX_BODY_BYTES,
    BadRequest,
    check_known,
    handle_errors,
    json_response,
)
from hupan.upstream import (
    UpstreamAddress,
    UpstreamBusyError,
    UpstreamClient,
    UpstreamError,
    UpstreamLimits,
    UpstreamRequest,
    UpstreamTimeoutError,
)

MAX_RULES = 200
MAX_FORWARDED_BYTES = 8 * 1024 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_FORWARDS = 16
STEP_SECONDS = 15.0
MAX_FORWARD_SECONDS = 300.0
FORWARDED = b"x-hupan-sandbox-forward"
"""Marks requests that were forwarded, so that none is forwarded in a loop."""
_MAX_PATH_CHARACTERS = 2048
_MAX_TYPE_CHARACTERS = 200
_LOCALHOST = "localhost"
_LOCALHOST_ADDRESSES = ("127.0.0.1", "::1")
_OWN_PREFIXES = ("/sandbox/", "/oauth/")
_OWN_PATHS = frozenset({"/sandbox", HEALTHZ_PATH, READYZ_PATH, SOCKET_PATH})
_WITHOUT_BODY = (204, 205, 304)
_HOP_HEADERS = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"),
        *(b"transfer-encoding", b"expect", b"http2-settings", b"proxy-authenticate"),
        *(b"proxy-authorization", b"content-length"),
    }
)
_PROTECTION: Headers = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox"),
]
"""An answer that is a page must not act as a page of the sandbox."""
RuleMethod = Literal["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]


class Rule(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One rule of `/sandbox/rules`.

    Attributes:
        method: any if absent.
        path: whole, or its beginning with `*` at the end.
        status: 200 if absent.
        json: the answer as JSON; or else its bytes, or where to forward the request to.
        hits: how often it answered; ignored in a request.
    """

    method: RuleMethod | None = None
    path: str
    status: Annotated[int, Meta(ge=200, le=599)] | None = None
    json: Raw | UnsetType = UNSET
    bytes_base64: str | None = None
    content_type: str | None = None
    forward: str | None = None
    hits: int | None = None


_KEYS = tuple(known.encode_name for known in msgspec.structs.fields(Rule))


def parse_rules(body: bytes, is_served: "IsServed") -> list[Rule]:
    """Return the rules of a JSON array.

    Raises:
        BadRequest: it is not an array, or a rule is not valid; the text names the rule.
    """
    try:
        listed = msgspec.json.decode(body, type=list[dict[str, Raw]])
        body.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = localize_reason(error)
        raise BadRequest(
            f"请求体须为规则的 JSON 数组：{reason.zh}",
            f"the body must be a JSON array of rules: {reason.en}",
        ) from error
    if len(listed) > MAX_RULES:
        raise BadRequest(f"规则最多 {MAX_RULES} 条", f"there can be at most {MAX_RULES} rules")
    return [_parse_rule(number, values, is_served) for number, values in enumerate(listed, 1)]


IsServed = Callable[[str | None, str], bool]
"""Whether Hupan answers a method, None for any, and a path itself."""


def _parse_rule(number: int, values: dict[str, Raw], is_served: IsServed) -> Rule:
    given = {k: raw for k, raw in values.items() if k == "json" or bytes(raw).strip() != b"null"}
    try:
        check_known("key", given, _KEYS)
        rule = msgspec.json.decode(msgspec.json.encode(given), type=Rule)
        _check_rule(rule, is_served)
    except BadRequest as error:
        raise BadRequest(f"第 {number} 条规则：{error.zh}", f"rule {number}: {error.en}") from error
    except (msgspec.MsgspecError, RecursionError) as error:
        reason = localize_reason(error)
        raise BadRequest(
            f"第 {number} 条规则：{reason.zh}", f"rule {number}: {reason.en}"
        ) from error
    return msgspec.structs.replace(rule, hits=None)


def _check_rule(rule: Rule, is_served: IsServed) -> None:
    _check_path(rule, is_served)
    answers = [
        name
        for name, value in (
            ("json", None if rule.json is UNSET else rule.json),
            ("bytesBase64", rule.bytes_base64),
            ("forward", rule.forward),
        )
        if value is not None
    ]
    if len(answers) > 1:
        raise BadRequest(
            f"{answers[0]} 与 {answers[1]} 只能指定其一",
            f"specify either {answers[0]} or {answers[1]}, not both",
        )
    if rule.bytes_base64 is not None:
        _decode_base64(rule.bytes_base64)
    if rule.forward is not None:
        parse_forward(rule.forward)
        if rule.status is not None or rule.content_type is not None:
            raise BadRequest(
                "forward 的状态与类型由目标决定，不能与 status、contentType 同用",
                "the target of forward determines status and type: omit status and contentType",
            )
    if rule.status in _WITHOUT_BODY and answers:
        raise BadRequest(
            f"状态 {rule.status} 没有响应体", f"an answer of status {rule.status} has no body"
        )
    content_type = rule.content_type
    if content_type is not None and not (
        content_type.isascii()
        and content_type.isprintable()
        and 0 < len(content_type.strip()) == len(content_type) <= _MAX_TYPE_CHARACTERS
    ):
        raise BadRequest(
            "contentType 须为媒体类型，如 text/plain",
            "contentType must be a media type, such as text/plain",
        )


def _check_path(rule: Rule, is_served: IsServed) -> None:
    path = rule.path
    if not path.startswith("/") or len(path) > _MAX_PATH_CHARACTERS or not path.isprintable():
        raise BadRequest(
            "path 须以 / 开头，如 /v1/msg/send-message 或 /v1/msg/*",
            "path must begin with /, such as /v1/msg/send-message or /v1/msg/*",
        )
    if "?" in path or "*" in path[:-1]:
        raise BadRequest(
            "path 不含查询参数，* 只能在末尾",
            "path must not have a query, and * is only allowed at its end",
        )
    is_own = path.startswith(_OWN_PREFIXES) or path in _OWN_PATHS
    if is_own or is_served(rule.method, path):
        raise BadRequest(
            f"{path} 由湖畔自己提供，规则只用于其他路径；要改变它的响应请用 /sandbox/faults",
            f"Hupan serves {path} itself, and rules are for other paths; "
            "to change its responses, use /sandbox/faults",
        )


def _decode_base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise BadRequest("bytesBase64 不是 Base64", "bytesBase64 is not Base64") from error


def parse_forward(url: str) -> tuple[UpstreamAddress, ...]:
    """Return the addresses that a forward may connect to, in the order in which they are tried.

    Raises:
        BadRequest: it is not on loopback, or has more than a host and a port.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    bare = f"[{host}]" if ":" in host else host
    is_plain = url.rstrip("/").lower() in (f"http://{bare}:{port}", f"http://{bare}")
    hosts = _LOCALHOST_ADDRESSES if host == _LOCALHOST else (host,)
    if not is_plain or port == 0 or not all(map(_is_loopback, hosts)):
        raise BadRequest(
            "forward 只能是本机地址，如 http://127.0.0.1:9000、http://[::1]:9000 或"
            " http://localhost:9000，不带用户名与路径",
            "forward must be an address of this machine, such as http://127.0.0.1:9000, "
            "http://[::1]:9000 or http://localhost:9000, without user name and path",
        )
    return tuple(UpstreamAddress(one, port or 80, False, parts.netloc) for one in hosts)  # noqa: FBT003 - no TLS


def _is_loopback(host: str) -> bool:
    """Return whether a text is a loopback address, written as every program reads it."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        return host == "::1"
    return address.is_loopback


@dataclass(slots=True)
class ActiveRule:
    """A rule, how often it answered, and what it answers with."""

    rule: Rule
    body: bytes = b""
    targets: tuple[UpstreamClient, ...] = ()
    hits: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Return whether a request is one that the rule answers."""
        rule = self.rule
        if rule.method not in (None, method):
            return False
        return path.startswith(rule.path[:-1]) if rule.path[-1] == "*" else path == rule.path


def _activate(rule: Rule) -> ActiveRule:
    body = b""
    if rule.bytes_base64 is not None:
        body = _decode_base64(rule.bytes_base64)
    elif rule.json is not UNSET:
        body = bytes(rule.json)
    limits = UpstreamLimits(timeout_seconds=STEP_SECONDS, max_requests=MAX_FORWARDS)
    addresses = () if rule.forward is None else parse_forward(rule.forward)
    return ActiveRule(rule, body, tuple(UpstreamClient(one, limits) for one in addresses))


@dataclass(slots=True)
class Rules:
    """The current rules; the first one that matches answers.

    Attributes:
        generation: grows with each change, for pages that show what is new.
    """

    active: list[ActiveRule] = field(default_factory=list)
    generation: int = 0

    def list_rules(self) -> list[Rule]:
        """Return the rules with their hits."""
        return [msgspec.structs.replace(one.rule, hits=one.hits) for one in self.active]

    def replace(self, rules: Sequence[Rule]) -> None:
        """Replace the rules; hits restart at 0."""
        self.active = [_activate(rule) for rule in rules]
        self.generation += 1

    def clear(self) -> None:
        """Remove all rules."""
        self.active = []
        self.generation += 1

    def find(self, method: str, path: str) -> int:
        """Return the number of the rule that answers a method and path, 0 for none."""
        numbers = (n for n, one in enumerate(self.active, 1) if one.matches(method, path))
        return next(numbers, 0)


@dataclass(frozen=True, slots=True)
class RuleRoutes:
    """The routes of rules."""

    rules: Rules
    is_served: IsServed

    def build_routes(self) -> list[BaseRoute]:
        return [
            Route("/sandbox/rules", handle_errors(self.show), methods=["GET"]),
            Route("/sandbox/rules", handle_errors(self.set), methods=["PUT"]),
        ]

    async def show(self, request: Request) -> Response:
        """Return the rules with their hits."""
        check_known("parameter", request.query_params, ())
        return json_response(self.rules.list_rules())

    async def set(self, request: Request) -> Response:
        """Replace the rules: → the rules."""
        check_known("parameter", request.query_params, ())
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise BadRequest("请求体过大", "the body is too large")
        self.replace(body, request)
        return json_response(self.rules.list_rules())

    def replace(self, body: bytes, request: Request) -> None:
        """Replace the rules by those of a JSON array.

        Raises:
            BadRequest: it is not an array, or a rule is invalid or its target is forbidden.
        """
        rules = parse_rules(body, self.is_served)
        former = {one.rule.forward for one in self.rules.active}
        if not _is_local(request):
            for number, rule in enumerate(rules, 1):
                if rule.forward not in (None, *former):
                    raise ForwardFromElsewhere(number)
        self.rules.replace(rules)


class ForwardFromElsewhere(BadRequest):
    """A client of another machine would reach what listens only on this machine's loopback."""

    status = 403

    def __init__(self, number: int) -> None:
        super().__init__(
            f"第 {number} 条规则：forward 只能在运行沙盒的机器上设置",
            f"rule {number}: set forward on the machine on which the sandbox runs",
        )


def _is_local(request: Request) -> bool:
    """Return whether the client is on this machine."""
    if request.client is None:
        return True
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


class RuleApp:
    """The ASGI application around the one of clients: rules answer for the paths it does not serve.

    Args:
        app: handles all other requests.
        rules: the rules.
        is_served: whether the application serves a request.
        cors: allows origins, as for the endpoints.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Any],
        rules: Rules,
        is_served: Callable[[Scope], bool],
        cors: Cors,
    ) -> None:
        self._app = app
        self._rules = rules
        self._is_served = is_served
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        number = self._rules.active and self._rules.find(scope["method"], scope["path"])
        if (
            not number
            or self._is_served(scope)
            or is_preflight(scope["method"], dict(scope["headers"]))
        ):
            await self._app(scope, receive, send)
            return
        one = self._rules.active[number - 1]
        one.hits += 1
        scope.setdefault("state", {})["rule"] = number
        allowed = [*_PROTECTION, *self._cors.headers(dict(scope["headers"]))]
        if one.targets:
            await forward(one.targets, scope, receive, send, allowed)
        else:
            await _answer(one, send, allowed)


async def _answer(one: ActiveRule, send: Send, headers: Headers) -> None:
    rule = one.rule
    status = rule.status or 200
    content_type = rule.content_type.encode() if rule.content_type else b""
    if not content_type and one.body:
        content_type = b"application/octet-stream" if rule.json is UNSET else JSON_TYPE
    if content_type:
        headers = [(b"content-type", content_type), *headers]
    if status not in (204, 304):
        headers = [*headers, (b"content-length", b"%d" % len(one.body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": one.body})


async def forward(
    targets: Sequence[UpstreamClient], scope: Scope, receive: Receive, send: Send, allowed: Headers
) -> None:
    """Let a program on this machine answer; 502, 504 or 508 if it does not."""
    await ensure_task()
    english = wants_english(dict(scope["headers"]))
    failure: AppError
    status = 502
    try:
        if any(name == FORWARDED for name, _ in scope["headers"]):
            failure, status = UpstreamUnavailable(), 508
        else:
            body = await read_body(receive, send, MAX_FORWARDED_BYTES)
            async with asyncio.timeout(MAX_FORWARD_SECONDS):
                await _try_targets(targets, scope, body, send, allowed)
            return
    except ClientDisconnected:
        return
    except BodyTooLarge as error:
        failure, status = error, 413
    except (TimeoutError, UpstreamTimeoutError):
        failure, status = UpstreamTimedOut(), 504
    except UpstreamBusyError:
        failure, status = UpstreamOverloaded(), 503
    except UpstreamError:
        failure = UpstreamUnavailable()
    encoded = encode_json_error(failure.code, failure.message(english=english))
    headers = [
        (b"content-type", JSON_TYPE),
        (b"content-length", b"%d" % len(encoded)),
        (b"x-result", failure.result.encode()),
        *allowed,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": encoded})


async def _try_targets(
    targets: Sequence[UpstreamClient], scope: Scope, body: bytes, send: Send, allowed: Headers
) -> None:
    """Forward the request to the first target that accepts a connection."""
    for client in targets:
        is_connected = False
        try:
            async with client.open(fresh=True) as request:
                is_connected = True
                await _exchange(request, client.address, scope, body, send, allowed)
        except (UpstreamTimeoutError, UpstreamBusyError):
            raise
        except UpstreamError:
            if is_connected or client is targets[-1]:
                raise
        else:
            return


async def _exchange(
    request: UpstreamRequest,
    address: UpstreamAddress,
    scope: Scope,
    body: bytes,
    send: Send,
    allowed: Headers,
) -> None:
    query: bytes = scope.get("query_string", b"")
    target: bytes = scope["raw_path"] + (b"?" + query if query else b"")
    async with asyncio.timeout(STEP_SECONDS):
        await request.send_head(
            scope["method"].encode(), target, _request_headers(address, scope, body)
        )
        if body:
            await request.send_body(body)
        await request.end_body()
        status, headers = await request.read_head()
    kept = _without_hop_headers(headers)
    if status not in _WITHOUT_BODY:
        kept += [pair for pair in headers if pair[0] == b"content-length"]
    await send({"type": "http.response.start", "status": status, "headers": [*kept, *allowed]})
    # A failure from now on closes the connection: it is too late for another answer.
    with contextlib.suppress(TimeoutError, UpstreamError):
        await _pass_body(request, send)


async def _pass_body(request: UpstreamRequest, send: Send) -> None:
    left = MAX_ANSWER_BYTES
    while left >= 0:
        async with asyncio.timeout(STEP_SECONDS):
            piece = await request.read_body()
        left -= len(piece)
        if left >= 0:
            await send({"type": "http.response.body", "body": piece, "more_body": bool(piece)})
        if not piece:
            return


def _request_headers(address: UpstreamAddress, scope: Scope, body: bytes) -> Headers:
    headers: Headers = scope["headers"]
    host = next((value for name, value in headers if name == b"host"), b"")
    replaced = (b"host", b"x-forwarded-host")
    kept = [pair for pair in _without_hop_headers(headers) if pair[0] not in replaced]
    length = [(b"content-length", b"%d" % len(body))]
    return [
        (b"host", address.authority.encode()),
        *kept,
        *(length if body or scope["method"] not in ("GET", "HEAD") else []),
        (b"x-forwarded-host", host),
        (FORWARDED, b"1"),
    ]


def _without_hop_headers(headers: Headers) -> Headers:
    named = b",".join(value for name, value in headers if name == b"connection").lower()
    dropped = _HOP_HEADERS | {name.strip() for name in named.split(b",")}
    return [(name, value) for name, value in headers if name not in dropped]
