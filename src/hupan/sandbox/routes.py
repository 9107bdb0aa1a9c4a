"""HTTP routes of the sandbox under `/sandbox`, and the check that keeps other sites' pages out.

Otherwise a page could wipe a sandbox with a form, or read its codes after its own host name
resolves to 127.0.0.1 (DNS rebinding). A browser sends in `Host` the name that it requested, and in
`Sec-Fetch-Site` and `Origin` the site of the page; programs send neither of the latter. A numeric
address cannot be rebound, so it is always accepted.
"""

from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Annotated, Any, TypeAlias, TypeVar, cast, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from hupan.clock import AdjustableClock
from hupan.domain.accounts import MAX_BAN_REASON_CHARACTERS
from hupan.domain.provisioning import NewAccount, SandboxAccount, SandboxAccounts
from hupan.domain.sessions import parse_device
from hupan.domain.text import MAX_NICKNAME_CHARACTERS
from hupan.errors import Busy, EmailTaken, InvalidField, PhoneTaken, UploadFailed
from hupan.library_errors import localize_reason
from hupan.localized import LocalizedText
from hupan.model import Overtaken, StoreUnavailable
from hupan.sandbox.known_accounts import KnownAccount, KnownAccounts
from hupan.sandbox.outbox import CapturedChannel, MessageCapture, MessageFilter
from hupan.sandbox.seeding import PACK_NAMES, PackName, SeededAccount, Seeder, max_count

PAGES_PREFIX = "/sandbox/pages"
"""The pages for people, which are clients of the routes."""
MAX_BODY_BYTES = 1024 * 1024
_MAX_SHOWN_CHARACTERS = 40
RESPONSE_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
Body = TypeVar("Body", bound=msgspec.Struct)


class BadRequest(Exception):
    """The request is not valid; the text says why, in Chinese and in English.

    Attributes:
        status: the HTTP status of the response.
    """

    status = 400

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


async def read_body(request: Request) -> bytes:
    """Return the body of a request, without a byte order mark.

    Raises:
        BadRequest: it is too large.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BadRequest("请求体过大", "the body is too large")
    return body.removeprefix(BOM_UTF8)


async def read_json_body(request: Request, body_type: type[Body]) -> Body:
    """Return the JSON body of a request; an empty one counts as `{}`, `null` as an absent key.

    Raises:
        BadRequest: it is too large, not JSON, not of this type, or has an unknown key.
    """
    body = await read_body(request)
    try:
        values = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        check_known(
            "key", values, [field.encode_name for field in msgspec.structs.fields(body_type)]
        )
        return msgspec.convert({k: v for k, v in values.items() if v is not None}, type=body_type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = localize_reason(error)
        raise BadRequest(
            f"请求体不符合要求：{reason.zh}", f"the body is not valid: {reason.en}"
        ) from error


def check_known(what: str, given: Collection[str], known: Collection[str]) -> None:
    """Raise BadRequest for an unknown name, with the most similar known one.

    Args:
        what: `key`, `parameter` or `value`.
        given: the names in the request.
        known: the known names.
    """
    for name in given:
        if name not in known:
            shown = ascii(name[:_MAX_SHOWN_CHARACTERS])[1:-1] if not name.isprintable() else name
            raise _unknown_name(what, shown[:_MAX_SHOWN_CHARACTERS], sorted(known))


def _unknown_name(what: str, name: str, known: list[str]) -> BadRequest:
    kind = {"key": "键", "parameter": "参数", "value": "取值"}[what]
    near = get_close_matches(
        name.lower().replace("_", ""), [candidate.lower() for candidate in known], 1
    )
    nearest = next((name for name in known if near and name.lower() == near[0]), "")
    listed = ", ".join(filter(None, known))
    zh, en = f"没有这个{kind}：{name}", f"there is no such {what}: {name}"
    if nearest:
        zh, en = f"{zh}；是否指 {nearest}？", f"{en}; did you mean {nearest}?"
    elif known:
        zh, en = f"{zh}；可用：{listed}", f"{en}; there are {listed}"
    return BadRequest(zh, en)


def query_number(request: Request, name: str, default: float, maximum: float) -> float:
    """Return a number of the query, from 0 to `maximum`.

    Raises:
        BadRequest: it is not a number, or out of range.
    """
    try:
        value = float(request.query_params.get(name, default))
    except ValueError:
        value = -1.0
    if not 0 <= value <= maximum:
        raise BadRequest(
            f"{name} 须为 0 到 {maximum:.15g} 之间的数",
            f"{name} must be a number from 0 to {maximum:.15g}",
        )
    return value


def json_response(body: object) -> Response:
    return Response(
        msgspec.json.encode(body), media_type="application/json", headers=RESPONSE_HEADERS
    )


def file_response(content: bytes, media_type: str, name: str) -> Response:
    """Return a file that a browser saves."""
    disposition = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers={**RESPONSE_HEADERS, **disposition})


def wants_english(request: Request) -> bool:
    """Return whether a request asks for English."""
    return request.headers.get("accept-language", "")[:2].lower() == "en"


def error_response(request: Request, http_status: int, zh: str, en: str) -> Response:
    """Return an error in the language of the request."""
    return Response(
        msgspec.json.encode({"error": en if wants_english(request) else zh}),
        http_status,
        media_type="application/json",
        headers=RESPONSE_HEADERS,
    )


_LOCALHOST = "localhost"
_SAME_ORIGIN_SITES = ("same-origin", "none")
BilingualText: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SameOriginMiddleware:
    """Answers 403 to requests that may come from a page of another site.

    Attributes:
        app: the routes.
        allowed_hosts: host names besides localhost, in lower case.
    """

    app: ASGIApp
    allowed_hosts: Collection[str] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the origin before anything of the request is read."""
        request = Request(scope)
        problem = self._problem(request)
        if problem is None:
            await self.app(scope, receive, send)
        else:
            await error_response(request, 403, *problem)(scope, receive, send)

    def _problem(self, request: Request) -> BilingualText | None:
        hosts = request.headers.getlist("host")
        name = _parse_host(hosts[0]) if len(hosts) == 1 else None
        if name is None or not self._is_allowed_host(name):
            return (
                "主机名不属于本沙盒：请用 127.0.0.1 或 localhost 访问，或以 --allow-host 启动沙盒",
                "not a host name of this sandbox: use 127.0.0.1 or localhost, or --allow-host",
            )
        if not _is_same_origin(request, hosts[0]):
            return (
                "其他网站的页面不能使用沙盒的接口；请在终端、测试或沙盒自己的页面中调用",
                "pages of other sites cannot use the sandbox: call it from a terminal or a test",
            )
        return None

    def _is_allowed_host(self, name: str) -> bool:
        return name == _LOCALHOST or name in self.allowed_hosts or _is_address(name)


