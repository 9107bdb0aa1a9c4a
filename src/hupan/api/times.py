"""Times as the wire writes them."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

_WEEK_SECONDS = 7 * 24 * 3600
_TEXT_LENGTH = len("2026-01-01 00:00:00")


def text_time(unix_seconds: int, zone: ZoneInfo) -> str:
    """A time as text in the server's zone (wire.md 1.11)."""
    ahead = _ahead_all_week(zone, unix_seconds // _WEEK_SECONDS)
    if ahead is None:
        return str(datetime.fromtimestamp(unix_seconds, zone))[:_TEXT_LENGTH]
    return str(datetime.fromtimestamp(unix_seconds + ahead, UTC))[:_TEXT_LENGTH]


@lru_cache(4096)
def _ahead_all_week(zone: ZoneInfo, week: int) -> int | None:
    """How many seconds a zone is ahead of UTC in a week since 1970; None if that changes in it.

    To ask the zone for each moment takes longer than everything else that is done with it.
    """
    ends = (week * _WEEK_SECONDS, (week + 1) * _WEEK_SECONDS - 1)
    first, last = (datetime.fromtimestamp(end, zone).utcoffset() for end in ends)
    return int(first.total_seconds()) if first is not None and first == last else None
