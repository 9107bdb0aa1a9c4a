"""What many requests at once must not break (security C3, C7, R10)."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import pytest

from tests.wire.answers import Answer, assert_refused
from tests.wire.client import WireClient

THREADS = 50
Item = TypeVar("Item")


def at_once(action: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """Call the action with each item, in threads that start together."""
    start = Barrier(len(items))

    def run(item: Item) -> Answer:
        start.wait(timeout=30)
        return action(item)

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(run, items))


def winner(answers: list[Answer]) -> Answer:
    """Return the only success."""
    won = [answer for answer in answers if answer.code == 1]
    assert len(won) == 1, [answer.code for answer in answers]
    for answer in answers:
        if answer.code != 1:
            assert_refused(answer)
    return won[0]


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize("device", ["same", ""])
def test_one_code_gives_one_token(wire: WireClient, device: str, *, bound: bool) -> None:
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
    """After 100 wrong tries at once the right code is refused (security C3)."""
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
    # Messages leave in the order they were asked for, so the marker's tells that nothing waits.
    wire.sms_code(wire.fresh_phone())
    assert sum(len(wire.list_outbox("sms", phone)) for phone in phones) == 1


def test_new_codes_at_once_leave_one_alive(wire: WireClient) -> None:
    """Codes asked for at once for one number leave at most one that serves (security D1)."""
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
    # Asking every code would spend the five tries of the live one: four besides the newest will do.
    served = [wire.sign_in(phone, code).code == 1 for code in codes[:4]]
    assert sum(served) <= 1


def test_passwords_at_once(wire: WireClient) -> None:
    """Sign-ins by password at once on ten devices all succeed, each with its token (P5)."""
    email = wire.fresh_email()
    wire.account(email=email, password="long enough 1", deviceId="door")
    answers = at_once(
        lambda at: wire.email_login(email, "long enough 1", deviceId=f"device {at}"), range(10)
    )
    tokens = {answer.text("token") for answer in answers}
    assert len(tokens) == 10
    assert {wire.own_info(token).code for token in tokens} == {1}


def test_same_device_at_once_keeps_one_session(wire: WireClient) -> None:
    """Sign-ins of one user and device at once leave one session (wire.md 5)."""
    email = wire.fresh_email()
    wire.account(email=email, password="long enough 1", deviceId="door")
    answers = at_once(lambda _: wire.email_login(email, "long enough 1", deviceId="one"), range(10))
    tokens = [answer.text("token") for answer in answers if answer.code == 1]
    assert tokens
    assert sorted(wire.own_info(token).code for token in tokens) == [-101] * (len(tokens) - 1) + [1]


def test_logout_at_once(wire: WireClient) -> None:
    """Signing out many times at once is success each time, and the session is gone (T5)."""
    token = wire.account().token
    answers = at_once(lambda _: wire.post("user/logout", token=token), range(20))
    assert {answer.code for answer in answers} == {1}
    assert wire.own_info(token).code == -101


def test_request_ids_at_once(wire: WireClient) -> None:
    """Requests at once have ids of their own (wire.md 1.8)."""
    answers = at_once(lambda _: wire.get_user("1"), range(THREADS))
    assert len({answer.request_id for answer in answers}) == THREADS
