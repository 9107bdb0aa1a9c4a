"""Forgets what has expired, once a minute, in small changes."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from hupan.clock import Clock
from hupan.domain.settings import DAY
from hupan.model import StoreUnavailable
from hupan.store.captchas import drop_surplus_captchas, purge_captchas
from hupan.store.codes import purge_codes
from hupan.store.coin_refusals import purge_refusals
from hupan.store.engine import Engine, Transaction
from hupan.store.sessions import purge_left
from hupan.store.step_ups import purge_step_ups
from hupan.store.tallies import purge_tallies

EVERY_SECONDS = 60.0
LEFT_SECONDS = 7 * 86_400
"""How long signing out a second time succeeds."""
REFUSED_COINS_SECONDS = 7 * 86_400
"""How long a refused change of coins is refused again when it is sent again."""
MOST_SPENT_CAPTCHAS = 100_000
"""Captchas that were answered and have expired since, remembered for a day (security X5)."""
MOST_AT_ONCE = 500
"""Rows that one change deletes; many small ones hold up no request."""
MOST_CHANGES = 1000
"""Changes of one table in one round; the next one goes on."""
Chore: TypeAlias = Callable[[], Awaitable[object]]
_log = logging.getLogger("hupan.housekeeping")


class Housekeeping:
    """Keeps tables that grow with traffic from growing without end.

    Args:
        engine: the store.
        clock: tells what has expired.
        chores: what else there is to do, each in small changes of its own.
    """

    def __init__(self, engine: Engine, clock: Clock, chores: Sequence[Chore] = ()) -> None:
        self._engine = engine
        self._clock = clock
        self._chores = chores
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._run(), name="housekeeping")

    async def stop(self) -> None:
        """Ends."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def purge(self) -> None:
        """Forgets what has expired and does the other chores."""
        now = int(self._clock.now())
        await self._purge(lambda tx: purge_codes(tx, now, MOST_AT_ONCE))
        # Later: no clock that jumps back may revive one.
        await self._purge(lambda tx: purge_captchas(tx, now - DAY, MOST_AT_ONCE))
        await self._purge(
            lambda tx: drop_surplus_captchas(tx, now, MOST_AT_ONCE, kept=MOST_SPENT_CAPTCHAS)
        )
        await self._purge(lambda tx: purge_tallies(tx, now, MOST_AT_ONCE))
        await self._purge(lambda tx: purge_step_ups(tx, now, MOST_AT_ONCE))
        await self._purge(lambda tx: purge_left(tx, now - LEFT_SECONDS, MOST_AT_ONCE))
        await self._purge(lambda tx: purge_refusals(tx, now - REFUSED_COINS_SECONDS, MOST_AT_ONCE))
        for chore in self._chores:
            await chore()

    async def _purge(self, change: Callable[[Transaction], Awaitable[int]]) -> None:
        """Delete in small changes, so that none holds up a request."""
        for _ in range(MOST_CHANGES):
            if await self._engine.change(change) < MOST_AT_ONCE:
                return

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.purge()
            except StoreUnavailable:
                _log.exception("expired rows stay; trying again")
