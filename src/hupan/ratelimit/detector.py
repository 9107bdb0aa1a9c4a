"""Alarms about attacks on the whole server, in the log and the metrics (security C6, C11, C12).

An alarm changes nothing by itself.

One guess at each of ten thousand numbers, from as many addresses, reaches no limit of a number or
an address. It shows in the share of wrong guesses (security C6). Codes that are requested to earn
money with the messages show in the share of used codes (security C12).
"""

import logging
from array import array

from hupan.addresses import format_log_fields
from hupan.clock import Clock
from hupan.metrics import IncrementMetric

REPEAT_SECONDS = 600
"""A continuing alarm is logged every ten minutes; the metric counts every occurrence."""
_log = logging.getLogger("hupan.alarm")


class Alarms:
    """Raises the alarms of one process."""

    def __init__(self, count: IncrementMetric, clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._logged_at: dict[str, float] = {}

    def raise_alarm(self, alarm: str, **facts: str | int) -> None:
        """Count an alarm, and log it unless it was logged a short time ago.

        Args:
            alarm: its name, a constant of the program.
            facts: the fields of the log line: numbers and names, nothing from a request.
        """
        self._count("alarms", alarm)
        now = self._clock.now()
        if 0 <= now - self._logged_at.get(alarm, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return
        self._logged_at[alarm] = now
        _log.warning(
            format_log_fields({"alarm": alarm} | {name: str(fact) for name, fact in facts.items()})
        )


ATTEMPT_WINDOW = 1000
"""The number of last attempts that are evaluated."""
MIN_CODES_PER_HOUR = 50
"""With fewer codes in an hour, their share is not significant."""
_HOUR_SECONDS = 3600
_PERCENT = 100


class AttackDetector:
    """Evaluates the attempts and the codes of one process; 0 percent turns an alarm off.

    Args:
        wrong_percent: more wrong ones among the last attempts raise `wrong-tries`.
        used_percent: fewer used ones among the codes of an hour raise `unused-codes`.
    """

    def __init__(
        self, alarms: Alarms, clock: Clock, *, wrong_percent: int, used_percent: int
    ) -> None:
        self._alarms = alarms
        self._clock = clock
        self._wrong_percent = wrong_percent
        self._used_percent = used_percent
        self._recent = array("B", bytes(ATTEMPT_WINDOW))
        self._attempts = 0
        self._wrong_attempts = 0
        self._hour = 0
        self._requested_codes = 0
        self._used_codes = 0

    def record_attempt(self, *, is_wrong: bool) -> None:
        """Record a guess at a code or a password."""
        index = self._attempts % ATTEMPT_WINDOW
        self._wrong_attempts += is_wrong - self._recent[index]
        self._recent[index] = is_wrong
        self._attempts += 1
        is_many = self._wrong_attempts * _PERCENT > self._wrong_percent * ATTEMPT_WINDOW
        if self._wrong_percent and self._attempts >= ATTEMPT_WINDOW and is_many:
            self._alarms.raise_alarm(
                "wrong-tries", wrong=self._wrong_attempts, tries=ATTEMPT_WINDOW
            )

    def record_code_request(self) -> None:
        """Record a requested code."""
        self._check_hour()
        self._requested_codes += 1

    def record_code_use(self) -> None:
        """Record a used code."""
        self._check_hour()
        self._used_codes += 1

    async def check_hour(self) -> None:
        """Evaluate a past hour, also when no request comes in the next one."""
        self._check_hour()

    def _check_hour(self) -> None:
        hour = int(self._clock.now()) // _HOUR_SECONDS
        if hour == self._hour:
            return
        requested, used = self._requested_codes, self._used_codes
        self._hour, self._requested_codes, self._used_codes = hour, 0, 0
        is_few = used * _PERCENT < self._used_percent * requested
        if requested >= MIN_CODES_PER_HOUR and is_few:
            self._alarms.raise_alarm("unused-codes", asked=requested, used=used)
