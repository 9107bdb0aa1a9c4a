"""What a round of load showed."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The answers of one round.

    Attributes:
        answered: answers that were right.
        refused: answers that were not: another status than 200, or `x-result` not `ok`.
        failed: requests that got no answer, and connections that could not be opened.
        seconds: how long the round took.
        p50_ms: half of the answers came within this time.
        p99_ms: all but a hundredth of them did.
    """

    answered: int
    refused: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def responses_per_second(self) -> float:
        """Right answers in each second."""
        return self.answered / self.seconds if self.seconds > 0 else 0.0

    @property
    def errors(self) -> int:
        """Everything that was no right answer."""
        return self.refused + self.failed


def percentile(ordered: Sequence[float], fraction: float) -> float:
    """The value that a part of all is not above, by the nearest rank; 0 for none.

    Args:
        ordered: values, ascending.
        fraction: above 0, at most 1.
    """
    return ordered[math.ceil(fraction * len(ordered)) - 1] if ordered else 0.0


def median(results: Sequence[LoadResult]) -> LoadResult:
    """The medians of rounds; errors add up, so that none is lost.

    Args:
        results: at least one.
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
