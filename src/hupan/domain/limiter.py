"""The one limiter over every secret that can be guessed (security C5, E5).

What it counts lies in the store: exact whatever the number of processes and of parallel requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hupan.counting import Count, uncounted
from hupan.model import Limit
from hupan.store.engine import Transaction
from hupan.store.tallies import give_back, is_full, take


@dataclass(frozen=True, slots=True)
class Exemption:
    """Targets that are tested with: no limit of their own holds until a time.

    Attributes:
        subjects: the beginnings of what their events are counted under.
        until: unix seconds.
    """

    subjects: tuple[str, ...] = ()
    until: int = 0

    def covers(self, subject: str, now: int) -> bool:
        """Whether the events of a subject are not counted."""
        return now < self.until and subject.startswith(self.subjects)


class Limiter:
    """Counts events of a subject against limits, inside the change that the event belongs to.

    Args:
        enabled: whether anything is limited at all.
        exemption: what is not.
        count: counts the refusals.
    """

    def __init__(
        self, *, enabled: bool, exemption: Exemption | None = None, count: Count = uncounted
    ) -> None:
        self._enabled = enabled
        self._exemption = exemption or Exemption()
        self._count = count

    async def take(self, tx: Transaction, subject: str, limits: Sequence[Limit], now: int) -> bool:
        """Counts one event against every limit; False, counted nowhere, when one is full."""
        if not self._enabled or self._exemption.covers(subject, now):
            return True
        for position, limit in enumerate(limits):
            if limit.most < 1 or not await take(tx, subject, limit, now):
                self._count("limit_refusals", limit.name)
                for taken in limits[:position]:
                    await give_back(tx, subject, taken, now)
                return False
        return True

    async def is_first(self, tx: Transaction, subject: str, limit: Limit, now: int) -> bool:
        """Counts one event that is no refusal when it is not counted: has it a window of its own?

        Nothing is first where nothing is limited.
        """
        if not self._enabled or self._exemption.covers(subject, now):
            return False
        return await take(tx, subject, limit, now)

    async def is_full(
        self, tx: Transaction, subject: str, limits: Sequence[Limit], now: int
    ) -> bool:
        """Whether some limit is full; nothing is counted."""
        if not self._enabled or self._exemption.covers(subject, now):
            return False
        for limit in limits:
            if limit.most < 1 or await is_full(tx, subject, limit, now):
                self._count("limit_refusals", limit.name)
                return True
        return False

    async def has_room(self, tx: Transaction, subject: str, limit: Limit, now: int) -> bool:
        """Count one event that goes another way when its limit is full, and is not refused."""
        if not self._enabled or self._exemption.covers(subject, now):
            return True
        return limit.most > 0 and await take(tx, subject, limit, now)

    async def give_back(
        self, tx: Transaction, subject: str, limits: Sequence[Limit], now: int
    ) -> None:
        """Takes back one event: the guess was right."""
        if self._enabled:
            for limit in limits:
                await give_back(tx, subject, limit, now)
