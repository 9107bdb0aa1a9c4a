"""From bytes to messages and back; the endpoint decides which codec (wire.md 1.3)."""

import re
from codecs import BOM_UTF8
from collections.abc import Set  # noqa: PYI025 - only as a type
from typing import Any, Generic, NoReturn, Protocol, TypeVar

import msgspec
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError, Message
from msgspec import Struct

from hupan.api.depth import is_too_deep
from hupan.api.failures import UnreadableBody
from hupan.contract.failures import SUCCESS_CODE, SUCCESS_MESSAGE
from hupan.contract.table import Done
from hupan.domain.refusals import InvalidField

JSON_TYPE = b"application/json; charset=utf-8"
PROTOBUF_TYPE = b"application/x-protobuf"
MOST_JSON_BYTES = 64 * 1024
MOST_PROTOBUF_BYTES = 16 * 1024

if api_implementation.Type() != "upb":
    raise ImportError("protobuf without its upb back end is neither safe nor fast (security I6)")

_FIELD = re.compile(r"(?:field `([^`]+)`)|(?:`\$\.([^`.\[]+))")
_RAW_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder(decimal_format="number").encode

Request = TypeVar("Request")


class Codec(Protocol):
    """Reads requests and writes answers of one form."""

    content_type: bytes

    def read(self, body: bytes) -> Any:  # noqa: ANN401 - the endpoint's line knows the type
        """The request.

        Raises:
            InvalidField: a field is missing, of a wrong type or out of range.
            UnreadableBody: the body is not of this form.
        """
        ...

    def write(self, response: Any, number: int) -> bytes:  # noqa: ANN401 - likewise
        """The answer of a success."""
        ...

    def fail(self, code: int, message: str, number: int) -> bytes:
        """The answer of a failure."""
        ...


class JsonCodec(Generic[Request]):
    """JSON in the envelope `{"code", "data", "msg"}`."""

    content_type = JSON_TYPE

    def __init__(self, request: type[Request]) -> None:
        self._decoder = msgspec.json.Decoder(request)
        self._optional = _optional_names(request)

    def read(self, body: bytes) -> Request:
        """Reads one object; an empty body counts as `{}`, so that a missing field is named.

        In a field that may be missing `null` is like its absence.
        """
        return read_json(self._decoder, body, self._optional)

    def write(self, response: Struct, number: int) -> bytes:
        """Envelope with data; without the key where there is nothing to say (wire.md 1.6)."""
        del number  # JSON answers carry it in the header alone
        return json_success(response)

    def fail(self, code: int, message: str, number: int) -> bytes:
        """Envelope without data (wire.md 1.6)."""
        del number
        return json_failure(code, message)


class ProtobufCodec(Generic[Request]):
    """Protobuf messages with a `status` (wire.md 3)."""

    content_type = PROTOBUF_TYPE

    def __init__(self, request: type[Request], response: type[Message]) -> None:
        self._request = request
        self._response = response

    def read(self, body: bytes) -> Request:
        """Parses the request; an endpoint without a documented one takes anything (wire.md 1.4)."""
        message = self._request()
        if isinstance(message, Message):
            try:
                message.ParseFromString(body)
            except DecodeError as error:
                raise UnreadableBody from error
        return message

    def write(self, response: Any, number: int) -> bytes:  # noqa: ANN401 - any answer with a status
        """Fills the status in and serialises."""
        set_status(response, SUCCESS_CODE, SUCCESS_MESSAGE, number)
        return bytes(response.SerializeToString())

    def fail(self, code: int, message: str, number: int) -> bytes:
        """The endpoint's own answer with nothing but the status (wire.md 1.6)."""
        answer: Any = self._response()
        set_status(answer, code, message, number)
        return bytes(answer.SerializeToString())


def read_json(
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
        return _decode(decoder, body if body.strip() else b"{}", optional)
    except msgspec.ValidationError as error:
        refuse_invalid(error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableBody from error


def _decode(decoder: "msgspec.json.Decoder[Request]", body: bytes, optional: Set[str]) -> Request:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        if not optional or b"null" not in body:
            raise
    given = _RAW_OBJECT.decode(body)
    told = {k: raw for k, raw in given.items() if k not in optional or bytes(raw) != b"null"}
    return decoder.decode(msgspec.json.encode(told))


def _optional_names(request: type) -> Set[str]:
    fields = msgspec.structs.fields(request) if issubclass(request, Struct) else ()
    return {field.encode_name for field in fields if not field.required}


def refuse_invalid(error: msgspec.ValidationError) -> NoReturn:
    """Names the field that an error of the decoder is about.

    Raises:
        InvalidField: it is about a field.
        UnreadableBody: it is about the whole.
    """
    field = _FIELD.search(str(error))
    raise (InvalidField(field[1] or field[2]) if field else UnreadableBody) from error


def json_success(response: Struct) -> bytes:
    """The JSON form of a success; no `data` key where there is nothing to say (wire.md 1.6)."""
    if isinstance(response, Done):
        return _DONE
    return b'{"code":1,"data":' + _encode(response) + b',"msg":"success"}'


def json_failure(code: int, message: str) -> bytes:
    """The JSON form of a failure: no `data` key (wire.md 1.6)."""
    return _encode({"code": code, "msg": message})


def set_status(answer: Any, code: int, message: str, number: int) -> None:  # noqa: ANN401 - any answer
    """Fills in the status that every protobuf answer has."""
    status = answer.status
    status.number = number
    status.code = code
    status.msg = message


_DONE = _encode({"code": SUCCESS_CODE, "msg": SUCCESS_MESSAGE})
