"""Alarms: signs of an attack on the whole server, each one line in the log (security C6, C11, C12).

An alarm changes nothing by itself; it is there to be seen, in the log and among the metrics.
"""

import logging

from hupan.clock import Clock
from hupan.counting import Count
from hupan.domain.masks import line_of

AGAIN_SECONDS = 600
"""An alarm that lasts has a line each ten minutes; each of its signs is counted."""
_log = logging.getLogger("hupan.alarm")


class Alarms:
    """Tells the log and the counters, in this process."""

    def __init__(self, count: Count, clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._told_at: dict[str, float] = {}

    def ring(self, alarm: str, **facts: str | int) -> None:
        """Rings.

        Args:
            alarm: its name, of the program.
            facts: what goes into the line: numbers and names, nothing of a request.
        """
        self._count("alarms", alarm)
        now = self._clock.now()
        if 0 <= now - self._told_at.get(alarm, -AGAIN_SECONDS) < AGAIN_SECONDS:
            return
        self._told_at[alarm] = now
        _log.warning(line_of({"alarm": alarm} | {name: str(fact) for name, fact in facts.items()}))
