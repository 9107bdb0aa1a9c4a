"""Faults on demand: errors, HTTP statuses, delays, resets, cut, garbled and slow responses (K-5).

The first rule that fires decides. A rule counts the requests that match its path and account, so
`nth` means the nth of them since the rules were set. What a rule does comes in this order: the
delay, then the reset or the error in place of the handling, then what is done to the response. A
request that is delayed, cut off afterwards or whose response is damaged is handled all the same:
its change is kept.

Faults concern what chat clients call: `/v1`, `/web/v1` and pictures. Health, `/oauth/` and
`/sandbox/` never fail on demand. On `/ws` each message of a client counts as a request
(`sandbox.sockets`).
"""

import asyncio
import http
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol, TypeAlias, cast

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from hupan.background import ensure_task
from hupan.errors import APP_ERRORS, ResultClass
from hupan.localized import LocalizedText
from hupan.rng import RandomSource
from hupan.sandbox.routes import BadRequest, check_known, json_response, read_body

Scope: TypeAlias = MutableMapping[str, Any]
ASGIMessage: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[ASGIMessage]]
Send: TypeAlias = Callable[[ASGIMessage], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_RULES = 100
MAX_DELAY_MS = 600_000
MAX_TRICKLE_SECONDS = 600.0
"""The rest of a response that takes longer is sent at once."""
SOCKET_PATH = "/ws"
_MAX_PATH_CHARACTERS = 2048
_NEVER_FAULTY = ("/sandbox", "/oauth", "/healthz", "/readyz", "/metrics")
_SLICE_SECONDS = 0.1
_ACCOUNT_ID = re.compile("[1-9][0-9]{0,18}")
_CHANCES = 2**53
_GARBLED_START = 0x87
"""Begins no JSON, no UTF-8 and no protobuf field (wire type 7), whatever is added in bits 3, 4."""


class FaultRule(Struct, rename="camel", omit_defaults=True, frozen=True):
    """One rule of PUT `/sandbox/faults`.

    Attributes:
        path: of the request; one that ends in `*` matches what begins so. Any path if absent.
        account: id of the account whose token the request bears; any request if absent.
        nth: only the nth request that matches path and account.
        probability: of each request that matches.
        code: the response is this error in the endpoint's form, and nothing is handled.
        http_status: likewise an HTTP status, with the error of `code` or a line of plain text.
        delay_ms: milliseconds before the request is handled.
        reset: the connection is reset `before` the request is handled, or `after` its change is
            kept.
        truncate: bytes of the body that are sent before the connection ends; Content-Length is that
            of the whole.
        garble: the body's bytes are changed, its length is not.
        trickle: bytes of the body that are sent in a second.
        hits: how often the rule has fired; ignored in a request.
    """

    path: str | None = None
    account: str | int | None = None
    nth: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    probability: Annotated[float, Meta(ge=0, le=1)] | None = None
    code: Annotated[int, Meta(ge=-(2**31), lt=2**31)] | None = None
    http_status: Annotated[int, Meta(ge=200, le=599)] | None = None
    delay_ms: Annotated[int, Meta(ge=0, le=MAX_DELAY_MS)] | None = None
    reset: Literal["before", "after"] | None = None
    truncate: Annotated[int, Meta(ge=0, le=2**31)] | None = None
    garble: bool | None = None
    trickle: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    hits: int | None = None


_RULE_KEYS = tuple(known.encode_name for known in msgspec.structs.fields(FaultRule))
_EFFECTS = ("code", "httpStatus", "delayMs", "reset", "truncate", "garble", "trickle")
_OF_RESPONSES = ("code", "httpStatus", "truncate", "garble", "trickle")


def parse_rules(body: bytes) -> list[FaultRule]:
    """Return the rules of a JSON array.

    Raises:
        BadRequest: it is none, or a rule is not valid; the text names the rule.
    """
    try:
        listed = msgspec.json.decode(body, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(
            f"请求体须为规则的 JSON 数组：{error}",
            f"the body must be a JSON array of rules: {error}",
        ) from error
    if len(listed) > MAX_RULES:
        raise BadRequest(f"规则最多 {MAX_RULES} 条", f"there can be at most {MAX_RULES} rules")
    return [_parse_rule(number, values) for number, values in enumerate(listed, 1)]


def _parse_rule(number: int, values: dict[str, Any]) -> FaultRule:
    given = {key: value for key, value in values.items() if value is not None}
    try:
        check_known("key", given, _RULE_KEYS)
        rule = msgspec.convert(given, type=FaultRule)
        _check_rule(rule)
    except BadRequest as error:
        raise BadRequest(f"第 {number} 条规则：{error.zh}", f"rule {number}: {error.en}") from error
    except msgspec.MsgspecError as error:
        raise BadRequest(f"第 {number} 条规则：{error}", f"rule {number}: {error}") from error
    account = None if rule.account is None else str(rule.account)
    return msgspec.structs.replace(rule, account=account, hits=None, garble=rule.garble or None)


def _check_rule(rule: FaultRule) -> None:
    effects = [key for key in _EFFECTS if not any(_value(rule, key) is no for no in (None, False))]
    if not effects:
        listed = ", ".join(_EFFECTS)
        raise BadRequest(f"没有规定故障，请给出其一：{listed}", f"no fault; give one of {listed}")
    on_response = [key for key in effects if key in _OF_RESPONSES]
    if rule.reset is not None and on_response:
        raise BadRequest(
            f"reset 之后没有响应，不能与 {on_response[0]} 同用",
            f"after reset there is no response, so it excludes {on_response[0]}",
        )
    if rule.account is not None and not _ACCOUNT_ID.fullmatch(str(rule.account)):
        raise BadRequest("account 须为账号 ID（数字）", "account must be the id of an account")
    if rule.path is not None:
        _check_path(rule.path)
        absent = [key for key in effects if key in ("code", "httpStatus", "trickle")]
        if rule.path == SOCKET_PATH and absent:
            raise BadRequest(
                f"{absent[0]} 不适用于 {SOCKET_PATH}：可用 delayMs、reset、truncate、garble",
                f"{absent[0]} does not apply to {SOCKET_PATH}: use delayMs, reset, truncate or "
                "garble",
            )


def _check_path(path: str) -> None:
    if not path.startswith("/") or len(path) > _MAX_PATH_CHARACTERS or not path.isprintable():
        raise BadRequest(
            "path 须以 / 开头，如 /v1/user/*",
            "path must begin with /, such as /v1/user/*",
        )
    if "?" in path or "*" in path[:-1]:
        raise BadRequest(
            "path 不含查询参数，* 只能在末尾", "path has no query, and * stands at its end alone"
        )
    if path.startswith(_NEVER_FAULTY):
        raise BadRequest(
            f"故障不作用于 {path}：它只作用于客户端的接口",
            f"faults do not concern {path}, but only what clients call",
        )


def _value(rule: FaultRule, key: str) -> object:
    return msgspec.structs.asdict(rule)[_ATTRIBUTES[key]]


_ATTRIBUTES = {known.encode_name: known.name for known in msgspec.structs.fields(FaultRule)}


@dataclass(slots=True)
class ActiveRule:
    """A rule, its counts, and its own sequences of chances and of noise."""

    rule: FaultRule
    chances: RandomSource
    noise: RandomSource
    seen: int = 0
    hits: int = 0

    def matches(self, path: str, account: str | None) -> bool:
        """Return whether a request is one that the rule counts."""
        rule = self.rule
        if rule.account is not None and rule.account != account:
            return False
        if rule.path is None:
            return True
        return path.startswith(rule.path[:-1]) if rule.path[-1] == "*" else path == rule.path

    def fires(self) -> bool:
        """Count a request that matches; return whether the rule fires for it."""
        self.seen += 1
        rule = self.rule
        if rule.nth is not None and rule.nth != self.seen:
            return False
        if rule.probability is None:
            return True
        return self.chances.randbelow(_CHANCES) < rule.probability * _CHANCES


@dataclass(slots=True)
class Faults:
    """The rules in force.

    Attributes:
        make_random_source: returns a source that repeats from the seed of the sandbox.
        generation: grows with each change; what waits under former rules goes on.
    """

    make_random_source: Callable[[str], RandomSource]
    generation: int = 0
    _active: list[ActiveRule] = field(default_factory=list)

    def __len__(self) -> int:
        """Return how many rules are in force."""
        return len(self._active)

    @property
    def hit_count(self) -> int:
        """How often all rules together have fired."""
        return sum(active.hits for active in self._active)

    def list_rules(self) -> list[FaultRule]:
        """Return the rules with their hits."""
        return [msgspec.structs.replace(active.rule, hits=active.hits) for active in self._active]

    def replace(self, rules: Sequence[FaultRule]) -> None:
        """Set other rules; counts and chances start anew, and nothing goes on waiting."""
        self.generation += 1
        self._active = [
            ActiveRule(
                rule,
                self.make_random_source(f"faults/{number}/chances"),
                self.make_random_source(f"faults/{number}/noise"),
            )
            for number, rule in enumerate(rules, 1)
        ]

    async def get(self, request: Request) -> Response:
        """Return the rules: → [rule with hits]."""
        check_known("parameter", request.query_params, ())
        return json_response(self.list_rules())

    async def put(self, request: Request) -> Response:
        """Replace the rules: → [rule with hits]."""
        self.replace(parse_rules(await read_body(request)))
        return json_response(self.list_rules())

    def choose(self, path: str, find_account: Callable[[], str | None]) -> "Fault | None":
        """Count a request with every rule that matches; return what the first that fires does."""
        account: str | None = None
        if any(active.rule.account is not None for active in self._active):
            account = find_account()
        chosen: ActiveRule | None = None
        for active in self._active:
            if active.matches(path, account) and active.fires() and chosen is None:
                chosen = active
        if chosen is None:
            return None
        chosen.hits += 1
        return Fault(chosen.rule, self._active.index(chosen) + 1, self, self.generation, chosen)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request.

    Attributes:
        rule: the rule that fired.
        number: its place among the rules, from 1.
    """

    rule: FaultRule
    number: int
    _faults: Faults
    _generation: int
    _active: ActiveRule

    @property
    def is_over(self) -> bool:
        """Whether the rules were replaced meanwhile."""
        return self._faults.generation != self._generation

    def garble(self, data: bytes, *, is_start: bool) -> bytes:
        """Return other bytes of the same length, which no decoder takes for JSON or protobuf."""
        if not data:
            return data
        noise = self._active.noise.token_bytes(len(data))
        garbled = bytearray(value ^ (mask | 0x80) for value, mask in zip(data, noise, strict=True))
        if is_start:
            garbled[0] = _GARBLED_START | (noise[0] & 0x18)
        return bytes(garbled)


class Connection(Protocol):
    """What the listener lets a fault do to the connection of a request.

    Attributes:
        is_endless: whether a server that stops cuts it off.
    """

    is_endless: bool

    @property
    def is_peer_gone(self) -> bool:
        """Whether the client has left."""
        ...

    def cut_off(self, *, reset: bool) -> None:
        """End the connection; what is sent afterwards is dropped."""
        ...

    def restart_wait(self) -> None:
        """Restart the deadline of the peer."""
        ...


class Refuse(Protocol):
    """Responds with a code in the form of the endpoint."""

    def __call__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        code: int,
        text: LocalizedText,
        result: ResultClass,
        http_status: int,
    ) -> Awaitable[None]:
        """Respond, and handle nothing."""
        ...


_SUCCESS_CODE = 1


def _describe_code(code: int) -> tuple[LocalizedText, ResultClass]:
    """Return the text and class of the real error of a code; its own where there is none."""
    if code == _SUCCESS_CODE:
        return LocalizedText("success", "success"), "ok"
    known = next((error for error in APP_ERRORS if error.code == code), None)
    if known is None:
        return LocalizedText("沙盒的故障", "A fault of the sandbox"), "refused"
    if "{" in known.zh:  # it names what was wrong, and here nothing is
        return LocalizedText("沙盒的故障", "A fault of the sandbox"), known.result
    return LocalizedText(known.zh, known.en), known.result


class SocketHandler(Protocol):
    """What takes the messages of a socket."""

    def receive_text(self, text: bytes) -> None:
        """Take a text message."""
        ...

    def receive_binary(self) -> None:
        """Take note of a binary message."""
        ...

    def connection_closed(self) -> None:
        """Take note that the socket is gone."""
        ...


class SandboxApp(Protocol):
    """The application of a sandbox: requests and sockets."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        ...

    def is_socket_path(self, path: str) -> bool:
        """Return whether a path is that of sockets."""
        ...

    def open_socket(self, request: Any, socket: Any) -> SocketHandler | None:  # noqa: ANN401 - types of the listener, which this layer does not import
        """Return the handler of a new socket; None if there is no room."""
        ...


class FaultInjector:
    """The application around that of a sandbox.

    Attributes:
        faults: the rules.
    """

    def __init__(self, app: SandboxApp, faults: Faults) -> None:
        self.faults = faults
        self._app = app
        self._find_account: Callable[[Scope], str | None] | None = None
        self._refuse: Refuse | None = None

    def attach(self, find_account: Callable[[Scope], str | None], refuse: Refuse) -> None:
        """Set what an open server provides.

        Args:
            find_account: returns the id of the account whose token a request bears.
            refuse: responds with an error.
        """
        self._find_account, self._refuse = find_account, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, with its fault if it has one."""
        fault = self._choose(scope) if self.faults and scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["fault"] = fault.number  # for the journal
        await self._inject(fault, scope, receive, send)

    def is_socket_path(self, path: str) -> bool:
        """Return whether a path is that of sockets."""
        return self._app.is_socket_path(path)

    def open_socket(self, request: Any, socket: Any) -> SocketHandler | None:  # noqa: ANN401 - as above
        """Return the handler of a new socket; None if there is no room."""
        return self._app.open_socket(request, socket)

    def _choose(self, scope: Scope) -> Fault | None:
        path, find_account = scope["path"], self._find_account
        if find_account is None or path.startswith(_NEVER_FAULTY):
            return None
        return self.faults.choose(path, lambda: find_account(scope))

    async def _inject(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        rule = fault.rule
        connection = cast("Connection", getattr(send, "connection", send))
        if rule.delay_ms:
            await _wait(rule.delay_ms / 1000, fault, connection)
        if rule.reset == "before":
            connection.cut_off(reset=True)
            return
        if rule.reset == "after":
            await self._app(scope, receive, _ResetInstead(connection))
            return
        damaged = _DamagedSend(fault, send, connection)
        if rule.code is not None and self._refuse is not None:
            status = 200 if rule.http_status is None else rule.http_status
            text, result = _describe_code(rule.code)
            await self._refuse(
                scope,
                receive,
                damaged,
                code=rule.code,
                text=text,
                result=result,
                http_status=status,
            )
        elif rule.http_status is not None:
            await _send_status(rule.http_status, damaged)
        else:
            await self._app(scope, receive, damaged)


async def _wait(seconds: float, fault: Fault, connection: Connection) -> None:
    """Wait, but not for a client that has gone or after the rules were replaced."""
    await ensure_task()
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    connection.is_endless = True
    while (left := end - loop.time()) > 0 and not (fault.is_over or connection.is_peer_gone):
        connection.restart_wait()
        await asyncio.sleep(min(left, _SLICE_SECONDS))
    connection.is_endless = False


_WITHOUT_BODY = (204, 205, 304)


async def _send_status(http_status: int, send: Send) -> None:
    try:
        phrase = http.HTTPStatus(http_status).phrase
    except ValueError:
        phrase = "Fault"
    body = b"" if http_status in _WITHOUT_BODY else f"{http_status} {phrase}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    if http_status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": http_status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _ResetInstead:
    """Resets the connection when the response begins: what the request changes is kept by then."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.restart_wait = connection.restart_wait

    async def __call__(self, _message: ASGIMessage) -> None:
        """Send nothing."""
        self.connection.cut_off(reset=True)


class _DamagedSend:
    """Sends a response with what the rule does to its body."""

    def __init__(self, fault: Fault, send: Send, connection: Connection) -> None:
        self.connection = connection
        self.restart_wait = connection.restart_wait
        self._fault = fault
        self._send = send
        self._is_start = True
        self._left = fault.rule.truncate
        self._trickle_until: float | None = None

    async def __call__(self, message: ASGIMessage) -> None:
        """Send a part of the response."""
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body, is_last = message.get("body", b""), not message.get("more_body", False)
        is_cut = False
        if self._left is not None:
            is_cut = len(body) > self._left
            body = body[: self._left]
            self._left -= len(body)
        if self._fault.rule.garble:
            body = self._fault.garble(body, is_start=self._is_start)
            self._is_start = self._is_start and not body
        if self._fault.rule.trickle:
            body = await self._trickle(body, self._fault.rule.trickle)
        await self._send(
            {"type": "http.response.body", "body": body, "more_body": is_cut or not is_last}
        )
        if is_cut:
            self.connection.cut_off(reset=False)

    async def _trickle(self, body: bytes, bytes_per_second: int) -> bytes:
        """Send all but the last piece of a body at the rate; return that piece."""
        await ensure_task()
        loop = asyncio.get_running_loop()
        if self._trickle_until is None:
            self._trickle_until = loop.time() + MAX_TRICKLE_SECONDS
        size = max(1, int(bytes_per_second * _SLICE_SECONDS))
        self.connection.is_endless = True
        while len(body) > size and not self._fault.is_over and not self.connection.is_peer_gone:
            if loop.time() >= self._trickle_until:
                break
            piece, body = body[:size], body[size:]
            self.restart_wait()
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(size / bytes_per_second)
        self.connection.is_endless = False
        return body
