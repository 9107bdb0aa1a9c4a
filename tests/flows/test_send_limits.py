"""What the server sends in total, and what it never sends (security C11, C12).

Repeated sign-ins do not flood the owner with notices over HTTP (security X4).
"""

import pytest

from tests.support.channels import EMAIL
from tests.support.client import WireClient
from tests.support.parallel import at_once
from tests.support.proxied_clients import SENDING_STOPPED, TOO_MANY, ProxiedClient, apart, limited

pytestmark = pytest.mark.slow

DAY = 86_400
SMS = "verification/get-verification-code"
ABROAD = {"international_numbers": "true", "sms_countries": "HK, US"}


def from_everywhere(number: int, wire: WireClient) -> ProxiedClient:
    """Return a client in a separate network."""
    return ProxiedClient(wire, f"198.{18 + number // 200}.{number % 200}.1")


def sent(wire: WireClient, *numbers: str) -> list[str]:
    """Return the numbers that received something."""
    return [number for number in numbers if wire.list_outbox("sms", number)]


def test_a_budget_that_is_spent_stops_the_sending() -> None:
    """29 cents pay for five SMS at 5 cents, also concurrently; e-mails go on (C11, R11, X4).

    One of the five is for a notice, two of the others for strangers.
    """
    with limited({"sms_budget_cents_per_day": "29", "emails_per_day": "5"}) as wire:
        owners = [apart(number) for number in range(50, 54)]
        for owner in owners:
            wire.account(phone=owner)
        senders = [from_everywhere(number, wire) for number in range(50)]
        bodies = [{"mobile": apart(n), **sender.solved()} for n, sender in enumerate(senders)]
        answers = at_once(lambda at: senders[at].post(SMS, bodies[at]), range(50))
        assert {answer.code for answer in answers} == {1}
        assert len(sent(wire, *map(apart, range(50)))) == 2
        assert "alarm=codes-to-strangers-stopped channel=sms" in wire.server.output()
        codes = [from_everywhere(60 + n, wire).ask_sms(one) for n, one in enumerate(owners)]
        assert [answer.code for answer in codes] == [1, 1, SENDING_STOPPED, SENDING_STOPPED]
        assert codes[-1].headers["x-result"] == "limited"
        assert sent(wire, *owners) == owners[:2]
        assert "alarm=sending-stopped channel=sms" in wire.server.output()
        told = [from_everywhere(n, wire).ask_email(f"v{n}@example.com").code for n in range(5)]
        assert told == [1] * 5
        assert len([n for n in range(5) if wire.list_outbox("email", f"v{n}@example.com")]) == 2
        wire.set_clock(advance=DAY)
        assert from_everywhere(0, wire).ask_sms(apart(99)).code == 1


PARTS = {"sms_budget_cents_per_day": "100", "emails_per_day": "20"}
"""Of twenty messages four are for notices, and eight of the sixteen codes for strangers."""


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_answers_are_the_same_at_any_budget(channel: str) -> None:
    """Targets with and without an account get the same, with any budget spent (security E1, X4)."""
    is_sms = channel == "sms"

    def target(number: int) -> str:
        return apart(number) if is_sms else f"a{number}@example.com"

    def answer(number: int) -> tuple[object, ...]:
        client = from_everywhere(number, wire)
        told = client.ask_sms(target(number)) if is_sms else client.ask_email(target(number))
        headers = {k: v for k, v in told.headers.items() if k not in {"x-request-id", "date"}}
        return told.code, told.body, sorted(headers.items())

    with limited(PARTS) as wire:
        owners, strangers = range(100, 120), range(200, 220)
        for number in owners:
            wire.account(**{"phone" if is_sms else "email": target(number)})
        assert {answer(number)[0] for number in range(8)} == {1}
        stopped_at = 0
        for at, (owner, stranger) in enumerate(zip(owners, strangers, strict=True)):
            told = answer(owner), answer(stranger)
            has_room = at < 8
            stopped_at = stopped_at or (0 if told[0][0] == 1 else at)
            if at != 7:  # the last code: after it all are refused
                assert told[0] == told[1]
            assert told[0][0] == (1 if has_room else SENDING_STOPPED)
            came = [bool(wire.list_outbox(channel, target(one))) for one in (owner, stranger)]
            assert came == [has_room, False]
        assert stopped_at == 8


