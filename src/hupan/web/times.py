"""Times as pages show them: absolute in the server's zone, and relative to its clock (W-6)."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from markupsafe import Markup

from hupan.rules import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from hupan.web.catalogue import Texts

_UNITS = (
    ("days", DAY_SECONDS),
    ("hours", HOUR_SECONDS),
    ("minutes", MINUTE_SECONDS),
    ("seconds", 1),
)


_LAST_SECOND = 253_402_214_400
"""The last day that a date can express; later times are shown as this."""


def _moment(unix_seconds: float, zone: tzinfo) -> datetime:
    shown = datetime.fromtimestamp(max(0, min(int(unix_seconds), _LAST_SECOND)), zone)
    return shown.replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Times:
    """Formats unix times.

    Attributes:
        zone: the server's time zone.
        now: the server's time, which is not that of the machine in a sandbox.
    """

    zone: ZoneInfo
    now: float

    def absolute(self, unix_seconds: float) -> str:
        """Return a time such as `2026-11-26 12:00:05`."""
        return _moment(unix_seconds, self.zone).isoformat(" ")

    def machine(self, unix_seconds: float) -> str:
        """Return a time for `<time datetime>`."""
        return _moment(unix_seconds, UTC).isoformat() + "Z"

    def field(self, unix_seconds: float) -> str:
        """Return a time as the value of `<input type="datetime-local">`."""
        return _moment(unix_seconds, self.zone).isoformat()

    def relative(self, unix_seconds: float, texts: Texts) -> Markup:
        """Return how long ago a time was, or how far ahead it is."""
        distance = int(unix_seconds) - int(self.now)
        for unit, seconds in _UNITS:
            if abs(distance) >= seconds:
                name = f"{unit}_ahead" if distance > 0 else f"{unit}_ago"
                return texts(name, n=abs(distance) // seconds)
        return texts("just_now")
