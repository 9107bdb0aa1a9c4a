"""Alerts about many requests together (security C6, C12)."""

import logging

import pytest

from hupan.metrics import MetricCounters
from hupan.ratelimit.memory import (
    ATTEMPT_WINDOW,
    MIN_CODES_PER_HOUR,
    REPEAT_SECONDS,
    Alarms,
    AttackDetector,
)
from tests.support.world import StandingClock

HOUR = 3600


class DetectorHarness:
    """A detector, its counters and its clock."""

    def __init__(self, wrong_percent: int = 50, used_percent: int = 20) -> None:
        self.clock = StandingClock()
        self.metric_counters = MetricCounters()
        self.alerts = Alarms(self.metric_counters, self.clock)
        self.detector = AttackDetector(
            self.alerts, self.clock, wrong_percent=wrong_percent, used_percent=used_percent
        )

    def rung(self, alarm: str) -> int:
        """Return how often an alert was raised."""
        return self.metric_counters.counts_by_labels("alarms").get((alarm,), 0)

    def record_attempt(self, wrong: int, right: int) -> None:
        """Record guesses, the wrong ones last."""
        for _ in range(right):
            self.detector.record_attempt(is_wrong=False)
        for _ in range(wrong):
            self.detector.record_attempt(is_wrong=True)


def test_more_than_half_of_a_thousand_wrong_raise_an_alert() -> None:
    """500 wrong ones of the last 1,000 raise no alert, 501 do (security C6)."""
    watched = DetectorHarness()
    watched.record_attempt(wrong=500, right=500)
    assert watched.rung("wrong-tries") == 0
    watched.record_attempt(wrong=1, right=0)
    assert watched.rung("wrong-tries") == 1


def test_the_first_attempts_of_a_server_raise_no_alert() -> None:
    """The share of fewer than 1,000 is ignored."""
    watched = DetectorHarness()
    watched.record_attempt(wrong=ATTEMPT_WINDOW - 1, right=0)
    assert watched.rung("wrong-tries") == 0


def test_old_tries_are_forgotten() -> None:
    """Only the last 1,000 count."""
    watched = DetectorHarness()
    watched.record_attempt(wrong=600, right=400)
    rung = watched.rung("wrong-tries")
    watched.record_attempt(wrong=0, right=1000)
    calm = watched.rung("wrong-tries")
    assert rung < calm  # because it still counted while the wrong ones came
    watched.record_attempt(wrong=500, right=0)
    assert watched.rung("wrong-tries") == calm


async def test_unused_codes_raise_an_alarm() -> None:
    """Fewer than a fifth of an hour's codes used: the alert of toll fraud (security C12)."""
    watched = DetectorHarness()
    for used, expected in ((MIN_CODES_PER_HOUR // 5, 0), (MIN_CODES_PER_HOUR // 5 - 1, 1)):
        for _ in range(MIN_CODES_PER_HOUR):
            watched.detector.record_code_request()
        for _ in range(used):
            watched.detector.record_code_use()
        watched.clock.time += HOUR
        await watched.detector.check_hour()
        assert watched.rung("unused-codes") == expected


def test_a_few_unused_codes_raise_no_alert() -> None:
    """Fewer than fifty in an hour raise no alert."""
    watched = DetectorHarness()
    for _ in range(MIN_CODES_PER_HOUR - 1):
        watched.detector.record_code_request()
    watched.clock.time += HOUR
    watched.detector.record_code_request()
    assert watched.rung("unused-codes") == 0


def test_alarms_can_be_switched_off() -> None:
    """0 percent disables the alert."""
    watched = DetectorHarness(wrong_percent=0, used_percent=0)
    watched.record_attempt(wrong=2 * ATTEMPT_WINDOW, right=0)
    for _ in range(MIN_CODES_PER_HOUR):
        watched.detector.record_code_request()
    watched.clock.time += HOUR
    watched.detector.record_code_request()
    assert watched.metric_counters.counts_by_labels("alarms") == {}


def test_an_alarm_has_a_line_each_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    """Each alert is counted, but logged at most every ten minutes (security L2)."""
    watched = DetectorHarness()
    with caplog.at_level(logging.WARNING, "hupan.alarm"):
        for _ in range(3):
            watched.alerts.raise_alarm("wrong-tries", wrong=501, tries=1000)
        watched.alerts.raise_alarm("sending-stopped", channel="sms")
        watched.clock.time += REPEAT_SECONDS
        watched.alerts.raise_alarm("wrong-tries", wrong=502, tries=1000)
    assert [record.getMessage() for record in caplog.records] == [
        "alarm=wrong-tries wrong=501 tries=1000",
        "alarm=sending-stopped channel=sms",
        "alarm=wrong-tries wrong=502 tries=1000",
    ]
    assert watched.rung("wrong-tries") == 4
