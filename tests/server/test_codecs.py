"""Arbitrary bytes give a message or one of two refusals, in every codec.

The query of a GET is parsed as strictly as a body (wire.md 1.4, security I3, I5).
Times as text use the server's zone, also when its clocks change (wire.md 1.11).
"""

import json
from datetime import datetime
from typing import Annotated
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from hupan.api.codecs import (
    MAX_JSON_DEPTH,
    MAX_QUERY_PARAMETERS,
    Codec,
    JsonCodec,
    ProtobufCodec,
    ProtobufJsonCodec,
    decode_json,
    format_time,
    is_too_deep,
)
from hupan.contract.pb.hupan_pb2 import GetUser, User
from hupan.contract.sessions import CodeLogin
from hupan.errors import InvalidField, UnreadableBody

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]

FIELDS = {"mobile", "captcha", "deviceId", "platform"}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
CODE_LOGIN = JsonCodec(CodeLogin)
GET_USER = ProtobufCodec(GetUser, User)
GET_USER_JSON = ProtobufJsonCodec(GetUser, User)


def refusal_of(codec: Codec, body: bytes) -> str | None:
    """Return the refused field, "" for an unreadable body, None for a request."""
    try:
        codec.decode(body)
    except InvalidField as refusal:
        return refusal.field
    except UnreadableBody:
        return ""
    return None


@given(st.binary(max_size=300))
def test_bytes_never_break_the_json_codec(body: bytes) -> None:
    """Any bytes are a request or a refusal (security I3)."""
    assert refusal_of(CODE_LOGIN, body) in {*FIELDS, "", None}


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)) | st.text(), JSON_VALUES, max_size=6))
def test_json_values_never_break_the_json_codec(values: dict[str, object]) -> None:
    """Any object is parsed, or refused by the name of one of our fields."""
    body = json.dumps(values).encode()
    refusal = refusal_of(CODE_LOGIN, body)
    assert refusal in {*FIELDS, "", None}
    if refusal == "":
        assert any(strange in body for strange in (b"NaN", b"Infinity", rb"\ud"))
    elif refusal is None:
        request = CODE_LOGIN.decode(body)
        assert request.mobile == values["mobile"]
        assert request.device_id == values.get("deviceId", "")


@given(st.binary(max_size=300))
def test_bytes_never_break_the_protobuf_codec(body: bytes) -> None:
    """Any bytes are a message or a refusal (security I6)."""
    assert refusal_of(GET_USER, body) in {"", None}


@given(st.dictionaries(st.just("id") | st.text(), JSON_VALUES, max_size=4))
def test_json_values_never_break_the_json_form(values: dict[str, object]) -> None:
    """The JSON form reads a text, `null` as absence, or refuses the field."""
    body = json.dumps(values).encode()
    refusal = refusal_of(GET_USER_JSON, body)
    assert refusal in {"id", "", None}
    if refusal is None:
        assert GET_USER_JSON.decode(body).id == (values.get("id") or "")


@given(JSON_VALUES)
def test_depth_is_seen_as_the_decoder_sees_it(value: object) -> None:
    """Brackets in quotes do not count, all others do."""

    def depth(inner: object) -> int:
        if isinstance(inner, dict):
            return 1 + max(map(depth, inner.values()), default=0)
        return 1 + max(map(depth, inner), default=0) if isinstance(inner, list) else 0

    assert is_too_deep(json.dumps(value).encode()) == (depth(value) > MAX_JSON_DEPTH)


@pytest.mark.parametrize("depth", [MAX_JSON_DEPTH, MAX_JSON_DEPTH + 1, 5_000, 30_000])
def test_nests_end_at_sixteen(depth: int) -> None:
    """Sixteen levels are parsed, more are refused before the decoder runs (security I4)."""
    body = b'{"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    if depth <= MAX_JSON_DEPTH:
        assert decode_json(decoder, frozenset(), body)
        return
    with pytest.raises(UnreadableBody):
        decode_json(decoder, frozenset(), body)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b"[" * 16 + b"]" * 16 + b"[]", False),
        (b"[" * 17 + b"]" * 17, True),
        (b'{"a":"' + b"[" * 9000 + b'"}', False),
        (b'{"a":"\\"' + b"[" * 9000 + b'\\\\"}', False),
        (b'{"a":"\\\\",' + b"[" * 17 + b'"' + b"]" * 17, True),
        (b"[" + b"[]," * 4094 + b"[]]", False),
        (b"[" + b"[]," * 4095 + b"[]]", True),
        (b"[]" * 9 + b"]" * 9 + b"[" * 9, True),
    ],
)
def test_nests_of_a_body(body: bytes, *, refused: bool) -> None:
    """A body may nest 16 levels and 4,096 brackets; texts may have any number (I4, X2)."""
    assert is_too_deep(body) is refused


@pytest.mark.parametrize("codec", [CODE_LOGIN, GET_USER_JSON])
def test_a_byte_order_mark_is_passed_over(codec: Codec) -> None:
    """One before the JSON is ignored (RFC 8259 8.1); a second or another kind is invalid."""
    body = b'{"mobile": "1", "captcha": "2", "deviceId": "3", "platform": "4", "id": "5"}'
    assert codec.decode(b"\xef\xbb\xbf" + body) == codec.decode(body)
    for broken in (b"\xef\xbb\xbf" * 2 + body, b"\xff\xfe" + body, b"\xef\xbb" + body):
        assert refusal_of(codec, broken) == ""


class Wanted(Struct, rename="camel"):
    """One field of each kind."""

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
    """Fields have their wire names; unknown ones are ignored; the last of a name counts."""
    assert CODEC.decode(query) == wanted


def test_what_is_no_number_in_range_is_named(subtests: pytest.Subtests) -> None:
    """A number has ASCII digits and a range; anything else is refused by name."""
    for value in [*NOT_A_NUMBER, "0", "-1", "101", str(2**31), str(2**63), "9" * 30]:
        with subtests.test(value=value):
            with pytest.raises(InvalidField) as refused:
                CODEC.decode(urlencode({"pageSize": value}).encode())
            assert refused.value.field == "pageSize"


def test_a_field_that_is_missing_or_too_long_is_named() -> None:
    """The name is that of the wire."""
    with pytest.raises(InvalidField, match="pageSize"):
        CODEC.decode(b"")
    with pytest.raises(InvalidField, match="userId"):
        CODEC.decode(b"pageSize=1&userId=123456")


@pytest.mark.parametrize(
    "query", [b"pageSize=1&userId=%FF", b"\xff", b"a&" * (MAX_QUERY_PARAMETERS + 1)]
)
def test_what_is_no_query_is_refused(query: bytes) -> None:
    """Bytes that are not UTF-8 and too many names are refused."""
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


TURNS_BACK = 1_793_512_800
"""2026-11-01 06:00 UTC: New York changes from summer to winter time."""


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Africa/Casablanca"])
@given(unix_seconds=st.integers(0, 2**32))
@example(unix_seconds=TURNS_BACK - 1)
@example(unix_seconds=TURNS_BACK)
def test_any_moment(zone: str, unix_seconds: int) -> None:
    """The result equals the standard library's, even in weeks with a clock change."""
    there = datetime.fromtimestamp(unix_seconds, ZoneInfo(zone))
    assert format_time(unix_seconds, ZoneInfo(zone)) == there.strftime("%Y-%m-%d %H:%M:%S")
