"""Protocol Buffers by hand, so that no expected value passes through generated code.

It only has what the wire needs: varint, 64-bit and length-delimited fields. Reading is strict:
bytes that are not a well-formed message are an error, never a guess.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

VARINT, FIXED64, LENGTH = 0, 1, 2
LONGEST_VARINT = 10


def varint(value: int) -> bytes:
    """Encode an integer; a negative one is ten bytes, as int32 and int64 require."""
    rest = value & 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """Encode a varint field."""
    return varint(field << 3 | VARINT) + varint(value)


def double(field: int, value: float) -> bytes:
    """Encode a 64-bit field."""
    return varint(field << 3 | FIXED64) + struct.pack("<d", value)


def delimited(field: int, value: bytes) -> bytes:
    """Encode a length-delimited field: a sub-message or bytes."""
    return varint(field << 3 | LENGTH) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    """Encode a string field."""
    return delimited(field, value.encode())


@dataclass(frozen=True)
class Message:
    """A decoded message: (field number, wire type, raw value) in the order of the bytes.

    The accessors return proto3's default for an absent field and fail on a repeated one.
    """

    fields: tuple[tuple[int, int, int | bytes], ...]

    def has(self, field: int) -> bool:
        """Return whether the bytes have the field."""
        return any(found == field for found, _, _ in self.fields)

    def number(self, field: int) -> int:
        """Return a varint field, unsigned."""
        value = self._single(field, VARINT, 0)
        assert isinstance(value, int)
        return value

    def signed(self, field: int) -> int:
        """Return an int32 or int64 field."""
        value = self.number(field)
        return value - (1 << 64) if value >> 63 else value

    def double(self, field: int) -> float:
        """Return a double field."""
        value = self._single(field, FIXED64, bytes(8))
        assert isinstance(value, bytes)
        result: float = struct.unpack("<d", value)[0]
        return result

    def text(self, field: int) -> str:
        """Return a string field."""
        return self._bytes(field).decode()

    def message(self, field: int) -> "Message":
        """Return a sub-message."""
        return decode(self._bytes(field))

    def messages(self, field: int) -> list["Message"]:
        """Return a repeated sub-message."""
        found = [(kind, value) for at, kind, value in self.fields if at == field]
        assert all(kind == LENGTH for kind, _ in found), found
        return [decode(value) for _, value in found if isinstance(value, bytes)]

    def kinds(self) -> dict[int, int]:
        """Return the wire type of each field in the bytes."""
        return {field: kind for field, kind, _ in self.fields}

    def _bytes(self, field: int) -> bytes:
        value = self._single(field, LENGTH, b"")
        assert isinstance(value, bytes)
        return value

    def _single(self, field: int, kind: int, default: int | bytes) -> int | bytes:
        found = [(at_kind, value) for at, at_kind, value in self.fields if at == field]
        assert len(found) <= 1, f"field {field} stands {len(found)} times"
        if not found:
            return default
        assert found[0][0] == kind, f"field {field} has wire type {found[0][0]}, not {kind}"
        return found[0][1]


def decode(data: bytes) -> Message:
    """Read a message.

    Raises:
        ValueError: the bytes are not a well-formed message.
    """
    return Message(tuple(_fields(data)))


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        field, kind = tag >> 3, tag & 7
        if field == 0:
            raise ValueError("field number 0")
        if kind == VARINT:
            value, at = _varint(data, at)
            yield field, kind, value
            continue
        size, at = _size(data, at, kind)
        if at + size > len(data):
            msg = f"field {field} is cut off"
            raise ValueError(msg)
        yield field, kind, data[at : at + size]
        at += size


def _size(data: bytes, at: int, kind: int) -> tuple[int, int]:
    if kind == FIXED64:
        return 8, at
    if kind == LENGTH:
        return _varint(data, at)
    msg = f"wire type {kind}"
    raise ValueError(msg)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(LONGEST_VARINT):
        if at + place >= len(data):
            raise ValueError("a varint is cut off")
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + place + 1
    raise ValueError("a varint is too long")
