"""Calendar days, and a clock that never runs behind the store's latest time (security R08, X10).

A day begins at midnight in the server's zone (wire.md 5, online_day).

A system clock that leaps ahead by more than an hour is doubted: a running server follows it only
after the leap has lasted an hour and no process on another machine is sure of another time. A
server that starts cannot separate a leap from downtime. It follows up to 30 days at once, but
purges nothing for an hour; a larger leap is treated as in a running server.
"""

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hupan.background import BackgroundTask
from hupan.clock import MAX_JUMP_SECONDS, SteadyClock
from hupan.model import Account, PublicAccount, StoreUnavailable
from hupan.rules import DAY_SECONDS, HOUR_SECONDS
from hupan.store.cluster_state import (
    ClockDoubtKind,
    ClockState,
    advance_clock,
    clear_clock_doubt,
    get_clock_state,
    record_clock_doubt,
    restart_clock_doubt,
    set_clock_back,
)
from hupan.store.database import Database, Transaction

_EPOCH = date(1970, 1, 1).toordinal()


class DayCalendar:
    """The current day of a time zone; caches its bounds, because every request needs it."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._day = 0
        self._begins = self._ends = 0.0

    def today(self, now: float) -> int:
        """Return the day of a time, counted from 1970-01-01.

        Args:
            now: unix seconds.
        """
        if not self._begins <= now < self._ends:
            self._load_day(now)
        return self._day

    def day_start(self, now: float) -> float:
        """Return when the day of a time began, in unix seconds."""
        self.today(now)
        return self._begins

    def current_streak(self, account: Account | PublicAccount, now: float) -> int:
        """Return on how many days in a row an account was online, up to today or yesterday."""
        return account.days_in_a_row if account.last_seen_day >= self.today(now) - 1 else 0

    def _load_day(self, now: float) -> None:
        today = datetime.fromtimestamp(now, UTC).astimezone(self._zone).date()
        self._day = today.toordinal() - _EPOCH
        self._begins = self._midnight(today)
        self._ends = self._midnight(today + timedelta(days=1))

    def _midnight(self, day: date) -> float:
        return datetime.combine(day, time(), self._zone).timestamp()


SYNC_SECONDS = 60.0
POLL_SECONDS = 5.0
"""How often the system clock is checked; a leap is recorded in the store at once."""
MAX_LAG_SECONDS = 2.0
MIN_LEAP_DURATION_SECONDS = HOUR_SECONDS
"""How long a leap must last before it is followed."""
MAX_DOWNTIME_SECONDS = 30 * DAY_SECONDS
"""The longest downtime for which the system clock alone is trusted."""
MIN_PLAUSIBLE_TIME = 1_767_225_600
"""The year 2026: earlier times come from a machine whose clock was never set."""
_log = logging.getLogger("hupan.clock")


@dataclass(frozen=True, slots=True)
class ClockDoubt:
    """Why and since when the system clock is doubted.

    Attributes:
        name: kind of the doubt.
        since: monotonic time at which it began.
        ahead_seconds: how far the system clock was ahead of monotonic time.
        wall_time: the time of the system clock.
        confirmed_time: the latest time recorded by a process without doubt.
    """

    name: ClockDoubtKind
    since: float
    ahead_seconds: float
    wall_time: int
    confirmed_time: int


class ClockSync:
    """Synchronizes the clock of one process with the store.

    Args:
        database: the store.
        clock: the process's clock.
        erase_after_seconds: the delay before cancelled accounts are erased.
    """

    def __init__(
        self, database: Database, clock: SteadyClock, erase_after_seconds: int = 30 * DAY_SECONDS
    ) -> None:
        self._database = database
        self._clock = clock
        self._erase_after_seconds = erase_after_seconds
        self._doubt: ClockDoubt | None = None
        self._task = BackgroundTask(
            "clock",
            self.sync_when_due,
            interval_seconds=POLL_SECONDS,
            expected_errors=(StoreUnavailable,),
        )
        self._synced_at = 0.0
        self._is_lag_logged = False
        self._is_contradiction_logged = False

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    @property
    def may_purge(self) -> bool:
        """Whether the time is reliable enough to purge and erase what has expired."""
        return self._doubt is None or self._doubt.name == "clock-leap"

    async def initialize(self, *, trust_clock: bool) -> None:
        """Start no earlier than the store's latest time.

        Args:
            trust_clock: the system clock is right even if it is behind or far ahead: all that was
                set to end later, such as a session, ends now.
        """
        wall = int(self._clock.now())
        times = await get_clock_state(self._database)
        pause = wall - times.latest
        if trust_clock:
            await self._database.run_transaction(lambda tx: self._trust_clock(tx, wall))
        elif times.latest >= MIN_PLAUSIBLE_TIME and pause > MAX_DOWNTIME_SECONDS:
            self._clock.set(times.latest)
        elif times.latest >= MIN_PLAUSIBLE_TIME and pause > MAX_JUMP_SECONDS:
            self._begin_doubt("clock-start", times)
            _log.warning(
                "the latest recorded time is %d s ago: nothing is purged or erased for an hour. If "
                "the machine's clock is wrong, stop the server and correct it",
                pause,
            )
        await self.sync()

    async def sync(self) -> None:
        """Record the time in the store, and advance to a later time found there."""
        self._clock.advance_to((await self._database.run_transaction(self._sync)).latest)
        self._synced_at = self._clock.monotonic()
        self._log_lag()

    async def sync_when_due(self) -> None:
        """Synchronize once a minute, and at once when a leap begins or ends."""
        is_leaping = self._doubt is not None and self._doubt.name == "clock-leap"
        is_due = self._clock.monotonic() - self._synced_at >= SYNC_SECONDS
        if is_due or is_leaping != (self._clock.jump_seconds() > 0):
            await self.sync()

    async def _trust_clock(self, tx: Transaction, wall: int) -> None:
        # Every doubt ends in favour of the system clock.
        for name in ("clock-leap", "clock-start"):
            await clear_clock_doubt(tx, name)
        if (await get_clock_state(tx)).latest > wall + MAX_LAG_SECONDS:
            await set_clock_back(tx, wall, wall + self._erase_after_seconds)

    async def _sync(self, tx: Transaction) -> ClockState:
        times = await get_clock_state(tx)
        await self._update_doubt(tx, times)
        doubt = self._doubt
        if (
            doubt is None or doubt.name == "clock-leap"
        ):  # otherwise the store's time does not advance
            await advance_clock(tx, int(self._clock.now()), is_confirmed=doubt is None)
        if doubt is not None:
            await record_clock_doubt(tx, doubt.name, doubt.wall_time)
        return await get_clock_state(tx)

    async def _update_doubt(self, tx: Transaction, times: ClockState) -> None:
        clock, leap = self._clock, self._clock.jump_seconds()
        if leap and clock.now() < MIN_PLAUSIBLE_TIME:  # a clock that has just been set
            clock.accept_system_time()
            leap = 0.0
        doubt = self._doubt
        if doubt is None and not leap:
            if (
                times.leap_started
                and 0 <= clock.system_time() - times.leap_started < MAX_DOWNTIME_SECONDS
            ):
                await clear_clock_doubt(tx, "clock-leap")
            return
        if doubt is None:
            doubt = self._begin_doubt("clock-leap", times)
            _log.error(
                "the machine's clock jumped %d s ahead: it is followed only after this has lasted "
                "an hour. Correct the clock, or start with trust_clock = true if it is right",
                leap,
            )
        if doubt.name == "clock-leap" and not leap:
            _log.warning("the machine's clock has jumped back")
            await self._end_doubt(tx)
        elif self._is_confirmed(times):
            await self._accept_clock(tx, "other servers of the store have the same time")
        elif self._is_contradicted(times, doubt):
            if not self._is_contradiction_logged:
                _log.error("other servers of the store have a different time from this machine")
            self._is_contradiction_logged = True
            self._begin_doubt(doubt.name, times, lasted=False)
            await restart_clock_doubt(tx, doubt.name, int(clock.system_time()))
        elif clock.monotonic() - doubt.since >= MIN_LEAP_DURATION_SECONDS:
            await self._accept_clock(tx, "it has lasted an hour")

    def _begin_doubt(
        self, name: ClockDoubtKind, times: ClockState, *, lasted: bool = True
    ) -> ClockDoubt:
        # A doubt that an earlier process had about the same clock continues.
        clock, wall = self._clock, self._clock.system_time()
        started = times.leap_started if name == "clock-leap" else times.doubtful_start
        before = wall - started if lasted and started else 0.0
        if not 0 <= before < MAX_DOWNTIME_SECONDS:
            before = 0.0
        since = clock.monotonic() - before
        self._doubt = ClockDoubt(name, since, wall - clock.monotonic(), int(wall), times.confirmed)
        return self._doubt

    def _is_confirmed(self, times: ClockState) -> bool:
        # A process without doubt has about the same time as this machine.
        return abs(times.confirmed - self._clock.system_time()) <= MAX_JUMP_SECONDS

    def _is_contradicted(self, times: ClockState, doubt: ClockDoubt) -> bool:
        # A process without doubt continues with another time, or the clock jumped again.
        ahead = self._clock.system_time() - self._clock.monotonic()
        return (
            times.confirmed > doubt.confirmed_time
            or abs(ahead - doubt.ahead_seconds) > MAX_JUMP_SECONDS
        )

    async def _accept_clock(self, tx: Transaction, why: str) -> None:
        self._clock.accept_system_time()
        _log.warning("the machine's clock is followed: %s", why)
        await self._end_doubt(tx)

    async def _end_doubt(self, tx: Transaction) -> None:
        if self._doubt is not None:
            await clear_clock_doubt(tx, self._doubt.name)
        self._doubt = None
        self._is_contradiction_logged = False

    def _log_lag(self) -> None:
        # Logs once that the clock is behind, and once that it has caught up.
        lag = self._clock.system_lag_seconds()
        if (lag > MAX_LAG_SECONDS) == self._is_lag_logged:
            return
        self._is_lag_logged = not self._is_lag_logged
        if self._is_lag_logged:
            _log.error(
                "the machine's clock is %d s behind the latest recorded time; continuing from that "
                "time",
                lag,
            )
        else:
            _log.warning("the machine's clock has caught up")


async def load_store_clock(database: Database, clock: SteadyClock | None = None) -> SteadyClock:
    """Return a clock with the time of the store's servers, for commands (security X10)."""
    clock = clock or SteadyClock()
    times, wall = await get_clock_state(database), clock.system_time()
    is_leaping = (
        times.leap_started
        and 0 <= wall - times.leap_started < MIN_LEAP_DURATION_SECONDS + 2 * SYNC_SECONDS
    )
    is_implausible = times.latest >= MIN_PLAUSIBLE_TIME and (
        wall - times.latest > MAX_DOWNTIME_SECONDS
        or (is_leaping and wall - times.latest > MAX_JUMP_SECONDS)
    )
    if is_implausible or wall < times.latest:
        clock.set(times.latest)
    return clock
