"""Pasted numbers, and addresses that the sender accepts (wire.md 5, security U7).

The normal form by which targets are counted (security X11).
The masked form of numbers and addresses in a log (security L1).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.addresses import (
    ContactAddress,
    ContactParser,
    fold_for_limits,
    fold_for_search,
    format_log_fields,
    mask_contact,
    mask_contacts_in,
)
from hupan.delivery.sender import is_email_recipient
from hupan.errors import InvalidField
from hupan.ratelimit.stored import all_keys, limit_key
from tests.support.audit_events import read_pairs

pytestmark = pytest.mark.one_engine
NUMBER = "13800138000"
PASTED = [
    "+86 138 0013 8000",
    "+86-138-0013-8000",
    "008613800138000",
    "0086 138 0013 8000",
    "00 86 138-0013-8000",
    "86 138 0013 8000",
    "(+86) 138 0013 8000",
    "+86 (138) 0013-8000",
    "（＋８６）１３８００１３８０００",
    "１３８００１３８０００",
    "１３８－００１３－８０００",
    "138.0013.8000",
    "138．0013．8000",
    "138\u00a00013\u00a08000",
    "138\u20090013\u20098000",
    "138\u30000013\u30008000",
    "138\u20110013\u20118000",
    "138\u20140013\u22128000",
    "138\u00b70013\u00b78000",
    "\t13800138000 ",
    *(f"{mark}13800138000{mark}" for mark in "\u200b\u200e\u200f\u2060\ufeff\u2066\u2069\u061c"),
    "\u202a+86 138 0013 8000\u202c",
    "\u202d138\u200b0013\u200b8000\u202c",
]
NO_NUMBERS = [
    *("1380013800", "138001380000", "1380013800.0", "13800138000.0", "1.38e10", "-13800138000"),
    *("13800138000\n", "\r13800138000", "138\u20280013\u20288000", "138\x000013\x008000"),
    *("138,0013,8000", "13800138000/13800138001", "13800138000 13800138001", "tel 13800138000"),
    *("１３８００１３８００", "١٣٨٠٠١٣٨٠٠٠", "²13800138000", "1" * 321, " " * 400 + NUMBER, ""),
    *("+86+8613800138000", "+1 380 013 8000", "0086008613800138000"),
]


def test_a_pasted_number_is_that_number(subtests: pytest.Subtests) -> None:
    """Blanks, dashes, dots, brackets, full width and invisible marks are removed (wire.md 5)."""
    for text in PASTED:
        with subtests.test(text=text):
            assert ContactParser().parse_phone(text, "mobile") == ContactAddress(
                "sms", NUMBER, NUMBER
            )
            assert ContactParser(allow_international=True).parse_contact(text, "who").key == NUMBER
            assert fold_for_search(text) == NUMBER
            assert mask_contact(text) == "138****8000"


def test_what_is_no_number_is_refused(subtests: pytest.Subtests) -> None:
    """Nothing is guessed: wrong length, a fraction, two numbers, a line break."""
    for text in NO_NUMBERS:
        with subtests.test(text=text), pytest.raises(InvalidField):
            ContactParser().parse_phone(text, "mobile")


@pytest.mark.parametrize(
    "text", ["+85251234567", "0085251234567", "+852 5123-4567", "\u202a＋８５２ 5123 4567\u202c"]
)
def test_an_international_number_may_be_pasted_too(text: str) -> None:
    """With the setting, numbers of other countries are normalised, too; `00` becomes `+`."""
    assert ContactParser(allow_international=True).parse_phone(text, "mobile").key == "+85251234567"


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("text", ["A@xn--fiq228c.com", "A@XN--FIQ228C.COM", "A@Xn--Fiq228c.com"])
def test_the_ascii_form_is_kept(text: str, strict: bool) -> None:
    """Both profiles store the ASCII form of an international domain (security U7)."""
    target = ContactParser(strict_email=strict).parse_email(text, "email")
    assert (target.key, target.address) == ("a@xn--fiq228c.com", "A@xn--fiq228c.com")
    assert ContactParser(strict_email=strict).parse_contact("A@中文.com", "who") == target
    assert fold_for_search("a@中文.com") == fold_for_search(text)
    assert mask_contact("A@中文.com") == mask_contact(text) == "A***@xn--fiq228c.com"


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("text", ["a@中文.com", "a@b\u3002co", "湖@b.co", "a@b.c\u043e"])
def test_requests_name_the_ascii_form(text: str, strict: bool) -> None:
    """A request's address must be ASCII; a domain of lookalike characters is refused (U7)."""
    with pytest.raises(InvalidField):
        ContactParser(strict_email=strict).parse_email(text, "email")


