"""Clocks: the system's, one that never goes back, and an adjustable one for the sandbox."""

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

MAX_JUMP_SECONDS = 3600.0
"""A longer jump of the machine's clock is not followed at once (security X10)."""


class Clock(Protocol):
    """A source of time."""

    def now(self) -> float:
        """Return unix seconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(time.time)


def _monotonic_source() -> Callable[[], float]:
    """Return a clock that never jumps and, where available, includes the time of suspension."""
    try:
        boot_time = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
        boot_time()
    except (AttributeError, OSError):
        return time.monotonic
    return boot_time


class SteadyClock:
    """A clock that never goes back, even if the machine's clock does (security R08, L7, X10).

    It keeps the largest lead that the machine's clock ever had over a monotonic one. So it follows
    a jump ahead of up to an hour. A longer one is a leap, which it follows only after
    `accept_system_time`. It does not follow a jump back: it continues second by second.
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
        """Return the machine's time, or a later one; an earlier one during a leap."""
        counted = self._monotonic()
        ahead = self._system_time() - counted
        if self._max_offset_seconds < ahead <= self._max_offset_seconds + MAX_JUMP_SECONDS:
            self._max_offset_seconds = ahead
        return counted + self._max_offset_seconds

    def advance_to(self, unix_seconds: float) -> None:
        """Continue from a time, if that is later."""
        self._max_offset_seconds = max(self._max_offset_seconds, unix_seconds - self._monotonic())

    def set(self, unix_seconds: float) -> None:
        """Continue from a time, before the clock was read."""
        self._max_offset_seconds = unix_seconds - self._monotonic()

    def accept_system_time(self) -> None:
        """Follow the machine's time, even if it has jumped far ahead."""
        self.advance_to(self._system_time())

    def monotonic(self) -> float:
        """Return seconds of a clock that the machine's clock does not affect."""
        return self._monotonic()

    def system_time(self) -> float:
        """Return the time of the machine's clock."""
        return self._system_time()

    def jump_seconds(self) -> float:
        """Return how many seconds the machine's clock jumped ahead, 0 if it did not jump."""
        ahead = self._system_time() - self.now()
        return ahead if ahead > MAX_JUMP_SECONDS else 0.0

    def system_lag_seconds(self) -> float:
        """Return how many seconds the machine's clock is behind; negative if it is ahead."""
        return self.now() - self._system_time()


class AdjustableClock:
    """A clock with an offset from another one; it can be frozen."""

    def __init__(self, source: Clock) -> None:
        self._source = source
        self._offset_seconds = 0.0
        self._frozen_at: float | None = None

    @property
    def is_frozen(self) -> bool:
        """Whether time stands still until it is moved."""
        return self._frozen_at is not None

    @property
    def lead_seconds(self) -> float:
        """How far it is ahead of its source; negative if it is behind."""
        return self.now() - self._source.now()

    def now(self) -> float:
        if self._frozen_at is not None:
            return self._frozen_at
        return self._source.now() + self._offset_seconds

    def advance(self, seconds: float) -> None:
        """Move the clock by some seconds, ahead or back."""
        self.set(self.now() + seconds)

    def set(self, unix_seconds: float) -> None:
        """Continue from a time, or stop there if the clock is frozen."""
        if self._frozen_at is None:
            self._offset_seconds = unix_seconds - self._source.now()
        else:
            self._frozen_at = unix_seconds

    def freeze(self) -> None:
        """Stop the time."""
        self._frozen_at = self.now()

    def unfreeze(self) -> None:
        """Continue from the clock's current time."""
        now = self.now()
        self._frozen_at = None
        self.set(now)

    def reset(self) -> None:
        """Remove the offset, and run."""
        self._frozen_at = None
        self._offset_seconds = 0.0
