"""Guesses at one code add up over all endpoints, and failed requests count too (security C3, C4).

Codes are drawn evenly from all million (security C1).
"""

from collections import Counter

import pytest

from hupan.rng import SystemRandomSource
from tests.support.answers import Account, Answer, assert_refused
from tests.support.channels import CONTACT_CHANNELS, EMAIL, PHONE, ContactChannel, forget
from tests.support.client import WireClient

pytestmark = pytest.mark.slow

PASSWORD = "the lake at seven"


def guess(
    wire: WireClient, way: ContactChannel, owner: Account, target: str, code: str, at: int
) -> Answer:
    """Try a code at one endpoint after the other; some of the requests could never succeed."""
    doors = [
        lambda: way.change(wire, owner.token, target, code),
        lambda: way.cancel(wire, owner.token, target, code),
        lambda: (
            wire.sign_in(target, code) if way is PHONE else forget(wire, target, code, PASSWORD)
        ),
    ]
    return doors[at % len(doors)]()


@pytest.mark.parametrize("way", CONTACT_CHANNELS, ids=["phone", "email"])
def test_five_guesses_over_all_endpoints(wire: WireClient, way: ContactChannel) -> None:
    """After five wrong guesses anywhere, the right code fails everywhere (security C3, C4)."""
    target = way.fresh(wire)
    owner = wire.account(**{way.field: target})
    code = way.code(wire, target)
    for at in range(5):
        assert_refused(guess(wire, way, owner, target, wire.wrong_code(code), at))
    for at in range(3):
        assert_refused(guess(wire, way, owner, target, code, at))
    assert wire.own_info(owner.token).code == 1


@pytest.mark.parametrize("way", CONTACT_CHANNELS, ids=["phone", "email"])
def test_four_guesses_leave_one(wire: WireClient, way: ContactChannel) -> None:
    """A code allows five attempts, so the fifth may still be right (security C3)."""
    target = way.fresh(wire)
    owner = wire.account(**{way.field: target})
    code = way.code(wire, target)
    for at in range(4):
        assert_refused(guess(wire, way, owner, target, wire.wrong_code(code), at))
    assert guess(wire, way, owner, target, code, 0).code == 1


def test_a_new_accounts_refusal_is_kept_too(wire: WireClient) -> None:
    """Guesses that have no account to act on count like any other (security C4)."""
    phone, email = wire.fresh_phone(), wire.fresh_email()
    codes = {PHONE: PHONE.code(wire, phone), EMAIL: EMAIL.code(wire, email)}
    for way, target in ((PHONE, phone), (EMAIL, email)):
        for _ in range(5):
            stranger = wire.account()
            wrong = wire.wrong_code(codes[way])
            assert_refused(way.bind(wire, stranger.token, target, wrong))
        assert_refused(way.bind(wire, wire.account().token, target, codes[way]))
    assert_refused(wire.sign_in(phone, codes[PHONE]))


DRAWS, CLASSES = 100_000, 100
# Chi-square with 99 degrees of freedom exceeds these bounds less than once in a million runs.
LEAST, MOST = 40.0, 185.0


@pytest.mark.one_engine
def test_a_hundred_thousand_codes_are_even() -> None:
    """The first two digits, the last two and the middle ones are evenly distributed (C1)."""
    chance = SystemRandomSource()
    codes = [f"{chance.randbelow(10**6):06}" for _ in range(DRAWS)]
    expected = DRAWS / CLASSES
    for start in (0, 2, 4):
        counts = Counter(code[start : start + 2] for code in codes)
        assert len(counts) == CLASSES
        square = sum((count - expected) ** 2 / expected for count in counts.values())
        assert LEAST < square < MOST
    assert len(set(codes)) > 94_000
