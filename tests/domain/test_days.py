"""Days begin at midnight in the server's zone (wire.md 5)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.domain.timekeeping import DayCalendar

pytestmark = pytest.mark.one_engine

ZONES = [
    "Asia/Shanghai",
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Cairo",
    "Australia/Lord_Howe",
]


def at(text: str, zone: str) -> float:
    """The unix seconds of a wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize("zone", ZONES)
def test_midnight_turns_the_day(zone: str) -> None:
    """The last second of a day belongs to it, the next one to the next day."""
    days = DayCalendar(ZoneInfo(zone))
    before, after = at("2026-02-28 23:59:59", zone), at("2026-03-01 00:00:00", zone)
    assert days.today(after) == days.today(before) + 1
    assert days.today(before) == days.today(at("2026-02-28 00:00:00", zone))


def test_days_are_counted_from_1970() -> None:
    """2026-03-01 is day 20,513, wherever it is 2026-03-01."""
    for zone in ZONES:
        assert DayCalendar(ZoneInfo(zone)).today(at("2026-03-01 12:00:00", zone)) == 20_513


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        # Clocks go from 23:59:59 to 01:00:00: this day has no midnight.
        ("America/Sao_Paulo", "2018-11-04 01:00:00", "2018-11-04 23:59:59"),
        # 23:00 to 24:00 comes twice; both hours belong to the old day.
        ("America/Sao_Paulo", "2018-02-17 00:00:00", "2018-02-17 23:59:59"),
        # 01:00 to 02:00 comes twice.
        ("America/New_York", "2026-11-01 00:00:00", "2026-11-01 23:59:59"),
        # 00:00 to 01:00 is skipped.
        ("Africa/Cairo", "2026-04-24 01:00:00", "2026-04-24 23:59:59"),
    ],
)
def test_odd_days(zone: str, first: str, last: str) -> None:
    """A day that is an hour shorter or longer is one day."""
    days = DayCalendar(ZoneInfo(zone))
    begins, ends = at(first, zone), at(last, zone)
    today = days.today(begins)
    assert days.today(ends) == today
    assert (days.today(begins - 1), days.today(ends + 3601)) == (today - 1, today + 1)


@given(
    zone=st.sampled_from(ZONES),
    moments=st.lists(st.floats(0, 4_000_000_000), min_size=2, max_size=10),
)
def test_what_is_remembered_is_right(zone: str, moments: list[float]) -> None:
    """In whatever order moments are asked for, each gets the date of its wall clock."""
    days, tz = DayCalendar(ZoneInfo(zone)), ZoneInfo(zone)
    for moment in moments:
        date = datetime.fromtimestamp(moment, UTC).astimezone(tz).date()
        assert days.today(moment) == date.toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()
