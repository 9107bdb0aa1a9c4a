"""The JSON form of a protobuf endpoint (wire.md 1.3): names as in the `.proto`, plain numbers.

Only the fields of the one request message are read, one by one: the library's own JSON reader takes
far more than the contract has (security section 4, protobuf).
"""

from typing import Any, Generic, TypeVar

import msgspec
from google.protobuf.message import Message

from hupan.api.codec import JSON_TYPE, read_json, set_status
from hupan.contract.failures import SUCCESS_CODE, SUCCESS_MESSAGE
from hupan.domain.refusals import InvalidField

Request = TypeVar("Request", bound=Message)

_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode


class JsonFormCodec(Generic[Request]):
    """Reads and writes protobuf messages as JSON."""

    content_type = JSON_TYPE

    def __init__(self, request: type[Request], response: type[Message]) -> None:
        self._request = request
        self._response = response

    def read(self, body: bytes) -> Request:
        """Fills the request from the keys that it knows; every field of a request is a text.

        As in protobuf none has to be there, and `null` is like absence.
        """
        given = read_json(_decoder, body)
        message = self._request()
        for field in self._request.DESCRIPTOR.fields:
            raw = given.get(field.name)
            if raw is not None and bytes(raw) != b"null":
                setattr(message, field.name, _text(raw, field.name))
        return message

    def write(self, response: Any, number: int) -> bytes:  # noqa: ANN401 - any answer with a status
        """The whole answer, status included."""
        set_status(response, SUCCESS_CODE, SUCCESS_MESSAGE, number)
        return _encode(as_json(response))

    def fail(self, code: int, message: str, number: int) -> bytes:
        """The answer with nothing but the status, as on the protobuf form."""
        answer = self._response()
        set_status(answer, code, message, number)
        return _encode({"status": as_json(answer)["status"]})


def as_json(message: Message) -> dict[str, Any]:
    """Every field of a message by its name in the `.proto`; unset messages are left out."""
    return {
        field.name: _value(field, getattr(message, field.name))
        for field in message.DESCRIPTOR.fields
        if field.is_repeated or field.message_type is None or message.HasField(field.name)
    }


def _value(field: Any, value: Any) -> Any:  # noqa: ANN401 - whatever the field holds
    if field.message_type is None:
        return value
    return [as_json(item) for item in value] if field.is_repeated else as_json(value)


def _text(raw: msgspec.Raw, field: str) -> str:
    try:
        return _TEXT.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidField(field) from error
