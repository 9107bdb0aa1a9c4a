"""Scheduled backups: one process of a store makes them, in a separate process.

Compressing and encrypting would keep the event loop from its requests, so a child does it, at a
lower priority. It gets the settings on its standard input: they contain secrets.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable

from hupan.background import BackgroundTask
from hupan.clock import Clock
from hupan.metrics import IncrementMetric, ignore_metric
from hupan.model import StoreUnavailable
from hupan.rules import HOUR_SECONDS
from hupan.store.backups import claim_backup, find_last_backup, hold_claim
from hupan.store.database import Database

POLL_SECONDS = 10.0
RETRY_SECONDS = HOUR_SECONDS
"""The pause after a backup that failed, or whose process was killed."""
HOLD_SECONDS = RETRY_SECONDS / 6
"""How often the process that makes a backup reports it, so that no other process begins one."""
GRACE_SECONDS = HOUR_SECONDS
"""How long a server that just started counts as ready, however old the newest backup is."""
MAX_OUTPUT_BYTES = 64 * 1024
END_SECONDS = 2.0
"""How long a process has to remove its files before it is killed; less than a task has to stop."""
_WORKER = "hupan.admin.backup_worker"
_log = logging.getLogger("hupan.backups")


class BackupFailedError(Exception):
    """A scheduled backup could not be made; the text says why."""


class BackupSchedule:
    """Makes a backup when one is due, in one of the processes of a store.

    Args:
        database: the store.
        clock: determines when a backup is due.
        make_backup: makes one, and deletes old ones.
        every_seconds: the interval; 0 for none.
        max_age_seconds: the maximum age of the newest backup; 0 means any.
        hold_seconds: between two signs that a backup is still being made.
        count: counts failures.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        make_backup: Callable[[], Awaitable[str]],
        *,
        every_seconds: int,
        max_age_seconds: int,
        hold_seconds: float = HOLD_SECONDS,
        count: IncrementMetric = ignore_metric,
    ) -> None:
        self._database = database
        self._clock = clock
        self._make_backup = make_backup
        self._every_seconds = every_seconds
        self._max_age_seconds = max_age_seconds
        self._hold_seconds = hold_seconds
        self._count = count
        self._started_at = clock.now()
        self._task = BackgroundTask(
            "backup",
            self.run_when_due,
            interval_seconds=POLL_SECONDS,
            expected_errors=(StoreUnavailable, BackupFailedError, OSError),
            count=count,
        )

    def start(self) -> None:
        """Start, unless the interval is 0."""
        if self._every_seconds:
            self._task.start()

    async def stop(self) -> None:
        """Stop, and end a backup that is being made."""
        await self._task.stop()

    async def run_when_due(self) -> bool:
        """Make a backup if one is due and no other process makes it; return whether it was made.

        Raises:
            BackupFailedError: it could not be made; it is tried again after an hour.
        """
        now = int(self._clock.now())
        if now - self._every_seconds < await find_last_backup(self._database) <= now:
            return False
        if not await self._database.run_transaction(
            lambda tx: claim_backup(tx, now, self._every_seconds, RETRY_SECONDS)
        ):
            return False
        _log.info("backup: made %s", await self._make_and_hold())
        return True

    async def _make_and_hold(self) -> str:
        holding = BackgroundTask(
            "backup-claim",
            self._hold_claim,
            interval_seconds=self._hold_seconds,
            expected_errors=(StoreUnavailable,),
            count=self._count,
        )
        holding.start()
        try:
            return await self._make_backup()
        finally:
            await holding.stop()

    async def _hold_claim(self) -> None:
        now = int(self._clock.now())
        await self._database.run_transaction(lambda tx: hold_claim(tx, now))

    async def is_stale(self) -> bool:
        """Return whether the newest backup is older than the operator allows."""
        if not self._max_age_seconds:
            return False
        now = self._clock.now()
        if now - self._started_at < GRACE_SECONDS:
            return False
        return now - await find_last_backup(self._database) > self._max_age_seconds


async def run_backup_process(settings: bytes) -> str:
    """Make a backup in a separate process; return where it is.

    Args:
        settings: those of the server, pickled.

    Raises:
        BackupFailedError: it could not be made.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", _WORKER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=MAX_OUTPUT_BYTES,
        start_new_session=True,  # Ctrl-C on the terminal ends the server, which ends this one
        env={name: value for name, value in os.environ.items() if not name.startswith("HUPAN_")},
    )
    try:
        output, _ = await process.communicate(settings)
    finally:
        if process.returncode is None:
            await _end_process(process)
    lines = output[-MAX_OUTPUT_BYTES:].decode("utf-8", "replace").strip().splitlines() or [""]
    if process.returncode:
        raise BackupFailedError(lines[-1] or f"exit status {process.returncode}")
    return lines[-1]


async def _end_process(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
