"""Days as the server's zone has them: they begin at midnight there (wire.md 5, online_day)."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hupan.model import Account, PublicAccount

_EPOCH = date(1970, 1, 1).toordinal()


class Days:
    """Knows which day it is; remembers the day's bounds, for every request asks."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._day = 0
        self._begins = self._ends = 0.0

    def today(self, now: float) -> int:
        """The day of a moment, counted from 1970-01-01.

        Args:
            now: unix seconds.
        """
        if not self._begins <= now < self._ends:
            self._turn(now)
        return self._day

    def began(self, now: float) -> float:
        """When the day of a moment began, in unix seconds."""
        self.today(now)
        return self._begins

    def unbroken(self, account: Account | PublicAccount, now: float) -> int:
        """How many days in a row an account was online, up to today or yesterday."""
        return account.days_in_a_row if account.last_seen_day >= self.today(now) - 1 else 0

    def _turn(self, now: float) -> None:
        today = datetime.fromtimestamp(now, UTC).astimezone(self._zone).date()
        self._day = today.toordinal() - _EPOCH
        self._begins = self._midnight(today)
        self._ends = self._midnight(today + timedelta(days=1))

    def _midnight(self, day: date) -> float:
        return datetime.combine(day, time(), self._zone).timestamp()
