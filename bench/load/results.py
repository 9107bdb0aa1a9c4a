"""The result of a round of load."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The responses of one round.

    Attributes:
        answered: successful responses.
        refused: responses with another status than 200, or whose `x-result` is not `ok`.
        failed: requests without a response, and connections that could not be opened.
        seconds: the duration of the round.
        p50_ms: the median response time.
        p99_ms: the 99th percentile of the response time.
    """

    answered: int
    refused: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def responses_per_second(self) -> float:
        """Return the successful responses per second."""
        return self.answered / self.seconds if self.seconds > 0 else 0.0

    @property
    def errors(self) -> int:
        """Return the number of requests without a successful response."""
        return self.refused + self.failed


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """Return a percentile by the nearest rank; 0 for no values.

    Args:
        ordered: values, ascending.
        fraction: above 0, up to 1.
    """
    return ordered[math.ceil(fraction * len(ordered)) - 1] if ordered else 0.0


def median(results: Sequence[LoadResult]) -> LoadResult:
    """Return the medians of rounds; errors are added up.

    Args:
        results: one or more.
    """
    responses_per_second = statistics.median(one.responses_per_second for one in results)
    seconds = statistics.median(one.seconds for one in results)
    return LoadResult(
        answered=round(responses_per_second * seconds),
        refused=sum(one.refused for one in results),
        failed=sum(one.failed for one in results),
        seconds=seconds,
        p50_ms=statistics.median(one.p50_ms for one in results),
        p99_ms=statistics.median(one.p99_ms for one in results),
    )
