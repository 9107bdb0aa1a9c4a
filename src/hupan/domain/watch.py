"""What many requests say together: guesses spread over many targets, codes that nobody uses.

A guess at each of ten thousand numbers, from as many addresses, meets no limit of one number or of
one address. It shows in the share of guesses that are wrong (security C6). Codes that are asked for
to earn on the messages show in the share of codes that are used (security C12).
"""

from array import array

from hupan.clock import Clock
from hupan.domain.alarms import Alarms

TRIES = 1000
"""The last tries that are looked at."""
LEAST_CODES = 50
"""Fewer codes in an hour say nothing."""
_HOUR = 3600
_PERCENT = 100


class Watch:
    """Looks at the tries and the codes of one process; 0 percent looks at nothing.

    Args:
        wrong_percent: more wrong ones among the last tries ring the alarm `wrong-tries`.
        used_percent: fewer used ones among the codes of an hour ring `unused-codes`.
    """

    def __init__(
        self, alarms: Alarms, clock: Clock, *, wrong_percent: int, used_percent: int
    ) -> None:
        self._alarms = alarms
        self._clock = clock
        self._wrong_percent = wrong_percent
        self._used_percent = used_percent
        self._last = array("B", bytes(TRIES))
        self._tries = 0
        self._wrong = 0
        self._hour = 0
        self._asked = 0
        self._used = 0

    def tried(self, *, wrong: bool) -> None:
        """Notes a guess at a code or a password."""
        place = self._tries % TRIES
        self._wrong += wrong - self._last[place]
        self._last[place] = wrong
        self._tries += 1
        is_many = self._wrong * _PERCENT > self._wrong_percent * TRIES
        if self._wrong_percent and self._tries >= TRIES and is_many:
            self._alarms.ring("wrong-tries", wrong=self._wrong, tries=TRIES)

    def asked(self) -> None:
        """Notes a code that was asked for."""
        self._look()
        self._asked += 1

    def used(self) -> None:
        """Notes a code that was used."""
        self._look()
        self._used += 1

    async def look(self) -> None:
        """Looks whether an hour is over, for hours in which nobody comes."""
        self._look()

    def _look(self) -> None:
        hour = int(self._clock.now()) // _HOUR
        if hour == self._hour:
            return
        asked, used = self._asked, self._used
        self._hour, self._asked, self._used = hour, 0, 0
        is_few = used * _PERCENT < self._used_percent * asked
        if asked >= LEAST_CODES and is_few:
            self._alarms.ring("unused-codes", asked=asked, used=used)
