"""Decodes a body field by field, and marks what the contract does not know or accept.

A decoder stops at the first thing that is wrong; an author of a client wants all of them, each at
its place. What is right here is what the server's own decoders take: single values go through the
same library, and protobuf is read by number and wire type as in the specification.
"""

import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from msgspec import Struct

from hupan.api.codecs import MAX_QUERY_PARAMETERS, is_too_deep
from hupan.library_errors import localize_reason
from hupan.localized import LocalizedError, LocalizedText

Mark: TypeAlias = Literal[
    "ok", "unknown", "wrongType", "outOfRange", "missing", "repeated", "refused", "broken"
]
Json: TypeAlias = Any
MAX_FIELDS = 1000
"""Fields of one body; what follows is left out."""
MAX_SHOWN_CHARACTERS = 2000
MAX_PATH_CHARACTERS = 200
"""The maximum of a name and of a path: each field has its own, so long names would repeat."""
_MAX_DEPTH = 32
_WRONG_TYPE = re.compile(r"Expected .+, got .+")
_INTEGER = re.compile("-?[0-9]+")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(slots=True)
class Field:
    """One field of a body.

    Attributes:
        value: None for one that has fields.
        number: the protobuf field number, 0 for none.
        note: what is wrong with it.
        fields: the fields of an object or a message; the items of a list.
        is_item: whether it is one of several that protobuf has under the same number.
    """

    name: str
    value: Json = None
    mark: Mark = "ok"
    note: LocalizedText | None = None
    number: int = 0
    fields: "list[Field] | None" = None
    is_list: bool = False
    is_item: bool = False

    def plain(self) -> Json:
        """Return it as JSON."""
        if self.fields is None:
            return self.value
        if self.is_list:
            return [one.plain() for one in self.fields]
        return plain(self.fields)


@dataclass(slots=True)
class Decoded:
    """A decoded body.

    Attributes:
        fields: those of the top level.
        problem: why the rest, or all of it, could not be read.
        value: the whole value, if a JSON body is not an object.
    """

    fields: list[Field] = field(default_factory=list)
    problem: LocalizedText | None = None
    value: Json = None

    def plain(self) -> Json:
        """Return it as JSON, None if nothing could be read."""
        return plain(self.fields) if self.fields or self.value is None else self.value

    def find(self, name: str) -> Field | None:
        """Return the top-level field with a name."""
        return next((one for one in self.fields if one.name == name), None)


def plain(fields: Sequence[Field]) -> dict[str, Json]:
    """Return fields as an object; of a repeated name, the last one counts."""
    values: dict[str, Json] = {}
    for one in fields:
        if one.is_item:
            values.setdefault(one.name, []).append(one.plain())
        elif one.mark != "missing":
            values[one.name] = one.plain()
    return values


def walk(
    fields: Sequence[Field], path: str = "", depth: int = 0
) -> Iterator[tuple[str, int, Field]]:
    """Return all fields with their path and depth, in the order of the body."""
    for one in fields:
        name = one.name[:MAX_PATH_CHARACTERS]
        own = f"{path}.{name}" if path and not name.startswith("[") else path + name
        own = own[:MAX_PATH_CHARACTERS]
        yield own, depth, one
        if one.fields:
            yield from walk(one.fields, own, depth + 1)


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in their order, repeated names included."""


def decode_json(body: bytes, message: type[Struct] | None) -> Decoded:
    """Decode JSON.

    Args:
        body: the bytes.
        message: what the endpoint takes; None to mark nothing.
    """
    if is_too_deep(body):
        return _unreadable("括号嵌套过深或不成对", "brackets are nested too deeply or do not match")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _unreadable(
            f"第 {error.start} 字节起不是 UTF-8", f"not UTF-8 from byte {error.start} on"
        )
    if not text.strip():
        text = "{}"
    try:
        value = json.loads(text, object_pairs_hook=_Pairs, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        is_understood = isinstance(error, (json.JSONDecodeError, RecursionError, _NoJsonNumber))
        reason = localize_reason(error) if is_understood else _BAD_NUMBER
        return _unreadable(f"不是 JSON：{reason.zh}", f"not JSON: {reason.en}")
    problem = None
    if _ESCAPED_SURROGATE.search(text):
        whole = _without_lone_surrogates(value)
        problem = None if whole == value else _LONE_SURROGATE
        value = whole
    if not isinstance(value, _Pairs):
        if message is not None:
            problem = LocalizedText("须为 JSON 对象", "it must be a JSON object")
        return Decoded(value=_to_plain(value), problem=problem)
    return Decoded(_object_fields(value, message), problem)


_BAD_NUMBER = LocalizedText("含有无效的数字", "it contains a number that is out of range")
"""One of thousands of digits."""


def _without_lone_surrogates(value: Json) -> Json:
    """Write halves of surrogate pairs, which no text can hold, as the escapes that they were."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, _Pairs):
        return _Pairs(
            (_without_lone_surrogates(name), _without_lone_surrogates(inner))
            for name, inner in value
        )
    return list(map(_without_lone_surrogates, value)) if isinstance(value, list) else value


