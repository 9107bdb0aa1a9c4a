"""SMS codes: what is sent, how long and how often it works (wire.md 4, security C1-C3, C7, C8)."""

import re

import pytest

from tests.support.answers import assert_refused
from tests.support.client import WireClient

SMS = "verification/get-verification-code"
NOW = 2_000_000_000


def test_answer_and_message(wire: WireClient) -> None:
    """The response is success without data, and six digits go to the number (wire.md 4)."""
    phone = wire.fresh_phone()
    reply = wire.request("POST", f"/v1/{SMS}", {"mobile": phone, **wire.solved()})
    assert reply.json() == {"code": 1, "msg": "success"}
    letter = wire.next_message("sms", phone, set())
    assert (letter.channel, letter.to) == ("sms", phone)
    assert re.fullmatch("[0-9]{6}", letter.code)
    assert letter.code in letter.text


@pytest.mark.one_engine
@pytest.mark.parametrize("extra", [{"platform": "windows"}, {"platform": ""}, {"more": [1, {}]}])
def test_optional_and_unknown_keys(wire: WireClient, extra: dict[str, object]) -> None:
    """The platform is optional, and unknown keys are ignored (wire.md 1.4, 4)."""
    phone = wire.fresh_phone()
    assert wire.post(SMS, {"mobile": phone, **wire.solved(), **extra}).code == 1
    assert wire.next_message("sms", phone, set()).code


@pytest.mark.one_engine
def test_code_is_not_in_the_reply(wire: WireClient) -> None:
    """No response has the code that it sent (security C13)."""
    found = []
    for _ in range(5):
        phone = wire.fresh_phone()
        answer = wire.ask_sms(phone)
        code = wire.next_message("sms", phone, set()).code
        headers = [v for k, v in answer.headers.items() if k != "x-request-id"]
        found.append(code in answer.body.decode() or any(code in value for value in headers))
    assert not any(found)


@pytest.mark.one_engine
def test_wrong_captcha_sends_nothing(wire: WireClient) -> None:
    """With a wrong captcha no message is sent (wire.md 4)."""
    silent, marker = wire.fresh_phone(), wire.fresh_phone()
    captcha = wire.captcha()
    assert_refused(wire.post(SMS, {"mobile": silent, "code": captcha.wrong, "id": captcha.id}))
    # Messages are sent in the order of their requests: the marker shows that none is queued.
    wire.sms_code(marker)
    assert wire.list_outbox("sms", silent) == []


@pytest.mark.slow
def test_codes_differ(wire: WireClient) -> None:
    """Codes are random, and no universal one exists (security C1)."""
    codes = {wire.sms_code(wire.fresh_phone()) for _ in range(10)}
    assert len(codes) > 5
    for universal in {"000000", "123456", "666666", "888888", "111111"} - codes:
        phone = wire.fresh_phone()
        code = wire.sms_code(phone)
        if code != universal:
            assert_refused(wire.sign_in(phone, universal))


def test_code_serves_once(wire: WireClient) -> None:
    """The first success uses a code up (wire.md 4, security C7)."""
    phone = wire.fresh_phone()
    code = wire.sms_code(phone)
    assert wire.sign_in(phone, code, deviceId="a").code == 1
    assert_refused(wire.sign_in(phone, code, deviceId="a"))
    assert_refused(wire.sign_in(phone, code, deviceId="b"))


def test_new_code_kills_the_old(wire: WireClient) -> None:
    """Only the newest code of a number works (security D1)."""
    phone = wire.fresh_phone()
    old, new = wire.sms_code(phone), wire.sms_code(phone)
    if old != new:
        assert_refused(wire.sign_in(phone, old))
    assert wire.sign_in(phone, new).code == 1


def test_code_belongs_to_its_number(wire: WireClient) -> None:
    """A code only works for its own number (security C8)."""
    mine, other = wire.fresh_phone(), wire.fresh_phone()
    code, other_code = wire.sms_code(mine), wire.sms_code(other)
    if code != other_code:
        assert_refused(wire.sign_in(other, code))
        assert_refused(wire.sign_in(mine, other_code))
    assert_refused(wire.sign_in(wire.fresh_phone(), code))
    assert wire.sign_in(mine, code).code == 1
    assert wire.sign_in(other, other_code).code == 1


