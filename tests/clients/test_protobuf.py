"""The client's protobuf reads what the reference writes; garbage is a separate error."""

import struct

import pytest
from hupan_client.messages import Contacts, Medal, OwnInfo, User
from hupan_client.protobuf import MAX_DEPTH, NotProtobuf, decode_message, encode_text, encode_varint
from hypothesis import example, given
from hypothesis import strategies as st

from hupan.contract.pb import hupan_pb2

TEXTS = st.text(max_size=20)
NUMBERS = st.integers(0, 2**53 - 1)


@given(TEXTS, TEXTS, NUMBERS, st.floats(allow_nan=False), st.integers(-(2**31), 2**31 - 1))
def test_the_reference_writes_what_we_read(
    name: str, phone: str, avatar: int, coin: float, vip: int
) -> None:
    """Texts, numbers of every sign and doubles are read."""
    data = hupan_pb2.OwnInfo.Data(
        name=name, phone=phone, avatar_id=avatar, coin=coin, is_vip=vip, unknown_3=7
    )
    read = decode_message(OwnInfo, data.SerializeToString())
    assert read == OwnInfo(name=name, phone=phone, avatar_id=avatar, coin=coin, is_vip=vip)


@given(st.lists(st.tuples(NUMBERS, TEXTS), max_size=5), st.booleans())
def test_the_reference_writes_messages_that_we_read(
    medals: list[tuple[int, str]], top: bool
) -> None:
    """Nested messages and lists of them are read."""
    data = hupan_pb2.User.Data(id="1", top=top)
    data.medal.extend(hupan_pb2.Medal(id=number, name=name) for number, name in medals)
    data.profile_info.city = "杭州"
    read = decode_message(User, data.SerializeToString())
    assert read.medal == tuple(Medal(number, name) for number, name in medals)
    assert (read.top, read.profile_info and read.profile_info.city) == (top, "杭州")


@given(TEXTS)
def test_we_write_what_the_reference_reads(text: str) -> None:
    """The reference reads our requests, which only have texts."""
    assert hupan_pb2.GetUser.FromString(encode_text(2, text)).id == text


@given(st.binary(max_size=64))
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x09" + struct.pack("<d", float("nan")))
def test_garbage_is_an_error_or_a_message(data: bytes) -> None:
    """Any bytes decode, or raise the separate error."""
    for message_type in (OwnInfo, User, Contacts):
        try:
            decode_message(message_type, data)
        except NotProtobuf:
            continue


def test_depth_has_a_bound() -> None:
    """A message that is nested deeper than the contract is refused."""
    with pytest.raises(NotProtobuf, match="too deeply"):
        decode_message(User, b"", MAX_DEPTH + 1)


@pytest.mark.parametrize(("number", "encoded"), [(0, "00"), (127, "7f"), (300, "ac02")])
def test_varints(number: int, encoded: str) -> None:
    """A varint has seven bits a byte, the low ones first."""
    assert encode_varint(number).hex() == encoded