def _is_same_origin(request: Request, host: str) -> bool:
    """Return whether the request comes from no page, or from one of the same origin.

    A link to a page may be anywhere: it shows the page to the user and nothing to its origin. A
    form of a page names no origin (`no-referrer`), which `Sec-Fetch-Site` settles; a browser leaves
    that out for plain http beyond loopback, and there the form's own token decides (`web.forms`).
    """
    is_page = request.url.path == "/" or request.url.path.startswith(PAGES_PREFIX)
    if is_page and _is_navigation(request):
        return True
    sites = request.headers.getlist("sec-fetch-site")
    if any(site not in _SAME_ORIGIN_SITES for site in sites):
        return False
    own = [f"{request.url.scheme}://{host.lower()}"]
    if is_page and (not sites or "same-origin" in sites):
        own.append("null")
    return all(origin.lower() in own for origin in request.headers.getlist("origin"))


def _is_navigation(request: Request) -> bool:
    """Return whether a browser goes to a page by a link."""
    headers = request.headers
    return (
        request.method in {"GET", "HEAD"}
        and headers.getlist("sec-fetch-mode") == ["navigate"]
        and headers.getlist("sec-fetch-dest") == ["document"]
        and "origin" not in headers
    )


def _parse_host(host: str) -> str | None:
    """Return the name in a `Host` without its port; None if it is not valid."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 - it raises for text that is not a port
    except ValueError:
        return None
    if parts.netloc != host or parts.username is not None or parts.password is not None:
        return None
    return parts.hostname


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


MAX_WAIT_SECONDS = 300.0
MAX_TIME = 253_370_764_799
"""The end of the year 9998: the last year is 9999, and days have a next day."""

_CONFLICT_FIELDS = {PhoneTaken: "phone", EmailTaken: "email"}
Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class AccountBody(Struct, rename="camel"):
    """The body of POST `/sandbox/accounts`.

    Attributes:
        ban_reason: without `ban_days` the ban is permanent.
        invited_by: the invitation code of another account.
    """

    phone: str = ""
    email: str = ""
    password: str = ""
    nickname: str = ""
    coins: float = 0
    vip_days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    medals: tuple[str, ...] = ()
    ban_days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    ban_reason: str = ""
    invited_by: str = ""
    device_id: str = ""
    platform: str = ""


class SeedBody(Struct):
    """The body of POST `/sandbox/seed`.

    Attributes:
        number: how many accounts, or groups of `discovery`; the default of the pack if absent.
    """

    pack: str
    number: Annotated[int, Meta(ge=1)] = 0


class EmptyBody(Struct):
    """The body of POST `/sandbox/reset`."""


@dataclass(frozen=True, slots=True)
class SandboxRoutes:
    """The routes, and what they use.

    Attributes:
        deliver_outbox: delivers everything in the outbox.
        delete_everything: deletes everything that is stored.
        on_reset: is called at the end of a reset.
    """

    outbox_messages: MessageCapture
    clock: AdjustableClock
    sandbox_accounts: SandboxAccounts
    seeder: Seeder
    deliver_outbox: Callable[[], Awaitable[None]]
    delete_everything: Callable[[], Awaitable[None]]
    on_reset: list[Callable[[], None]] = field(default_factory=list)
    known_accounts: KnownAccounts = field(default_factory=KnownAccounts)

    def build_app(self, more_routes: Sequence[BaseRoute] = ()) -> Starlette:
        """Return the ASGI application of all routes, and of those of other files."""
        return Starlette(
            routes=[
                Route("/sandbox/outbox", handle_errors(self.list_outbox), methods=["GET"]),
                Route(
                    "/sandbox/outbox/wait", handle_errors(self.wait_for_message), methods=["GET"]
                ),
                Route("/sandbox/accounts", handle_errors(self.create_account), methods=["POST"]),
                Route("/sandbox/seed", handle_errors(self.seed), methods=["POST"]),
                Route("/sandbox/reset", handle_errors(self.reset), methods=["POST"]),
                *more_routes,
            ],
            exception_handlers={HTTPException: _explain_http_error},
        )

    async def list_outbox(self, request: Request) -> Response:
        """Return the messages, newest first."""
        message_filter = _message_filter(request)
        await self.deliver_outbox()
        return json_response(self.outbox_messages.list_matching(message_filter))

    async def wait_for_message(self, request: Request) -> Response:
        """Return the next message that matches; 408 if none comes in time."""
        seconds = query_number(request, "timeout", 30.0, MAX_WAIT_SECONDS)
        message_filter = _message_filter(request, "timeout")
        await self.deliver_outbox()
        entry = await self.outbox_messages.wait_for_match(message_filter, seconds)
        if entry is None:
            return error_response(request, 408, "没有等到消息", "no message came in time")
        return json_response(entry)

    async def create_account(self, request: Request) -> Response:
        """Create an account: → {id, token}."""
        created = await self.create(await read_json_body(request, AccountBody))
        return json_response({"id": str(created.id), "token": created.token})

    async def create(self, body: AccountBody) -> SandboxAccount:
        """Create an account and keep its credentials for the pages."""
        login_device = parse_device(body.device_id, body.platform)
        created = await self.sandbox_accounts.create(
            NewAccount(
                phone=body.phone,
                email=body.email,
                password=body.password,
                nickname=body.nickname,
                coins=Decimal(str(body.coins)),
                vip_days=body.vip_days,
                medals=body.medals,
                ban_days=body.ban_days,
                ban_reason=body.ban_reason,
                invited_by=body.invited_by,
            ),
            login_device,
        )
        self.known_accounts.add(
            KnownAccount(str(created.id), body.phone, body.email, body.password, created.token)
        )
        return created

    async def seed(self, request: Request) -> Response:
        """Seed a pack: → [{id, phone, email, password, token}]."""
        return json_response(await self.seed_pack(await read_json_body(request, SeedBody)))

    async def seed_pack(self, body: SeedBody) -> list[SeededAccount]:
        """Seed a pack and keep the credentials of its accounts for the pages.

        Raises:
            BadRequest: there is no such pack, or the number is too large for it.
        """
        check_known("value", [body.pack], PACK_NAMES)
        pack = cast("PackName", body.pack)
        if body.number > max_count(pack):
            maximum = max_count(pack)
            raise BadRequest(f"number 须为 1 到 {maximum}", f"number must be 1 to {maximum}")
        seeded = await self.seeder.seed(pack, body.number)
        for one in seeded:
            self.known_accounts.add(
                KnownAccount(one.id, one.phone, one.email, one.password, one.token)
            )
        return seeded

    async def reset(self, request: Request) -> Response:
        """Delete everything: accounts, messages, faults, and the clock's offset."""
        await read_json_body(request, EmptyBody)
        await self.reset_all()
        return json_response({})

    async def reset_all(self) -> None:
        """Delete everything: accounts, messages, faults, and the clock's offset.

        Seeding, saving and restoring finish first: otherwise half of the result would stay.
        """
        async with self.seeder.lock:
            await self.delete_everything()
            self.seeder.reset()
            self.outbox_messages.clear()
            self.clock.reset()
            self.known_accounts.clear()
            for forget in self.on_reset:
                forget()


