"""What a field holds is told by its type, so the inventory of secrets needs no names.

The story: fields were found by what they were called. Then one came that was called `proof`.
"""

from typing import Any

import msgspec
from google.protobuf.message import Message

from hupan.api.audit import AUDIT_EVENTS
from hupan.api.limits import SECRET_FIELDS
from hupan.contract.endpoints import ENDPOINTS, Endpoint
from hupan.contract.messages.fields import SECRET_META_KEY

Line = Endpoint[Any, Any, Any]


def marked(line: Line) -> dict[str, str]:
    """The fields of a request whose type says that they hold a secret, with what it is."""
    if issubclass(line.request, Message):
        return {}
    told = msgspec.inspect.type_info(line.request)
    assert isinstance(told, msgspec.inspect.StructType)
    marks = {
        field.name: field.type.extra or {}
        for field in told.fields
        if isinstance(field.type, msgspec.inspect.Metadata)
    }
    return {name: mark[SECRET_META_KEY] for name, mark in marks.items() if SECRET_META_KEY in mark}


def test_what_has_the_type_of_a_secret_is_in_the_inventory() -> None:
    """Each field of a secret type is there as what it is, and nothing else is (security E5)."""
    found = {line: fields for line in ENDPOINTS if (fields := marked(line))}
    told = {
        line: {name: kind.removeprefix("new ") for name, kind in fields.items()}
        for line, fields in SECRET_FIELDS.items()
    }
    assert found == told


def test_what_takes_a_secret_leaves_a_line() -> None:
    """The way through the gate is that of the acts, so each of them is one (security E5, L2)."""
    assert set(SECRET_FIELDS) <= set(AUDIT_EVENTS)
