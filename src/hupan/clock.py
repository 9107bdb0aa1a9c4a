"""Clocks: the system's, one that never goes back, and an adjustable one for the sandbox."""

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

MAX_JUMP_SECONDS = 3600.0
"""A jump of the machine's clock by more is not followed at once (security X10)."""


class Clock(Protocol):
    """Tells the time in unix seconds."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(time.time)


def _monotonic_source() -> Callable[[], float]:
    """What counts seconds and never jumps: while the machine sleeps too, where that is offered."""
    try:
        boot_time = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
        boot_time()
    except (AttributeError, OSError):
        return time.monotonic
    return boot_time


class SteadyClock:
    """A clock that never goes back, whatever happens to the machine's own (security R08, L7, X10).

    It keeps the furthest that the machine's clock ever was ahead of one that only counts seconds.
    So it follows a jump ahead of up to an hour. A longer one is a leap: that is followed only when
    `accept_system_time` says that it is right. A jump back it does not follow: it goes on second by second.
    """

    def __init__(
        self,
        system_time: Callable[[], float] = time.time,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self._system_time = system_time
        self._monotonic = monotonic or _monotonic_source()
        self._max_offset_seconds = system_time() - self._monotonic()

    def now(self) -> float:
        """The machine's time, or a later one; an earlier one during a leap."""
        counted = self._monotonic()
        ahead = self._system_time() - counted
        if self._max_offset_seconds < ahead <= self._max_offset_seconds + MAX_JUMP_SECONDS:
            self._max_offset_seconds = ahead
        return counted + self._max_offset_seconds

    def advance_to(self, unix_seconds: float) -> None:
        """Goes on from a time, if that is later."""
        self._max_offset_seconds = max(self._max_offset_seconds, unix_seconds - self._monotonic())

    def set(self, unix_seconds: float) -> None:
        """Goes on from a time, before anybody was told another one."""
        self._max_offset_seconds = unix_seconds - self._monotonic()

    def accept_system_time(self) -> None:
        """Takes the machine's time for right, however far it leapt ahead."""
        self.advance_to(self._system_time())

    def monotonic(self) -> float:
        """Seconds since some moment, whatever happens to the machine's clock."""
        return self._monotonic()

    def system_time(self) -> float:
        """What the machine's clock says."""
        return self._system_time()

    def jump_seconds(self) -> float:
        """How many seconds the machine's clock leapt ahead of this one, 0 if that is no leap."""
        ahead = self._system_time() - self.now()
        return ahead if ahead > MAX_JUMP_SECONDS else 0.0

    def system_lag_seconds(self) -> float:
        """How many seconds the machine's clock is behind this one; negative where it is ahead."""
        return self.now() - self._system_time()


class AdjustableClock:
    """A clock that runs with the machine's but can be moved."""

    def __init__(self, source: Clock) -> None:
        self._source = source
        self._offset_seconds = 0.0

    def now(self) -> float:
        """The source's time, moved."""
        return self._source.now() + self._offset_seconds

    def advance(self, seconds: float) -> None:
        """Moves the clock by some seconds, ahead or back."""
        self._offset_seconds += seconds

    def set(self, unix_seconds: float) -> None:
        """Moves the clock to a time."""
        self._offset_seconds = unix_seconds - self._source.now()

    def reset(self) -> None:
        """Goes back to the source's time."""
        self._offset_seconds = 0.0
