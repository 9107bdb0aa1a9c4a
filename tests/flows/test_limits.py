"""Limits on guesses and sends, over HTTP, with the sandbox's clock (security C5, C11)."""

from collections.abc import Iterator

import pytest

from tests.servers import Server
from tests.wire.client import WireClient

HOUR, DAY = 3_600, 86_400
TOO_MANY, WRONG_CODE = 1203, 1202


@pytest.fixture
def limited() -> Iterator[WireClient]:
    """A client of a sandbox that enforces limits."""
    with Server("sandbox", "--limits") as server, WireClient(server) as client:
        yield client


def test_sends_to_a_number(limited: WireClient) -> None:
    """One code a minute, five an hour, ten a day (security C11)."""
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
    """Sends a code and makes wrong guesses at it; gives the code."""
    code = client.sms_code(phone)
    for _ in range(times):
        assert client.sign_in(phone, client.wrong_code(code), **device).code == WRONG_CODE
    return code


def test_guesses_over_resends(limited: WireClient) -> None:
    """Ten wrong guesses an hour over all codes of a number: a new code refills nothing (C5)."""
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
    """A device that signed in before has guesses of its own (C5)."""
    phone = limited.fresh_phone()
    limited.signed_in(phone, deviceId="the owner's")
    for _ in range(3):
        limited.set_clock(advance=61)
        code = guess(limited, phone, 4, deviceId="a stranger's")
    assert limited.sign_in(phone, code, deviceId="a stranger's").code == WRONG_CODE
    assert limited.sign_in(phone, code, deviceId="the owner's").code == 1


def test_right_codes_cost_nothing(limited: WireClient) -> None:
    """Signing in often and rightly uses no guesses up."""
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
