"""Forgets what has expired, once a minute, in small changes."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

from hupan.background import BackgroundTask, report_failure
from hupan.clock import Clock
from hupan.counting import Count, uncounted
from hupan.domain.settings import DAY
from hupan.model import StoreUnavailable
from hupan.store.captchas import drop_surplus_captchas, purge_captchas
from hupan.store.codes import purge_codes
from hupan.store.coin_refusals import purge_refusals
from hupan.store.engine import Engine, Transaction
from hupan.store.sessions import purge_left
from hupan.store.step_ups import purge_step_ups
from hupan.store.tallies import count_tallies, drop_surplus_tallies, purge_tallies

EVERY_SECONDS = 60.0
LEFT_SECONDS = 7 * 86_400
"""How long signing out a second time succeeds."""
REFUSED_COINS_SECONDS = 7 * 86_400
"""How long a refused change of coins is refused again when it is sent again."""
MOST_SPENT_CAPTCHAS = 100_000
"""Captchas that were answered and have expired since, remembered for a day (security X5)."""
MOST_TALLIES = 2_000_000
"""Counts of targets; beyond, those with the fewest events are forgotten first (security X5)."""
MOST_AT_ONCE = 500
"""Rows that one change deletes; many small ones hold up no request."""
MOST_CHANGES = 1000
"""Changes of one table in one round; the next one goes on."""
Chore: TypeAlias = Callable[[], Awaitable[object]]


class Housekeeping:
    """Keeps tables that grow with traffic from growing without end.

    Args:
        engine: the store.
        clock: tells what has expired.
        chores: what else there is to do, each in small changes of its own.
        count: counts the errors.
        may_purge: whether the time is sure enough; nothing is done while it is not (security X10).
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        chores: Sequence[Chore] = (),
        count: Count = uncounted,
        may_purge: Callable[[], bool] = lambda: True,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._chores = chores
        self._count = count
        self._may_purge = may_purge
        self._task = BackgroundTask(
            "housekeeping",
            self.purge,
            every_seconds=EVERY_SECONDS,
            expected=(StoreUnavailable,),
            count=count,
        )

    def start(self) -> None:
        """Begins."""
        self._task.start()

    async def stop(self) -> None:
        """Ends."""
        await self._task.stop()

    async def purge(self) -> None:
        """Forgets what has expired and does the other chores, each also when another one fails.

        Raises:
            Exception: the first of the errors; the others are logged.
        """
        if not self._may_purge():
            return
        failure: Exception | None = None
        for chore in (self._purge_expired, *self._chores):
            try:
                await chore()
            except Exception as error:  # noqa: BLE001 - the next chore is no worse for it
                if failure is not None:
                    report_failure("housekeeping", error, self._count, (StoreUnavailable,))
                failure = failure or error
        if failure is not None:
            raise failure

    async def _purge_expired(self) -> None:
        now = int(self._clock.now())
        await self._purge(lambda tx: purge_codes(tx, now, MOST_AT_ONCE))
        # Later: no clock that jumps back may revive one.
        await self._purge(lambda tx: purge_captchas(tx, now - DAY, MOST_AT_ONCE))
        await self._purge(
            lambda tx: drop_surplus_captchas(tx, now, MOST_AT_ONCE, kept=MOST_SPENT_CAPTCHAS)
        )
        await self._purge(lambda tx: purge_tallies(tx, now, MOST_AT_ONCE))
        await self._drop_surplus_tallies()
        await self._purge(lambda tx: purge_step_ups(tx, now, MOST_AT_ONCE))
        await self._purge(lambda tx: purge_left(tx, now - LEFT_SECONDS, MOST_AT_ONCE))
        await self._purge(lambda tx: purge_refusals(tx, now - REFUSED_COINS_SECONDS, MOST_AT_ONCE))

    async def _drop_surplus_tallies(self) -> None:
        """Forget counts that a flood of targets left, as many as there are too many."""
        surplus = await self._engine.change(count_tallies) - MOST_TALLIES
        for _ in range(MOST_CHANGES):
            if surplus <= 0:
                return
            most = min(surplus, MOST_AT_ONCE)
            surplus -= await self._engine.change(partial(drop_surplus_tallies, most=most))

    async def _purge(self, change: Callable[[Transaction], Awaitable[int]]) -> None:
        """Delete in small changes, so that none holds up a request."""
        for _ in range(MOST_CHANGES):
            if await self._engine.change(change) < MOST_AT_ONCE:
                return
