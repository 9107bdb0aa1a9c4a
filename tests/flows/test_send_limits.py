"""What the server sends in all, and to whom it never does (security C11, C12)."""

from tests.flows.elsewhere import SENDING_STOPPED, TOO_MANY, Elsewhere, apart, limited
from tests.wire.client import WireClient
from tests.wire.test_parallel import at_once

DAY = 86_400
SMS = "verification/get-verification-code"
ABROAD = {"international_numbers": "true", "sms_countries": "HK, US"}


def from_everywhere(number: int, wire: WireClient) -> Elsewhere:
    """A client in a network of its own."""
    return Elsewhere(wire, f"198.{18 + number // 200}.{number % 200}.1")


def sent(wire: WireClient, *numbers: str) -> list[str]:
    """Those of some numbers that something was sent to."""
    return [number for number in numbers if wire.outbox("sms", number)]


def test_a_budget_that_is_spent_stops_the_sending() -> None:
    """29 cents pay five SMS of five, never more at once; e-mails go on (security C11, R11)."""
    with limited({"sms_budget_cents_per_day": "29", "emails_per_day": "2"}) as wire:
        senders = [from_everywhere(number, wire) for number in range(50)]
        bodies = [{"mobile": apart(n), **sender.solved()} for n, sender in enumerate(senders)]
        answers = at_once(lambda at: senders[at].post(SMS, bodies[at]), range(50))
        assert {answer.code for answer in answers} == {1, SENDING_STOPPED}
        assert sum(answer.code == 1 for answer in answers) == 5
        assert len(sent(wire, *map(apart, range(50)))) == 5
        assert {answer.headers["x-result"] for answer in answers} == {"ok", "limited"}
        assert "alarm=sending-stopped channel=sms" in wire.server.output()
        codes = [from_everywhere(n, wire).ask_email(f"v{n}@example.com").code for n in range(3)]
        assert codes == [1, 1, SENDING_STOPPED]
        wire.wind(advance=DAY)
        assert from_everywhere(0, wire).ask_sms(apart(99)).code == 1


def test_numbers_beside_each_other() -> None:
    """Of numbers that share seven digits nine are sent a code in ten minutes (security C12)."""
    with limited() as wire:
        block = [f"1390000{number:04d}" for number in range(12)]
        codes = [from_everywhere(n, wire).ask_sms(one).code for n, one in enumerate(block)]
        assert codes == [1] * 9 + [TOO_MANY] * 3
        assert sent(wire, *block) == block[:9]
        assert "alarm=adjacent-numbers block=1390000" in wire.server.output()
        assert from_everywhere(0, wire).ask_sms("13900010000").code == 1
        wire.wind(advance=61)
        assert from_everywhere(1, wire).ask_sms(block[0]).code == 1  # no new number of the block
        wire.wind(advance=600)
        assert from_everywhere(2, wire).ask_sms(block[11]).code == 1


def test_numbers_that_cost_are_sent_nothing() -> None:
    """Of other countries, of landlines, of services: the answer is the same (security C12, E1)."""
    real = ["13911112222", "+85261234567", "+12015550123"]
    vain = ["10612345678", "12011112222", "+442079460958", "+447911123456", "+85223456789"]
    with limited(ABROAD) as wire:
        answers = [from_everywhere(n, wire).ask_sms(number) for n, number in enumerate(real + vain)]
        assert {answer.body for answer in answers} == {answers[0].body}
        assert answers[0].code == 1
        assert sent(wire, *real, *vain) == real
        for n, number in enumerate(vain):
            assert from_everywhere(n, wire).ask_sms(number).code == TOO_MANY  # as real ones are


def test_codes_that_nobody_uses_ring_an_alarm() -> None:
    """Fifty codes of an hour and hardly one used: the log tells (security C12)."""
    with limited() as wire:
        for number in range(50):
            assert from_everywhere(number, wire).ask_sms(apart(number)).code == 1
        wire.wind(advance=3600)
        assert "alarm=unused-codes asked=50 used=0" in wire.server.output()
