"""A number is the same in any pasted form, at every endpoint (wire.md 5)."""

import pytest

from tests.support.client import WireClient

FORMS = [
    "+86 {} {} {}",
    "0086{}{}{}",
    "({}) {}-{}",
    "\u202a{}\u00a0{}\u00a0{}\u202c",
    "\u200b{}.{}.{}",
]


def pasted(form: str, phone: str) -> str:
    """Return a number in a pasted form."""
    return form.format(phone[:3], phone[3:7], phone[7:])


def in_full_width(phone: str) -> str:
    """Return a number as typed with a Chinese keyboard."""
    return phone.translate({code: code + 0xFEE0 for code in range(0x30, 0x3A)})


@pytest.mark.parametrize("form", FORMS)
def test_one_number_at_every_endpoint(wire: WireClient, form: str) -> None:
    """Request, look-up, sign-in and display treat it as one number and one account."""
    phone = wire.fresh_phone()
    code = wire.sms_code(pasted(form, phone), sent_to=phone)
    assert [letter.code for letter in wire.list_outbox("sms", pasted(form, phone))] == [code]
    token = wire.sign_in(in_full_width(phone), code).text("token")
    assert wire.own_info(token).pb_data.text(6) == phone
    again = wire.signed_in(phone)
    assert wire.own_info(again).pb_data.text(1) == wire.own_info(token).pb_data.text(1)


def test_binding_a_pasted_number(wire: WireClient) -> None:
    """The plain number is bound."""
    account, phone = wire.account(email=wire.fresh_email()), wire.fresh_phone()
    code = wire.sms_code(in_full_width(phone), sent_to=phone)
    body = {"phone": pasted(FORMS[0], phone), "captcha": code}
    assert wire.post("user/bing-phone", body, token=account.token).code == 1
    assert wire.own_info(account.token).pb_data.text(6) == phone


def test_an_account_to_order(wire: WireClient) -> None:
    """The sandbox's account route accepts a pasted number, once."""
    phone = wire.fresh_phone()
    account = wire.account(phone=pasted(FORMS[2], phone))
    assert wire.own_info(account.token).pb_data.text(6) == phone
    taken = wire.request("POST", "/sandbox/accounts", {"phone": in_full_width(phone)})
    assert taken.status_code == 409


def test_limits_count_one_number(wire: WireClient) -> None:
    """Five wrong codes invalidate a code, in any form of the number (C3, C5)."""
    phone = wire.fresh_phone()
    code = wire.sms_code(phone)
    wrong = wire.wrong_code(code)
    forms = [pasted(form, phone) for form in FORMS]
    assert [wire.sign_in(form, wrong).code == 1 for form in forms] == [False] * 5
    assert wire.sign_in(phone, code).code != 1
