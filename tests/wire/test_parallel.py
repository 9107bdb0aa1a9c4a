"""Concurrent requests (security C3, C7, R10).

One number or address never belongs to two accounts (R10, J4).
"""

import pytest

from tests.support.answers import Account, Answer, assert_refused
from tests.support.client import WireClient
from tests.support.parallel import THREADS, at_once, winner

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize("device", ["same", ""])
def test_one_code_returns_one_token(wire: WireClient, device: str, *, bound: bool) -> None:
    """One code used 50 times at once signs in once, to one account (security C7, R10)."""
    phone = wire.fresh_phone()
    owner = wire.account(phone=phone, deviceId="door").id if bound else ""
    code = wire.sms_code(phone)
    answers = at_once(
        lambda at: wire.sign_in(phone, code, deviceId=device or f"device {at}"),
        range(THREADS),
    )
    user_id = wire.own_info(winner(answers).text("token")).pb_data.text(1)
    assert owner in {"", user_id}
    again = wire.signed_in(phone, deviceId="after")
    assert wire.own_info(again).pb_data.text(1) == user_id


def test_wrong_tries_at_once_kill_the_code(wire: WireClient) -> None:
    """After 100 concurrent wrong attempts the right code is refused (security C3)."""
    phone = wire.fresh_phone()
    code = wire.sms_code(phone)
    wrong = [f"{(int(code) + step) % 1_000_000:06d}" for step in range(1, 101)]
    for answer in at_once(lambda guess: wire.sign_in(phone, guess), wrong[:THREADS]):
        assert_refused(answer)
    for answer in at_once(lambda guess: wire.sign_in(phone, guess), wrong[THREADS:]):
        assert_refused(answer)
    assert_refused(wire.sign_in(phone, code))


def test_one_captcha_buys_one_message(wire: WireClient) -> None:
    """One captcha used 30 times at once sends one message (wire.md 4, security C9)."""
    captcha = wire.captcha()
    phones = [wire.fresh_phone() for _ in range(30)]
    answers = at_once(
        lambda phone: wire.post(
            "verification/get-verification-code",
            {"mobile": phone, "code": captcha.answer, "id": captcha.id},
        ),
        phones,
    )
    winner(answers)
    # Messages are sent in the order of their requests: the marker shows that none is queued.
    wire.sms_code(wire.fresh_phone())
    assert sum(len(wire.list_outbox("sms", phone)) for phone in phones) == 1


def test_new_codes_at_once_leave_one_alive(wire: WireClient) -> None:
    """Of codes requested at once for one number at most one works (security D1)."""
    phone = wire.fresh_phone()
    captchas = [wire.solved() for _ in range(10)]
    at_once(
        lambda captcha: wire.post(
            "verification/get-verification-code", {"mobile": phone, **captcha}
        ),
        captchas,
    )
    wire.sms_code(wire.fresh_phone())
    codes = [letter.code for letter in wire.list_outbox("sms", phone)]
    assert len(codes) == 10
    # Trying every code would use up the five attempts of the live one: four and the newest suffice.
    served = [wire.sign_in(phone, code).code == 1 for code in codes[:4]]
    assert sum(served) <= 1


def test_passwords_at_once(wire: WireClient) -> None:
    """Concurrent password sign-ins on ten devices all succeed, each with its token (P5)."""
    email = wire.fresh_email()
    wire.account(email=email, password="long enough 1", deviceId="door")
    answers = at_once(
        lambda at: wire.email_login(email, "long enough 1", deviceId=f"device {at}"), range(10)
    )
    tokens = {answer.text("token") for answer in answers}
    assert len(tokens) == 10
    assert {wire.own_info(token).code for token in tokens} == {1}


def test_same_device_at_once_keeps_one_session(wire: WireClient) -> None:
    """Concurrent sign-ins of one user and device leave one session (wire.md 5)."""
    email = wire.fresh_email()
    wire.account(email=email, password="long enough 1", deviceId="door")
    answers = at_once(lambda _: wire.email_login(email, "long enough 1", deviceId="one"), range(10))
    tokens = [answer.text("token") for answer in answers if answer.code == 1]
    assert tokens
    assert sorted(wire.own_info(token).code for token in tokens) == [-101] * (len(tokens) - 1) + [1]


def test_logout_at_once(wire: WireClient) -> None:
    """Concurrent sign-outs all succeed, and the session is gone (T5)."""
    token = wire.account().token
    answers = at_once(lambda _: wire.post("user/logout", token=token), range(20))
    assert {answer.code for answer in answers} == {1}
    assert wire.own_info(token).code == -101


def test_request_ids_at_once(wire: WireClient) -> None:
    """Concurrent requests have different ids (wire.md 1.8)."""
    answers = at_once(lambda _: wire.get_user("1"), range(THREADS))
    assert len({answer.request_id for answer in answers}) == THREADS


AT_ONCE = 50


def only_winner(answers: list[Answer], accounts: list[Account]) -> Account:
    """Return the account whose request succeeded; all others got the same refusal."""
    pairs = zip(answers, accounts, strict=True)
    (winner,) = [account for answer, account in pairs if answer.code == 1]
    losers = [answer for answer in answers if answer.code != 1]
    for answer in losers:
        assert_refused(answer)
    assert len({answer.body for answer in losers}) == 1
    return winner


def test_fifty_bind_one_number(wire: WireClient) -> None:
    """Of fifty accounts with the same right code one gets the number, which signs in to it."""
    phone, accounts = wire.fresh_phone(), [wire.account() for _ in range(AT_ONCE)]
    body = {"phone": phone, "captcha": wire.sms_code(phone)}
    answers = at_once(lambda who: wire.post("user/bing-phone", body, token=who.token), accounts)
    winner = only_winner(answers, accounts)
    bound = [wire.own_info(who.token).pb_data.text(6) for who in accounts]
    assert sorted(bound) == [""] * (AT_ONCE - 1) + [phone]
    assert wire.own_info(wire.signed_in(phone)).pb_data.text(1) == winner.id


def test_fifty_change_to_one_address(wire: WireClient) -> None:
    """Of fifty accounts that change to one address one succeeds, and the others keep theirs."""
    old = [wire.fresh_email() for _ in range(AT_ONCE)]
    accounts = [wire.account(email=email) for email in old]
    email = wire.fresh_email()
    assert wire.ask_email(email).code == 1
    body = {"email": email, "captcha": wire.next_message("email", email, set()).code}
    path = "user/change-email-check"
    answers = at_once(lambda who: wire.post(path, body, token=who.token), accounts)
    winner = only_winner(answers, accounts)
    for address, who in zip(old, accounts, strict=True):
        bound = wire.own_info(who.token).pb_data.text(7)
        assert bound == (email if who == winner else address)


def test_binding_and_signing_up_at_once(wire: WireClient) -> None:
    """A number that is bound and registered at the same time ends up with one account."""
    phone = wire.fresh_phone()
    accounts = [wire.account() for _ in range(AT_ONCE)]
    code = wire.sms_code(phone)

    def act(who: Account) -> Answer:
        if accounts.index(who) % 2:
            return wire.sign_in(phone, code, deviceId=who.id)
        return wire.post("user/bing-phone", {"phone": phone, "captcha": code}, token=who.token)

    answers = at_once(act, accounts)
    assert sum(answer.code == 1 for answer in answers) == 1
    owner = wire.own_info(wire.signed_in(phone, deviceId="after")).pb_data.text(1)
    bound = {who.id for who in accounts if wire.own_info(who.token).pb_data.text(6) == phone}
    assert bound <= {owner}
