"""Deleting an account (wire.md 4 cancel-user, security A1, A4, A7, D1)."""

import time

import pytest

from tests.wire.answers import assert_refused
from tests.wire.client import WireClient
from tests.wire.shapes import SUCCESS, reply_to
from tests.wire.test_parallel import at_once
from tests.wire.ways import CANCEL, EMAIL, PHONE, WAYS, Way, forget

PASSWORD = "long enough 湖 1"
NOW = 2_000_000_000
DAY_SECONDS = 86_400
ERASURE_DAYS = 15
PATIENCE_SECONDS = 20.0
ways = pytest.mark.parametrize("way", WAYS, ids=["phone", "email"])


@ways
def test_own_code_deletes(wire: WireClient, way: Way) -> None:
    """With a code of the bound target the account ends, and all its sessions (wire.md 4, A7)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, deviceId="door")
    second = wire.signed_in(phone, deviceId="two")
    target = phone if way is PHONE else email
    body = {way.field: target, "captcha": way.code(wire, target)}
    assert reply_to(wire, CANCEL, body, token=account.token) == SUCCESS
    assert [wire.own_info(token).code for token in (account.token, second)] == [-101, -101]


@ways
def test_wrong_code_deletes_nothing(wire: WireClient, way: Way) -> None:
    """Without the right code the account lives (wire.md 4)."""
    target = way.fresh(wire)
    account = wire.account(**{way.field: target})
    code = way.code(wire, target)
    assert_refused(way.cancel(wire, account.token, target, wire.wrong_code(code)))
    assert way.bound(wire, account.token) == target
    for _ in range(4):
        assert_refused(way.cancel(wire, account.token, target, wire.wrong_code(code)))
    assert_refused(way.cancel(wire, account.token, target, code))
    assert way.bound(wire, account.token) == target


@ways
def test_other_targets_delete_nothing(wire: WireClient, way: Way) -> None:
    """Another's target, or a free one, deletes neither account (security D1, C8)."""
    mine, his = way.fresh(wire), way.fresh(wire)
    account, victim = wire.account(**{way.field: mine}), wire.account(**{way.field: his})
    for target in (his, way.fresh(wire)):
        assert_refused(way.cancel(wire, account.token, target, way.code(wire, target)))
    assert way.bound(wire, account.token) == mine
    assert way.bound(wire, victim.token) == his


@ways
def test_an_old_session_deletes_with_the_code(own_wire: WireClient, way: Way) -> None:
    """The code of the bound target is the step-up itself, however old the session (A1, D1)."""
    own_wire.set_clock(set=NOW)
    target = way.fresh(own_wire)
    account = own_wire.account(**{way.field: target})
    own_wire.set_clock(set=NOW + DAY_SECONDS)
    assert way.cancel(own_wire, account.token, target, way.code(own_wire, target)).code == 1
    assert own_wire.own_info(account.token).code == -101


@ways
def test_the_target_stays_taken_for_a_while(wire: WireClient, way: Way) -> None:
    """Until the data is erased nobody else has the number or the address (security A7)."""
    target, late = way.fresh(wire), wire.account()
    account = wire.account(**{way.field: target})
    assert way.cancel(wire, account.token, target, way.code(wire, target)).code == 1
    assert_refused(way.bind(wire, late.token, target, way.code(wire, target)))
    assert way.bound(wire, late.token) == ""


def test_password_opens_nothing_more(wire: WireClient) -> None:
    """The password of a deleted account signs in no more (security A7)."""
    email = wire.fresh_email()
    account = wire.account(email=email, password=PASSWORD)
    assert EMAIL.cancel(wire, account.token, email, EMAIL.code(wire, email)).code == 1
    assert_refused(wire.email_login(email, PASSWORD))


def test_codes_die_with_the_account(wire: WireClient) -> None:
    """Codes asked for before the end serve nothing after it (security D1, T6)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, password=PASSWORD)
    reset = EMAIL.code(wire, email, typ="forget_password")
    assert PHONE.cancel(wire, account.token, phone, PHONE.code(wire, phone)).code == 1
    assert_refused(forget(wire, email, reset, "another one 畔 2"))
    assert_refused(wire.email_login(email, "another one 畔 2"))


def reborn(wire: WireClient, phone: str) -> str:
    """Sign in to a number until its old account is erased; return the new token."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = wire.sign_in(phone, PHONE.code(wire, phone))
        if answer.code == 1:
            return answer.text("token")
        assert_refused(answer)
    raise AssertionError("the number was never released")


def test_erased_number_starts_from_nothing(own_wire: WireClient) -> None:
    """After 15 days the number opens a new account with nothing of the old (A4, A7)."""
    own_wire.set_clock(set=NOW)
    phone, email = own_wire.fresh_phone(), own_wire.fresh_email()
    friend = own_wire.account()
    account = own_wire.account(
        phone=phone, email=email, password=PASSWORD, nickname="旧名", coins=5, vipDays=90
    )
    remark = {"friendId": friend.id, "name": "r", "phone": "", "others": ""}
    assert own_wire.post("user/save-user-remarks", remark, token=account.token).code == 1
    assert PHONE.cancel(own_wire, account.token, phone, PHONE.code(own_wire, phone)).code == 1
    own_wire.set_clock(set=NOW + (ERASURE_DAYS + 1) * DAY_SECONDS)
    token = reborn(own_wire, phone)
    data = own_wire.own_info(token).pb_data
    assert int(data.text(1)) > int(account.id)
    assert (data.text(6), data.text(7), data.number(9)) == (phone, "", 0)
    assert data.text(2) != "旧名"
    assert data.double(8) != 5
    assert own_wire.get_user(friend.id, token=token).pb_data.message(18).fields == ()
    assert own_wire.get_user(account.id).code == 4402
    assert_refused(own_wire.email_login(email, PASSWORD))
    assert EMAIL.bind(own_wire, token, email, EMAIL.code(own_wire, email)).code == 1
    assert own_wire.own_info(account.token).code == -101


def test_sign_in_meanwhile_makes_no_second_account(own_wire: WireClient) -> None:
    """Before the erasure the number opens no new account (security A7)."""
    own_wire.set_clock(set=NOW)
    phone = own_wire.fresh_phone()
    account = own_wire.account(phone=phone)
    assert PHONE.cancel(own_wire, account.token, phone, PHONE.code(own_wire, phone)).code == 1
    own_wire.set_clock(set=NOW + (ERASURE_DAYS - 1) * DAY_SECONDS)
    answer = own_wire.sign_in(phone, PHONE.code(own_wire, phone))
    if answer.code == 1:
        assert own_wire.own_info(answer.text("token")).pb_data.text(1) == account.id
    else:
        assert_refused(answer)


def test_one_code_at_once(wire: WireClient) -> None:
    """One code used ten times at once deletes once; the rest is refused (security C7)."""
    phone = wire.fresh_phone()
    account = wire.account(phone=phone)
    code = PHONE.code(wire, phone)
    answers = at_once(lambda _: PHONE.cancel(wire, account.token, phone, code), range(10))
    assert [answer.code for answer in answers].count(1) == 1
    assert all(answer.code in {1, -101} or answer.code > 1 for answer in answers)
    assert wire.own_info(account.token).code == -101
