"""Edges of user/cancel-user (wire.md 4, security D1, A1, A4, A7)."""

import pytest

from tests.wire.client import WireClient
from tests.wire.ways import EMAIL, PHONE, is_code

CANCEL = "/v1/user/cancel-user"
DAY_SECONDS = 86_400
PASSWORD = "柳浪闻莺 8 long"
CANCELLED = '{"code":1421,"msg":"该账号已注销，其数据清除后方可重新注册"}'
CANCELLED_ENGLISH = (
    b'{"code":1421,"msg":"This account was cancelled: sign up again once its data is erased"}'
)
WRONG_CODE = '{"code":1202,"msg":"验证码错误或已失效"}'
SMS_NOTICE = "【湖畔】您的账号已注销。如非本人操作，请尽快联系管理员。"


def test_every_bound_channel_is_told(wire: WireClient) -> None:
    """Who cancels by one channel is told on both (security A2)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email)
    assert EMAIL.cancel(wire, account.token, email, EMAIL.code(wire, email)).code == 1
    assert SMS_NOTICE in [letter.text for letter in wire.list_outbox("sms", phone)]
    mails = [letter.text for letter in wire.list_outbox("email", email) if not is_code(letter)]
    assert len(mails) == 1
    assert mails[0].startswith("湖畔 账号已注销 Account cancelled\n您的账号已注销。")


def test_it_answers_like_one_that_never_was(wire: WireClient) -> None:
    """From the end on get-user says 4402, byte for byte as of an unknown id (wire.md 2)."""
    phone, viewer = wire.fresh_phone(), wire.account().token
    account = wire.account(phone=phone, nickname="曾经")
    assert wire.get_user(account.id, token=viewer).pb_data.text(2) == "曾经"
    assert PHONE.cancel(wire, account.token, phone, PHONE.code(wire, phone)).code == 1
    answers = [wire.get_user(user_id, token=viewer) for user_id in (account.id, "999999999")]
    assert [answer.code for answer in answers] == [4402, 4402]
    assert answers[0].msg == answers[1].msg == "该用户不存在"
    assert wire.post("user/logout", token=account.token).code == 1


def test_who_knows_the_secret_is_told_why(wire: WireClient) -> None:
    """Sign-in says that the account was cancelled, after a right secret and not before (E3)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, password=PASSWORD)
    assert PHONE.cancel(wire, account.token, phone, PHONE.code(wire, phone)).code == 1
    code = PHONE.code(wire, phone)
    wrong = wire.sign_in(phone, wire.wrong_code(code))
    assert wrong.body == WRONG_CODE.encode()
    assert wire.sign_in(phone, code).body == CANCELLED.encode()
    body = {"email": email, "password": PASSWORD}
    english = {"accept-language": "en"}
    assert wire.post("user/email-login", body, headers=english).body == CANCELLED_ENGLISH
    assert wire.email_login(email, PASSWORD + "!").code == 1301


def test_a_reset_of_its_password_is_told_likewise(wire: WireClient) -> None:
    """A right code for a new password sets none (security A7)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    account = wire.account(phone=phone, email=email, password=PASSWORD)
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
    """Neither, both or no such thing: 1100 with the name (wire.md 2)."""
    token = wire.account().token
    reply = wire.request("POST", CANCEL, {"captcha": "000000", **named}, token=token)
    assert reply.json() == {"code": 1100, "msg": f"请求参数错误，{field}字段值非法"}


def test_an_empty_one_beside_the_other_is_none(wire: WireClient) -> None:
    """A client that always sends both keys leaves one empty."""
    email = wire.fresh_email()
    account = wire.account(email=email)
    body = {"phone": "", "email": email, "captcha": EMAIL.code(wire, email)}
    reply = wire.request("POST", CANCEL, body, token=account.token)
    assert reply.content == b'{"code":1,"msg":"success"}'


def test_anothers_target_reads_like_a_wrong_code(wire: WireClient) -> None:
    """Whether a number is somebody's, nobody's or one's own is not told (security E1)."""
    mine, his = wire.fresh_phone(), wire.fresh_phone()
    token = wire.account(phone=mine).token
    wire.account(phone=his)
    right = PHONE.code(wire, his)
    guesses = [(mine, "000000"), (his, right), (wire.fresh_phone(), "000000")]
    bodies = {PHONE.cancel(wire, token, phone, code).body for phone, code in guesses}
    assert bodies == {WRONG_CODE.encode()}
    assert wire.sign_in(his, right).code == 1


def test_the_delay_is_fifteen_days(own_wire: WireClient) -> None:
    """A minute before, the number is still the old account's; a minute after, it is free (A7)."""
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
