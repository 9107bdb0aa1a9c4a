"""The form in which targets are counted (security X11)."""

import pytest

from hupan.addresses import ContactAddress, ContactParser, fold_for_limits
from hupan.ratelimit.stored import all_keys, limit_key

pytestmark = pytest.mark.one_engine


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("victim@example.com", "victim@example.com"),
        ("Victim@Example.com", "victim@example.com"),
        ("victim+1@example.com", "victim@example.com"),
        ("victim+1+2@example.com", "victim@example.com"),
        ("v.ictim@example.com", "v.ictim@example.com"),  # another mailbox, at most hosts
        ("v.i.ctim+x@gmail.com", "victim@gmail.com"),
        ("v.ictim@GoogleMail.com", "victim@gmail.com"),
        ("victim@notgmail.com", "victim@notgmail.com"),
        ("v.ictim@mail.gmail.com", "v.ictim@mail.gmail.com"),
        ("+tag@example.com", "+tag@example.com"),
        ("...@gmail.com", "...@gmail.com"),
        ("a@中文.com", "a@xn--fiq228c.com"),
        ("a@xn--fiq228c.com", "a@xn--fiq228c.com"),
        ("a@" + "é" * 70 + ".com", "a@" + "é" * 70 + ".com"),  # no label is so long
    ],
)
def test_the_form_of_an_address(address: str, form: str) -> None:
    """Case, tags, dots where they mean nothing, the ASCII form of the domain; and it is stable."""
    assert fold_for_limits("email", address) == form
    assert fold_for_limits("email", form) == form


def test_a_number_is_its_own_form() -> None:
    """Its key is normal already."""
    assert (
        limit_key(ContactParser().parse_phone("+86 13900000001".replace(" ", ""), "mobile"))
        == "13900000001"
    )


def test_every_count_of_a_target_is_of_its_form() -> None:
    """Sends, codes, passwords and sign-ins of two spellings are the same counts (X11)."""
    one, other = (
        all_keys("email", "v.ictim+a@gmail.com"),
        all_keys("email", "victim@gmail.com"),
    )
    kept_apart = {start for start in one if start.startswith("number:")}  # of numbers alone
    assert set(one) - set(other) == kept_apart


def test_identity_is_not_folded() -> None:
    """Two spellings are two targets, which two people may own."""
    read = ContactParser().parse_email
    keys = {read(text, "email").key for text in ("a+1@example.com", "a@example.com")}
    assert len(keys) == 2
    assert isinstance(read("a@example.com", "email"), ContactAddress)
