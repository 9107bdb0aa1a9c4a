"""Looks at the whole store now and then, and says whether it can be relied on (security R05)."""

import logging
from collections.abc import Awaitable, Callable

from hupan.background import BackgroundTask
from hupan.clock import Clock
from hupan.counting import Count, uncounted
from hupan.model import StoreUnavailable
from hupan.store.engine import Engine, StoreRefused
from hupan.store.marks import claim_check, count_faults, note_faults

EVERY_SECONDS = 60.0
MOST_TOLD = 20
_log = logging.getLogger("hupan.soundness")


class Soundness:
    """One of the processes of a store looks, and all of them know what it found.

    Args:
        engine: the store.
        clock: tells when it is time.
        look: reads everything, beside the event loop; gives what is wrong, without anybody's data.
        every_seconds: how often; 0 for never.
        count: counts looks that could not be taken.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        look: Callable[[], Awaitable[list[str]]],
        every_seconds: int,
        count: Count = uncounted,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._look = look
        self._every_seconds = every_seconds
        self._task = BackgroundTask(
            "soundness",
            self.look_when_due,
            every_seconds=EVERY_SECONDS,
            expected=(StoreUnavailable, StoreRefused),
            count=count,
        )
        self._found = 0  # a damaged store may not be able to keep it

    def start(self) -> None:
        """Begins, unless it is never to look."""
        if self._every_seconds:
            self._task.start()

    async def stop(self) -> None:
        """Ends; a look under way is broken off."""
        await self._task.stop()

    async def check(self) -> None:
        """Raises StoreUnavailable when the store fails, or the last look found something."""
        await self._engine.check()
        if self._found or await count_faults(self._engine):
            raise StoreUnavailable("the last look at all rows found faults; see the log")

    async def look(self) -> list[str]:
        """Looks now; logs what is wrong and gives it."""
        faults = await self._look()
        self._found = len(faults)
        for fault in faults[:MOST_TOLD]:
            _log.error("the store is not sound: %s", fault)
        if not faults:
            _log.info("all rows were looked at: the store is sound")
        await self._engine.change(lambda tx: note_faults(tx, len(faults)))
        return faults

    async def look_when_due(self) -> bool:
        """Looks if it is time and no other process does; gives whether it did."""
        now = int(self._clock.now())
        if not await self._engine.change(lambda tx: claim_check(tx, now, self._every_seconds)):
            return False
        await self.look()
        return True
