"""Times as pages show them (web.md W-6)."""

from zoneinfo import ZoneInfo

import pytest

from hupan.sandbox.routes import MAX_TIME
from hupan.web.times import Times

pytestmark = pytest.mark.one_engine


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC", "Pacific/Kiritimati"])
def test_what_no_date_can_name_is_shown_as_the_last_day(zone: str) -> None:
    """With the clock at its end, bans and VIP end after the year 9999 (K-6, W-6)."""
    times = Times(ZoneInfo(zone), MAX_TIME)
    for shown in (times.absolute, times.machine, times.field):
        assert shown(MAX_TIME + 36_500 * 86_400) == shown(MAX_TIME + 73_000 * 86_400)
        assert shown(2**62).startswith("9999-12-31")
        assert shown(-(2**62)).startswith(("1969-12-31", "1970-01-01"))
        assert shown(MAX_TIME).startswith(("9998-12-30", "9998-12-31", "9999-01-01"))