class _NoJsonNumber(LocalizedError, ValueError):
    """A word that Python takes for a number."""


def _refuse_constant(name: str) -> Json:
    raise _NoJsonNumber(f"{name} 不是数字", f"{name} is not a number")


def _unreadable(zh: str, en: str) -> Decoded:
    return Decoded(problem=LocalizedText(zh, en))


def _object_fields(pairs: _Pairs, message: type[Struct] | None) -> list[Field]:
    known = {} if message is None else {f.encode_name: f for f in msgspec.structs.fields(message)}
    last = {name: index for index, (name, _) in enumerate(pairs)}
    fields = []
    for index, (name, value) in enumerate(pairs):
        expected = known.get(name)
        one = _json_field(name, value, None if expected is None else expected.type)
        if last[name] != index:
            one.mark, one.note = "repeated", _REPEATED
        elif message is not None and expected is None:
            one.mark, one.note = "unknown", _UNKNOWN
        elif expected is not None and not (value is None and not expected.required):
            one.mark, one.note = _check(value, expected.type, one)
        fields.append(one)
    fields += [
        Field(name, mark="missing", note=_MISSING)
        for name, expected in known.items()
        if expected.required and name not in last
    ]
    return fields


_LONE_SURROGATE = LocalizedText(
    "文本中有不成对的代理项（如 \\ud800），不是合法的 Unicode",
    "a text contains half of a surrogate pair, such as \\ud800, which is not Unicode",
)
_REPEATED = LocalizedText("重复出现，以最后一个为准", "it is repeated; the last one counts")
_UNKNOWN = LocalizedText(
    "接口没有这个字段，已忽略", "the endpoint has no such field; it is ignored"
)
_MISSING = LocalizedText("必填字段缺失", "this field is required")


def _json_field(name: str, value: Json, expected: Any) -> Field:  # noqa: ANN401 - any annotation
    message, is_list = _struct_in(expected)
    if isinstance(value, _Pairs):
        return Field(name, fields=_object_fields(value, None if is_list else message))
    if isinstance(value, list):
        inner = message if is_list else None
        items = [_json_field(f"[{i}]", item, inner) for i, item in enumerate(value[:MAX_FIELDS])]
        return Field(name, fields=items, is_list=True)
    return Field(name, value)


def _struct_in(expected: Any) -> tuple[type[Struct] | None, bool]:  # noqa: ANN401 - any annotation
    """Return the message that a type holds, and whether it holds a list of them."""
    if get_origin(expected) is Annotated:
        return _struct_in(get_args(expected)[0])
    if get_origin(expected) in (Union, UnionType):
        (inner, *more) = [one for one in get_args(expected) if one is not NoneType]
        return (None, False) if more else _struct_in(inner)
    if get_origin(expected) in (list, tuple):
        return _struct_in(get_args(expected)[0])[0], True
    is_struct = isinstance(expected, type) and issubclass(expected, Struct)
    return (expected if is_struct else None), False


