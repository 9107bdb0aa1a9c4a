"""Giving VIP and ending it. Whether it is in force follows from its end and the clock."""

from hupan.clock import Clock
from hupan.domain.refusals import InvalidField, UnknownUser
from hupan.model import AccountId
from hupan.store.accounts import hold_account
from hupan.store.engine import Engine, Transaction
from hupan.store.vip import end_vip, extend_vip, set_vip

SECONDS_IN_A_DAY = 86_400
MOST_DAYS = 36_500
LATEST_END = 253_402_300_799
"""The end of the year 9999, the last that text times can show."""


class VipTerms:
    """Says until when accounts are VIP."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def extend(self, account: AccountId, days: int) -> int:
        """Adds days to what is left; gives the new end.

        Raises:
            InvalidField: `days` is not 1 to 36,500, or the end would pass the year 9999.
            UnknownUser: there is no such account.
        """
        if not 1 <= days <= MOST_DAYS:
            raise InvalidField("days")
        now = int(self._clock.now())

        async def change(tx: Transaction) -> int:
            until = await extend_vip(tx, account, now, days * SECONDS_IN_A_DAY)
            if until is None:
                raise UnknownUser
            if until > LATEST_END:
                raise InvalidField("days")
            return until

        return await self._engine.change(change)

    async def set_end(self, account: AccountId, until: int) -> None:
        """Sets the end, whatever was left.

        Raises:
            InvalidField: `until` is not ahead, or past the year 9999.
            UnknownUser: there is no such account.
        """
        if not self._clock.now() < until <= LATEST_END:
            raise InvalidField("until")
        if not await self._engine.change(lambda tx: set_vip(tx, account, until)):
            raise UnknownUser

    async def end(self, account: AccountId) -> None:
        """Ends VIP now; where none is in force nothing changes.

        Raises:
            UnknownUser: there is no such account.
        """
        now = int(self._clock.now())

        async def change(tx: Transaction) -> None:
            if await hold_account(tx, account) is None:
                raise UnknownUser
            await end_vip(tx, account, now)

        await self._engine.change(change)
