"""Explains an entry of the journal by the contract: fields, refusal, rule (K-3)."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.message import Message
from msgspec import Struct, defstruct, json

from hupan.contract import ENDPOINTS
from hupan.contract.endpoints import SUCCESS_CODE, Endpoint, IgnoredBody, NoData
from hupan.contract.pb.hupan_pb2 import DraftInput, SocketMessage
from hupan.contract.presence import SocketCommand, SocketDraft, SocketLogin
from hupan.errors import APP_ERRORS, AppError, InvalidField, MissingToken, NotSignedIn
from hupan.localized import LocalizedText
from hupan.sandbox.curl import replay_command
from hupan.sandbox.fields import (
    MAX_FIELDS,
    MAX_PATH_CHARACTERS,
    MAX_SHOWN_CHARACTERS,
    Decoded,
    Field,
    Json,
    decode_json,
    decode_protobuf,
    decode_query,
    walk,
)
from hupan.sandbox.journal import Entry, Journal, Payload

AnyEndpoint = Endpoint[Any, Any, Any]
PROTOCOL_PAGE: Final = "docs/protocol.md"
RULE_ANCHORS: Mapping[int, str] = {
    0: "below-zero-the-public-services-own",
    10: "10xx-the-server",
    11: "11xx-the-request",
    12: "12xx-captchas-codes-and-limits",
    13: "13xx-login",
    14: "14xx-the-account",
    15: "15xx-coins",
    16: "16xx-pictures",
    44: "44xx-other-accounts",
    71: "71xx-bans",
}
"""The part of the page that lists a code, by its hundred."""
SOCKET_ANCHOR: Final = "the-socket"
_WEB_PREFIX = "/web"
_PROTOBUF_TYPES = (
    "application/x-protobuf",
    "application/protobuf",
    "application/octet-stream",
)
_SOCKET_DATA: Mapping[object, type[Struct]] = {"login": SocketLogin, "inputInfo": SocketDraft}
_ANY_TYPES: Mapping[str, type[Message]] = {DraftInput.DESCRIPTOR.full_name: DraftInput}
_NO_TEXT = LocalizedText("", "")


class FieldView(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One field of a body, in the order of the body.

    Attributes:
        path: where it is, such as `data.list[0].name`; the beginning of a long one.
        mark: what is wrong with it: `unknown`, `wrongType`, `outOfRange`, `missing`, `repeated`,
            `refused` by the rules, or `broken`.
        number: the protobuf field number.
        note: the same as a sentence.
    """

    path: str
    name: str
    depth: int
    value: Json = None
    mark: str = "ok"
    number: int = 0
    note: str = ""


class PayloadView(Struct, frozen=True, rename="camel"):
    """Headers and body of one direction.

    Attributes:
        form: `json`, `protobuf`, `query`, `text`, `binary`, or `none` for no body.
        text: the body, if it is text.
        base64: the body, if it is not text.
        decoded: the body as JSON, None if it could not be read.
        fields: all its fields.
        problem: why it, or the rest of it, could not be read.
        is_truncated: whether only the first bytes were kept.
    """

    headers: list[tuple[str, str]]
    size: int
    is_truncated: bool
    form: str
    text: str | None
    base64: str | None
    decoded: Json
    fields: list[FieldView]
    problem: str


class RefusalView(Struct, frozen=True, rename="camel"):
    """The error that ended a request.

    Attributes:
        name: as in events and in the log.
        when: when it occurs, in the language of the reader.
        link: the part of the documentation that lists it.
    """

    name: str
    code: int
    message: str
    when: str
    link: str


class EntryView(Struct, frozen=True, rename="camel"):
    """What the journal shows of an entry; see `Entry`.

    Attributes:
        endpoint: method and path of the endpoint, "" if Hupan serves none.
        note: what is worth knowing about the request as a whole.
        curl: a command that sends the same bytes again, "" if there is none.
    """

    id: int
    kind: str
    created_at: int
    duration_ms: float
    method: str
    path: str
    target: str
    surface: str
    endpoint: str
    peer: str
    account: str
    status: int
    code: int | None
    result: str
    refusal: RefusalView | None
    note: str
    rule: int
    fault: int
    is_incomplete: bool
    socket: int
    direction: str
    request: PayloadView
    response: PayloadView
    curl: str


