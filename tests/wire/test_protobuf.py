"""The hand-written protobuf equals literal bytes from the format's own description.

Bytes that are no get-user request get one refusal (security I6), and the server survives.
"""

import random

import pytest

from tests.support import pb
from tests.support.answers import Answer, refused_field
from tests.support.client import WireClient

pytestmark = pytest.mark.one_engine


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (150, "9601"),
        (2**53 - 1, "ffffffffffffff0f"),
        (-101, "9bffffffffffffffff01"),
        (2**64 - 1, "ffffffffffffffffff01"),
    ],
)
def test_varint(value: int, encoded: str) -> None:
    """A varint has seven bits a byte, lowest first; a negative number has ten bytes."""
    assert pb.varint(value) == bytes.fromhex(encoded)
    message = pb.decode(b"\x08" + bytes.fromhex(encoded))
    assert message.number(1) == value % 2**64
    assert message.signed(1) == (value if value < 2**63 else -1)


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (pb.number(1, 150), "089601"),
        (pb.text(2, "testing"), "120774657374696e67"),
        (pb.text(3, "湖畔"), "1a06e6b996e79594"),
        (pb.double(8, 123.0), "410000000000c05e40"),
        (pb.double(8, 0.5), "41000000000000e03f"),
        (pb.delimited(19, b""), "9a0100"),
    ],
)
def test_fields(encoded: bytes, expected: str) -> None:
    """A field is its tag (number, wire type) and its value."""
    assert encoded == bytes.fromhex(expected)


def test_reading() -> None:
    """Nested, repeated and absent fields are read from literal bytes."""
    message = pb.decode(bytes.fromhex("0a0408071065 1a00 3a00 3a020801 410000000000c05e40"))
    assert message.message(1).number(1) == 7
    assert message.message(1).signed(2) == 101
    assert message.text(3) == ""
    assert [medal.number(1) for medal in message.messages(7)] == [0, 1]
    assert message.double(8) == 123.0
    assert message.number(99) == 0
    assert not message.has(99)
    assert message.kinds() == {1: 2, 3: 2, 7: 2, 8: 1}


@pytest.mark.parametrize(
    "broken", ["08", "0880", "1205 61", "00 01", "0b0c", "4100", "08" + "ff" * 11]
)
def test_broken_bytes(broken: str) -> None:
    """Truncated and unknown data is an error."""
    with pytest.raises(ValueError, match=r"field|varint|wire type"):
        pb.decode(bytes.fromhex(broken))


GROUP_START, GROUP_END = b"\x1b", b"\x1c"  # of the unknown field 3
MALFORMED = {
    "cut text": "1205 61",
    "cut length": "12",
    "cut varint": "0880",
    "endless varint": "08" + "ff" * 12,
    "endless length": "12" + "ff" * 10,
    "length of 2^31": "12 8080808008 61",
    "length of 2^63": "12 80808080808080808001 61",
    "field number 0": "02 0161",
    "wire type 6": "16 61",
    "wire type 7": "17 61",
    "end without a group": "1c",
    "open group": "1b 0801",
    "crossed groups": "1b 23 1c 24",
    "cut 64 bits": "41 0000",
    "cut 32 bits": "4d 0000",
    "not UTF-8": "1202 fffe",
    "overlong UTF-8": "1202 c0af",
    "surrogate in UTF-8": "1203 eda080",
    "a cut character": "1202 e6b9",
    "all ones": "ff" * 64,
    "JSON": "7b226964223a2261227d",
    "zeros": "00" * 64,
}


def post(wire: WireClient, body: bytes) -> Answer:
    """Send a body to get-user."""
    answer = wire.post("user/get-user", body, token="any")
    assert answer.form == "protobuf"
    return answer


