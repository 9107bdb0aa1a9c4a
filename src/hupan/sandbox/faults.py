"""Faults on demand: errors, HTTP statuses, delays, resets, cut, garbled and slow responses (K-5).

The first rule that fires decides. A rule counts the requests that match its path and account, so
`nth` means the nth of them since the rules were set.

Faults apply to what chat clients call: `/v1`, `/web/v1` and pictures. Health, `/oauth/` and
`/sandbox/` never fail on demand. On `/ws` each message of a client counts as a request
(`sandbox.sockets`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from hupan.library_errors import localize_reason
from hupan.rng import RandomSource
from hupan.sandbox.routes import BadRequest, check_known, json_response, read_body

MAX_RULES = 100
MAX_DELAY_MS = 600_000
SOCKET_PATH = "/ws"
_MAX_PATH_CHARACTERS = 2048
NEVER_FAULTY = ("/sandbox", "/oauth", "/healthz", "/readyz", "/metrics")
_ACCOUNT_ID = re.compile("[1-9][0-9]{0,18}")
_CHANCES = 2**53
WITHOUT_BODY = (204, 205, 304)
"""Statuses of responses that have no body."""
_GARBLED_START = 0x87
"""Begins neither JSON nor UTF-8 nor a protobuf field (wire type 7), whatever bits 3 and 4 are."""


class FaultRule(Struct, rename="camel", omit_defaults=True, frozen=True):
    """One rule of PUT `/sandbox/faults`.

    Attributes:
        path: the request path; a final `*` matches any suffix. Any path if absent.
        account: id of the account whose token the request has; any request if absent.
        nth: only the nth request that matches path and account.
        probability: the chance that it fires for a matching request.
        code: the response is this error in the endpoint's form, and nothing is handled.
        http_status: the HTTP status, with the error of `code` or a line of plain text.
        delay_ms: milliseconds before the request is handled.
        reset: the connection is reset `before` the request is handled, or `after` its change is
            kept.
        truncate: how many bytes of the body are sent before the connection ends; Content-Length is
            that of the whole.
        garble: the body's bytes are changed, its length is not.
        trickle: how many bytes of the body are sent per second.
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
RESETS: Final = ("before", "after")
_EFFECTS = ("code", "httpStatus", "delayMs", "reset", "truncate", "garble", "trickle")
_OF_RESPONSES = ("code", "httpStatus", "truncate", "garble", "trickle")


def parse_rules(body: bytes) -> list[FaultRule]:
    """Return the rules of a JSON array.

    Raises:
        BadRequest: it is not an array, or a rule is not valid; the text names the rule.
    """
    try:
        listed = msgspec.json.decode(body, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        reason = localize_reason(error)
        raise BadRequest(
            f"请求体须为规则的 JSON 数组：{reason.zh}",
            f"the body must be a JSON array of rules: {reason.en}",
        ) from error
    if len(listed) > MAX_RULES:
        raise BadRequest(f"规则最多 {MAX_RULES} 条", f"there can be at most {MAX_RULES} rules")
    return [_parse_rule(number, values) for number, values in enumerate(listed, 1)]


def _parse_rule(number: int, values: dict[str, Any]) -> FaultRule:
    given = {key: value for key, value in values.items() if value is not None}
    try:
        check_known("key", given, _RULE_KEYS)
        if isinstance(given.get("reset"), str):
            check_known("value", [given["reset"]], RESETS)
        rule = msgspec.convert(given, type=FaultRule)
        _check_rule(rule)
    except BadRequest as error:
        raise BadRequest(f"第 {number} 条规则：{error.zh}", f"rule {number}: {error.en}") from error
    except msgspec.MsgspecError as error:
        reason = localize_reason(error)
        raise BadRequest(
            f"第 {number} 条规则：{reason.zh}", f"rule {number}: {reason.en}"
        ) from error
    account = None if rule.account is None else str(rule.account)
    return msgspec.structs.replace(rule, account=account, hits=None, garble=rule.garble or None)


def _check_rule(rule: FaultRule) -> None:
    effects = [key for key in _EFFECTS if not any(_value(rule, key) is no for no in (None, False))]
    if not effects:
        listed = ", ".join(_EFFECTS)
        raise BadRequest(
            f"没有指定故障，请指定其一：{listed}", f"it has no fault; specify one of {listed}"
        )
    on_response = [key for key in effects if key in _OF_RESPONSES]
    if rule.reset is not None and on_response:
        raise BadRequest(
            f"reset 之后没有响应，不能与 {on_response[0]} 同用",
            f"after reset there is no response, so it excludes {on_response[0]}",
        )
    if rule.code is not None and rule.http_status in WITHOUT_BODY:
        raise BadRequest(
            f"状态 {rule.http_status} 没有响应体，不能与 code 同用",
            f"a response of status {rule.http_status} has no body, so it excludes code",
        )
    if rule.account is not None and not _ACCOUNT_ID.fullmatch(str(rule.account)):
        raise BadRequest("account 须为账号编号（数字）", "account must be the id of an account")
    if rule.path is not None:
        _check_path(rule.path)
        absent = [key for key in effects if key in ("code", "httpStatus", "trickle")]
        if _is_for_sockets(rule.path) and absent:
            raise BadRequest(
                f"{absent[0]} 不适用于 {SOCKET_PATH}：可用 delayMs、reset、truncate、garble",
                f"{absent[0]} does not apply to {SOCKET_PATH}: use delayMs, reset, truncate or "
                "garble",
            )


def _is_for_sockets(path: str | None) -> bool:
    return path in (SOCKET_PATH, f"{SOCKET_PATH}*")


def _check_path(path: str) -> None:
    if not path.startswith("/") or len(path) > _MAX_PATH_CHARACTERS or not path.isprintable():
        raise BadRequest(
            "path 须以 / 开头，如 /v1/user/*",
            "path must begin with /, such as /v1/user/*",
        )
    if "?" in path or "*" in path[:-1]:
        raise BadRequest(
            "path 不含查询参数，* 只能在末尾",
            "path must not have a query, and * is only allowed at its end",
        )
    if path.startswith(NEVER_FAULTY):
        raise BadRequest(
            f"故障不作用于 {path}：它只作用于客户端的接口",
            f"faults do not apply to {path}, only to the paths of clients",
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
        if path == SOCKET_PATH:  # whose heartbeats would count for every rule that is not for it
            return _is_for_sockets(rule.path)
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
    """The current rules.

    Attributes:
        make_random_source: returns a source that repeats from the seed of the sandbox.
        generation: grows with each change; requests delayed by former rules continue.
    """

    make_random_source: Callable[[str], RandomSource]
    generation: int = 0
    _active: list[ActiveRule] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of current rules."""
        return len(self._active)

    @property
    def hit_count(self) -> int:
        """How often all rules together have fired."""
        return sum(active.hits for active in self._active)

    def list_rules(self) -> list[FaultRule]:
        """Return the rules with their hits."""
        return [msgspec.structs.replace(active.rule, hits=active.hits) for active in self._active]

    def replace(self, rules: Sequence[FaultRule]) -> None:
        """Replace the rules; counters and chances restart, and delays end."""
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

    def choose_for_socket(self, find_account: Callable[[], str | None]) -> "Fault | None":
        """Count a message of a socket like `choose`, but only with rules for `/ws`."""
        if not any(_is_for_sockets(active.rule.path) for active in self._active):
            return None
        return self.choose(SOCKET_PATH, find_account)

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
