"""The clock is a parameter: the sandbox winds it, tests never sleep."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time in unix seconds."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(time.time)


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
