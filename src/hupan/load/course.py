"""The course of one round: what is asked next, when it ends, how it went."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hupan.load.seen import Seen, percentile


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a round ends, whatever the server does.

    Attributes:
        connections: how many are open at once, each with one request under way.
        seconds: after which no more is asked.
        requests: the most that are asked.
        per_second: how many are asked in a second, 0 for as many as are answered.
    """

    connections: int
    seconds: float
    requests: int
    per_second: float = 0.0


class Course:
    """Shared by the connections of a round, which take turns in one event loop."""

    def __init__(self, requests: Sequence[bytes], bounds: Bounds) -> None:
        self._coming: Iterator[bytes] = itertools.islice(itertools.cycle(requests), bounds.requests)
        self.is_over = False
        self._began = self._last = time.perf_counter()
        self._ends = self._began + bounds.seconds
        self._took: list[float] = []
        self._refused = 0
        self._failed = 0

    def next(self) -> bytes | None:
        """The request to send; None when the round is over."""
        request = next(self._coming, None) if time.perf_counter() < self._ends else None
        self.is_over = self.is_over or request is None
        return request

    @property
    def seconds_left(self) -> float:
        """Until no more is asked."""
        return max(0.0, self._ends - time.perf_counter())

    @property
    def answers(self) -> int:
        """How many came so far, right or not."""
        return len(self._took) + self._refused

    def note(self, seconds: float, is_right: bool, _body: bytes) -> None:
        """Counts an answer."""
        self._last = time.perf_counter()
        if is_right:
            self._took.append(seconds)
        else:
            self._refused += 1

    def fail(self) -> None:
        """Counts a request that is not answered, or a connection that is not to be had."""
        self._failed += 1

    def seen(self) -> Seen:
        """How it went; time counts until the last answer."""
        took = sorted(self._took)
        p50, p99 = (percentile(took, part) * 1e3 for part in (0.5, 0.99))
        seconds = self._last - self._began
        return Seen(len(took), self._refused, self._failed, seconds, p50, p99)