async def _explain_http_error(request: Request, error: Exception) -> Response:
    """Respond if no route has the path or the method, with the headers of all responses."""
    if not isinstance(error, HTTPException):
        raise error
    zh, en = _HTTP_ERRORS.get(error.status_code, ("无法处理这个请求", "the request is refused"))
    response = error_response(request, error.status_code, zh, en)
    response.headers.update(error.headers or {})
    return response


_HTTP_ERRORS: Mapping[int, BilingualText] = {
    404: ("沙盒没有这个接口", "the sandbox has no such route"),
    405: ("沙盒的这个接口不接受这种方法", "this route of the sandbox takes another method"),
}
EXPECTED_ERRORS = (
    *(BadRequest, InvalidField, PhoneTaken, EmailTaken),
    *(Overtaken, Busy, UploadFailed, StoreUnavailable, OSError),
)


_FIELD_RULES: Mapping[str, LocalizedText] = {
    "phone": LocalizedText(
        "须为完整的手机号，如 13912345678；其他国家的号码以 + 和国家代码开头",
        "must be a whole mobile number such as 13912345678; those of other countries begin with + "
        "and the country's code",
    ),
    "email": LocalizedText(
        "须为邮箱地址，如 a@example.com", "must be an e-mail address such as a@example.com"
    ),
    "nickname": LocalizedText(
        f"须为一行不超过 {MAX_NICKNAME_CHARACTERS} 个字符的文本",
        f"must be one line of at most {MAX_NICKNAME_CHARACTERS} characters",
    ),
    "medals": LocalizedText(
        f"中的每一项须为一行不超过 {MAX_NICKNAME_CHARACTERS} 个字符的文本",
        f"must each be one line of at most {MAX_NICKNAME_CHARACTERS} characters",
    ),
    "password": LocalizedText("过长，或含有不可用的字符", "is too long, or not text"),
    "coins": LocalizedText(
        "须为不小于 0、最多两位小数的数", "must be a number of at least 0 with at most two decimals"
    ),
    "banReason": LocalizedText(
        f"须为一行不超过 {MAX_BAN_REASON_CHARACTERS} 个字符的文本",
        f"must be one line of at most {MAX_BAN_REASON_CHARACTERS} characters",
    ),
    "invitedBy": LocalizedText(
        "须为已有账号的邀请码", "must be the invitation code of an existing account"
    ),
}
_OTHER_FIELD = LocalizedText(
    "过长，或含有不可用的字符", "is too long, or contains characters that are not allowed"
)


