"""The hand-written protobuf against literal bytes from the format's own description."""

import pytest

from tests.wire import pb

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
    """Seven bits to a byte, lowest first; a negative number takes ten bytes."""
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
    """What is cut off or unknown is an error."""
    with pytest.raises(ValueError, match=r"field|varint|wire type"):
        pb.decode(bytes.fromhex(broken))
