"""Requests that come in the query of a GET: `?userId=`, `?size=&page=` (wire.md 4, web)."""

import re
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct
from msgspec.inspect import IntType, StructType, type_info

from hupan.api.codec import JSON_TYPE, json_failure, json_success, refuse_invalid
from hupan.api.failures import UnreadableBody
from hupan.domain.refusals import InvalidField

MOST_NAMES = 64
_WHOLE_NUMBER = re.compile("-?[0-9]+")

Request = TypeVar("Request", bound=Struct)


class QueryCodec(Generic[Request]):
    """Reads a query, writes JSON in the envelope.

    The query is read as the JSON object with the same names would be: unknown names are ignored,
    and of a name that comes twice the last counts.
    """

    content_type = JSON_TYPE

    def __init__(self, request: type[Request]) -> None:
        self._request = request
        self._numbers = _names_of_numbers(request)

    def read(self, body: bytes) -> Request:
        """Fills the request from the query by the names of the wire.

        Raises:
            InvalidField: a field is missing, of a wrong type or out of range.
            UnreadableBody: it is no query in UTF-8.
        """
        given = _pairs(body)
        for name in self._numbers & given.keys():
            # A lenient conversion would take 20.0 and 2e1, which JSON refuses (security I5).
            if not _WHOLE_NUMBER.fullmatch(given[name]):
                raise InvalidField(name)
        try:
            return msgspec.convert(given, self._request, strict=False)
        except msgspec.ValidationError as error:
            refuse_invalid(error)

    def write(self, response: Any, number: int) -> bytes:  # noqa: ANN401 - the endpoint's line knows the type
        """Envelope with data."""
        del number  # JSON answers carry it in the header alone
        return json_success(response)

    def fail(self, code: int, message: str, number: int) -> bytes:
        """Envelope without data (wire.md 1.6)."""
        del number
        return json_failure(code, message)


def _pairs(query: bytes) -> dict[str, str]:
    try:
        text = query.decode()
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_NAMES)
    except ValueError as error:  # UnicodeDecodeError is one too
        raise UnreadableBody from error
    return dict(pairs)


def _names_of_numbers(request: type[Struct]) -> frozenset[str]:
    """The wire names of the fields that hold whole numbers."""
    info = type_info(request)
    fields = info.fields if isinstance(info, StructType) else ()
    return frozenset(field.encode_name for field in fields if isinstance(field.type, IntType))
