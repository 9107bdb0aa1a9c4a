"""The store's latest time: no restart takes anybody back behind it (security R08, L7)."""

import logging

from hupan.clock import SteadyClock
from hupan.store.engine import Engine, Transaction
from hupan.store.marks import lift_clock, set_clock_back

MOST_SECONDS_BEHIND = 2.0
_log = logging.getLogger("hupan.clock")


class Timekeeping:
    """Keeps the time of one process and of the store together."""

    def __init__(self, engine: Engine, clock: SteadyClock) -> None:
        self._engine = engine
        self._clock = clock
        self._is_told = False

    async def begin(self, *, trusting: bool) -> None:
        """Takes the store's latest time for the least there is.

        Args:
            trusting: the machine's clock is right, even where it is behind: what was promised a
                time that is still to come ends now, sessions too.
        """
        now = int(self._clock.now())

        async def change(tx: Transaction) -> None:
            if await lift_clock(tx, now) > now + MOST_SECONDS_BEHIND:
                await set_clock_back(tx, now)

        if trusting:
            await self._engine.change(change)
        await self.keep()

    async def keep(self) -> None:
        """Tells the store what time it is, and follows it when it knows of a later one."""
        now = int(self._clock.now())

        async def change(tx: Transaction) -> int:
            return await lift_clock(tx, now)

        self._clock.lift(await self._engine.change(change))
        self._tell()

    def _tell(self) -> None:
        """Says once that the machine's clock is behind, and once that it is not any more."""
        behind = self._clock.behind()
        if (behind > MOST_SECONDS_BEHIND) == self._is_told:
            return
        self._is_told = not self._is_told
        if self._is_told:
            _log.error(
                "the machine's clock is %d s behind the latest time; going on from there", behind
            )
        else:
            _log.warning("the machine's clock has caught up")
