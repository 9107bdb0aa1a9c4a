"""What a log shows of numbers and addresses, and how it is written down (security L1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.addresses import format_log_fields, mask_contact, mask_contacts_in
from tests.wire.events import read_pairs

pytestmark = pytest.mark.one_engine


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("13900000001", "139****0001"),
        ("+8613900000001", "139****0001"),
        (" 8613900000001 ", "139****0001"),
        ("+14155550123", "+14****0123"),
        ("1234567", "****"),
        ("Anna.Lake@Example.COM", "A***@example.com"),
        ("a@b.c", "a***@b.c"),
        ("", "?"),
        ("my secret password", "?"),
        ("123456", "?"),
        ("a@b@c", "a***@c"),
        ("a@b\r\nevent=x", "?"),
        ("湖@example.com", "?"),
        ("x" * 70 + "@example.com", "?"),
    ],
)
def test_a_target_is_masked(target: str, shown: str) -> None:
    """Four digits and a domain are enough to find it; what is neither may be anything (L1)."""
    assert mask_contact(target) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("new: +86 139-0000-0001.", "new: 139****0001."),
        ("0086 139 0000 0001 asked", "139****0001 asked"),
        ("(139)0000\u00a00001", "(139****0001"),
        ("a.l@例子.cn wrote", "a***@例子.cn wrote"),
        ("order 2026-11-26 10:00:00", "order 2026-11-26 10:00:00"),
        ("till 2100-01-01T00:00Z", "till 2100-01-01T00:00Z"),
    ],
)
def test_numbers_in_a_text_are_masked(text: str, shown: str) -> None:
    """As people paste them, too; times stay (security L1)."""
    assert mask_contacts_in(text) == shown


@given(st.dictionaries(st.sampled_from(["target", "reason", "device"]), st.text()))
def test_no_value_forges_a_line_or_a_field(fields: dict[str, str]) -> None:
    """A line stays one line of plain characters, and reads back as it was (security L1)."""
    line = format_log_fields(fields)
    assert line.isascii()
    assert line.replace("\x7f", "").isprintable()
    assert read_pairs(line) == {key: value or "-" for key, value in fields.items()}


@given(st.text())
def test_a_masked_target_is_short_of_its_secret(target: str) -> None:
    """Whatever is given, no run of more than four of its digits is shown before a domain."""
    shown = mask_contact(target).partition("@")[0]
    assert len(shown) <= len("+861****0001")
