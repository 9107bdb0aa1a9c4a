"""Any sequence of changes gives the results of a small model in memory."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hupan.domain.coins import MAX_BALANCE_CENTS
from hupan.errors import AppError, CoinKeyReused, NotEnoughCoins, TooManyCoins
from hupan.model import AccountId, CoinEntry
from tests.support.world import World, coin_change, open_world

pytestmark = pytest.mark.slow

EXAMPLES = 150
PEOPLE = 2
Line: TypeAlias = tuple[int, str, int, int, int]
"""Number, key, before, change, after."""
Answer: TypeAlias = Line | type[AppError]

AMOUNTS = st.integers(1, 300) | st.sampled_from([MAX_BALANCE_CENTS, MAX_BALANCE_CENTS - 300])
CHANGES = st.lists(
    st.tuples(
        st.integers(0, PEOPLE - 1),
        st.sampled_from("abcdefgh"),
        AMOUNTS | AMOUNTS.map(lambda cents: -cents),
    ),
    max_size=40,
)


@dataclass
class ModelBalance:
    """The model's state of an account."""

    lines: list[Line] = field(default_factory=list)
    answers: dict[str, tuple[int, Answer]] = field(default_factory=dict)

    @property
    def balance(self) -> int:
        """Return the balance after the newest entry."""
        return self.lines[-1][4] if self.lines else 0

    def change(self, key: str, cents: int) -> Answer:
        """Return the expected result of a change."""
        if key in self.answers:
            asked, answer = self.answers[key]
            return answer if asked == cents else CoinKeyReused
        after = self.balance + cents
        answer = NotEnoughCoins if after < 0 else TooManyCoins
        if 0 <= after <= MAX_BALANCE_CENTS:
            answer = (len(self.lines) + 1, key, self.balance, cents, after)
            self.lines.append(answer)
        self.answers[key] = (cents, answer)
        return answer


def line(answer: CoinEntry | type[AppError]) -> Answer:
    """Return a result in the form of the model."""
    if not isinstance(answer, CoinEntry):
        return answer
    return answer.number, answer.key, answer.before_cents, answer.change_cents, answer.after_cents


async def play(world: World, changes: list[tuple[int, str, int]]) -> None:
    """Make the same changes in the store and in the model."""
    people: list[tuple[AccountId, ModelBalance]] = [
        (await world.bare_account(), ModelBalance()) for _ in range(PEOPLE)
    ]
    for who, key, cents in changes:
        account, expected = people[who]
        assert line(await world.coin_answer(coin_change(account, cents, key))) == expected.change(
            key, cents
        )
    for account, expected in people:
        assert await world.balance(account) == expected.balance
        page = await world.coins.list_page(account, size=100, page=1)
        assert [line(entry) for entry in page.entries] == expected.lines[::-1]
        assert page.total == len(expected.lines)
        assert await world.coins.list_faults(account) == []


def test_the_journal_is_the_model(tmp_path: Path) -> None:
    """Results, balances and pages equal the model's, and the invariants hold (security J3)."""
    with open_world(tmp_path / "hupan.db") as world:

        @settings(max_examples=EXAMPLES, deadline=None)
        @given(CHANGES)
        def any_sequence(changes: list[tuple[int, str, int]]) -> None:
            asyncio.run(play(world, changes))

        any_sequence()