@pytest.mark.parametrize(("name", "broken"), MALFORMED.items())
def test_malformed_is_refused(wire: WireClient, name: str, broken: str) -> None:
    """An invalid message is refused in protobuf, whatever its fault (security I3, I6)."""
    answer = post(wire, bytes.fromhex(broken))
    assert answer.code > 1, name
    assert answer.code == post(wire, b"\x12").code


def test_fault_after_the_id_is_a_fault(wire: WireClient) -> None:
    """A fault after the id fails the whole request (security I6)."""
    good = pb.text(2, wire.account().id)
    assert post(wire, good).code == 1
    for broken in MALFORMED.values():
        assert post(wire, good + bytes.fromhex(broken)).code > 1, broken


@pytest.mark.parametrize(
    "body", ["", "1200", "1001", "11 3131313131313131", "15 31313131", "0a0131", "1a0131", "089601"]
)
def test_missing_id_is_named(wire: WireClient, body: str) -> None:
    """An absent, empty or mistyped id is missing (wire.md 2, I6)."""
    assert refused_field(post(wire, bytes.fromhex(body))) == "id"


def test_unknown_fields_are_ignored(wire: WireClient) -> None:
    """Unknown fields are ignored and not sent back (wire.md 1.4, security I6)."""
    account = wire.account()
    canary = "unknown-field-canary"
    unknown = [
        pb.text(1, canary),
        pb.number(99, 2**64 - 1),
        pb.text(536_870_911, canary),
        pb.double(100, 1.5),
        b"\x65" + bytes(4),
        GROUP_START + pb.text(5, canary) + GROUP_END,
    ]
    for extra in unknown:
        for body in (extra + pb.text(2, account.id), pb.text(2, account.id) + extra):
            answer = post(wire, body)
            assert answer.pb_data.text(1) == account.id
            assert canary.encode() not in answer.body


def test_last_of_two_ids_counts(wire: WireClient) -> None:
    """The last of two equal fields counts, as the format says (security I6)."""
    first, last = wire.account(), wire.account()
    body = pb.text(2, first.id) + pb.text(2, last.id)
    assert post(wire, body).pb_data.text(1) == last.id


def test_wrong_type_next_to_the_right_one(wire: WireClient) -> None:
    """A field with a wrong wire type is unknown: the valid one still counts (security I6)."""
    account = wire.account()
    body = pb.number(2, 5) + pb.text(2, account.id) + pb.double(2, 1.0)
    assert post(wire, body).pb_data.text(1) == account.id


@pytest.mark.parametrize(("depth", "fits"), [(1, True), (20, True), (200, False), (8000, False)])
def test_depth_of_groups(wire: WireClient, depth: int, *, fits: bool) -> None:
    """Nested groups are skipped up to the format's depth of 100 (security I6)."""
    account = wire.account()
    body = pb.text(2, account.id) + GROUP_START * depth + GROUP_END * depth
    assert (post(wire, body).code == 1) is fits
    assert wire.server.is_running


@pytest.mark.slow
def test_random_bytes_break_nothing(wire: WireClient) -> None:
    """Random bytes get a well-formed refusal (security I6)."""
    chance = random.Random(20_240_601)  # noqa: S311 - a repeatable corpus, not a secret
    for _ in range(400):
        body = chance.randbytes(chance.randrange(1, 80))
        answer = post(wire, body)
        assert answer.code in {4402, 1100} or answer.code > 1, body.hex()


def test_flipped_bits_break_nothing(wire: WireClient) -> None:
    """A valid request with one flipped bit gets a well-formed response (security I6)."""
    good = pb.text(2, wire.account().id)
    for at in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[at // 8] ^= 1 << at % 8
        assert post(wire, bytes(flipped)).code in {1, 4402, 1100, 7100}, flipped.hex()


def test_cut_requests_are_refused(wire: WireClient) -> None:
    """A truncated request is refused (security I6)."""
    good = pb.text(2, wire.account().id)
    assert [post(wire, good[:end]).code > 1 for end in range(len(good))] == [True] * len(good)
