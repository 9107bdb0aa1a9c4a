"""Deleting an account (wire.md 4 cancel-user, security A1, A4, A7, D1).

Edges of user/cancel-user (wire.md 4, security D1, A1, A4, A7).
"""

import time

import pytest

from tests.support.answers import assert_refused
from tests.support.channels import (
    CANCEL,
    CONTACT_CHANNELS,
    EMAIL,
    PHONE,
    ContactChannel,
    forget,
    is_code,
)
from tests.support.client import WireClient
from tests.support.json_shapes import SUCCESS, reply_to
from tests.support.parallel import at_once

PASSWORD = "long enough 湖 1"
NOW = 2_000_000_000
DAY_SECONDS = 86_400
ERASURE_DAYS = 15
PATIENCE_SECONDS = 60.0
ways = pytest.mark.parametrize("way", CONTACT_CHANNELS, ids=["phone", "email"])


@ways
def test_own_code_deletes(wire: WireClient, way: ContactChannel) -> None:
    """A code of the bound target ends the account and all its sessions (wire.md 4, A7)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, deviceId="door")
    second = wire.signed_in(phone, deviceId="two")
    target = phone if way is PHONE else email
    body = {way.field: target, "captcha": way.code(wire, target)}
    assert reply_to(wire, CANCEL, body, token=account.token) == SUCCESS
    assert [wire.own_info(token).code for token in (account.token, second)] == [-101, -101]


@ways
def test_wrong_code_deletes_nothing(wire: WireClient, way: ContactChannel) -> None:
    """Without the right code the account stays (wire.md 4)."""
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
def test_other_targets_delete_nothing(wire: WireClient, way: ContactChannel) -> None:
    """Another account's target, or a free one, deletes neither account (security D1, C8)."""
    mine, his = way.fresh(wire), way.fresh(wire)
    account, victim = wire.account(**{way.field: mine}), wire.account(**{way.field: his})
    for target in (his, way.fresh(wire)):
        assert_refused(way.cancel(wire, account.token, target, way.code(wire, target)))
    assert way.bound(wire, account.token) == mine
    assert way.bound(wire, victim.token) == his


@ways
def test_an_old_session_deletes_with_the_code(own_wire: WireClient, way: ContactChannel) -> None:
    """The code of the bound target is the step-up itself, for a session of any age (A1, D1)."""
    own_wire.set_clock(set=NOW)
    target = way.fresh(own_wire)
    account = own_wire.account(**{way.field: target})
    own_wire.set_clock(set=NOW + DAY_SECONDS)
    assert way.cancel(own_wire, account.token, target, way.code(own_wire, target)).code == 1
    assert own_wire.own_info(account.token).code == -101


@ways
def test_the_target_stays_taken_for_a_while(wire: WireClient, way: ContactChannel) -> None:
    """Until the data is erased no other account can bind number or address (security A7)."""
    target, late = way.fresh(wire), wire.account()
    account = wire.account(**{way.field: target})
    assert way.cancel(wire, account.token, target, way.code(wire, target)).code == 1
    assert_refused(way.bind(wire, late.token, target, way.code(wire, target)))
    assert way.bound(wire, late.token) == ""


def test_password_opens_nothing_more(wire: WireClient) -> None:
    """The password of a deleted account no longer works (security A7)."""
    email = wire.fresh_email()
    account = wire.account(email=email, password=PASSWORD)
    assert EMAIL.cancel(wire, account.token, email, EMAIL.code(wire, email)).code == 1
    assert_refused(wire.email_login(email, PASSWORD))


def test_codes_die_with_the_account(wire: WireClient) -> None:
    """Codes requested before the deletion do not work after it (security D1, T6)."""
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
    """After 15 days the number creates a new account with nothing of the old one (A4, A7)."""
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
    """Before the erasure the number creates no new account (security A7)."""
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
    """One code used ten times at once deletes once; the others are refused (security C7)."""
    phone = wire.fresh_phone()
    account = wire.account(phone=phone)
    code = PHONE.code(wire, phone)
    answers = at_once(lambda _: PHONE.cancel(wire, account.token, phone, code), range(10))
    assert [answer.code for answer in answers].count(1) == 1
    assert all(answer.code in {1, -101} or answer.code > 1 for answer in answers)
    assert wire.own_info(account.token).code == -101


CANCEL_PATH = "/v1/user/cancel-user"
OWN_PASSWORD = "柳浪闻莺 8 long"
CANCELLED = '{"code":1421,"msg":"该账号已注销，其数据清除后方可重新注册"}'
CANCELLED_ENGLISH = (
    b'{"code":1421,"msg":"This account was cancelled: sign up again once its data is erased"}'
)
WRONG_CODE = '{"code":1202,"msg":"验证码错误或已失效"}'
SMS_NOTICE = "【湖畔】您的账号已注销。如非本人操作，请尽快联系管理员。"


