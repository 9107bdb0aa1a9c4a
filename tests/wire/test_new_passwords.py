"""Which passwords can be set, and that they are kept exactly (security P1-P3)."""

from itertools import pairwise

import pytest

from tests.wire.answers import assert_refused
from tests.wire.client import WireClient
from tests.wire.ways import EMAIL, forget

OLD = "old enough 湖 1"
LONG = "Herons wade where 17 sedge warblers nest; " * 4 + "and 3 boats lie at the pier by dusk. "
MAX_PASSWORD_BYTES = 1024


@pytest.mark.parametrize(
    "password",
    ["12345678", "password", "qwertyuiop", "11111111", "iloveyou", "1234567890", "short 7"],
)
def test_weak_passwords_are_refused(wire: WireClient, password: str) -> None:
    """Fewer than 8 characters or a common password is refused, the old one stays (P1, P3)."""
    email = wire.fresh_email()
    wire.account(email=email, password=OLD)
    assert_refused(forget(wire, email, EMAIL.code(wire, email), password))
    assert wire.email_login(email, OLD).code == 1


def test_context_words_are_refused(wire: WireClient) -> None:
    """One's own number, name or address is no password (security P3)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email, nickname="Zephyrine Q", password=OLD)
    for password in (phone, email.partition("@")[0], "Zephyrine Q"):
        assert_refused(forget(wire, email, EMAIL.code(wire, email), password))
    assert wire.email_login(email, OLD).code == 1


def test_passwords_are_taken_as_they_are(wire: WireClient) -> None:
    """Blanks, emoji, NUL and length are kept to the byte, and none is cut (security P1, P2)."""
    email = wire.fresh_email()
    wire.account(email=email, password=OLD)
    accepted = ["柳浪闻莺 三潭印月", " spaced out 1 ", "🦋🦚🐬🦉🐢🦔🐝🦆", "nul\x00 within 9"]
    accepted += [LONG[:72] + "w", LONG[:72] + "v", LONG[:128], (LONG * 6)[:MAX_PASSWORD_BYTES]]
    for before, password in pairwise([OLD, *accepted]):
        assert forget(wire, email, EMAIL.code(wire, email), password).code == 1, password
        assert wire.email_login(email, password).code == 1, password
        for unlike in (
            before,
            password + " ",
            password.strip() + "x",
            password[:-1],
            password[:128] + "y",
        ):
            assert_refused(wire.email_login(email, unlike))


def test_endless_password_is_refused(wire: WireClient) -> None:
    """A password of more bytes than are hashed is refused, never cut (security P1)."""
    email = wire.fresh_email()
    wire.account(email=email, password=OLD)
    endless = LONG * 6 + "x"
    assert len(endless) > MAX_PASSWORD_BYTES
    assert_refused(forget(wire, email, EMAIL.code(wire, email), endless))
    assert wire.email_login(email, OLD).code == 1