ADDRESSES = st.text(st.sampled_from("aZ0.-_@xn\"'\\,;:<>()[] 中é\u3002+%"), max_size=24)


@given(ADDRESSES | st.tuples(ADDRESSES, ADDRESSES).map("@".join), st.booleans())
def test_what_is_taken_can_be_sent_to(text: str, strict: bool) -> None:
    """The sender accepts every address that the endpoints accept (security U7)."""
    try:
        target = ContactParser(strict_email=strict).parse_email(text, "email")
    except InvalidField:
        return
    assert is_email_recipient(target.address)
    assert is_email_recipient(target.key)
    assert target.address.isascii()


@pytest.mark.parametrize("text", ["u..v@docomo.ne.jp", ".u@docomo.ne.jp", "u.@ezweb.ne.jp"])
def test_dots_of_japan(text: str) -> None:
    """The lenient profile accepts them and mail is sent; the strict one refuses them (U7)."""
    assert is_email_recipient(ContactParser(strict_email=False).parse_email(text, "email").address)
    with pytest.raises(InvalidField):
        ContactParser().parse_email(text, "email")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text causes an exception, and every parsed target is in normal form."""
    assert fold_for_search(fold_for_search(text)) == fold_for_search(text)
    for read in (
        ContactParser().parse_contact,
        ContactParser(allow_international=True, strict_email=False).parse_contact,
    ):
        try:
            target = read(text, "who")
        except InvalidField:
            continue
        assert read(target.key, "who").key == target.key


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("victim@example.com", "victim@example.com"),
        ("Victim@Example.com", "victim@example.com"),
        ("victim+1@example.com", "victim@example.com"),
        ("victim+1+2@example.com", "victim@example.com"),
        ("v.ictim@example.com", "v.ictim@example.com"),  # another mailbox on most hosts
        ("v.i.ctim+x@gmail.com", "victim@gmail.com"),
        ("v.ictim@GoogleMail.com", "victim@gmail.com"),
        ("victim@notgmail.com", "victim@notgmail.com"),
        ("v.ictim@mail.gmail.com", "v.ictim@mail.gmail.com"),
        ("+tag@example.com", "+tag@example.com"),
        ("...@gmail.com", "...@gmail.com"),
        ("a@中文.com", "a@xn--fiq228c.com"),
        ("a@xn--fiq228c.com", "a@xn--fiq228c.com"),
        ("a@" + "é" * 70 + ".com", "a@" + "é" * 70 + ".com"),  # longer than a label may be
    ],
)
def test_the_form_of_an_address(address: str, form: str) -> None:
    """Case, tags, meaningless dots and the domain's ASCII form are normalised, idempotently."""
    assert fold_for_limits("email", address) == form
    assert fold_for_limits("email", form) == form


def test_a_number_is_its_own_form() -> None:
    """A number is already normalised."""
    assert (
        limit_key(ContactParser().parse_phone("+86 13900000001".replace(" ", ""), "mobile"))
        == "13900000001"
    )


def test_every_count_of_a_target_is_of_its_form() -> None:
    """Sends, codes, passwords and sign-ins of two spellings share their counters (X11)."""
    one, other = (
        all_keys("email", "v.ictim+a@gmail.com"),
        all_keys("email", "victim@gmail.com"),
    )
    kept_apart = {start for start in one if start.startswith("number:")}  # only numbers
    assert set(one) - set(other) == kept_apart


def test_identity_is_not_folded() -> None:
    """Two spellings are two targets, which may belong to two accounts."""
    read = ContactParser().parse_email
    keys = {read(text, "email").key for text in ("a+1@example.com", "a@example.com")}
    assert len(keys) == 2
    assert isinstance(read("a@example.com", "email"), ContactAddress)


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
    """Four digits and a domain are shown; any other text is hidden (L1)."""
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
    """Numbers are masked in any pasted form; times stay (security L1)."""
    assert mask_contacts_in(text) == shown


@given(st.dictionaries(st.sampled_from(["target", "reason", "device"]), st.text()))
def test_no_value_forges_a_line_or_a_field(fields: dict[str, str]) -> None:
    """A line stays one line of plain characters, and parses back unchanged (security L1)."""
    line = format_log_fields(fields)
    assert line.isascii()
    assert line.replace("\x7f", "").isprintable()
    assert read_pairs(line) == {key: value or "-" for key, value in fields.items()}


@given(st.text())
def test_a_masked_target_is_short_of_its_secret(target: str) -> None:
    """A masked contact shows at most four digits at either end, for every input."""
    shown = mask_contact(target).partition("@")[0]
    assert len(shown) <= len("+861****0001")