def _check(value: Json, expected: Any, one: Field) -> tuple[Mark, LocalizedText | None]:  # noqa: ANN401 - any annotation
    """Return what is wrong with a value, as the server's decoder sees it."""
    if one.fields is not None and _struct_in(expected)[0] is not None:
        is_list = _struct_in(expected)[1]
        if is_list == one.is_list:
            return "ok", None  # its own fields say what is wrong
    try:
        msgspec.json.decode(msgspec.json.encode(_to_plain(value)), type=expected)
    except msgspec.ValidationError as error:
        return _explain(error)
    except (ValueError, OverflowError):
        return "outOfRange", LocalizedText("数字超出范围", "the number is out of range")
    return "ok", None


def _explain(error: msgspec.ValidationError) -> tuple[Mark, LocalizedText]:
    is_bound = _WRONG_TYPE.fullmatch(str(error)) is None and str(error).startswith("Expected")
    return "outOfRange" if is_bound else "wrongType", localize_reason(error)


def _to_plain(value: Json) -> Json:
    if isinstance(value, _Pairs):
        return {name: _to_plain(inner) for name, inner in value}
    return [_to_plain(inner) for inner in value] if isinstance(value, list) else value


def decode_query(query: bytes, message: type[Struct] | None) -> Decoded:
    """Decode a query like the JSON object with the same names."""
    try:
        pairs = parse_qsl(
            query.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_QUERY_PARAMETERS,
        )
    except ValueError as error:
        reason = (
            LocalizedText("不是 UTF-8", "it is not UTF-8")
            if isinstance(error, UnicodeError)
            else LocalizedText(
                f"参数多于 {MAX_QUERY_PARAMETERS} 个",
                f"it has more than {MAX_QUERY_PARAMETERS} parameters",
            )
        )
        return _unreadable(
            f"查询参数无法解析：{reason.zh}", f"the query cannot be read: {reason.en}"
        )
    known = {} if message is None else {f.encode_name: f for f in msgspec.structs.fields(message)}
    last = {name: index for index, (name, _) in enumerate(pairs)}
    fields = []
    for index, (name, value) in enumerate(pairs):
        one = Field(name, value)
        if last[name] != index:
            one.mark, one.note = "repeated", _REPEATED
        elif message is not None and name not in known:
            one.mark, one.note = "unknown", _UNKNOWN
        elif name in known:
            one.mark, one.note = _check_text(value, known[name].type)
        fields.append(one)
    fields += [
        Field(name, mark="missing", note=_MISSING)
        for name, expected in known.items()
        if expected.required and name not in last
    ]
    return Decoded(fields)


def _check_text(text: str, expected: Any) -> tuple[Mark, LocalizedText | None]:  # noqa: ANN401 - any annotation
    try:
        value = msgspec.convert(text, expected, strict=False)
    except msgspec.ValidationError as error:
        return _explain(error)
    if isinstance(value, int) and not isinstance(value, bool) and not _INTEGER.fullmatch(text):
        return "wrongType", LocalizedText("须为整数", "must be a whole number")
    return "ok", None


_VARINT, _FIXED64, _BYTES, _GROUP, _GROUP_END, _FIXED32 = range(6)
_WIRE_NAMES = ("varint", "fixed64", "bytes", "group", "end of group", "fixed32")
_MAX_VARINT_BYTES, _MAX_TAG_BYTES = 10, 5
_MAX_TAG = 2**32
_FD = FieldDescriptor
_WIRE_TYPES = {
    **dict.fromkeys((_FD.TYPE_DOUBLE, _FD.TYPE_FIXED64, _FD.TYPE_SFIXED64), _FIXED64),
    **dict.fromkeys((_FD.TYPE_FLOAT, _FD.TYPE_FIXED32, _FD.TYPE_SFIXED32), _FIXED32),
    **dict.fromkeys((_FD.TYPE_STRING, _FD.TYPE_BYTES, _FD.TYPE_MESSAGE), _BYTES),
}
"""All others are varints."""


