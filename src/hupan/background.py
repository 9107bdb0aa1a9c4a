"""Supervised background tasks: a failing round is logged, counted and retried (security X7)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from hupan.metrics import IncrementMetric, ignore_metric

INITIAL_RETRY_SECONDS = 1.0
MAX_RETRY_SECONDS = 60.0
STOP_SECONDS = 3.0
"""Maximum seconds to wait for a task to end."""
DONE: Final = object()
"""Returned by the last round."""

TaskFunction: TypeAlias = Callable[[], Awaitable[object]]
_log = logging.getLogger("hupan.background")


class BackgroundTask:
    """Runs rounds of work, one after the other, until it is stopped.

    An error in a round is logged and counted, and the next round comes after a pause that doubles
    with each consecutive error.

    Args:
        name: the name of the task in the log and in the metric.
        work: one round; may wait for work, and returns DONE to end the task.
        interval_seconds: the pause before each round.
        expected_errors: errors that need no traceback, such as an unreachable store.
        max_retry_seconds: the longest pause after errors.
        count: counts the errors.
    """

    def __init__(
        self,
        name: str,
        work: TaskFunction,
        *,
        interval_seconds: float = 0.0,
        expected_errors: tuple[type[Exception], ...] = (),
        max_retry_seconds: float = MAX_RETRY_SECONDS,
        count: IncrementMetric = ignore_metric,
    ) -> None:
        self._name = name
        self._work = work
        self._interval_seconds = interval_seconds
        self._expected_errors = expected_errors
        self._max_retry_seconds = max_retry_seconds
        self._count = count
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False

    def start(self) -> None:
        """Start on the running loop."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Stop, cancelling a running round. Return even if the task does not end in time."""
        self._is_stopping = True
        if self._task is None:
            return
        self._task.cancel()
        _, running = await asyncio.wait({self._task}, timeout=STOP_SECONDS)
        if running:
            _log.error("%s: does not stop; continuing without it", self._name)

    async def _run(self) -> None:
        failures = 0
        while not self._is_stopping:
            try:
                await asyncio.sleep(self._interval_seconds)
                if await self._work() is DONE:
                    return
                failures = 0
            except asyncio.CancelledError as error:
                if self._is_stopping or _is_cancelled():
                    raise
                failures += 1  # an inner task was cancelled, not this one
                self._report(error)
                await asyncio.sleep(self._retry_seconds(failures))
            except Exception as error:  # noqa: BLE001 - the task continues after any error
                failures += 1
                self._report(error)
                await asyncio.sleep(self._retry_seconds(failures))

    def _retry_seconds(self, failures: int) -> float:
        longest = self._max_retry_seconds
        return min(INITIAL_RETRY_SECONDS * 2.0 ** min(failures - 1, 16), longest)

    def _report(self, error: BaseException) -> None:
        report_failure(self._name, error, self._count, self._expected_errors)


def report_failure(
    name: str,
    error: BaseException,
    count: IncrementMetric = ignore_metric,
    expected_errors: tuple[type[Exception], ...] = (),
) -> None:
    """Log and count an error of background work; with its traceback unless it is expected."""
    count("background_failures", name)
    if isinstance(error, expected_errors):
        _log.error("%s: %s; trying again", name, error)
    else:
        _log.error("%s: failed; continuing", name, exc_info=error)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def ensure_task() -> None:
    """Yield once if no task runs yet: `asyncio.timeout` needs one."""
    if asyncio.current_task() is None:
        await asyncio.sleep(0)
