"""Codecs for JSON, protobuf and query requests, with limits on body size and depth (wire.md 1.3).

Deep nesting ends a process whose thread has a small stack, inside the decoder, where nothing can
be caught. So the brackets are looked at first; text in quotes does not count. Each step is one
call for the whole body: to walk over 64 KiB token by token held the loop for 12 ms.

Only the fields of the one request message are read, one by one: the library's own JSON reader takes
far more than the contract has (security section 4, protobuf).
"""

import re
from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, MutableMapping, Set
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Generic, NoReturn, Protocol, TypeAlias, TypeVar
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import msgspec
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError, Message
from msgspec import Struct
from msgspec.inspect import IntType, StructType, type_info

from hupan.api.errors import UnreadableBody
from hupan.contract.endpoints import NoData
from hupan.contract.errors import SUCCESS_CODE, SUCCESS_MESSAGE
from hupan.errors import InvalidField

_WEEK_SECONDS = 7 * 24 * 3600
_DAY_MINUTES = 24 * 60
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_TEXT_LENGTH = len("2026-01-01 00:00:00")
_MINUTE_TEXTS = [f" {minute // 60:02}:{minute % 60:02}:" for minute in range(_DAY_MINUTES)]
_SECOND_TEXTS = [f"{second:02}" for second in range(60)]