def explain_field(field: str) -> LocalizedText:
    """Return what a field of an account may hold."""
    return _FIELD_RULES.get(field, _OTHER_FIELD)


def describe_error(error: Exception) -> tuple[int, str, str]:
    """Return the HTTP status and the sentence, in Chinese and English, of an expected error."""
    match error:
        case BadRequest():
            return error.status, error.zh, error.en
        case InvalidField():
            rule = explain_field(error.field)
            return 400, f"{error.field} {rule.zh}", f"{error.field} {rule.en}"
        case PhoneTaken() | EmailTaken():
            field = _CONFLICT_FIELDS[type(error)]
            return 409, f"{field} 已被使用", f"{field} is taken already"
        case Overtaken():
            return 409, "另一个导入已开始", "another import of groups has begun"
        case _:
            return 503, "服务器繁忙或无法保存", "the server is busy or cannot store"


def handle_errors(handler: Handler) -> Handler:
    """Respond to errors of a route with 400, 409 or 503 and a sentence."""

    async def handle(request: Request) -> Response:
        try:
            if request.method in ("POST", "PUT", "DELETE"):
                check_known("parameter", request.query_params, ())
            return await handler(request)
        except EXPECTED_ERRORS as error:
            return error_response(request, *describe_error(error))

    return handle


def _message_filter(request: Request, *more: str) -> MessageFilter:
    query = request.query_params
    check_known("parameter", query, ("channel", "to", "since", *more))
    channel = query.get("channel", "")
    check_known("value", [channel], ("", *get_args(CapturedChannel)))
    since = int(query_number(request, "since", 0, MAX_TIME))
    return MessageFilter(channel, query.get("to", ""), since)
