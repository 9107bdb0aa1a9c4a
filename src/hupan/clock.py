"""The clock is a parameter: the sandbox winds it, tests never sleep."""

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

LEAP_SECONDS = 3600.0
"""A jump of the machine's clock by more is not followed at once (security X10)."""


class Clock(Protocol):
    """Tells the time in unix seconds."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(time.time)


def _find_counting() -> Callable[[], float]:
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
    `follow` says that it is right. A jump back it does not follow: it goes on second by second.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        counting: Callable[[], float] | None = None,
    ) -> None:
        self._wall = wall
        self._counting = counting or _find_counting()
        self._furthest = wall() - self._counting()

    def now(self) -> float:
        """The machine's time, or a later one; an earlier one during a leap."""
        counted = self._counting()
        ahead = self._wall() - counted
        if self._furthest < ahead <= self._furthest + LEAP_SECONDS:
            self._furthest = ahead
        return counted + self._furthest

    def lift(self, unix_seconds: float) -> None:
        """Goes on from a time, if that is later."""
        self._furthest = max(self._furthest, unix_seconds - self._counting())

    def set(self, unix_seconds: float) -> None:
        """Goes on from a time, before anybody was told another one."""
        self._furthest = unix_seconds - self._counting()

    def follow(self) -> None:
        """Takes the machine's time for right, however far it leapt ahead."""
        self.lift(self._wall())

    def counted(self) -> float:
        """Seconds since some moment, whatever happens to the machine's clock."""
        return self._counting()

    def wall(self) -> float:
        """What the machine's clock says."""
        return self._wall()

    def leap(self) -> float:
        """How many seconds the machine's clock leapt ahead of this one, 0 if that is no leap."""
        ahead = self._wall() - self.now()
        return ahead if ahead > LEAP_SECONDS else 0.0

    def behind(self) -> float:
        """How many seconds the machine's clock is behind this one; negative where it is ahead."""
        return self.now() - self._wall()


class WoundClock:
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

    def unwind(self) -> None:
        """Goes back to the source's time."""
        self._offset_seconds = 0.0