def test_an_owner_signs_in_after_strangers_spent_all_they_may() -> None:
    """After hundreds of codes to strangers the owner's code arrives and works (security X4)."""
    with limited({"sms_budget_cents_per_day": "100"}) as wire:
        owner = wire.signed_in(apart(500), deviceId="the owner's")
        assert owner
        for number in range(60):
            assert from_everywhere(number, wire).ask_sms(apart(number)).code == 1
        assert len(sent(wire, *map(apart, range(60)))) < 10
        wire.set_clock(advance=61)
        assert wire.signed_in(apart(500), deviceId="the owner's")


def test_notices_are_within_the_budget() -> None:
    """Notices by SMS count: four of twenty are sent, the others the next day (X4, C11)."""
    with limited({"sms_budget_cents_per_day": "100"}) as wire:
        phones = [apart(number) for number in range(8)]
        for number, phone in enumerate(phones):
            token = wire.account(phone=phone).token
            email = f"n{number}@example.com"
            assert EMAIL.bind(wire, token, email, EMAIL.code(wire, email)).code == 1
        assert len(sent(wire, *phones)) == 4
        assert "alarm=notices-stopped channel=sms" in wire.server.output()
        for number in range(100, 140):
            from_everywhere(number, wire).ask_sms(apart(number))
        assert len(sent(wire, *map(apart, range(100, 140)))) == 8  # the strangers' whole part
        wire.set_clock(advance=DAY)
        assert len(sent(wire, *phones)) == 8


def test_adjacent_numbers() -> None:
    """Of numbers that share seven digits nine get a code in ten minutes (security C12)."""
    with limited() as wire:
        block = [f"1390000{number:04d}" for number in range(12)]
        codes = [from_everywhere(n, wire).ask_sms(one).code for n, one in enumerate(block)]
        assert codes == [1] * 9 + [TOO_MANY] * 3
        assert sent(wire, *block) == block[:9]
        assert "alarm=adjacent-numbers block=1390000" in wire.server.output()
        assert from_everywhere(0, wire).ask_sms("13900010000").code == 1
        wire.set_clock(advance=61)
        assert from_everywhere(1, wire).ask_sms(block[0]).code == 1  # no new number of the block
        wire.set_clock(advance=600)
        assert from_everywhere(2, wire).ask_sms(block[11]).code == 1


def test_numbers_that_cost_are_sent_nothing() -> None:
    """Foreign numbers, landlines and service numbers get none, with the same response (C12, E1)."""
    real = ["13911112222", "+85261234567", "+12015550123"]
    vain = ["10612345678", "12011112222", "+442079460958", "+447911123456", "+85223456789"]
    with limited(ABROAD) as wire:
        answers = [from_everywhere(n, wire).ask_sms(number) for n, number in enumerate(real + vain)]
        assert {answer.body for answer in answers} == {answers[0].body}
        assert answers[0].code == 1
        assert sent(wire, *real, *vain) == real
        for n, number in enumerate(vain):
            assert from_everywhere(n, wire).ask_sms(number).code == TOO_MANY  # like real ones


def test_unused_codes_raise_an_alarm() -> None:
    """Fifty codes in an hour, hardly any used, raise an alert in the log (security C12)."""
    with limited() as wire:
        for number in range(50):
            assert from_everywhere(number, wire).ask_sms(apart(number)).code == 1
        wire.set_clock(advance=3600)
        assert "alarm=unused-codes asked=50 used=0" in wire.server.output()


HOUR = 3600
OWNER, PASSWORD = "who@example.com", "the lake at seven"
SIGN_INS = 16


def ended(wire: WireClient) -> int:
    """Return how many notices of an ended session the owner received."""
    return sum("Device signed out" in letter.text for letter in wire.list_outbox("email", OWNER))


def sign_in(wire: WireClient, first: int) -> None:
    """Sign in on many devices, one a minute."""
    for number in range(first, first + SIGN_INS):
        wire.set_clock(advance=61)
        answer = wire.email_login(OWNER, PASSWORD, deviceId=f"device {number}")
        assert answer.code == 1


def test_sign_ins_without_end_are_notified_once_an_hour() -> None:
    """From the eleventh session on each ends another one; one notice an hour is sent (X4)."""
    with limited() as wire:
        wire.account(email=OWNER, password=PASSWORD)
        sign_in(wire, 0)
        assert ended(wire) == 1
        wire.set_clock(advance=HOUR)
        sign_in(wire, 100)
        assert ended(wire) == 2
