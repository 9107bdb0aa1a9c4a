"""Records in the store that this server process runs, so that no copy is made meanwhile."""

import asyncio
import contextlib
from functools import partial

from hupan.background import BackgroundTask
from hupan.metrics import IncrementMetric, ignore_metric
from hupan.model import StoreUnavailable
from hupan.store.database import Database
from hupan.store.running_servers import (
    BEAT_SECONDS,
    beat,
    forget_servers,
    list_servers,
    server_name,
    withdraw,
)

MAX_STOP_SECONDS = 2.0
"""How long a stop waits for a store that does not answer."""
BEATS_PER_LISTING = 12
"""Once a minute the other processes are listed."""
LISTINGS_TO_FORGET = 10
"""A process that was silent for this number of listings was killed; its row is removed."""


class RunningServer:
    """Records that one process runs; also removes what killed processes left."""

    def __init__(
        self, database: Database, process_number: int, count: IncrementMetric = ignore_metric
    ) -> None:
        self._database = database
        self._name = server_name(process_number)
        self._beats = 0
        self._seen: dict[str, tuple[int, int]] = {}  # value and how often it was the same
        self._task = BackgroundTask(
            "running_server",
            self.run,
            interval_seconds=BEAT_SECONDS,
            expected_errors=(StoreUnavailable,),
            max_retry_seconds=BEAT_SECONDS,
            count=count,
        )

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        """Stop, and record it; if the store cannot be reached, other processes notice later."""
        await self._task.stop()
        await self.withdraw()

    async def announce(self) -> None:
        """Record that this process runs."""
        await self._database.run_transaction(partial(beat, name=self._name))

    async def withdraw(self) -> None:
        """Record that this process has stopped."""
        with contextlib.suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(MAX_STOP_SECONDS):
                await self._database.run_transaction(partial(withdraw, name=self._name))

    async def run(self) -> None:
        """Record that this process runs; now and then, remove the dead ones."""
        await self.announce()
        self._beats += 1
        if self._beats % BEATS_PER_LISTING == 0:
            await self.forget_ended()

    async def forget_ended(self) -> None:
        """Remove processes that no longer report."""
        found = await list_servers(self._database)
        ended = {}
        for name, value in found.items():
            before, times = self._seen.get(name, (value, -1))
            self._seen[name] = (value, times + 1 if before == value else 0)
            if self._seen[name][1] >= LISTINGS_TO_FORGET:
                ended[name] = value
        self._seen = {name: self._seen[name] for name in found if name not in ended}
        if ended:
            await forget_servers(self._database, ended)
