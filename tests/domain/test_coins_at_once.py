"""Many clients spend one balance at once (security R09)."""

import asyncio
import random
from pathlib import Path

import pytest

from hupan.errors import AppError, NotEnoughCoins
from hupan.model import AccountId, CoinEntry
from tests.domain.purses import Purses, open_purses, wish

ROUNDS, SOAK_ROUNDS = 20, 200
CLIENTS = 64
TRIES = 3
BALANCE_CENTS = 100_00
SPENT_CENTS = 10_00

Answer = CoinEntry | type[AppError] | None
SUMS = """
SELECT count(*), sum(change_cents), sum(change_cents) + sum(counter_cents), min(after_cents)
FROM coin_entries WHERE account_id = ?1
"""


async def send(purses: Purses, account: AccountId, client: int, *, cut: bool) -> Answer:
    """One request of a client; None when its connection was cut once it had been sent."""
    request = asyncio.create_task(purses.answer(wish(account, -SPENT_CENTS, f"client {client}")))
    if not cut:
        return await request
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    return None


async def spend_at_once(purses: Purses, chance: random.Random) -> None:
    """Sends every client's request three times, all at once and a fifth of them cut."""
    account = await purses.account(BALANCE_CENTS)
    order = [client for client in range(CLIENTS) for _ in range(TRIES)]
    chance.shuffle(order)
    sent = (send(purses, account, client, cut=chance.random() < 0.2) for client in order)
    answers = list(zip(order, await asyncio.gather(*sent), strict=True))
    spent: list[CoinEntry] = []
    for client in range(CLIENTS):
        final = await purses.answer(wish(account, -SPENT_CENTS, f"client {client}"))
        given = [answer for other, answer in answers if other == client and answer is not None]
        assert given == [final] * len(given)
        if isinstance(final, CoinEntry):
            spent.append(final)
        else:
            assert final is NotEnoughCoins
    assert sorted(entry.after_cents for entry in spent) == list(range(0, 100_00, 10_00))
    assert await purses.balance(account) == 0
    assert await purses.row(SUMS, account) == (11, 0, 0, 0)


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(SOAK_ROUNDS, marks=pytest.mark.soak)])
def test_a_balance_is_spent_exactly_once(tmp_path: Path, rounds: int) -> None:
    """As many requests succeed as the balance allows; each retry gets its first answer (R09)."""

    async def scenario(purses: Purses) -> None:
        chance = random.Random(9)  # noqa: S311 - the order of a test, not a secret
        for _ in range(rounds):
            await spend_at_once(purses, chance)
        assert await purses.coins.list_faults() == []

    with open_purses(tmp_path / "hupan.db") as purses:
        asyncio.run(scenario(purses))
