"""Coverage-guided fuzzing of every body parser: `make fuzz` (security R23).

A parser returns a request or refuses; any other outcome is a finding, whose bytes the engine keeps.
"""

import sys
from collections.abc import Callable

import atheris  # type: ignore[import-untyped]  # it is in a separate environment

with atheris.instrument_imports(include=["hupan.api"]):
    from hupan.api.codecs import (
        JsonCodec,
        ProtobufCodec,
        ProtobufJsonCodec,
        is_too_deep,
    )

from google.protobuf.message import Message
from msgspec import Struct

from hupan.contract import ENDPOINTS
from hupan.errors import InvalidField, UnreadableBody


def readers() -> list[Callable[[bytes], object]]:
    """Return a parser for each format of a request."""
    found: list[Callable[[bytes], object]] = [is_too_deep]
    for line in ENDPOINTS:
        if issubclass(line.request, Message):
            found.append(ProtobufCodec(line.request, line.response).decode)
            found.append(ProtobufJsonCodec(line.request, line.response).decode)
        elif issubclass(line.request, Struct) and line.request.__struct_fields__:
            is_query = line.method == "GET"
            found.append(JsonCodec(line.request, is_query=is_query).decode)
    return found


READERS = readers()


def one(data: bytes) -> None:
    """Parse one input: the first byte chooses the parser, the others are the body."""
    if not data:
        return
    try:
        READERS[data[0] % len(READERS)](data[1:])
    except (InvalidField, UnreadableBody):
        return


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
