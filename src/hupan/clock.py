"""The clock is a parameter: the sandbox winds it, tests never sleep."""

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Tells the time in unix seconds."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(time.time)


class SteadyClock:
    """A clock that never goes back, whatever happens to the machine's own (security R08, L7).

    It keeps the furthest that the machine's clock ever was ahead of one that only counts seconds.
    So it follows a jump ahead, and a jump back it does not follow: it goes on second by second.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        counting: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._counting = counting
        self._furthest = wall() - counting()

    def now(self) -> float:
        """The machine's time, or a later one."""
        counted = self._counting()
        ahead = self._wall() - counted
        if ahead > self._furthest:  # noqa: PLR1730 - asked by each request; `max` costs as much again
            self._furthest = ahead
        return counted + self._furthest

    def lift(self, unix_seconds: float) -> None:
        """Goes on from a time, if that is later."""
        self._furthest = max(self._furthest, unix_seconds - self._counting())

    def behind(self) -> float:
        """How many seconds the machine's clock is behind this one."""
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
