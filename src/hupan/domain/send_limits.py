"""How often codes are sent: to one target, to numbers beside each other, by the whole server.

All of it is counted in the store, in the change that sends (security C11, C12). A part of what the
server sends in a day is kept for numbers and addresses that have an account, so strangers who spend
the rest stop no owner (X4). Who asks is answered alike: once that rest is spent, a code to a number
without an account is answered as if it were sent, and does not leave (E1, decision 0028).
"""

from hupan.domain.alarms import Alarms
from hupan.domain.destinations import Destinations, number_block
from hupan.domain.limiter import Limiter
from hupan.domain.refusals import Refusal, SendingStopped, TooManyTries
from hupan.domain.settings import DAY, Limits
from hupan.domain.targets import Target
from hupan.domain.tries import block_sends, sends, sends_lately
from hupan.model import Channel, Limit
from hupan.store.engine import Transaction

FROM_THE_ACCOUNTS_SHARE = Limit("account-sends-day", 3, DAY)
"""Codes of one target that may use what is kept for accounts; more come from the other part.

So whoever knows many numbers with accounts spends little of it.
"""


class SendLimits:
    """Tells whether a code may be sent."""

    def __init__(
        self, limiter: Limiter, limits: Limits, destinations: Destinations, alarms: Alarms
    ) -> None:
        self._limiter = limiter
        self._limits = limits
        self._destinations = destinations
        self._alarms = alarms

    async def admit(
        self, tx: Transaction, target: Target, now: int, *, has_account: bool
    ) -> bool | Refusal:
        """Count a code to a target; return whether it leaves, or what refuses it.

        The refusal depends on nothing that a stranger must not learn: with an account and without
        one the same is counted, and the same is answered (security E1, E2).

        The server's own limits come last: their rows are held until the change is kept, and whoever
        holds them waits for nothing more of this kind.
        """
        subject = sends(target.channel, target.key)
        if not await self._limiter.take(tx, subject, self._limits.sends, now):
            return TooManyTries()
        if not await self._take_in_block(tx, target, now):
            self._alarms.ring("adjacent-numbers", block=number_block(target))
            return TooManyTries()
        is_early = await self._limiter.has_room(tx, subject, FROM_THE_ACCOUNTS_SHARE, now)
        in_budget = await self._take_of_budget(
            tx, target.channel, now, is_for_account=has_account and is_early
        )
        if isinstance(in_budget, Refusal):
            return in_budget
        return in_budget and self._destinations.allow(target)

    async def _take_of_budget(
        self, tx: Transaction, channel: Channel, now: int, *, is_for_account: bool
    ) -> bool | Refusal:
        """Count a code of the whole server; whether its part of the day's codes has room.

        However it ends, the same number of statements runs for every target (security E2).
        """
        subject, in_all = f"sent:{channel}", self._limits.sends_in_all.get(channel, ())
        if await self._limiter.is_full(tx, subject, in_all, now):
            return self._stopped(channel)
        shares = self._limits.code_shares.get(channel)
        share = shares and (shares.accounts if is_for_account else shares.strangers)
        if share and not await self._limiter.has_room(tx, subject, share, now):
            self._alarms.ring("codes-to-strangers-stopped", channel=channel)
            await self._limiter.is_full(tx, subject, in_all, now)
            return False
        if await self._limiter.take(tx, subject, in_all, now):
            return True
        if share:  # others took the last ones meanwhile
            await self._limiter.give_back(tx, subject, (share,), now)
        return self._stopped(channel)

    def _stopped(self, channel: Channel) -> Refusal:
        self._alarms.ring("sending-stopped", channel=channel)
        return SendingStopped()

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
