"""Encodes and decodes protobuf messages whose fields are numbered in their types.

A message is a `msgspec.Struct` with a default for each field, and the number of a field is part of
its type: `name: Annotated[str, 2] = ""`. Unknown fields are ignored (wire.md 1.4).
"""

import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from msgspec import Struct

MAX_DEPTH = 16
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_MORE, _BITS = 0x80, 0x7F
Message = TypeVar("Message", bound=Struct)


class NotProtobuf(ValueError):
    """The bytes are no message of this type."""


def encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value > _BITS:
        encoded.append(value & _BITS | _MORE)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_text(number: int, text: str) -> bytes:
    """Return a string field; an empty one is left out."""
    value = text.encode()
    return encode_varint(number << 3 | _LENGTH) + encode_varint(len(value)) + value if text else b""


def decode_message(message_type: type[Message], data: bytes, depth: int = 0) -> Message:
    """Return the message.

    Raises:
        NotProtobuf: it is cut, garbled, nested too deeply, or has a field of another type.
    """
    if depth > MAX_DEPTH:
        raise NotProtobuf("nested too deeply")
    fields = _fields_of(message_type)
    values: dict[str, Any] = {}
    lists: dict[str, list[object]] = {}
    for number, wire_type, value in _split(data):
        field = fields.get(number)
        if field is None:
            continue
        if wire_type != field.wire_type:
            raise NotProtobuf(f"field {number} has wire type {wire_type}")
        decoded = field.decode(value, depth)
        if field.is_repeated:
            lists.setdefault(field.name, []).append(decoded)
        else:
            values[field.name] = decoded
    return message_type(**values, **{name: tuple(found) for name, found in lists.items()})


class _Field(NamedTuple):
    name: str
    wire_type: int
    is_repeated: bool
    decode: Callable[[Any, int], object]


@lru_cache(maxsize=64)
def _fields_of(message_type: type[Struct]) -> dict[int, _Field]:
    hints = get_type_hints(message_type, include_extras=True)
    return {
        get_args(hint)[1]: _describe(name, get_args(hint)[0])
        for name, hint in hints.items()
        if get_origin(hint) is Annotated
    }


def _describe(name: str, value_type: type) -> _Field:
    is_repeated = get_origin(value_type) is tuple
    parts = [part for part in get_args(value_type) if part not in (Ellipsis, type(None))]
    element = parts[0] if parts else value_type
    wire_type, decode = _scalar(element)
    return _Field(name, wire_type, is_repeated, decode)


def _scalar(element: type) -> tuple[int, Callable[[Any, int], object]]:
    if issubclass(element, Struct):
        return _LENGTH, lambda value, depth: decode_message(element, value, depth + 1)
    return _SCALARS[element]


def _decode_text(value: bytes, _depth: int) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise NotProtobuf("a string is not UTF-8") from error


def _decode_integer(value: int, _depth: int) -> int:
    return value - 2**64 if value >= 2**63 else value


_SCALARS: dict[type, tuple[int, Callable[[Any, int], object]]] = {
    str: (_LENGTH, _decode_text),
    bytes: (_LENGTH, lambda value, _depth: bytes(value)),
    int: (_VARINT, _decode_integer),
    bool: (_VARINT, lambda value, _depth: value != 0),
    float: (_FIXED64, lambda value, _depth: struct.unpack("<d", value)[0]),
}


def _split(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield number, wire type and value of each field."""
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        number, wire_type = key >> 3, key & 7
        value: int | bytes
        if wire_type == _VARINT:
            value, position = _read_varint(data, position)
        else:
            size, position = _read_size(data, position, wire_type)
            value, position = data[position : position + size], position + size
            if position > len(data):
                raise NotProtobuf("the message is cut")
        if not number:
            raise NotProtobuf("a field has number 0")
        yield number, wire_type, value


def _read_size(data: bytes, position: int, wire_type: int) -> tuple[int, int]:
    if wire_type == _LENGTH:
        return _read_varint(data, position)
    sizes = {_FIXED64: 8, _FIXED32: 4}
    if wire_type not in sizes:
        raise NotProtobuf(f"there is no wire type {wire_type}")
    return sizes[wire_type], position


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        if position + index >= len(data):
            raise NotProtobuf("the message is cut")
        byte = data[position + index]
        value |= (byte & _BITS) << 7 * index
        if byte < _MORE:
            return value & 2**64 - 1, position + index + 1
    raise NotProtobuf("a number is too long")
