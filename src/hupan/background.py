"""Background tasks: supervised, so that none ends before its server does (security X7)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from hupan.counting import Count, uncounted

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
STOP_SECONDS = 3.0
"""How long a task may take to end; a stop goes on without it then."""
DONE: Final = object()
"""What a round returns that was the last."""

Round: TypeAlias = Callable[[], Awaitable[object]]
_log = logging.getLogger("hupan.background")


class BackgroundTask:
    """Runs rounds of work, one after the other, until it is stopped.

    An error that a round raises is logged and counted, and the next round comes after a pause that
    doubles with each error in a row.

    Args:
        name: names the task in the log and in the metric.
        work: one round; may wait for what there is to do, and returns DONE to end the task.
        every_seconds: how long to wait before each round.
        expected: errors that need no trace, as of a store that is away.
        longest_pause_seconds: after errors.
        count: counts the errors.
    """

    def __init__(
        self,
        name: str,
        work: Round,
        *,
        every_seconds: float = 0.0,
        expected: tuple[type[Exception], ...] = (),
        longest_pause_seconds: float = LONGEST_PAUSE_SECONDS,
        count: Count = uncounted,
    ) -> None:
        self._name = name
        self._work = work
        self._every_seconds = every_seconds
        self._expected = expected
        self._longest_pause_seconds = longest_pause_seconds
        self._count = count
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False

    def start(self) -> None:
        """Begin, on the running loop."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """End; break off a round under way. Return also when the task does not end in time."""
        self._is_stopping = True
        if self._task is None:
            return
        self._task.cancel()
        _, running = await asyncio.wait({self._task}, timeout=STOP_SECONDS)
        if running:
            _log.error("%s: does not end; going on without it", self._name)

    async def _run(self) -> None:
        failures = 0
        while not self._is_stopping:
            try:
                await asyncio.sleep(self._every_seconds)
                if await self._work() is DONE:
                    return
                failures = 0
            except asyncio.CancelledError as error:
                if self._is_stopping or _is_cancelled():
                    raise
                failures += 1  # something within was cancelled, not this task
                self._report(error)
                await asyncio.sleep(self._pause(failures))
            except Exception as error:  # noqa: BLE001 - whatever it is, the task goes on
                failures += 1
                self._report(error)
                await asyncio.sleep(self._pause(failures))

    def _pause(self, failures: int) -> float:
        longest = self._longest_pause_seconds
        return min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 16), longest)

    def _report(self, error: BaseException) -> None:
        report_failure(self._name, error, self._count, self._expected)


def report_failure(
    name: str,
    error: BaseException,
    count: Count = uncounted,
    expected: tuple[type[Exception], ...] = (),
) -> None:
    """Log and count an error of background work; with its trace unless it is an expected one."""
    count("background_failures", name)
    if isinstance(error, expected):
        _log.error("%s: %s; trying again", name, error)
    else:
        _log.error("%s: failed; going on", name, exc_info=error)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