def format_time(unix_seconds: int, zone: ZoneInfo) -> str:
    """A time as text in the server's zone (wire.md 1.11).

    Put together from its parts, which takes a quarter of what `datetime` takes: every profile has
    one.
    """
    offset_seconds = _utc_offset_of_week(zone, unix_seconds // _WEEK_SECONDS)
    if offset_seconds is None:
        return str(datetime.fromtimestamp(unix_seconds, zone))[:_TEXT_LENGTH]
    minutes, second = divmod(unix_seconds + offset_seconds, 60)
    day, minute = divmod(minutes, _DAY_MINUTES)
    return _format_day(day) + _MINUTE_TEXTS[minute] + _SECOND_TEXTS[second]


@lru_cache(4096)
def _utc_offset_of_week(zone: ZoneInfo, week: int) -> int | None:
    """How many seconds a zone is ahead of UTC in a week since 1970; None if that changes in it.

    To ask the zone for each moment takes longer than everything else that is done with it.
    """
    ends = (week * _WEEK_SECONDS, (week + 1) * _WEEK_SECONDS - 1)
    first, last = (datetime.fromtimestamp(end, zone).utcoffset() for end in ends)
    return int(first.total_seconds()) if first is not None and first == last else None


@lru_cache(4096)
def _format_day(day: int) -> str:
    """A day since 1970-01-01 as text."""
    return date.fromordinal(_EPOCH_ORDINAL + day).isoformat()


Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class BodyTooLarge(Exception):
    """More bytes came than the endpoint takes."""


class ClientDisconnected(Exception):
    """The client went away before its request was whole: nothing of it is done."""


async def read_body(receive: Receive, send: Send, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLarge: as soon as one byte too many has come, whatever Content-Length said.
        ClientGone: the connection ended first.
    """
    take = getattr(send, "take_body", None)  # our own listener's, decision 0019
    buffered: bytes | None = None if take is None else take()
    if buffered is not None:
        if len(buffered) > max_bytes:
            raise BodyTooLarge
        return buffered
    body = bytearray()  # bytes would be copied whole for each piece
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientDisconnected
        piece: bytes = event.get("body", b"")
        body += piece
        if len(body) > max_bytes:
            raise BodyTooLarge
        if not event.get("more_body", False):
            return bytes(body)


MAX_JSON_DEPTH = 16
MAX_JSON_CONTAINERS = 4096
"""Lists and objects of one body; no request has more than a few."""
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def is_too_deep(body: bytes) -> bool:
    """Whether brackets are nested deeper than 16, or are more than 4,096, or have no partner."""
    if body.count(b"[") + body.count(b"{") <= MAX_JSON_DEPTH:
        return False
    if b"\\" in body:  # an escaped quote ends no text
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

if api_implementation.Type() != "upb":
    raise ImportError("protobuf without its upb back end is neither safe nor fast (security I6)")

_FIELD_IN_ERROR = re.compile(r"(?:field `([^`]+)`)|(?:`\$\.([^`.\[]+))")
_RAW_OBJECT_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode_json = msgspec.json.Encoder(decimal_format="number").encode

Request = TypeVar("Request")


class Codec(Protocol):
    """Reads requests and writes answers of one form."""

    content_type: bytes

    def decode(self, body: bytes) -> Any:  # noqa: ANN401 - the endpoint's line knows the type
        """The request.

        Raises:
            InvalidField: a field is missing, of a wrong type or out of range.
            UnreadableBody: the body is not of this form.
        """
        ...

    def encode(self, response: Any, request_id: int) -> bytes:  # noqa: ANN401 - likewise
        """The answer of a success."""
        ...

    def encode_error(self, code: int, message: str, request_id: int) -> bytes:
        """The answer of a failure."""
        ...


class JsonCodec(Generic[Request]):
    """JSON in the envelope `{"code", "data", "msg"}`."""

    content_type = JSON_TYPE

    def __init__(self, request: type[Request]) -> None:
        self._decoder = msgspec.json.Decoder(request)
        self._optional = _optional_names(request)

    def decode(self, body: bytes) -> Request:
        """Reads one object; an empty body counts as `{}`, so that a missing field is named.

        In a field that may be missing `null` is like its absence.
        """
        return decode_json(self._decoder, body, self._optional)

    def encode(self, response: Struct, request_id: int) -> bytes:
        """Envelope with data; without the key where there is nothing to say (wire.md 1.6)."""
        del request_id  # JSON answers carry it in the header alone
        return encode_json_success(response)

    def encode_error(self, code: int, message: str, request_id: int) -> bytes:
        """Envelope without data (wire.md 1.6)."""
        del request_id
        return encode_json_error(code, message)


class ProtobufCodec(Generic[Request]):
    """Protobuf messages with a `status` (wire.md 3)."""

    content_type = PROTOBUF_TYPE

    def __init__(self, request: type[Request], response: type[Message]) -> None:
        self._request = request
        self._response = response

    def decode(self, body: bytes) -> Request:
        """Parses the request; an endpoint without a documented one takes anything (wire.md 1.4)."""
        message = self._request()
        if isinstance(message, Message):
            try:
                message.ParseFromString(body)
            except DecodeError as error:
                raise UnreadableBody from error
        return message

    def encode(self, response: Any, request_id: int) -> bytes:  # noqa: ANN401 - any answer with a status
        """Fills the status in and serialises."""
        set_status(response, SUCCESS_CODE, SUCCESS_MESSAGE, request_id)
        return bytes(response.SerializeToString())

    def encode_error(self, code: int, message: str, request_id: int) -> bytes:
        """The endpoint's own answer with nothing but the status (wire.md 1.6)."""
        answer: Any = self._response()
        set_status(answer, code, message, request_id)
        return bytes(answer.SerializeToString())


def decode_json(
    decoder: "msgspec.json.Decoder[Request]", body: bytes, optional: Set[str] = frozenset()
) -> Request:
    """Reads one JSON object (security I3).

    Args:
        decoder: of the form that it has.
        body: its bytes.
        optional: names that may be missing, which they count as where their value is `null`.

    Raises:
        InvalidField: a field is missing, of a wrong type or out of range.
        UnreadableBody: it is not one object in UTF-8, or nested too deep.
    """
    body = body.removeprefix(BOM_UTF8)  # some clients begin with it, and it means nothing
    if is_too_deep(body):
        raise UnreadableBody
    try:
        body.decode()  # the decoder skips unknown keys without looking at their bytes
        return _decode_allowing_null(decoder, body if body.strip() else b"{}", optional)
    except msgspec.ValidationError as error:
        raise_invalid(error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableBody from error


def _decode_allowing_null(
    decoder: "msgspec.json.Decoder[Request]", body: bytes, optional: Set[str]
) -> Request:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        if not optional or b"null" not in body:
            raise
    given = _RAW_OBJECT_DECODER.decode(body)
    present = {k: raw for k, raw in given.items() if k not in optional or bytes(raw) != b"null"}
    return decoder.decode(msgspec.json.encode(present))


def _optional_names(request: type) -> Set[str]:
    fields = msgspec.structs.fields(request) if issubclass(request, Struct) else ()
    return {field.encode_name for field in fields if not field.required}


def raise_invalid(error: msgspec.ValidationError) -> NoReturn:
    """Names the field that an error of the decoder is about.

    Raises:
        InvalidField: it is about a field.
        UnreadableBody: it is about the whole.
    """
    field = _FIELD_IN_ERROR.search(str(error))
    raise (InvalidField(field[1] or field[2]) if field else UnreadableBody) from error


def encode_json_success(response: Struct) -> bytes:
    """The JSON form of a success; no `data` key where there is nothing to say (wire.md 1.6)."""
    if isinstance(response, NoData):
        return _NO_DATA_JSON
    return b'{"code":1,"data":' + _encode_json(response) + b',"msg":"success"}'


def encode_json_error(code: int, message: str) -> bytes:
    """The JSON form of a failure: no `data` key (wire.md 1.6)."""
    return _encode_json({"code": code, "msg": message})


def set_status(answer: Any, code: int, message: str, request_id: int) -> None:  # noqa: ANN401 - any answer
    """Fills in the status that every protobuf answer has."""
    status = answer.status
    status.number = request_id
    status.code = code
    status.msg = message


_NO_DATA_JSON = _encode_json({"code": SUCCESS_CODE, "msg": SUCCESS_MESSAGE})


ProtobufRequest = TypeVar("ProtobufRequest", bound=Message)

_RAW_FIELDS_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT_DECODER = msgspec.json.Decoder(str)
_encode_protobuf_json = msgspec.json.Encoder().encode


class ProtobufJsonCodec(Generic[ProtobufRequest]):
    """Reads and writes protobuf messages as JSON."""

    content_type = JSON_TYPE

    def __init__(self, request: type[ProtobufRequest], response: type[Message]) -> None:
        self._request = request
        self._response = response

    def decode(self, body: bytes) -> ProtobufRequest:
        """Fills the request from the keys that it knows; every field of a request is a text.

        As in protobuf none has to be there, and `null` is like absence.
        """
        given = decode_json(_RAW_FIELDS_DECODER, body)
        message = self._request()
        for field in self._request.DESCRIPTOR.fields:
            raw = given.get(field.name)
            if raw is not None and bytes(raw) != b"null":
                setattr(message, field.name, _decode_text(raw, field.name))
        return message

    def encode(self, response: Any, request_id: int) -> bytes:  # noqa: ANN401 - any answer with a status
        """The whole answer, status included."""
        set_status(response, SUCCESS_CODE, SUCCESS_MESSAGE, request_id)
        return _encode_protobuf_json(message_as_json(response))

    def encode_error(self, code: int, message: str, request_id: int) -> bytes:
        """The answer with nothing but the status, as on the protobuf form."""
        answer = self._response()
        set_status(answer, code, message, request_id)
        return _encode_protobuf_json({"status": message_as_json(answer)["status"]})


def message_as_json(message: Message) -> dict[str, Any]:
    """Every field of a message by its name in the `.proto`; unset messages are left out."""
    return {
        field.name: _field_as_json(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if field.is_repeated or field.message_type is None or message.HasField(field.name)
    }


def _field_as_json(field: Any, value: Any) -> Any:  # noqa: ANN401 - whatever the field holds
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

QueryRequest = TypeVar("QueryRequest", bound=Struct)


class QueryCodec(Generic[QueryRequest]):
    """Reads a query, writes JSON in the envelope.

    The query is read as the JSON object with the same names would be: unknown names are ignored,
    and of a name that comes twice the last counts.
    """

    content_type = JSON_TYPE

    def __init__(self, request: type[QueryRequest]) -> None:
        self._request = request
        self._numbers = _integer_names(request)

    def decode(self, body: bytes) -> QueryRequest:
        """Fills the request from the query by the names of the wire.

        Raises:
            InvalidField: a field is missing, of a wrong type or out of range.
            UnreadableBody: it is no query in UTF-8.
        """
        given = _parse_query(body)
        for name in self._numbers & given.keys():
            # A lenient conversion would take 20.0 and 2e1, which JSON refuses (security I5).
            if not _INTEGER.fullmatch(given[name]):
                raise InvalidField(name)
        try:
            return msgspec.convert(given, self._request, strict=False)
        except msgspec.ValidationError as error:
            raise_invalid(error)

    def encode(self, response: Any, request_id: int) -> bytes:  # noqa: ANN401 - the endpoint's line knows the type
        """Envelope with data."""
        del request_id  # JSON answers carry it in the header alone
        return encode_json_success(response)

    def encode_error(self, code: int, message: str, request_id: int) -> bytes:
        """Envelope without data (wire.md 1.6)."""
        del request_id
        return encode_json_error(code, message)


def _parse_query(query: bytes) -> dict[str, str]:
    try:
        text = query.decode()
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_PARAMETERS
        )
    except ValueError as error:  # UnicodeDecodeError is one too
        raise UnreadableBody from error
    return dict(pairs)


def _integer_names(request: type[Struct]) -> frozenset[str]:
    """The wire names of the fields that hold whole numbers."""
    info = type_info(request)
    fields = info.fields if isinstance(info, StructType) else ()
    return frozenset(field.encode_name for field in fields if isinstance(field.type, IntType))
