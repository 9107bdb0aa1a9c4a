"""The store's latest time: no restart takes anybody back behind it (security R08, L7, X10).

A machine's clock that leaps ahead by more than an hour is doubted: a running server does not follow
it until that has lasted for an hour and no process of another machine is sure of another time. A
server that was down cannot tell a leap from its pause. It follows up to 30 days at once, but purges
nothing for an hour; more it follows as if it had been running.
"""

import logging
from dataclasses import dataclass

from hupan.background import BackgroundTask
from hupan.clock import LEAP_SECONDS, SteadyClock
from hupan.domain.settings import DAY, HOUR
from hupan.model import StoreUnavailable
from hupan.store.engine import Engine, Transaction
from hupan.store.marks import (
    DoubtName,
    Times,
    find_times,
    forget_doubt,
    keep_doubt,
    lift_clock,
    renew_doubt,
    set_clock_back,
)

EVERY_SECONDS = 60.0
LOOK_SECONDS = 5.0
"""How often the machine's clock is looked at; the store is told of a leap at once."""
MOST_SECONDS_BEHIND = 2.0
LASTING_SECONDS = HOUR
"""How long a leap must last to be followed."""
LONGEST_PAUSE_SECONDS = 30 * DAY
"""For how long a server may have been down, as far as its machine's clock alone says so."""
PLAUSIBLE_SINCE = 1_767_225_600
"""The year 2026: a time before it comes from a machine whose clock was never set."""
_log = logging.getLogger("hupan.clock")


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why the machine's clock is doubted, and since when.

    Attributes:
        name: what is doubted.
        since: the counted second at which it began.
        ahead: how far the machine's clock was ahead of that count.
        wall: what the machine's clock said.
        sure: the latest time that a process without doubt had said.
    """

    name: DoubtName
    since: float
    ahead: float
    wall: int
    sure: int


class Timekeeping:
    """Keeps the time of one process and of the store together.

    Args:
        engine: the store.
        clock: the process's clock.
        erase_after_seconds: after which cancelled accounts are erased.
    """

    def __init__(
        self, engine: Engine, clock: SteadyClock, erase_after_seconds: int = 30 * DAY
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._erase_after_seconds = erase_after_seconds
        self._doubt: Doubt | None = None
        self._task = BackgroundTask(
            "clock", self.look, every_seconds=LOOK_SECONDS, expected=(StoreUnavailable,)
        )
        self._kept_at = 0.0
        self._is_told = False
        self._is_denial_told = False

    def start(self) -> None:
        """Begin to keep the time."""
        self._task.start()

    async def stop(self) -> None:
        """End."""
        await self._task.stop()

    @property
    def may_purge(self) -> bool:
        """Whether the time is sure enough to purge and erase what it says has expired."""
        return self._doubt is None or self._doubt.name == "clock-leap"

    async def begin(self, *, trusting: bool) -> None:
        """Take the store's latest time for the earliest there is.

        Args:
            trusting: the machine's clock is right, even where it is behind or far ahead: what was
                promised a time that is still to come ends now, sessions too.
        """
        wall = int(self._clock.now())
        times = await find_times(self._engine)
        pause = wall - times.latest
        if trusting:
            await self._engine.change(lambda tx: self._trust(tx, wall))
        elif times.latest >= PLAUSIBLE_SINCE and pause > LONGEST_PAUSE_SECONDS:
            self._clock.set(times.latest)
        elif times.latest >= PLAUSIBLE_SINCE and pause > LEAP_SECONDS:
            self._begin_doubt("clock-start", times)
            _log.warning(
                "the last time known is %d s ago: nothing is purged or erased for an hour. If the "
                "machine's clock is wrong, stop the server and set it right",
                pause,
            )
        await self.keep()

    async def keep(self) -> None:
        """Tell the store what time it is, and follow it when it knows of a later one."""
        self._clock.lift((await self._engine.change(self._keep)).latest)
        self._kept_at = self._clock.counted()
        self._tell()

    async def look(self) -> None:
        """Keep the time once a minute, and at once when a leap begins or ends."""
        is_leaping = self._doubt is not None and self._doubt.name == "clock-leap"
        is_due = self._clock.counted() - self._kept_at >= EVERY_SECONDS
        if is_due or is_leaping != (self._clock.leap() > 0):
            await self.keep()

    async def _trust(self, tx: Transaction, wall: int) -> None:
        """Ends every doubt in favour of the machine's clock."""
        for name in ("clock-leap", "clock-start"):
            await forget_doubt(tx, name)
        if (await find_times(tx)).latest > wall + MOST_SECONDS_BEHIND:
            await set_clock_back(tx, wall, wall + self._erase_after_seconds)

    async def _keep(self, tx: Transaction) -> Times:
        times = await find_times(tx)
        await self._look(tx, times)
        doubt = self._doubt
        if doubt is None or doubt.name == "clock-leap":  # else the store's time waits
            await lift_clock(tx, int(self._clock.now()), is_sure=doubt is None)
        if doubt is not None:
            await keep_doubt(tx, doubt.name, doubt.wall)
        return await find_times(tx)

    async def _look(self, tx: Transaction, times: Times) -> None:
        """Begins a doubt, or ends it."""
        clock, leap = self._clock, self._clock.leap()
        if leap and clock.now() < PLAUSIBLE_SINCE:  # a clock that has just been set
            clock.follow()
            leap = 0.0
        doubt = self._doubt
        if doubt is None and not leap:
            if times.leap and 0 <= clock.wall() - times.leap < LONGEST_PAUSE_SECONDS:
                await forget_doubt(tx, "clock-leap")
            return
        if doubt is None:
            doubt = self._begin_doubt("clock-leap", times)
            _log.error(
                "the machine's clock leapt %d s ahead: it is not followed before that has lasted "
                "an hour. Set it right, or start with trust_clock = true if it is right",
                leap,
            )
        if doubt.name == "clock-leap" and not leap:
            _log.warning("the machine's clock has leapt back")
            await self._end_doubt(tx)
        elif self._is_shared(times):
            await self._believe(tx, "other servers of the store have the same time")
        elif self._is_denied(times, doubt):
            if not self._is_denial_told:
                _log.error("other servers of the store have another time than this machine")
            self._is_denial_told = True
            self._begin_doubt(doubt.name, times, lasted=False)
            await renew_doubt(tx, doubt.name, int(clock.wall()))
        elif clock.counted() - doubt.since >= LASTING_SECONDS:
            await self._believe(tx, "it has lasted an hour")

    def _begin_doubt(self, name: DoubtName, times: Times, *, lasted: bool = True) -> Doubt:
        """Begins a doubt; one that a process before had, of the same clock, goes on."""
        clock, wall = self._clock, self._clock.wall()
        known = times.leap if name == "clock-leap" else times.start
        before = wall - known if lasted and known else 0.0
        if not 0 <= before < LONGEST_PAUSE_SECONDS:
            before = 0.0
        since = clock.counted() - before
        self._doubt = Doubt(name, since, wall - clock.counted(), int(wall), times.sure)
        return self._doubt

    def _is_shared(self, times: Times) -> bool:
        """Whether a process without doubt has about the time of this machine's clock."""
        return abs(times.sure - self._clock.wall()) <= LEAP_SECONDS

    def _is_denied(self, times: Times, doubt: Doubt) -> bool:
        """Whether a process without doubt goes on with another time, or the clock leapt again."""
        ahead = self._clock.wall() - self._clock.counted()
        return times.sure > doubt.sure or abs(ahead - doubt.ahead) > LEAP_SECONDS

    async def _believe(self, tx: Transaction, why: str) -> None:
        self._clock.follow()
        _log.warning("the machine's clock is followed: %s", why)
        await self._end_doubt(tx)

    async def _end_doubt(self, tx: Transaction) -> None:
        if self._doubt is not None:
            await forget_doubt(tx, self._doubt.name)
        self._doubt = None
        self._is_denial_told = False

    def _tell(self) -> None:
        """Says once that the machine's clock is behind, and once that it is not any more."""
        behind = self._clock.behind()
        if (behind > MOST_SECONDS_BEHIND) == self._is_told:
            return
        self._is_told = not self._is_told
        if self._is_told:
            _log.error(
                "the machine's clock is %d s behind the latest time; going on from there", behind
            )
        else:
            _log.warning("the machine's clock has caught up")


async def store_clock(engine: Engine, clock: SteadyClock | None = None) -> SteadyClock:
    """A clock with the time that a server of the store has, for who works beside it (X10)."""
    clock = clock or SteadyClock()
    times, wall = await find_times(engine), clock.wall()
    is_leaping = times.leap and 0 <= wall - times.leap < LASTING_SECONDS + 2 * EVERY_SECONDS
    is_implausible = times.latest >= PLAUSIBLE_SINCE and (
        wall - times.latest > LONGEST_PAUSE_SECONDS
        or (is_leaping and wall - times.latest > LEAP_SECONDS)
    )
    if is_implausible or wall < times.latest:
        clock.set(times.latest)
    return clock
