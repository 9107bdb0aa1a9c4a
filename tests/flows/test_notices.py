"""Notices over HTTP: whoever signs in again and again floods nobody (security X4)."""

from tests.flows.elsewhere import limited
from tests.wire.client import WireClient

HOUR = 3600
EMAIL, PASSWORD = "who@example.com", "the lake at seven"
SIGN_INS = 16


def ended(wire: WireClient) -> int:
    """How often the owner was told that a device was signed out."""
    return sum("Device signed out" in letter.text for letter in wire.list_outbox("email", EMAIL))


def sign_in(wire: WireClient, first: int) -> None:
    """Sign in on many devices, one a minute."""
    for number in range(first, first + SIGN_INS):
        wire.set_clock(advance=61)
        answer = wire.email_login(EMAIL, PASSWORD, deviceId=f"device {number}")
        assert answer.code == 1


def test_sign_ins_without_end_are_told_once_an_hour() -> None:
    """From the eleventh session on each ends another one; the owner is told once an hour (X4)."""
    with limited() as wire:
        wire.account(email=EMAIL, password=PASSWORD)
        sign_in(wire, 0)
        assert ended(wire) == 1
        wire.set_clock(advance=HOUR)
        sign_in(wire, 100)
        assert ended(wire) == 2
