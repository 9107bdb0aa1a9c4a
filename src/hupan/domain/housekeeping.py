"""Forgets what has expired, once a minute, in one small change."""

import asyncio
import contextlib
import logging

from hupan.clock import Clock
from hupan.model import StoreUnavailable
from hupan.store.captchas import purge_captchas
from hupan.store.codes import purge_codes
from hupan.store.engine import Engine, Transaction
from hupan.store.sessions import purge_left
from hupan.store.tallies import purge_tallies

EVERY_SECONDS = 60.0
LEFT_SECONDS = 7 * 86_400
"""How long signing out a second time succeeds."""
_log = logging.getLogger("hupan.housekeeping")


class Housekeeping:
    """Keeps tables that grow with traffic from growing without end."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
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
        """Forgets every code, captcha and count whose time is over."""
        now = int(self._clock.now())

        async def change(tx: Transaction) -> None:
            await purge_codes(tx, now)
            await purge_captchas(tx, now)
            await purge_tallies(tx, now)
            await purge_left(tx, now - LEFT_SECONDS)

        await self._engine.change(change)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.purge()
            except StoreUnavailable:
                _log.exception("expired rows stay; trying again")
