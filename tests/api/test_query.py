"""The query of a GET is read as strictly as a body (wire.md 1.4, security I3, I5)."""

from typing import Annotated
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from hupan.api.codecs import MAX_QUERY_PARAMETERS, JsonCodec
from hupan.errors import InvalidField, UnreadableBody

pytestmark = pytest.mark.one_engine


class Wanted(Struct, rename="camel"):
    """One of each kind of field."""

    page_size: Annotated[int, Meta(ge=1, le=100)]
    user_id: Annotated[str, Meta(max_length=5)] = ""


CODEC = JsonCodec(Wanted, is_query=True)
NOT_A_NUMBER = [
    *("", " ", "x", "null", "true", "NaN", "1.0", "2e1", "1e400", "0x10", "020", "+20", "2_0"),
    *(" 20", "20 ", "20\n", "20,", "[20]", '"20"', "二十", "٢٠", "２０"),
]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (b"pageSize=20", Wanted(20)),
        (b"pageSize=20&userId=1", Wanted(20, "1")),
        (b"userId=%E6%B9%96&pageSize=1", Wanted(1, "湖")),
        ("userId=湖&pageSize=1".encode(), Wanted(1, "湖")),
        (b"userId=a+%2B&pageSize=%31%30%30", Wanted(100, "a +")),
        (b"pageSize=0&pageSize=7", Wanted(7)),
        (b"&&pageSize=7&user_id=no&x=1&y", Wanted(7)),
        (b"pageSize=7&userId=", Wanted(7)),
        (b"pageSize=7&userId=1e1", Wanted(7, "1e1")),
    ],
)
def test_a_query_fills_the_request(query: bytes, wanted: Wanted) -> None:
    """Fields come by their wire names; unknown ones are ignored; the last of a name counts."""
    assert CODEC.decode(query) == wanted


@pytest.mark.parametrize(
    "value", [*NOT_A_NUMBER, "0", "-1", "101", str(2**31), str(2**63), "9" * 30]
)
def test_what_is_no_number_in_range_is_named(value: str) -> None:
    """A number is written in ASCII digits alone and lies in its range."""
    with pytest.raises(InvalidField) as refused:
        CODEC.decode(urlencode({"pageSize": value}).encode())
    assert refused.value.field == "pageSize"


def test_a_field_that_is_missing_or_too_long_is_named() -> None:
    """The name is the one on the wire."""
    with pytest.raises(InvalidField, match="pageSize"):
        CODEC.decode(b"")
    with pytest.raises(InvalidField, match="userId"):
        CODEC.decode(b"pageSize=1&userId=123456")


@pytest.mark.parametrize(
    "query", [b"pageSize=1&userId=%FF", b"\xff", b"a&" * (MAX_QUERY_PARAMETERS + 1)]
)
def test_what_is_no_query_is_refused(query: bytes) -> None:
    """Bytes that are not UTF-8, and more names than any request has, are no query."""
    with pytest.raises(UnreadableBody):
        CODEC.decode(query)


@given(st.binary(max_size=300) | st.text(max_size=60).map(lambda text: quote(text).encode()))
def test_bytes_never_break_the_codec(query: bytes) -> None:
    """Any bytes are a request or a refusal."""
    for start in (b"", b"pageSize=", b"pageSize=1&userId="):
        try:
            wanted = CODEC.decode(start + query)
        except (InvalidField, UnreadableBody):
            continue
        assert 1 <= wanted.page_size <= 100
        assert len(wanted.user_id) <= 5
