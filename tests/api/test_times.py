"""Times as text are those of the server's zone, whatever its clocks do (wire.md 1.11)."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hupan.api.codecs import format_time

pytestmark = pytest.mark.one_engine

TURNS_BACK = 1_793_512_800
"""2026-11-01 06:00 UTC: New York goes from summer to winter."""


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Africa/Casablanca"])
@given(unix_seconds=st.integers(0, 2**32))
@example(unix_seconds=TURNS_BACK - 1)
@example(unix_seconds=TURNS_BACK)
def test_any_moment(zone: str, unix_seconds: int) -> None:
    """As the standard library has it, also in weeks in which clocks are changed."""
    there = datetime.fromtimestamp(unix_seconds, ZoneInfo(zone))
    assert format_time(unix_seconds, ZoneInfo(zone)) == there.strftime("%Y-%m-%d %H:%M:%S")
