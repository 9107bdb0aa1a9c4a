"""Setting a password by mail (wire.md 4 forget-password, security P6, C3, C7, C8, D1)."""

import pytest

from tests.wire.answers import assert_refused
from tests.wire.client import WireClient
from tests.wire.shapes import SUCCESS, reply_to
from tests.wire.test_parallel import at_once, winner
from tests.wire.ways import EMAIL, FORGET, PHONE, forget, notice_to

OLD, NEW = "old enough 湖 1", "new enough 畔 2"
TYPED = {"typ": "forget_password"}


@pytest.mark.parametrize("extra", [{}, {"typ": ""}, TYPED])
def test_it_sets_a_new_password(wire: WireClient, extra: dict[str, object]) -> None:
    """A code asked for with the type or without it resets the password (wire.md 4)."""
    email = wire.fresh_email()
    account = wire.account(email=email, password=OLD)
    body = {"email": email, "captcha": EMAIL.code(wire, email, **extra), "password": NEW}
    assert reply_to(wire, FORGET, body) == SUCCESS
    assert_refused(wire.email_login(email, OLD))
    token = wire.email_login(email, NEW).text("token")
    assert wire.own_info(token).pb_data.text(1) == account.id


def test_it_sets_the_first_password(wire: WireClient) -> None:
    """An account without a password gets its first (wire.md 4)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    token = wire.signed_in(phone)
    assert EMAIL.bind(wire, token, email, EMAIL.code(wire, email)).code == 1
    assert_refused(wire.email_login(email, NEW))
    assert forget(wire, email, EMAIL.code(wire, email), NEW).code == 1
    by_password = wire.email_login(email, NEW).text("token")
    assert wire.own_info(by_password).pb_data.text(6) == phone


def test_address_has_no_case(wire: WireClient) -> None:
    """Addresses are compared case-insensitively (wire.md 5)."""
    email = wire.fresh_email()
    wire.account(email=email, password=OLD)
    assert forget(wire, email.upper(), EMAIL.code(wire, email), NEW).code == 1
    assert wire.email_login(email, NEW).code == 1


def test_every_session_ends(wire: WireClient) -> None:
    """A reset ends every session of the account and of no other (wire.md 4, security P6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    door = wire.account(phone=phone, email=email, password=OLD, deviceId="door").token
    tokens = [door, wire.signed_in(phone, deviceId="a")]
    tokens.append(wire.email_login(email, OLD, deviceId="b").text("token"))
    bystander = wire.account(deviceId="door").token
    code = EMAIL.code(wire, email)
    answer = wire.post(
        FORGET, {"email": email, "captcha": code, "password": NEW, "deviceId": "a"}, token=door
    )
    assert answer.code == 1
    assert [wire.own_info(token).code for token in tokens] == [-101] * 3
    assert wire.own_info(bystander).code == 1


def test_live_codes_die(wire: WireClient) -> None:
    """An SMS code that was asked for before the reset signs in no more (security P6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email, password=OLD)
    before = PHONE.code(wire, phone)
    assert forget(wire, email, EMAIL.code(wire, email), NEW).code == 1
    assert_refused(wire.sign_in(phone, before))
    assert wire.sign_in(phone, PHONE.code(wire, phone)).code == 1


def test_every_bound_way_is_told(wire: WireClient) -> None:
    """Phone and e-mail both hear of a reset, and neither is told the password (P6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email, password=OLD)
    assert forget(wire, email, EMAIL.code(wire, email), NEW).code == 1
    for way, target in ((PHONE, phone), (EMAIL, email)):
        text = notice_to(wire, way, target).text
        assert text
        assert NEW not in text


@pytest.mark.parametrize("extra", [{}, TYPED])
def test_code_serves_once(wire: WireClient, extra: dict[str, object]) -> None:
    """A reset uses its code up (security C7)."""
    email = wire.fresh_email()
    wire.account(email=email, password=OLD)
    code = EMAIL.code(wire, email, **extra)
    assert forget(wire, email, code, NEW).code == 1
    assert_refused(forget(wire, email, code, OLD))
    assert wire.email_login(email, NEW).code == 1


def test_foreign_codes_reset_nothing(wire: WireClient) -> None:
    """The code of another address, or of one's own phone, resets nothing (security C8)."""
    phone, email, mine = wire.fresh_phone(), wire.fresh_email(), wire.fresh_email()
    wire.account(phone=phone, email=email, password=OLD)
    wire.account(email=mine, password=OLD)
    codes = [EMAIL.code(wire, email), EMAIL.code(wire, mine), PHONE.code(wire, phone)]
    for code in {*codes[1:], wire.wrong_code(codes[0])} - {codes[0]}:
        assert_refused(forget(wire, email, code, NEW))
    assert wire.email_login(email, OLD).code == 1


def test_unbound_address_has_nothing_to_reset(wire: WireClient) -> None:
    """The right code of a free address makes no account and sets no password (D1)."""
    email = wire.fresh_email()
    assert_refused(forget(wire, email, EMAIL.code(wire, email), NEW))
    assert_refused(wire.email_login(email, NEW))


def test_known_and_unknown_are_refused_alike(wire: WireClient) -> None:
    """With a wrong code a known and an unknown address get one answer (security E1)."""
    known, unknown = wire.fresh_email(), wire.fresh_email()
    wire.account(email=known, password=OLD)
    for extra in ({}, TYPED):
        answers = []
        for email in (known, unknown):
            assert EMAIL.run(wire, email, **extra).code == 1
            answers.append(forget(wire, email, "00000a", NEW).body)
            answers.append(forget(wire, email, "", NEW).body)
        assert answers[:2] == answers[2:]


def test_five_wrong_tries_kill_the_code(wire: WireClient) -> None:
    """After five wrong tries the right code resets nothing (security C3)."""
    email = wire.fresh_email()
    wire.account(email=email, password=OLD)
    code = EMAIL.code(wire, email, **TYPED)
    for _ in range(5):
        assert_refused(forget(wire, email, wire.wrong_code(code), NEW))
    assert_refused(forget(wire, email, code, NEW))
    assert wire.email_login(email, OLD).code == 1


def test_typed_code_serves_only_there(wire: WireClient) -> None:
    """A code asked for with forget_password confirms and cancels nothing (wire.md 4, D1)."""
    email = wire.fresh_email()
    account = wire.account(email=email, password=OLD)
    for act in (EMAIL.change, EMAIL.cancel):
        assert_refused(act(wire, account.token, email, EMAIL.code(wire, email, **TYPED)))
    assert wire.own_info(account.token).code == 1


def test_one_code_at_once(wire: WireClient) -> None:
    """One code used ten times at once sets one password (security C7, P6)."""
    email = wire.fresh_email()
    wire.account(email=email, password=OLD)
    code = EMAIL.code(wire, email)
    passwords = [f"{NEW} {at}" for at in range(10)]
    winner(at_once(lambda password: forget(wire, email, code, password), passwords))
    opened = [password for password in passwords if wire.email_login(email, password).code == 1]
    assert len(opened) == 1