def test_every_bound_channel_is_notified(wire: WireClient) -> None:
    """A cancellation by one channel is notified on both (security A2)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email)
    assert EMAIL.cancel(wire, account.token, email, EMAIL.code(wire, email)).code == 1
    assert SMS_NOTICE in [letter.text for letter in wire.list_outbox("sms", phone)]
    mails = [letter.text for letter in wire.list_outbox("email", email) if not is_code(letter)]
    assert len(mails) == 1
    assert mails[0].startswith("湖畔 账号已注销 Account cancelled\n您的账号已注销。")


def test_it_answers_like_one_that_never_was(wire: WireClient) -> None:
    """After the deletion get-user returns 4402, byte for byte as for an unknown id (wire.md 2)."""
    phone, viewer = wire.fresh_phone(), wire.account().token
    account = wire.account(phone=phone, nickname="曾经")
    assert wire.get_user(account.id, token=viewer).pb_data.text(2) == "曾经"
    assert PHONE.cancel(wire, account.token, phone, PHONE.code(wire, phone)).code == 1
    answers = [wire.get_user(user_id, token=viewer) for user_id in (account.id, "999999999")]
    assert [answer.code for answer in answers] == [4402, 4402]
    assert answers[0].msg == answers[1].msg == "该用户不存在"
    assert wire.post("user/logout", token=account.token).code == 1


def test_a_right_secret_is_answered_with_the_reason(wire: WireClient) -> None:
    """Sign-in reports the cancellation only after a right secret (E3)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, password=OWN_PASSWORD)
    assert PHONE.cancel(wire, account.token, phone, PHONE.code(wire, phone)).code == 1
    code = PHONE.code(wire, phone)
    wrong = wire.sign_in(phone, wire.wrong_code(code))
    assert wrong.body == WRONG_CODE.encode()
    assert wire.sign_in(phone, code).body == CANCELLED.encode()
    body = {"email": email, "password": OWN_PASSWORD}
    english = {"accept-language": "en"}
    assert wire.post("user/email-login", body, headers=english).body == CANCELLED_ENGLISH
    assert wire.email_login(email, OWN_PASSWORD + "!").code == 1301


def test_a_reset_of_its_password_is_answered_with_the_reason(wire: WireClient) -> None:
    """A right code for a new password gets the reason and sets none (security A7)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, password=OWN_PASSWORD)
    assert PHONE.cancel(wire, account.token, phone, PHONE.code(wire, phone)).code == 1
    code = EMAIL.code(wire, email, typ="forget_password")
    body = {"email": email, "captcha": code, "password": "another 断桥残雪 9"}
    assert wire.post("user/forget-password", body).body == CANCELLED.encode()


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({}, "phone"),
        ({"phone": ""}, "phone"),
        ({"phone": "", "email": ""}, "phone"),
        ({"phone": None}, "phone"),
        ({"email": None}, "phone"),
        ({"phone": "13900000000", "email": "a@example.com"}, "email"),
        ({"phone": "139000000001"}, "phone"),
        ({"email": "a@"}, "email"),
        ({"email": "a" * 321}, "email"),
    ],
)
def test_one_of_both_is_named(wire: WireClient, named: dict[str, object], field: str) -> None:
    """Neither, both or an invalid one is 1100 with the name (wire.md 2)."""
    token = wire.account().token
    reply = wire.request("POST", CANCEL_PATH, {"captcha": "000000", **named}, token=token)
    assert reply.json() == {"code": 1100, "msg": f"请求参数错误，{field}字段值非法"}


def test_an_empty_target_is_none(wire: WireClient) -> None:
    """An empty key counts as absent: some clients always send both."""
    email = wire.fresh_email()
    account = wire.account(email=email)
    body = {"phone": "", "email": email, "captcha": EMAIL.code(wire, email)}
    reply = wire.request("POST", CANCEL_PATH, body, token=account.token)
    assert reply.content == b'{"code":1,"msg":"success"}'


def test_anothers_target_reads_like_a_wrong_code(wire: WireClient) -> None:
    """A taken number, a free one and a wrong code get the same response (security E1)."""
    mine, his = wire.fresh_phone(), wire.fresh_phone()
    token = wire.account(phone=mine).token
    wire.account(phone=his)
    right = PHONE.code(wire, his)
    guesses = [(mine, "000000"), (his, right), (wire.fresh_phone(), "000000")]
    bodies = {PHONE.cancel(wire, token, phone, code).body for phone, code in guesses}
    assert bodies == {WRONG_CODE.encode()}
    assert wire.sign_in(his, right).code == 1


def test_the_delay_is_fifteen_days(own_wire: WireClient) -> None:
    """The number is free a minute after the delay, and not a minute before (A7)."""
    phone = own_wire.fresh_phone()
    account = own_wire.account(phone=phone, nickname="曾经", coins=5)
    cancelled_at = own_wire.set_clock(advance=0)
    assert PHONE.cancel(own_wire, account.token, phone, PHONE.code(own_wire, phone)).code == 1
    own_wire.set_clock(set=cancelled_at + 15 * DAY_SECONDS - 60)
    assert own_wire.sign_in(phone, PHONE.code(own_wire, phone)).code == 1421
    own_wire.set_clock(set=cancelled_at + 15 * DAY_SECONDS + 60)
    token = own_wire.sign_in(phone, PHONE.code(own_wire, phone)).text("token")
    data = own_wire.own_info(token).pb_data
    assert int(data.text(1)) > int(account.id)
    assert data.double(8) == 0
