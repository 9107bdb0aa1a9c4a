"""The results of a load: counts, and durations of responses."""

from collections import Counter

from tests.soak.lines import Answered

_BUCKETS_PER_SECOND = 10_000
_BUCKETS = 30 * _BUCKETS_PER_SECOND


class Times:
    """Durations to a tenth of a millisecond, up to 30 s."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[min(int(seconds * _BUCKETS_PER_SECOND), _BUCKETS)] += 1

    def ms(self, share: float) -> float:
        """Return the duration that a share stayed within, in milliseconds; 0 if there are none."""
        left = self._counts.total() * share
        for bucket in sorted(self._counts):
            left -= self._counts[bucket]
            if left <= 0:
                return (bucket + 1) * 1000 / _BUCKETS_PER_SECOND
        return 0.0


class Figures:
    """The results of one phase of a run."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self._times: dict[str, Times] = {}
        self._refusals = Times()

    def add(self, answered: Answered) -> None:
        """Count a response."""
        self.outcomes[answered.kind, answered.outcome] += 1
        if answered.outcome == "ok":
            times = self._times.setdefault(answered.kind, Times())
            times.add(answered.ended_at - answered.due_at)
        else:
            self._refusals.add(answered.ended_at - answered.sent_at)

    @property
    def good(self) -> int:
        """Return the number of successes."""
        return self.count("ok")

    @property
    def total(self) -> int:
        """Return the number of responses."""
        return self.outcomes.total()

    @property
    def refusals_p99_ms(self) -> float:
        """Return the p99 of all other responses, since they were sent; 0 if there were none."""
        return self._refusals.ms(0.99)

    def count(self, wanted: str) -> int:
        """Return the number of responses with an outcome."""
        return sum(count for (_, outcome), count in self.outcomes.items() if outcome == wanted)

    def p99_ms(self, kind: str) -> float:
        """Return the p99 of a kind's successes, since they were due; 0 if there were none."""
        return self._times[kind].ms(0.99) if kind in self._times else 0.0

    def summary(self, seconds: float) -> dict[str, object]:
        """Return the phase for the report."""
        return {
            "seconds": round(seconds, 1),
            "good_per_second": round(self.good / seconds),
            "outcomes": {f"{kind} {how}": n for (kind, how), n in sorted(self.outcomes.items())},
            "ms": {
                kind: {f"p{share * 100:g}": times.ms(share) for share in (0.5, 0.99, 0.999)}
                for kind, times in sorted(self._times.items())
            },
            "refusals_p99_ms": self.refusals_p99_ms,
        }