class _Broken(Exception):
    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.text = LocalizedText(zh, en)


class _Reader:
    """Reads protobuf from a part of the body, by offset in the whole of it."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data = data
        self.at = start
        self.end = end

    def varint(self, max_bytes: int = _MAX_VARINT_BYTES) -> int:
        value = 0
        for index in range(max_bytes):
            if self.at >= self.end:
                raise _Broken(
                    f"在第 {self.at} 字节处，数字不完整",
                    f"a number is incomplete at byte {self.at}",
                )
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
                return value & (2**64 - 1)
        raise _Broken(f"第 {self.at} 字节处的数字过长", f"a number is too long at byte {self.at}")

    def take(self, size: int, number: int) -> bytes:
        """Return the next bytes; an error names the field with this number."""
        if size > self.end - self.at:
            left = self.end - self.at
            raise _Broken(
                f"第 {self.at} 字节处，字段 {number} 需要 {size} 字节，只剩 {left} 字节",
                f"at byte {self.at}, field {number} takes {size} bytes and {left} are left",
            )
        taken = self.data[self.at : self.at + size]
        self.at += size
        return taken


def decode_protobuf(
    body: bytes,
    message: type[Message] | None,
    any_types: Mapping[str, type[Message]] = MappingProxyType({}),
) -> Decoded:
    """Decode protobuf, as far as it can be read.

    Args:
        body: the bytes.
        message: what the endpoint takes; None if that is not known.
        any_types: the types that an `Any` may hold, by name.
    """
    fields: list[Field] = []
    reader = _ProtobufReader(any_types)
    descriptor: Any = None if message is None else message.DESCRIPTOR
    try:
        reader.read(_Reader(body, 0, len(body)), descriptor, fields, 0)
    except _Broken as broken:
        return Decoded(fields, broken.text)
    return Decoded(fields)


class _ProtobufReader:
    def __init__(self, any_types: Mapping[str, type[Message]]) -> None:
        self._any_types = any_types
        self._count = 0

    def read(
        self,
        reader: _Reader,
        message: Descriptor | None,
        fields: list[Field],
        depth: int,
        group: int = 0,
    ) -> None:
        """Append the fields of a message; those before a broken one are kept."""
        if depth > _MAX_DEPTH:
            raise _Broken("嵌套过深", "messages are nested too deeply")
        seen: dict[int, Field] = {}
        while reader.at < reader.end:
            start = reader.at
            tag = reader.varint(_MAX_TAG_BYTES)
            number, wire = tag >> 3, tag & 7
            if group and wire == _GROUP_END and number == group:
                return
            if wire > _FIXED32 or wire == _GROUP_END or tag >= _MAX_TAG or not (number or group):
                raise _Broken(
                    f"第 {start} 字节处不是字段的开头", f"no field begins at byte {start}"
                )
            self._count += 1
            if self._count > MAX_FIELDS:
                raise _Broken(f"超过 {MAX_FIELDS} 个字段", f"more than {MAX_FIELDS} fields")
            known = None if message is None else message.fields_by_number.get(number)
            one = self._read_field(reader, message, known, fields, (number, wire), depth)
            before = seen.get(number)
            if before is not None and known is not None and known.message_type is None:
                before.mark, before.note = "repeated", _REPEATED
            if one.mark == "ok" and not one.is_item:
                seen[number] = one
        if group:
            raise _Broken("组未结束", "a group does not end")

    def _read_field(
        self,
        reader: _Reader,
        message: Descriptor | None,
        known: FieldDescriptor | None,
        fields: list[Field],
        tag: tuple[int, int],
        depth: int,
    ) -> Field:
        number, wire = tag
        one = Field(str(number) if known is None else known.name, number=number)
        fields.append(one)
        expected = wire if known is None else _WIRE_TYPES.get(known.type, _VARINT)
        is_repeated = known is not None and known.is_repeated
        is_packed = is_repeated and wire == _BYTES != expected
        if known is None and message is not None:
            one.mark, one.note = "unknown", _UNKNOWN
        elif wire != expected and not is_packed:
            one.mark = "wrongType"
            one.note = LocalizedText(
                f"应为 {_WIRE_NAMES[expected]}，收到 {_WIRE_NAMES[wire]}，已忽略",
                f"expected {_WIRE_NAMES[expected]}, got {_WIRE_NAMES[wire]}; it is ignored",
            )
            known = None
        one.is_item = is_repeated and known is not None
        try:
            self._read_value(reader, None if is_packed else known, one, wire, depth)
        except _Broken as broken:
            one.mark, one.note = "broken", broken.text
            raise
        return one

    def _read_value(
        self, reader: _Reader, known: FieldDescriptor | None, one: Field, wire: int, depth: int
    ) -> None:
        if wire == _VARINT:
            one.value = _read_integer(reader.varint(), known)
        elif wire == _GROUP:
            one.fields = []
            self.read(reader, None, one.fields, depth + 1, one.number)
        elif wire == _BYTES:
            size = reader.varint()
            start = reader.at
            data = reader.take(size, one.number)
            if known is not None and known.message_type is not None:
                one.fields = []
                inner = _Reader(reader.data, start, start + size)
                self.read(inner, known.message_type, one.fields, depth + 1)
                self._open_any(known.message_type, one, depth)
            else:
                one.value = _read_bytes(data, known, one)
        else:
            one.value = _read_fixed(reader.take(8 if wire == _FIXED64 else 4, one.number), known)

    def _open_any(self, message: Descriptor, one: Field, depth: int) -> None:
        """Decode the content of an `Any` whose type is known."""
        if message.full_name != "google.protobuf.Any" or not one.fields:
            return
        held = {inner.name: inner for inner in one.fields}
        url, value = held.get("type_url"), held.get("value")
        if url is None or value is None or not isinstance(value.value, str):
            return
        inner_type = self._any_types.get(str(url.value).rpartition("/")[2])
        if inner_type is not None:
            data = bytes.fromhex(value.value)
            value.value, value.fields = None, []
            descriptor: Any = inner_type.DESCRIPTOR
            self.read(_Reader(data, 0, len(data)), descriptor, value.fields, depth + 1)


def _read_integer(value: int, known: FieldDescriptor | None) -> Json:
    kind = None if known is None else known.type
    if kind == _FD.TYPE_BOOL:
        return bool(value)
    if kind in (_FD.TYPE_SINT32, _FD.TYPE_SINT64):
        return (value >> 1) ^ -(value & 1)
    if kind in (_FD.TYPE_INT32, _FD.TYPE_ENUM):
        return _signed(value & (2**32 - 1), 32)
    if kind == _FD.TYPE_UINT32:
        return value & (2**32 - 1)
    return _signed(value, 64) if kind == _FD.TYPE_INT64 else value


def _signed(value: int, bits: int) -> int:
    return value - 2**bits if value >> (bits - 1) else value


def _read_bytes(data: bytes, known: FieldDescriptor | None, one: Field) -> Json:
    if known is not None and known.type == _FD.TYPE_BYTES:
        return data.hex()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        if known is not None:
            one.mark = "wrongType"
            one.note = LocalizedText(
                "不是 UTF-8，以十六进制显示", "not UTF-8; shown in hexadecimal"
            )
        return data.hex()
    is_text = known is not None or all(c.isprintable() or c in "\t\r\n" for c in text)
    return text if is_text else data.hex()


def _read_fixed(data: bytes, known: FieldDescriptor | None) -> Json:
    kind = None if known is None else known.type
    if kind == _FD.TYPE_DOUBLE:
        value: float = struct.unpack("<d", data)[0]
        return value if value - value == 0 else str(value)
    if kind == _FD.TYPE_FLOAT:
        value = struct.unpack("<f", data)[0]
        return value if value - value == 0 else str(value)
    is_signed = kind in (_FD.TYPE_SFIXED32, _FD.TYPE_SFIXED64)
    return int.from_bytes(data, "little", signed=is_signed)
