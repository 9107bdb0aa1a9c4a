"""The one limiter over every secret that can be guessed (security C5, E5)."""

from collections.abc import Sequence

from hupan.model import Limit
from hupan.store.engine import Transaction
from hupan.store.tallies import forget, give_back, take


class Limiter:
    """Counts events of a subject against limits, inside the change that the event belongs to."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled

    async def take(self, tx: Transaction, subject: str, limits: Sequence[Limit], now: int) -> bool:
        """Counts one event against every limit; False, counted nowhere, when one is full."""
        if not self._enabled:
            return True
        for position, limit in enumerate(limits):
            if not await take(tx, subject, limit, now):
                for taken in limits[:position]:
                    await give_back(tx, subject, taken, now)
                return False
        return True

    async def give_back(
        self, tx: Transaction, subject: str, limits: Sequence[Limit], now: int
    ) -> None:
        """Takes back one event: the guess was right."""
        if self._enabled:
            for limit in limits:
                await give_back(tx, subject, limit, now)

    async def forget(self, tx: Transaction, subject: str, limits: Sequence[Limit]) -> None:
        """Takes back all events of a subject: who they were meant to keep out has come in."""
        for limit in limits:
            await forget(tx, subject, limit)
