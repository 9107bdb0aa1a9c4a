"""Codes are drawn evenly from all million (security C1)."""

from collections import Counter

import pytest

from hupan.rng import SystemRandomSource

pytestmark = pytest.mark.one_engine

DRAWS, CLASSES = 100_000, 100
# Chi-square of 99 degrees of freedom lies beyond these bounds in fewer than one run in a million.
LEAST, MOST = 40.0, 185.0


def test_a_hundred_thousand_codes_are_even() -> None:
    """First two digits, last two and the middle: none comes more often than chance has it (C1)."""
    chance = SystemRandomSource()
    codes = [f"{chance.randbelow(10**6):06}" for _ in range(DRAWS)]
    expected = DRAWS / CLASSES
    for start in (0, 2, 4):
        counts = Counter(code[start : start + 2] for code in codes)
        assert len(counts) == CLASSES
        square = sum((count - expected) ** 2 / expected for count in counts.values())
        assert LEAST < square < MOST
    assert len(set(codes)) > 94_000
