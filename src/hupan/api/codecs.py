"""Codecs for JSON, protobuf and query requests, with limits on size and depth (wire.md 1.3)."""

import re
from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import date, datetime
from functools import cache, lru_cache, partial
from typing import Any, Generic, NoReturn, Protocol, TypeAlias, TypeVar
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import msgspec
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError, Message
from msgspec import Struct
from msgspec.inspect import IntType, StructType, type_info

from hupan.contract.endpoints import SUCCESS_CODE, SUCCESS_MESSAGE, NoData
from hupan.contract.pb.hupan_pb2 import Edited
from hupan.errors import BodyTooLarge, InvalidField, UnreadableBody
from hupan.model import Headers

if api_implementation.Type() != "upb":
    raise ImportError("protobuf without its upb back end is neither safe nor fast (security I6)")

_WEEK_SECONDS = 7 * 24 * 3600
_DAY_MINUTES = 24 * 60
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_TEXT_LENGTH = len("2026-01-01 00:00:00")
_MINUTE_TEXTS = [f" {minute // 60:02}:{minute % 60:02}:" for minute in range(_DAY_MINUTES)]
_SECOND_TEXTS = [f"{second:02}" for second in range(60)]


def format_time(unix_seconds: int, zone: ZoneInfo) -> str:
    """Format a time in the server's zone (wire.md 1.11).

    Every profile has one, and joining cached parts takes a quarter of the time of `datetime`.
    """
    offset_seconds = _utc_offset_of_week(zone, unix_seconds // _WEEK_SECONDS)
    if offset_seconds is None:
        return str(datetime.fromtimestamp(unix_seconds, zone))[:_TEXT_LENGTH]
    minutes, second = divmod(unix_seconds + offset_seconds, 60)
    day, minute = divmod(minutes, _DAY_MINUTES)
    return _format_day(day) + _MINUTE_TEXTS[minute] + _SECOND_TEXTS[second]


@lru_cache(4096)
def _utc_offset_of_week(zone: ZoneInfo, week: int) -> int | None:
    """Return the offset of a zone in a week since 1970, None if it changes within the week.

    Asking the zone for each time would take longer than the rest of the formatting.
    """
    ends = (week * _WEEK_SECONDS, (week + 1) * _WEEK_SECONDS - 1)
    first, last = (datetime.fromtimestamp(end, zone).utcoffset() for end in ends)
    return int(first.total_seconds()) if first is not None and first == last else None


@lru_cache(4096)
def _format_day(day: int) -> str:
    return date.fromordinal(_EPOCH_ORDINAL + day).isoformat()


Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ClientDisconnected(Exception):
    """The client disconnected before its request was complete, so the request is not processed."""


async def read_body(receive: Receive, send: Send, max_bytes: int) -> bytes:
    """Read the whole body.

    Raises:
        BodyTooLarge: at the first byte beyond the limit, regardless of Content-Length.
        ClientDisconnected: the connection ended first.
    """
    read_buffered = getattr(send, "read_buffered_body", None)  # our server's, decision 0019
    buffered: bytes | None = None if read_buffered is None else read_buffered()
    if buffered is not None:
        if len(buffered) > max_bytes:
            raise BodyTooLarge
        return buffered
    body = bytearray()  # bytes would be copied for each chunk
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk: bytes = event.get("body", b"")
        body += chunk
        if len(body) > max_bytes:
            raise BodyTooLarge
        if not event.get("more_body", False):
            return bytes(body)


MAX_JSON_DEPTH = 16
MAX_JSON_CONTAINERS = 4096
"""Lists and objects in one body; no request has more than a few."""
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def is_too_deep(body: bytes) -> bool:
    """Return whether brackets are nested deeper than 16, more than 4,096 pairs, or unbalanced.

    On a thread with a small stack, deep nesting ends the process inside the decoder, where nothing
    can be caught, so this check comes first. Each step is one call for the whole body: a loop over
    the tokens of 64 KiB blocked the event loop for 12 ms.
    """
    if body.count(b"[") + body.count(b"{") <= MAX_JSON_DEPTH:
        return False
    if b"\\" in body:  # an escaped quote does not end a string
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(body.split(b'"')[::2]).translate(_TO_SQUARE, _NO_BRACKETS)
    if len(brackets) > 2 * MAX_JSON_CONTAINERS:
        return True
    for _ in range(MAX_JSON_DEPTH):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    return True


JSON_TYPE = b"application/json; charset=utf-8"
PROTOBUF_TYPE = b"application/x-protobuf"
MAX_JSON_BYTES = 64 * 1024
MAX_PROTOBUF_BYTES = 16 * 1024

_FIELD_IN_ERROR = re.compile(r"(?:field `([^`]+)`)|(?:`\$\.([^`.\[]+))")
_RAW_OBJECT_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT_DECODER = msgspec.json.Decoder(str)
_encode_json = msgspec.json.Encoder(decimal_format="number").encode

Request = TypeVar("Request")


class Codec(Protocol):
    """Decodes requests and encodes responses of one form."""

    content_type: bytes

    def decode(self, body: bytes) -> Any:  # noqa: ANN401 - the endpoint's line knows the type
        """Decode a request.

        Raises:
            InvalidField: a field is missing, of a wrong type or out of range.
            UnreadableBody: the body is not of this form.
        """
        ...

    def encode(self, response: Any, request_id: int) -> bytes:  # noqa: ANN401 - as above
        """Encode the response of a success."""
        ...

    def encode_error(self, code: int, message: str, request_id: int) -> bytes:
        """Encode the response of a failure."""
        ...


class JsonCodec(Generic[Request]):
    """JSON in the envelope `{"code", "data", "msg"}`; the request is a body or a query."""

    content_type = JSON_TYPE

    def __init__(self, request: type[Request], *, is_query: bool = False) -> None:
        plain: type = request  # mypy takes no `type[Request]` for hashable
        self.decode: Callable[[bytes], Request] = (
            partial(_decode_query, request, _integer_names(plain))
            if is_query
            else partial(decode_json, msgspec.json.Decoder(request), _optional_names(plain))
        )

    def encode(self, response: Struct, request_id: int) -> bytes:
        """Encode the envelope; no `data` key if there is no data (wire.md 1.6)."""
        del request_id  # only the header has it
        return encode_json_success(response)

    def encode_error(self, code: int, message: str, request_id: int) -> bytes:
        """Encode the envelope without data (wire.md 1.6)."""
        del request_id
        return encode_json_error(code, message)


class FixedJsonCodec(JsonCodec[Request]):
    """Fixed JSON of a protobuf endpoint whose JSON clients expect different data."""

    def __init__(self, request: type[Request], data: Struct) -> None:
        super().__init__(request)
        self._data = data

    def encode(self, response: Message, request_id: int) -> bytes:  # type: ignore[override] # not a Struct
        """Encode the fixed data in the envelope."""
        del response, request_id
        return encode_json_success(self._data)


class ProtobufCodec(Generic[Request]):
    """Protobuf messages with a `status` (wire.md 3)."""

    content_type = PROTOBUF_TYPE

    def __init__(self, request: type[Request], response: type[Message]) -> None:
        self._request = request
        self._response = response

    def decode(self, body: bytes) -> Request:
        """Parse the request; without a documented one anything is accepted (wire.md 1.4)."""
        message = self._request()
        if isinstance(message, Message):
            try:
                message.ParseFromString(body)
            except DecodeError as error:
                raise UnreadableBody from error
        return message

    def encode(self, response: Any, request_id: int) -> bytes:  # noqa: ANN401 - any response with a status
        """Set the status and serialise."""
        set_status(response, SUCCESS_CODE, SUCCESS_MESSAGE, request_id)
        return bytes(response.SerializeToString())

    def encode_error(self, code: int, message: str, request_id: int) -> bytes:
        """Encode the endpoint's own response with only the status (wire.md 1.6)."""
        response: Any = self._response()
        set_status(response, code, message, request_id)
        return bytes(response.SerializeToString())


def decode_json(
    decoder: "msgspec.json.Decoder[Request]", optional: frozenset[str], body: bytes
) -> Request:
    """Decode one JSON object; an empty body counts as `{}`, so that a missing field is named (I3).

    Args:
        decoder: the decoder of the object's type.
        optional: the names that may be missing; for these `null` is like absence.
        body: the bytes.

    Raises:
        InvalidField: a field is missing, of a wrong type or out of range.
        UnreadableBody: it is not one object in UTF-8, or nested too deep.
    """
    body = body.removeprefix(BOM_UTF8)  # some clients send one, and it means nothing
    if is_too_deep(body):
        raise UnreadableBody
    try:
        body.decode()  # the decoder skips unknown keys without checking their encoding
        return _decode_allowing_null(decoder, body if body.strip() else b"{}", optional)
    except msgspec.ValidationError as error:
        _raise_invalid(error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableBody from error


def _decode_allowing_null(
    decoder: "msgspec.json.Decoder[Request]", body: bytes, optional: frozenset[str]
) -> Request:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        if not optional or b"null" not in body:
            raise
    given = _RAW_OBJECT_DECODER.decode(body)
    present = {k: raw for k, raw in given.items() if k not in optional or bytes(raw) != b"null"}
    return decoder.decode(msgspec.json.encode(present))


@cache
def _optional_names(request: type) -> frozenset[str]:
    fields = msgspec.structs.fields(request) if issubclass(request, Struct) else ()
    return frozenset(field.encode_name for field in fields if not field.required)


def _raise_invalid(error: msgspec.ValidationError) -> NoReturn:
    """Raise the error that names the field of a decoding error, if it is about a field."""
    field = _FIELD_IN_ERROR.search(str(error))
    raise (InvalidField(field[1] or field[2]) if field else UnreadableBody) from error


def encode_json_success(response: Struct) -> bytes:
    """Encode a success as JSON; no `data` key if there is no data (wire.md 1.6)."""
    if isinstance(response, NoData):
        return _NO_DATA_JSON
    return b'{"code":1,"data":' + _encode_json(response) + b',"msg":"success"}'


def encode_json_error(code: int, message: str) -> bytes:
    """Encode a failure as JSON, without a `data` key (wire.md 1.6)."""
    return _encode_json({"code": code, "msg": message})


def encode_protobuf_error(code: int, message: str, request_id: int) -> bytes:
    """Encode a failure of no endpoint as protobuf: a response with only the status."""
    response = Edited()
    set_status(response, code, message, request_id)
    return response.SerializeToString()


def set_status(response: Any, code: int, message: str, request_id: int) -> None:  # noqa: ANN401 - any response
    """Set the status that every protobuf response has."""
    status = response.status
    status.number = request_id
    status.code = code
    status.msg = message


_NO_DATA_JSON = _encode_json({"code": SUCCESS_CODE, "msg": SUCCESS_MESSAGE})


ProtobufRequest = TypeVar("ProtobufRequest", bound=Message)

_encode_protobuf_json = msgspec.json.Encoder().encode


class ProtobufJsonCodec(Generic[ProtobufRequest]):
    """The JSON form of protobuf messages.

    It decodes only the fields of the one request message, one by one: the library's own JSON parser
    accepts far more than the contract has (security section 4, protobuf).
    """

    content_type = JSON_TYPE

    def __init__(self, request: type[ProtobufRequest], response: type[Message]) -> None:
        self._request = request
        self._response = response

    def decode(self, body: bytes) -> ProtobufRequest:
        """Set the fields that the body has; every field of a request is a string.

        As in protobuf no field is required, and `null` is like absence.
        """
        given = decode_json(_RAW_OBJECT_DECODER, frozenset(), body)
        message = self._request()
        for field in self._request.DESCRIPTOR.fields:
            raw = given.get(field.name)
            if raw is not None and bytes(raw) != b"null":
                setattr(message, field.name, _decode_text(raw, field.name))
        return message

    def encode(self, response: Any, request_id: int) -> bytes:  # noqa: ANN401 - any response with a status
        """Encode the whole response with its status."""
        set_status(response, SUCCESS_CODE, SUCCESS_MESSAGE, request_id)
        return _encode_protobuf_json(message_as_json(response))

    def encode_error(self, code: int, message: str, request_id: int) -> bytes:
        """Encode the response with only the status, as in the protobuf form."""
        response = self._response()
        set_status(response, code, message, request_id)
        return _encode_protobuf_json({"status": message_as_json(response)["status"]})


def message_as_json(message: Message) -> dict[str, Any]:
    """Return every field of a message by its name in the `.proto`, without unset messages."""
    return {
        field.name: _field_as_json(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if field.is_repeated or field.message_type is None or message.HasField(field.name)
    }


def _field_as_json(field: Any, value: Any) -> Any:  # noqa: ANN401 - any type of field
    if field.message_type is None:
        return value
    return (
        [message_as_json(item) for item in value] if field.is_repeated else message_as_json(value)
    )


def _decode_text(raw: msgspec.Raw, field: str) -> str:
    try:
        return _TEXT_DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidField(field) from error


MAX_QUERY_PARAMETERS = 64
_INTEGER = re.compile("-?[0-9]+")


def _decode_query(request: type[Request], integers: frozenset[str], query: bytes) -> Request:
    """Decode a query like the JSON object with the same names: of a repeated name the last counts.

    Raises:
        InvalidField: a field is missing, of a wrong type or out of range.
        UnreadableBody: it is not a query in UTF-8.
    """
    given = _parse_query(query)
    for name in integers & given.keys():
        # A lenient conversion would accept 20.0 and 2e1, which JSON refuses (security I5).
        if not _INTEGER.fullmatch(given[name]):
            raise InvalidField(name)
    try:
        return msgspec.convert(given, request, strict=False)
    except msgspec.ValidationError as error:
        _raise_invalid(error)


def _parse_query(query: bytes) -> dict[str, str]:
    try:
        text = query.decode()
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_PARAMETERS
        )
    except ValueError as error:  # also UnicodeDecodeError
        raise UnreadableBody from error
    return dict(pairs)


@cache
def _integer_names(request: type) -> frozenset[str]:
    """Return the wire names of the integer fields."""
    info = type_info(request)
    fields = info.fields if isinstance(info, StructType) else ()
    return frozenset(field.encode_name for field in fields if isinstance(field.type, IntType))


def read_token(headers: Headers, header_map: Mapping[bytes, bytes]) -> str:
    """Return the token of a request (wire.md 1.2): header `token`, else `Authorization: Bearer`.

    Two token headers are joined, which is never a valid token (security T2).

    Args:
        headers: all headers, names in lower case.
        header_map: the same as a mapping.
    """
    token = header_map.get(b"token", b"")
    if len(header_map) != len(headers):
        token = b",".join(value for name, value in headers if name == b"token")
    if not token:
        scheme, _, bearer = header_map.get(b"authorization", b"").partition(b" ")
        token = bearer if scheme.lower() == b"bearer" else b""
    return token.decode("latin-1")


def wants_english(header_map: Mapping[bytes, bytes]) -> bool:
    """Return whether English is the first language in Accept-Language."""
    return header_map.get(b"accept-language", b"")[:2].lower() == b"en"


_MAX_PLATFORM_CHARACTERS = 32
_PLATFORM_BY_AGENT_PREFIX = ((b"okhttp", "android"), (b"dart", "flutter"), (b"mozilla", "web"))


def detect_platform(headers: Headers) -> str:
    """Return a word of User-Agent: a known platform, else the agent's own name, "" without one.

    The most active client never sends its platform, and its users must recognise the device.
    """
    agent = next((value for name, value in headers if name == b"user-agent"), b"")[:256].strip()
    start = agent.lower()
    known = next((word for mark, word in _PLATFORM_BY_AGENT_PREFIX if start.startswith(mark)), "")
    return known or _agent_name(agent)


def _agent_name(agent: bytes) -> str:
    name = (agent.split() or [b""])[0].partition(b"/")[0]
    plain = "".join(chr(byte) for byte in name if 0x21 <= byte <= 0x7E)  # noqa: PLR2004 - visible ASCII
    return plain[:_MAX_PLATFORM_CHARACTERS]
