"""What of a day's messages notices may use (security X4).

They are counted when they leave: one that there is no room for is not lost, it waits for the budget
of the next day. Half of their share is for the first notices that a target gets of a kind in a day,
so that nobody hides a change of an account behind a flood of other notices.
"""

from collections.abc import Mapping

from hupan.domain.alarms import Alarms
from hupan.domain.limiter import Limiter
from hupan.domain.settings import NoticeLimits
from hupan.model import Channel
from hupan.store.engine import Transaction
from hupan.store.outbox import FIRST_NOTICE


class NoticeBudget:
    """Counts notices that leave."""

    def __init__(
        self, limiter: Limiter, limits: Mapping[Channel, NoticeLimits], alarms: Alarms
    ) -> None:
        self._limiter = limiter
        self._limits = limits
        self._alarms = alarms

    async def take(self, tx: Transaction, channel: Channel, priority: int, now: int) -> bool:
        """Count one notice; False, uncounted, when there is no room for it today."""
        limits = self._limits.get(channel)
        if limits is None:
            return True
        counted = limits.first if priority == FIRST_NOTICE else limits.other
        if await self._limiter.take(tx, f"notices:{channel}", counted, now):
            return True
        self._alarms.ring("notices-stopped", channel=channel)
        return False