def test_email_code_does_not_sign_in(wire: WireClient) -> None:
    """An e-mail code never works as an SMS code (security C8)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    wire.account(phone=phone, email=email)
    assert wire.ask_email(email).code == 1
    code = wire.next_message("email", email, set()).code
    assert_refused(wire.sign_in(phone, code))
    assert wire.sign_in(email, code).code > 1


@pytest.mark.parametrize("bound", [True, False])
def test_four_wrong_tries_leave_the_code(wire: WireClient, *, bound: bool) -> None:
    """After four wrong attempts the right code still works (wire.md 4)."""
    phone = wire.fresh_phone()
    if bound:
        wire.account(phone=phone)
    code = wire.sms_code(phone)
    for _ in range(4):
        assert_refused(wire.sign_in(phone, wire.wrong_code(code)))
    assert wire.sign_in(phone, code).code == 1


@pytest.mark.parametrize("bound", [True, False])
def test_five_wrong_tries_kill_the_code(wire: WireClient, *, bound: bool) -> None:
    """After five wrong attempts the right code is refused, and a new one works (security C3)."""
    phone = wire.fresh_phone()
    if bound:
        wire.account(phone=phone)
    code = wire.sms_code(phone)
    for _ in range(5):
        assert_refused(wire.sign_in(phone, wire.wrong_code(code)))
    assert_refused(wire.sign_in(phone, code))
    assert wire.sign_in(phone, wire.sms_code(phone)).code == 1


@pytest.mark.one_engine
@pytest.mark.parametrize("shape", ["{}\n", "{}\x00", "0{}", "{}0", "+{}", "{}.0"])
def test_code_is_six_plain_digits(wire: WireClient, shape: str) -> None:
    """Only the six digits themselves are the code (security I7)."""
    phone = wire.fresh_phone()
    code = wire.sms_code(phone)
    assert_refused(wire.sign_in(phone, shape.format(code)))


@pytest.mark.one_engine
@pytest.mark.parametrize("zero", ["\u0660", "\uff10", "\u06f0"])
def test_foreign_digits_are_no_code(wire: WireClient, zero: str) -> None:
    """Arabic-Indic or full-width digits are not digits of a code (security I7)."""
    phone = wire.fresh_phone()
    code = wire.sms_code(phone)
    foreign = "".join(chr(ord(zero) + int(digit)) for digit in code)
    assert_refused(wire.sign_in(phone, foreign))
    assert wire.sign_in(phone, code).code == 1


@pytest.mark.parametrize(("age_seconds", "serves"), [(299, True), (301, False)])
def test_lifetime_is_five_minutes(own_wire: WireClient, age_seconds: int, *, serves: bool) -> None:
    """A code works 299 s after its request, and not 301 s after (security C2)."""
    phone = own_wire.fresh_phone()
    own_wire.set_clock(set=NOW)
    code = own_wire.sms_code(phone)
    own_wire.set_clock(set=NOW + age_seconds)
    answer = own_wire.sign_in(phone, code, time=NOW, timestamp=NOW)
    assert (answer.code == 1) is serves


@pytest.mark.parametrize("token", ["", "not-a-token", None])
def test_stray_token_changes_nothing(wire: WireClient, token: str | None) -> None:
    """A token sent with the request for a code has no effect (security D1, C8)."""
    owner, phone = wire.account(phone=wire.fresh_phone()), wire.fresh_phone()
    body = {"mobile": phone, **wire.solved()}
    sent = owner.token if token is None else token
    assert wire.post(SMS, body, token=sent).code == 1
    code = wire.next_message("sms", phone, set()).code
    signed_in = wire.sign_in(phone, code).text("token")
    assert wire.own_info(signed_in).pb_data.text(1) != owner.id
