"""Protocol Buffers written by hand, so that no expected value passes through generated code.

Reading is strict: bytes that are not a well-formed message are an error, never a guess.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

VARINT, FIXED64, LENGTH = 0, 1, 2
_MAX_VARINT_BYTES = 10
_MASK = 0xFFFF_FFFF_FFFF_FFFF


class Malformed(ValueError):
    """The bytes are not a message, or not of the expected shape."""


def varint(value: int) -> bytes:
    """Encode an integer."""
    rest, out = value & _MASK, bytearray()
    while rest > 0x7F:  # noqa: PLR2004 - seven bits
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*out, rest])


def text(field: int, value: str | bytes) -> bytes:
    """Encode a string, or a message that is encoded already."""
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | LENGTH) + varint(len(data)) + data


def number(field: int, value: int) -> bytes:
    """Encode a varint field."""
    return varint(field << 3 | VARINT) + varint(value)


@dataclass(frozen=True, slots=True)
class Message:
    """The fields of a message: number, wire type, value, in the order of the bytes."""

    fields: tuple[tuple[int, int, int | bytes], ...] = ()

    def kinds(self) -> dict[int, int]:
        """Return the wire type of each field that is present."""
        return {field: kind for field, kind, _ in self.fields}

    def number(self, field: int) -> int:
        """Return an integer, 0 if it is absent."""
        value = self._last(field, VARINT, 0)
        if not isinstance(value, int):
            raise Malformed(f"field {field} is not a number")
        return value - (1 << 64) if value >> 63 else value

    def double(self, field: int) -> float:
        """Return a double, 0 if it is absent."""
        return float(struct.unpack("<d", self.data(field, FIXED64, bytes(8)))[0])

    def text(self, field: int) -> str:
        """Return a string, "" if it is absent."""
        try:
            return self.data(field).decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"field {field} is not UTF-8") from error

    def message(self, field: int) -> "Message":
        """Return a message, an empty one if it is absent."""
        return decode(self.data(field))

    def messages(self, field: int) -> list["Message"]:
        """Return all messages of a repeated field."""
        return [decode(v) for at, _, v in self.fields if at == field and isinstance(v, bytes)]

    def data(self, field: int, kind: int = LENGTH, default: bytes = b"") -> bytes:
        """Return the bytes of a field."""
        value = self._last(field, kind, default)
        if not isinstance(value, bytes):
            raise Malformed(f"field {field} is a number")
        return value

    def _last(self, field: int, kind: int, default: int | bytes) -> int | bytes:
        found = [(at_kind, value) for at, at_kind, value in self.fields if at == field]
        if not found:
            return default
        if found[-1][0] != kind:
            raise Malformed(f"field {field} has wire type {found[-1][0]}, not {kind}")
        return found[-1][1]


def decode(data: bytes) -> Message:
    """Read a message.

    Raises:
        Malformed: the bytes are not one.
    """
    return Message(tuple(_read_fields(data)))


def _read_fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        field, kind = tag >> 3, tag & 7
        if field == 0 or kind not in (VARINT, FIXED64, LENGTH):
            raise Malformed(f"field {field} with wire type {kind}")
        if kind == VARINT:
            value, at = _read_varint(data, at)
            yield field, kind, value
            continue
        size, at = (8, at) if kind == FIXED64 else _read_varint(data, at)
        if at + size > len(data):
            raise Malformed(f"field {field} is cut off")
        yield field, kind, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        if at + place >= len(data):
            raise Malformed("a number is cut off")
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the last byte
            return value & _MASK, at + place + 1
    raise Malformed("a number is too long")