class Explainer:
    """Explains entries.

    Args:
        journal: knows the account of each token.
        web_host_prefix: how host names of the web surface begin.
    """

    def __init__(self, journal: Journal, web_host_prefix: str) -> None:
        self._journal = journal
        self._web_host_prefix = web_host_prefix.encode()
        self.endpoints: dict[tuple[str, str, str], AnyEndpoint] = {
            endpoint.key: endpoint for endpoint in ENDPOINTS
        }

    def route_key(self, method: str, path: str, host: bytes) -> tuple[str, str, str]:
        """Return surface, method and path (wire.md 1.1)."""
        if path.startswith(f"{_WEB_PREFIX}/"):
            return "web", method, path.removeprefix(_WEB_PREFIX)
        is_web = host.lower().startswith(self._web_host_prefix)
        return ("web" if is_web else "app"), method, path

    def serves(self, method: str | None, path: str) -> bool:
        """Return whether an endpoint has a path, with any method for None."""
        methods = ("GET", "POST") if method is None else (method,)
        return any(self.route_key(one, path, b"") in self.endpoints for one in methods)

    def find_endpoint(self, entry: Entry) -> AnyEndpoint | None:
        """Return the endpoint of a request, None if Hupan serves none."""
        key = self.route_key(entry.method, entry.path, entry.request.header(b"host"))
        return self.endpoints.get(key)

    def explain(self, entry: Entry, *, english: bool) -> EntryView:
        """Return what is shown of an entry."""
        endpoint = None if entry.kind == "rejected" else self.find_endpoint(entry)
        request_form, request = _decode_request(entry, endpoint)
        response_form, response = _decode_response(entry, endpoint)
        code = _code_of(response_form, response)
        refusal = _find_refusal(entry, code, response_form, response)
        if refusal is not None:
            _mark_refused(request, refusal)
        surface, _, path = self.route_key(entry.method, entry.path, entry.request.header(b"host"))
        return EntryView(
            id=entry.id,
            kind=entry.kind,
            created_at=int(entry.created_at),
            duration_ms=round(entry.seconds * 1000, 3),
            method=entry.method,
            path=entry.path,
            target=entry.target.decode("latin-1"),
            surface=surface,
            endpoint="" if endpoint is None else f"{endpoint.method} {endpoint.path}",
            peer=entry.peer,
            account=self._journal.account_of(entry),
            status=entry.status,
            code=code,
            result=entry.result,
            refusal=None if refusal is None else _view_refusal(refusal, english=english),
            note=self._note(entry, endpoint, (surface, path)).text(english),
            rule=entry.rule,
            fault=entry.fault,
            is_incomplete=entry.is_incomplete,
            socket=entry.socket,
            direction=entry.direction,
            request=_view_payload(entry.request, request_form, request, english=english),
            response=_view_payload(entry.response, response_form, response, english=english),
            curl=replay_command(entry),
        )

    def _note(
        self, entry: Entry, endpoint: AnyEndpoint | None, place: tuple[str, str]
    ) -> LocalizedText:
        if entry.kind == "rejected":
            return LocalizedText(
                "请求不符合 HTTP 的规定或超过大小限制，没有到达接口",
                "the request breaks a rule or a limit of HTTP and did not reach an endpoint",
            )
        if entry.kind != "request":
            return _NO_TEXT
        if endpoint is not None:
            return _note_about_endpoint(entry, endpoint)
        surface, path = place
        for method in ("GET", "POST"):
            if (surface, method, path) in self.endpoints:
                return LocalizedText(f"这个路径要用 {method}", f"this path requires {method}")
        other = "app" if surface == "web" else "web"
        if (other, entry.method, path) in self.endpoints:
            return LocalizedText(
                f"这个路径在 {other} 一侧，由 Host 或前缀 /web 决定",
                f"this path belongs to the {other} surface, selected by Host or the prefix /web",
            )
        return _NO_TEXT


def _note_about_endpoint(entry: Entry, endpoint: AnyEndpoint) -> LocalizedText:
    if entry.is_incomplete and not entry.status:
        return LocalizedText(
            "连接在请求完整之前中断", "the connection ended before the request was complete"
        )
    if endpoint.method == "POST" and issubclass(endpoint.request, IgnoredBody):
        return LocalizedText("这个接口不读请求体", "this endpoint reads no body")
    return _NO_TEXT


