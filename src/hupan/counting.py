"""What a server counts while it runs (decision 0015).

Numbers that only grow, kept where they arise and read when somebody asks: counting a request takes
less than a microsecond, and nothing is added up before it is wanted.
"""

from bisect import bisect_left
from collections import Counter
from threading import Lock
from typing import Literal, Protocol, TypeAlias

CountName: TypeAlias = Literal[
    "auth", "messages", "limit_refusals", "alarms", "background_failures"
]
"""What is counted, with its labels in this order:

auth: event, result. messages: channel, outcome. limit_refusals: limit. alarms: alarm.
background_failures: task.
"""

UPPER_SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""The upper ends of the ranges that durations are sorted into; what is above has one more."""


class Count(Protocol):
    """Takes note of one more of something; callable from every thread."""

    def __call__(self, name: CountName, *labels: str) -> None:
        """Adds one. Labels come from the program, never from a request: their number is small."""
        ...


def uncounted(name: CountName, *labels: str) -> None:
    """Counts nothing, for parts that work on their own."""
    del name, labels


class Counts:
    """Counts what is rare, by name and labels."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers: dict[CountName, Counter[tuple[str, ...]]] = {}

    def __call__(self, name: CountName, *labels: str) -> None:
        """Adds one."""
        with self._lock:
            self._numbers.setdefault(name, Counter())[labels] += 1

    def of(self, name: CountName) -> dict[tuple[str, ...], int]:
        """The numbers of one name, by their labels."""
        with self._lock:
            return dict(self._numbers.get(name, {}))


class Durations:
    """Sorts durations into fixed ranges; counted on one thread.

    Attributes:
        numbers: how many fell into each range, the last is above all of `UPPER_SECONDS`.
        seconds: their sum.
    """

    __slots__ = ("numbers", "seconds")

    def __init__(self) -> None:
        self.numbers = [0] * (len(UPPER_SECONDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Counts one."""
        self.numbers[bisect_left(UPPER_SECONDS, seconds)] += 1
        self.seconds += seconds


class Meter:
    """Counts the requests of one endpoint; on the event loop alone.

    Attributes:
        results: how many ended with each class of outcome.
        durations: how long those took whose request was read whole, until the answer was made.
    """

    __slots__ = ("durations", "results")

    def __init__(self) -> None:
        self.results: dict[str, int] = {}
        self.durations = Durations()

    def count(self, result: str) -> None:
        """Counts a request that was answered without being looked at."""
        self.results[result] = self.results.get(result, 0) + 1

    def note(self, result: str, seconds: float) -> None:
        """Counts a request that was answered after some time."""
        self.results[result] = self.results.get(result, 0) + 1
        self.durations.add(seconds)
