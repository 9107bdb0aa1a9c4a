"""Limits per client address, over HTTP, behind a proxy (security C6, C10, C11, E4, I10)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import WireClient
from tests.support.parallel import at_once
from tests.support.proxied_clients import (
    HOUR,
    TOO_MANY,
    TOO_MANY_FROM_HERE,
    WRONG_CAPTCHA,
    WRONG_CODE,
    WRONG_PASSWORD,
    ProxiedClient,
    apart,
    begin_an_hour,
    limited,
)

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]  # counters in memory do not use the store

MINUTE, DAY = 60, 86_400
HERE, THERE = "203.0.113.9", "198.51.100.7"
PAGE_KIB = 4


@pytest.fixture
def wire() -> Iterator[WireClient]:
    """Yield a sandbox with every limit at its default."""
    with limited() as client:
        yield client


def test_spraying_many_targets_from_one_address(wire: WireClient) -> None:
    """Of one guess at each of 200 numbers 60 are checked; other addresses go on (security C6)."""
    here = ProxiedClient(wire, HERE)
    codes = [here.guess(apart(number)).code for number in range(200)]
    assert codes == [WRONG_CODE] * 60 + [TOO_MANY_FROM_HERE] * 140
    assert ProxiedClient(wire, THERE).guess(apart(1)).code == WRONG_CODE
    wire.set_clock(advance=HOUR)
    assert here.guess(apart(1)).code == WRONG_CODE


def test_two_hundred_guesses_at_once_from_one_address(wire: WireClient) -> None:
    """Concurrent guesses have the same limit (security C6, R11)."""
    here = ProxiedClient(wire, HERE)
    answers = at_once(lambda number: here.guess(apart(number)), range(100))
    assert [answer.code for answer in answers].count(WRONG_CODE) <= 60
    assert here.guess(apart(100)).code in {WRONG_CODE, TOO_MANY_FROM_HERE}
    for number in range(101, 161):
        here.guess(apart(number))
    assert here.guess(apart(161)).code == TOO_MANY_FROM_HERE


def test_spraying_from_many_addresses_raises_an_alarm(wire: WireClient) -> None:
    """Six guesses of each of 200 addresses reach no limit, but raise an alert (C6)."""
    for number in range(1002):
        answer = ProxiedClient(wire, f"198.51.{number // 200}.{number % 200}").guess(apart(number))
        assert answer.code == WRONG_CODE
    assert "alarm=wrong-tries" in wire.server.output()


def test_wrong_secrets_of_every_kind_count_together(wire: WireClient) -> None:
    """Captchas, codes and passwords count; right ones and other requests do not (C6)."""
    here = ProxiedClient(wire, HERE)
    phone = apart(1)
    wire.account(phone=phone, email="known@example.com", password="the lake at seven")
    right = {"email": "known@example.com", "password": "the lake at seven"}
    wrong = {"mobile": phone, "id": "none", "code": "0"}
    for number in range(20):
        assert here.guess("nobody's").code == 1100
        assert here.guess(apart(100 + number)).code == WRONG_CODE
        told = here.post("user/email-login", {**right, "password": "wrong one"})
        assert told.code == WRONG_PASSWORD
        assert here.post("verification/get-verification-code", wrong).code == WRONG_CAPTCHA
    refused = here.post("user/email-login", right)
    assert (refused.code, refused.headers["x-result"]) == (TOO_MANY_FROM_HERE, "limited")
    assert ProxiedClient(wire, THERE).post("user/captcha").code == 1


def test_an_address_of_ipv6_is_a_whole_64(wire: WireClient) -> None:
    """A /64 has one counter, and the next /64 another (security C6)."""
    for number in range(60):
        one = ProxiedClient(wire, f"2001:db8:0:1::{number:x}")
        assert one.guess(apart(number)).code == WRONG_CODE
    assert ProxiedClient(wire, "2001:db8:0:1:f::1").guess(apart(1)).code == TOO_MANY_FROM_HERE
    assert ProxiedClient(wire, "2001:db8:0:2::1").guess(apart(1)).code == WRONG_CODE


@pytest.mark.parametrize("said", ["", "unknown", "a" * 5000, "203.0.113.9, ,"])
def test_an_address_that_cannot_be_read_is_the_proxys(wire: WireClient, said: str) -> None:
    """The check is never skipped: it counts the socket's address (security I10)."""
    for number in range(60):
        assert ProxiedClient(wire, said).guess(apart(number)).code == WRONG_CODE
    assert ProxiedClient(wire, said).guess(apart(1)).code == TOO_MANY_FROM_HERE
    assert "alarm=loopback-limited" in wire.server.output()


def resident_mib(wire: WireClient) -> float:
    """Return the resident memory of the server, from the system."""
    pages = Path(f"/proc/{wire.server.process.pid}/statm").read_text().split()[1]
    return int(pages) * PAGE_KIB / 1024


def test_making_captchas_is_bounded(wire: WireClient) -> None:
    """One address makes 30 a minute; 2,000 from many addresses need hardly any memory (C10)."""
    here = ProxiedClient(wire, HERE)
    codes = [here.post("user/captcha").code for _ in range(40)]
    assert codes == [1] * 30 + [TOO_MANY_FROM_HERE] * 10
    wire.set_clock(advance=MINUTE)
    assert here.post("user/captcha").code == 1
    before = resident_mib(wire)
    for number in range(2000):
        one = ProxiedClient(wire, f"198.51.100.{number % 100}")
        assert one.post("user/captcha").code in {1, 1002, TOO_MANY_FROM_HERE}
    assert resident_mib(wire) - before <= 20