def _decode_request(entry: Entry, endpoint: AnyEndpoint | None) -> tuple[str, Decoded]:
    payload = entry.request
    if entry.kind == "message":
        return _decode_socket_command(entry)
    if endpoint is None or payload.is_truncated:
        return _decode_freely(payload)
    message: type[Struct | Message] = endpoint.request
    is_ignored = issubclass(message, IgnoredBody)
    if endpoint.method == "GET":
        known = None if is_ignored or issubclass(message, Message) else message
        return "query", decode_query(entry.target.partition(b"?")[2], known)
    return _decode_freely(payload) if is_ignored else _decode_body(payload, endpoint)


def _decode_body(payload: Payload, endpoint: AnyEndpoint) -> tuple[str, Decoded]:
    message: type[Struct | Message] = endpoint.request
    if not issubclass(message, Message):
        return "json", decode_json(payload.body, message)
    if _is_json_form(payload, endpoint):
        return "json", _decode_json_form(payload.body, message)
    return "protobuf", decode_protobuf(payload.body, message)


def _is_json_form(payload: Payload, endpoint: AnyEndpoint) -> bool:
    """Return whether the body is the JSON form of a protobuf message (wire.md 1.3)."""
    is_object = payload.body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
    return is_object and (
        endpoint.json_data is not None or _content_type(payload) == "application/json"
    )


def _decode_json_form(body: bytes, request: type[Message]) -> Decoded:
    """Mark the fields of the JSON form: each is text, and none is required."""
    decoded = decode_json(body, None)
    known = {one.name: one.number for one in request.DESCRIPTOR.fields}
    for one in decoded.fields:
        if one.name not in known:
            one.mark, one.note = (
                "unknown",
                LocalizedText(
                    "接口没有这个字段，已忽略", "the endpoint has no such field; it is ignored"
                ),
            )
        elif not isinstance(one.value, str) and (one.fields is not None or one.value is not None):
            one.mark, one.note = "wrongType", LocalizedText("须为文本", "must be text")
        one.number = known.get(one.name, 0)
    return decoded


def _decode_freely(payload: Payload) -> tuple[str, Decoded]:
    """Decode a body that no endpoint describes."""
    body, content_type = payload.body, _content_type(payload)
    if not body:
        return "none", Decoded()
    if payload.is_truncated:
        return "binary", Decoded()
    if content_type == "application/json" or body.lstrip()[:1] in (b"{", b"["):
        decoded = decode_json(body, None)
        if decoded.problem is None or content_type == "application/json":
            return "json", decoded
    if content_type in _PROTOBUF_TYPES:
        return "protobuf", decode_protobuf(body, None)
    if content_type == "application/x-www-form-urlencoded":
        return "query", decode_query(body, None)
    return ("binary" if _text_of(body) is None else "text"), Decoded()


def _content_type(payload: Payload) -> str:
    value = payload.header(b"content-type").partition(b";")[0]
    return value.strip().lower().decode("latin-1")


def _decode_response(entry: Entry, endpoint: AnyEndpoint | None) -> tuple[str, Decoded]:
    payload = entry.response
    if entry.kind == "message":
        return (
            _decode_socket_message(payload.body)
            if entry.direction == "out"
            else ("none", Decoded())
        )
    if endpoint is None or payload.is_truncated or not payload.body:
        return _decode_freely(payload)
    content_type = _content_type(payload)
    if content_type in _PROTOBUF_TYPES and issubclass(endpoint.response, Message):
        return "protobuf", decode_protobuf(payload.body, endpoint.response)
    if content_type == "application/json" and issubclass(endpoint.response, Struct):
        return "json", decode_json(payload.body, _envelope(endpoint.response))
    return _decode_freely(payload)


_ENVELOPES: dict[type[Struct], type[Struct]] = {}


def _envelope(data: type[Struct]) -> type[Struct]:
    """Return the type of a JSON response (wire.md 1.5)."""
    if data not in _ENVELOPES:
        fields: list[Any] = [("code", int), ("msg", str)]
        if not issubclass(data, NoData):
            fields.append(("data", data | None, None))
        _ENVELOPES[data] = defstruct("Envelope", fields)
    return _ENVELOPES[data]


def _decode_socket_command(entry: Entry) -> tuple[str, Decoded]:
    if entry.direction == "out":
        return "none", Decoded()
    body = entry.request.body
    if not body:
        return "binary", Decoded()
    decoded = decode_json(body, SocketCommand)
    command, data = decoded.find("cmd"), decoded.find("data")
    message = None if command is None else _SOCKET_DATA.get(command.value)
    if data is not None and data.fields is not None and message is not None:
        inner = decode_json(json.encode(data.plain()), message)
        data.fields = inner.fields
    return "json", decoded


