"""How often codes are sent: to one target, to numbers beside each other, by the whole server.

All of it is counted in the store, in the change that sends (security C11, C12).
"""

from hupan.domain.alarms import Alarms
from hupan.domain.destinations import Destinations, number_block
from hupan.domain.limiter import Limiter
from hupan.domain.refusals import Refusal, SendingStopped, TooManyTries
from hupan.domain.settings import Limits
from hupan.domain.targets import Target
from hupan.domain.tries import block_sends, sends, sends_lately
from hupan.model import Limit
from hupan.store.engine import Transaction


class SendLimits:
    """Tells whether a code may be sent."""

    def __init__(
        self, limiter: Limiter, limits: Limits, destinations: Destinations, alarms: Alarms
    ) -> None:
        self._limiter = limiter
        self._limits = limits
        self._destinations = destinations
        self._alarms = alarms

    def reaches(self, target: Target) -> bool:
        """Whether a message to a target leaves at all; it counts in either case (security E1)."""
        return self._destinations.allow(target)

    async def refusal(self, tx: Transaction, target: Target, now: int) -> Refusal | None:
        """Counts a code to a target; gives what refuses it.

        The server's own limit comes last: its row is held until the change is kept, and whoever
        holds it waits for nothing more of this kind.
        """
        subject = sends(target.channel, target.key)
        if not await self._limiter.take(tx, subject, self._limits.sends, now):
            return TooManyTries()
        if not await self._take_in_block(tx, target, now):
            self._alarms.ring("adjacent-numbers", block=number_block(target))
            return TooManyTries()
        in_all = self._limits.sends_in_all.get(target.channel, ())
        if not await self._limiter.take(tx, f"sent:{target.channel}", in_all, now):
            self._alarms.ring("sending-stopped", channel=target.channel)
            return SendingStopped()
        return None

    async def _take_in_block(self, tx: Transaction, target: Target, now: int) -> bool:
        """Counts a number among those beside it, once in the time of the limit."""
        for limit in self._limits.adjacent if target.channel == "sms" else ():
            once = Limit(f"{limit.name}-once", 1, limit.window_seconds)
            subject, block = sends_lately(target.key), block_sends(number_block(target))
            if await self._limiter.is_first(
                tx, subject, once, now
            ) and not await self._limiter.take(tx, block, (limit,), now):
                await self._limiter.give_back(tx, subject, (once,), now)
                return False
        return True
