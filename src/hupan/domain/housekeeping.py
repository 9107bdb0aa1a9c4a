"""Forgets what has expired, once a minute, in one small change."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from hupan.clock import Clock
from hupan.domain.settings import DAY
from hupan.model import StoreUnavailable
from hupan.store.captchas import purge_captchas
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

        async def change(tx: Transaction) -> None:
            await purge_codes(tx, now)
            await purge_captchas(tx, now - DAY)  # later: no clock that jumps back may revive one
            await purge_tallies(tx, now)
            await purge_step_ups(tx, now)
            await purge_left(tx, now - LEFT_SECONDS)
            await purge_refusals(tx, now - REFUSED_COINS_SECONDS)

        await self._engine.change(change)
        for chore in self._chores:
            await chore()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.purge()
            except StoreUnavailable:
                _log.exception("expired rows stay; trying again")
