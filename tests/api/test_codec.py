"""The codecs under arbitrary bytes: a message, or one of two refusals, never anything else."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.api.codecs import (
    MAX_JSON_DEPTH,
    Codec,
    JsonCodec,
    ProtobufCodec,
    ProtobufJsonCodec,
    decode_json,
    is_too_deep,
)
from hupan.contract.messages.login import CodeLogin
from hupan.contract.pb.hupan_pb2 import GetUser, User
from hupan.errors import InvalidField, UnreadableBody

pytestmark = pytest.mark.one_engine

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
    """The field that is refused, "" for a body that cannot be read, None for a request."""
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
    """Any object is read as it stands, or refused with the name of one of our fields."""
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
    """Sixteen levels are read, more are refused before the decoder sees them (security I4)."""
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
    """16 deep and 4,096 in all may be nested, in texts as many as there is room for (I4, X2)."""
    assert is_too_deep(body) is refused


@pytest.mark.parametrize("codec", [CODE_LOGIN, GET_USER_JSON])
def test_a_byte_order_mark_is_passed_over(codec: Codec) -> None:
    """One before the JSON means nothing (RFC 8259 8.1); a second, or another's, is no JSON."""
    body = b'{"mobile": "1", "captcha": "2", "deviceId": "3", "platform": "4", "id": "5"}'
    assert codec.decode(b"\xef\xbb\xbf" + body) == codec.decode(body)
    for broken in (b"\xef\xbb\xbf" * 2 + body, b"\xff\xfe" + body, b"\xef\xbb" + body):
        assert refusal_of(codec, broken) == ""