def test_sends_requested_by_an_address(wire: WireClient) -> None:
    """20 codes an hour for an address, 100 for a network, also concurrently (security C11, R11)."""
    solvers = [ProxiedClient(wire, f"192.0.2.{number}") for number in range(150)]
    bodies = [{"mobile": apart(n), **solver.solved()} for n, solver in enumerate(solvers)]
    here = ProxiedClient(wire, HERE)
    path = "verification/get-verification-code"
    answers = at_once(lambda number: here.post(path, bodies[number]), range(50))
    assert sum(answer.code == 1 for answer in answers) == 20
    assert {answer.code for answer in answers} == {1, TOO_MANY_FROM_HERE}
    others = [ProxiedClient(wire, f"203.0.113.{100 + n // 10}") for n in range(100)]
    codes = [others[n].post(path, bodies[50 + n]).code for n in range(100)]
    assert codes == [1] * 80 + [TOO_MANY_FROM_HERE] * 20
    assert ProxiedClient(wire, THERE).ask_sms(apart(999)).code == 1


def test_what_is_not_sent_does_not_count(wire: WireClient) -> None:
    """Wrong captchas, and numbers that had a code recently, use up no sends of the address."""
    here = ProxiedClient(wire, HERE)
    assert here.ask_sms(apart(1)).code == 1
    for _ in range(20):
        assert here.ask_sms(apart(1)).code == TOO_MANY
    wire.set_clock(advance=MINUTE)
    for number in range(2, 21):
        assert here.ask_sms(apart(number)).code == 1
    wire.set_clock(advance=MINUTE)
    assert here.ask_sms(apart(21)).code == TOO_MANY_FROM_HERE


def test_looking_at_users(wire: WireClient) -> None:
    """The 61st view within a minute is refused, in the app or on the web (security E4)."""
    known = wire.account().id
    for number in range(30):
        near = ProxiedClient(wire, f"203.0.113.{number}")
        assert near.get_user(known if number % 2 else "7").code in {1, 4402}
        assert near.homepage(known).code == 1
    near = ProxiedClient(wire, "203.0.113.200")
    refused = [near.get_user(known), near.get_user("7"), near.homepage(known)]
    assert [answer.code for answer in refused] == [TOO_MANY_FROM_HERE] * 3
    assert [answer.form for answer in refused] == ["protobuf", "protobuf", "json"]
    assert ProxiedClient(wire, THERE).get_user(known).code == 1
    wire.set_clock(advance=MINUTE)
    assert near.get_user(known).code == 1


def test_looking_at_users_from_everywhere(wire: WireClient) -> None:
    """An account has 60 views a minute, from all addresses and sessions together (security E4)."""
    phone = apart(1)
    wire.account(phone=phone)
    token = wire.signed_in(phone, deviceId="one")
    for number in range(60):
        assert ProxiedClient(wire, f"10.1.{number}.1").get_user("7", token).code == 4402
    assert ProxiedClient(wire, "10.2.1.1").get_user("7", token).code == TOO_MANY
    empty = {"friendId": "7", "name": "", "phone": "", "others": ""}
    remark = wire.post("user/save-user-remarks", empty, token=token)
    assert remark.code == TOO_MANY  # another response would reveal whether the user exists
    wire.set_clock(advance=61)
    token = wire.signed_in(phone, deviceId="one")
    assert ProxiedClient(wire, "10.2.1.1").get_user("7", token).code == 4402


def test_looking_at_users_for_a_day() -> None:
    """The limit of a day adds up over minutes (security E4)."""
    with limited({"address_views_per_day": "70"}) as wire:
        wire.set_clock(set=(wire.set_clock(advance=0) // DAY + 1) * DAY)
        here = ProxiedClient(wire, HERE)
        assert {here.get_user("7").code for _ in range(60)} == {4402}
        wire.set_clock(advance=MINUTE)
        assert [here.get_user("7").code for _ in range(12)] == [4402] * 10 + [1204] * 2
        wire.set_clock(advance=DAY)
        assert here.get_user("7").code == 4402


def test_a_limit_can_be_raised_and_switched_off() -> None:
    """Addresses may be shared by many clients: 0 is no limit; both captchas count as one (C10)."""
    off = {"address_views_per_minute": "0", "address_captchas_per_minute": "35"}
    with limited(off) as wire:
        here = ProxiedClient(wire, HERE)
        assert {here.get_user("7").code for _ in range(100)} == {4402}
        assert [
            here.post(("user/captcha", "captcha/get")[number % 2]).code for number in range(36)
        ] == [1] * 35 + [1204]


def test_a_sandbox_that_starts_over_has_counted_nothing(wire: WireClient) -> None:
    """Its endpoint `reset` clears the counters in memory, too."""
    here = ProxiedClient(wire, HERE)
    for _ in range(2):
        begin_an_hour(wire)
        codes = [here.guess(apart(number)).code for number in range(61)]
        assert codes == [WRONG_CODE] * 60 + [TOO_MANY_FROM_HERE]
        views = [here.get_user("7").code for _ in range(61)]
        assert views == [4402] * 60 + [TOO_MANY_FROM_HERE]
        assert wire.request("POST", "/sandbox/reset").status_code == 200


def test_a_sandbox_has_no_limits_by_default(own_wire: WireClient) -> None:
    """Without `--limits` a sandbox has none."""
    assert {own_wire.get_user("7").code for _ in range(100)} == {4402}
    assert {own_wire.sign_in(apart(n), "100000").code for n in range(100)} == {WRONG_CODE}
