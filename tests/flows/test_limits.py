"""Limits on guesses and sends, over HTTP, with the sandbox's clock (security C5, C11).

An operator resets counters while the server runs (security C5, C6, E4).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import WireClient
from tests.support.commands import run_hupan
from tests.support.proxied_clients import BEHIND_A_PROXY, ProxiedClient, apart, begin_an_hour
from tests.support.servers import Server

pytestmark = pytest.mark.slow

HOUR, DAY = 3_600, 86_400
TOO_MANY, WRONG_CODE = 1203, 1202


@pytest.fixture
def limited() -> Iterator[WireClient]:
    """Yield a client of a sandbox that enforces limits."""
    with Server("sandbox", "--limits") as server, WireClient(server) as client:
        yield client


def test_sends_to_a_number(limited: WireClient) -> None:
    """The limits are one code a minute, five an hour, ten a day (security C11)."""
    phone = limited.fresh_phone()
    assert limited.ask_sms(phone).code == 1
    assert limited.ask_sms(phone).code == TOO_MANY
    assert limited.ask_sms(limited.fresh_phone()).code == 1
    for _ in range(4):
        limited.set_clock(advance=61)
        assert limited.ask_sms(phone).code == 1
    limited.set_clock(advance=61)
    assert limited.ask_sms(phone).code == TOO_MANY
    limited.set_clock(advance=HOUR)
    for _ in range(5):
        limited.set_clock(advance=61)
        assert limited.ask_sms(phone).code == 1
    limited.set_clock(advance=HOUR + 61)
    assert limited.ask_sms(phone).code == TOO_MANY
    limited.set_clock(advance=DAY)
    assert limited.ask_sms(phone).code == 1


def guess(client: WireClient, phone: str, times: int, **device: str) -> str:
    """Request a code and guess wrong; return the code."""
    code = client.sms_code(phone)
    for _ in range(times):
        assert client.sign_in(phone, client.wrong_code(code), **device).code == WRONG_CODE
    return code


def test_guesses_over_resends(limited: WireClient) -> None:
    """A number has ten wrong guesses an hour over all codes: a new code adds none (C5)."""
    phone = limited.fresh_phone()
    guess(limited, phone, 4)
    limited.set_clock(advance=61)
    guess(limited, phone, 4)
    limited.set_clock(advance=61)
    code = guess(limited, phone, 2)
    assert limited.sign_in(phone, code).code == WRONG_CODE
    limited.set_clock(advance=HOUR)
    assert limited.sign_in(phone, limited.sms_code(phone)).code == 1


def test_strangers_cannot_lock_the_owner_out(limited: WireClient) -> None:
    """A device that signed in before has separate attempts (C5)."""
    phone = limited.fresh_phone()
    limited.signed_in(phone, deviceId="the owner's")
    for _ in range(3):
        limited.set_clock(advance=61)
        code = guess(limited, phone, 4, deviceId="a stranger's")
    assert limited.sign_in(phone, code, deviceId="a stranger's").code == WRONG_CODE
    assert limited.sign_in(phone, code, deviceId="the owner's").code == 1


def test_right_codes_cost_nothing(limited: WireClient) -> None:
    """Frequent sign-ins with right codes use up no guesses."""
    phone = limited.fresh_phone()
    for _ in range(3):
        for _ in range(4):
            limited.set_clock(advance=61)
            limited.signed_in(phone)
        limited.set_clock(advance=DAY)


def test_wrong_passwords(limited: WireClient) -> None:
    """After twenty wrong passwords in an hour the right one is answered like a wrong one (E3)."""
    email = limited.fresh_email()
    limited.account(email=email, password="correct horse")
    for _ in range(20):
        assert limited.email_login(email, "wrong").code == 1301
    assert limited.email_login(email, "correct horse").code == 1301
    limited.set_clock(advance=HOUR)
    assert limited.email_login(email, "correct horse").code == 1


HERE, BESIDE = "203.0.113.9", "203.0.113.10"
NOBODY, TOO_MANY_REQUESTS, TOO_MANY_FROM_HERE, CODE_IS_WRONG = 4402, 1203, 1204, 1202


def reset(folder: Path, who: str) -> None:
    """Run `hupan limits reset` as an operator does."""
    done = run_hupan("limits", "reset", who, "--data-dir", folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.one_engine
def test_addresses_and_accounts_are_forgotten_in_the_servers_memory(tmp_path: Path) -> None:
    """A reset clears only the counters of one address, network or account."""
    arguments = ("--limits", "--data-dir", str(tmp_path))
    with (
        Server("sandbox", *arguments, environment=BEHIND_A_PROXY) as server,
        WireClient(server) as wire,
    ):
        begin_an_hour(wire)
        here, beside = ProxiedClient(wire, HERE), ProxiedClient(wire, BESIDE)
        account = wire.account()
        for number in range(60):
            assert here.guess(apart(number)).code == CODE_IS_WRONG
            assert beside.guess(apart(number)).code == CODE_IS_WRONG
            far = ProxiedClient(wire, f"198.51.{number}.1")
            assert far.get_user("7", account.token).code == NOBODY
        for one in (here, beside):
            assert one.guess(apart(1)).code == TOO_MANY_FROM_HERE
        elsewhere = ProxiedClient(wire, "192.0.2.1")
        assert elsewhere.get_user("7", account.token).code == TOO_MANY_REQUESTS
        reset(tmp_path, HERE)
        wire.set_clock(advance=0)  # the check of each minute happens now
        assert here.guess(apart(1)).code == CODE_IS_WRONG
        assert beside.guess(apart(1)).code == TOO_MANY_FROM_HERE
        assert elsewhere.get_user("7", account.token).code == TOO_MANY_REQUESTS
        reset(tmp_path, "203.0.113.0/24")
        reset(tmp_path, account.id)
        wire.set_clock(advance=0)
        assert beside.guess(apart(1)).code == CODE_IS_WRONG
        assert elsewhere.get_user("7", account.token).code == NOBODY


@pytest.mark.one_engine
def test_a_reset_is_done_once(tmp_path: Path) -> None:
    """Later events count again, although the reset request is still stored."""
    arguments = ("--limits", "--data-dir", str(tmp_path))
    with (
        Server("sandbox", *arguments, environment=BEHIND_A_PROXY) as server,
        WireClient(server) as wire,
    ):
        begin_an_hour(wire)
        here = ProxiedClient(wire, HERE)
        reset(tmp_path, HERE)
        wire.set_clock(advance=0)
        for number in range(60):
            assert here.guess(apart(number)).code == CODE_IS_WRONG
        wire.set_clock(advance=0)
        assert here.guess(apart(1)).code == TOO_MANY_FROM_HERE
