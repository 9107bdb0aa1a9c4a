"""Describe the JSON form of protobuf messages (wire.md 1.3), for the OpenAPI document."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_WHOLE = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
_TYPES: dict[int, dict[str, Any]] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.TYPE_UINT64: _WHOLE,
    FieldDescriptor.TYPE_ENUM: _WHOLE,
    FieldDescriptor.TYPE_INT64: {"type": "integer"},
    FieldDescriptor.TYPE_INT32: {"type": "integer"},
}


def protobuf_schema(message: type[Message]) -> dict[str, Any]:
    """Return the schema of a message.

    Raises:
        KeyError: the contract has a type without a schema.
    """
    return _object(message.DESCRIPTOR.fields)


def _object(fields: Sequence[Any]) -> dict[str, Any]:
    is_answer = any(field.message_type is not None for field in fields)
    return {
        "type": "object",
        "properties": {field.name: _field(field) for field in fields},
        # A request may omit any field; a required one is then refused by its value.
        "required": [field.name for field in fields if is_answer and field.name == "status"],
    }


def _field(field: FieldDescriptor) -> dict[str, Any]:
    inner = field.message_type
    one = _TYPES[field.type] if inner is None else _object(inner.fields)
    return {"type": "array", "items": one} if field.is_repeated else one
