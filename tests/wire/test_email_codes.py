"""E-mail codes (wire.md 4 verification/get-email-verification-code, security D1)."""

import re

import pytest

from tests.support.answers import assert_refused
from tests.support.client import WireClient

EMAIL = "verification/get-email-verification-code"


def nothing_was_sent(wire: WireClient, email: str) -> bool:
    """Return whether no mail is queued or sent for an address.

    Messages are sent in order, so the arrival of a later one settles it.
    """
    marker = wire.fresh_email()
    assert wire.ask_email(marker).code == 1
    wire.next_message("email", marker, set())
    return wire.list_outbox("email", email) == []


@pytest.mark.parametrize("extra", [{}, {"typ": ""}, {"typ": "", "platform": "web", "x": None}])
@pytest.mark.parametrize("bound", [True, False])
def test_code_without_a_type(wire: WireClient, extra: dict[str, object], *, bound: bool) -> None:
    """Without typ six digits go to any address, bound or free (wire.md 4)."""
    email = wire.fresh_email()
    if bound:
        wire.account(email=email)
    body = {"email": email, **wire.solved(), **extra}
    assert wire.request("POST", f"/v1/{EMAIL}", body).json() == {"code": 1, "msg": "success"}
    letter = wire.next_message("email", email, set())
    assert (letter.channel, letter.to) == ("email", email)
    assert re.fullmatch("[0-9]{6}", letter.code)
    assert letter.code in letter.text


def test_reset_code_for_a_bound_address(wire: WireClient) -> None:
    """With typ forget_password a bound address gets a code (wire.md 4)."""
    email = wire.fresh_email()
    wire.account(email=email, password="long enough 1")
    assert wire.ask_email(email, typ="forget_password").code == 1
    assert re.fullmatch("[0-9]{6}", wire.next_message("email", email, set()).code)


def test_reset_code_for_an_unknown_address(wire: WireClient) -> None:
    """With typ forget_password an unknown address gets success and no mail (wire.md 4)."""
    email = wire.fresh_email()
    body = {"email": email, **wire.solved(), "typ": "forget_password"}
    assert wire.request("POST", f"/v1/{EMAIL}", body).json() == {"code": 1, "msg": "success"}
    assert nothing_was_sent(wire, email)


def test_reset_code_finds_any_case(wire: WireClient) -> None:
    """Addresses are compared case-insensitively (wire.md 5)."""
    email = wire.fresh_email()
    wire.account(email=email)
    captcha = wire.solved()
    assert wire.post(EMAIL, {"email": email.upper(), **captcha, "typ": "forget_password"}).code == 1
    assert not nothing_was_sent(wire, email) or wire.list_outbox("email", email.upper())


@pytest.mark.one_engine
def test_wrong_captcha_sends_nothing(wire: WireClient) -> None:
    """With a wrong captcha no mail is sent, and the captcha is used up (wire.md 4)."""
    email, captcha = wire.fresh_email(), wire.captcha()
    body = {"email": email, "code": captcha.wrong, "id": captcha.id}
    assert_refused(wire.post(EMAIL, body))
    assert_refused(wire.post(EMAIL, {**body, "code": captcha.answer}))
    assert nothing_was_sent(wire, email)


@pytest.mark.one_engine
@pytest.mark.parametrize(
    "email",
    [
        "",
        "visitor",
        "@example.com",
        "visitor@",
        "a@b@example.com",
        "visitor@example.com,other@example.com",
        "visitor@example.com\n",
        "visitor@example.com\r\nBcc: other@example.com",
        "visi\x00tor@example.com",
        "visitor@exam ple.com",
        "<visitor@example.com>",
        "Visitor <visitor@example.com>",
        "v" * 300 + "@example.com",
        "visitor@" + "e" * 300 + ".com",
        "visitor@" + "example." * 600 + "com",
    ],
)
def test_what_is_no_address_is_refused(wire: WireClient, email: str) -> None:
    """Only a single plain address is valid (security U7)."""
    assert_refused(wire.post(EMAIL, {"email": email, **wire.solved()}))