def _decode_socket_message(body: bytes) -> tuple[str, Decoded]:
    decoded = decode_protobuf(body, SocketMessage, _ANY_TYPES)
    if decoded.problem is not None and (text := _text_of(body)) is not None:
        return "text", Decoded(value=text)
    return "protobuf", decoded


def _code_of(form: str, response: Decoded) -> int | None:
    holder = response.find("status") if form == "protobuf" else None
    fields = response.fields if holder is None else (holder.fields or [])
    code = next((one.value for one in fields if one.name == "code"), None)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


_Refusal = tuple[type[AppError], int, str, str]
"""The error, its code, the message and the field that it names."""


def _find_refusal(entry: Entry, code: int | None, form: str, response: Decoded) -> _Refusal | None:
    if code is None or code == SUCCESS_CODE:
        return None
    holder = response.find("status") if form == "protobuf" else None
    fields = response.fields if holder is None else (holder.fields or [])
    message = str(next((one.value for one in fields if one.name == "msg"), ""))
    found = [
        (error, field)
        for error in APP_ERRORS
        if error.code == code
        for field in [_named_field(error, message)]
        if field is not None
    ]
    if not found:
        return None
    error, field = found[0]
    if error is NotSignedIn and not entry.request.header(b"token") + entry.request.header(
        b"authorization"
    ):
        error = MissingToken
    return error, code, message, field


def _named_field(error: type[AppError], message: str) -> str | None:
    """Return the field that a message names, "" if none; None for another error's message."""
    for template in (error.zh, error.en):
        before, brace, rest = template.partition("{")
        if not brace:
            if message == template:
                return ""
            continue
        after = rest.partition("}")[2]
        if "{" not in after and message.startswith(before) and message.endswith(after):
            named = message[len(before) : len(message) - len(after)]
            return named if issubclass(error, InvalidField) else ""
    return None


def _mark_refused(request: Decoded, refusal: _Refusal) -> None:
    """Mark the field that a refusal names, unless its form is wrong already."""
    error, _, _, name = refusal
    if not issubclass(error, InvalidField):
        return
    field = request.find(name)
    note = LocalizedText(_fill(error.zh, name), _fill(error.en, name))
    if field is None:
        request.fields.append(Field(name, mark="missing", note=note))
    elif field.mark in ("ok", "repeated"):
        field.mark, field.note = "refused", note


def _fill(template: str, field: str) -> str:
    """Return the message of an error; what only the error itself knows is left out."""
    return _PLACEHOLDER.sub("…", template.replace("{field}", field))


_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")


def _view_refusal(refusal: _Refusal, *, english: bool) -> RefusalView:
    error, code, message, field = refusal
    group = 0 if code < 0 else code // 100
    documented = " ".join((error.__doc__ or "").partition("\n\n")[0].split())
    when = documented if english else _fill(error.zh, field)
    return RefusalView(
        error.__name__, code, message, when, f"{PROTOCOL_PAGE}#{RULE_ANCHORS.get(group, 'codes')}"
    )


def _view_payload(payload: Payload, form: str, decoded: Decoded, *, english: bool) -> PayloadView:
    text = _text_of(payload.body)
    fields = [
        FieldView(
            path,
            one.name[:MAX_PATH_CHARACTERS],
            depth,
            _shorten(one.value),
            one.mark,
            one.number,
            "" if one.note is None else one.note.text(english),
        )
        for (path, depth, one), _ in zip(walk(decoded.fields), range(MAX_FIELDS), strict=False)
    ]
    return PayloadView(
        headers=[
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in payload.headers
        ],
        size=payload.size,
        is_truncated=payload.is_truncated,
        form=form,
        text=text,
        base64=b64encode(payload.body).decode() if text is None else None,
        decoded=decoded.plain() if form in ("json", "protobuf", "query") or decoded.value else None,
        fields=fields,
        problem="" if decoded.problem is None else decoded.problem.text(english),
    )


def _shorten(value: Json) -> Json:
    if isinstance(value, str) and len(value) > MAX_SHOWN_CHARACTERS:
        return f"{value[:MAX_SHOWN_CHARACTERS]}…"
    return value


def _text_of(body: bytes) -> str | None:
    """Return a body as text, None if it is not text."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
