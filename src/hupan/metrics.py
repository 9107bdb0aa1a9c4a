"""Metrics: in-process counters, the Prometheus text format and process figures (decision 0015).

Numbers that only grow, kept where they arise and read when somebody asks: counting a request takes
less than a microsecond, and nothing is added up before it is wanted.
"""

import asyncio
import os
import resource
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal, Protocol, TypeAlias

MetricName: TypeAlias = Literal[
    "auth", "messages", "limit_refusals", "alarms", "background_failures"
]
"""What is counted, with its labels in this order:

auth: event, result. messages: channel, outcome. limit_refusals: limit. alarms: alarm.
background_failures: task.
"""

BUCKET_BOUNDS_SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""The upper ends of the ranges that durations are sorted into; what is above has one more."""


class IncrementMetric(Protocol):
    """Takes note of one more of something; callable from every thread."""

    def __call__(self, name: MetricName, *labels: str) -> None:
        """Adds one. Labels come from the program, never from a request: their number is small."""
        ...


def ignore_metric(name: MetricName, *labels: str) -> None:
    """Counts nothing, for parts that work on their own."""
    del name, labels


class MetricCounters:
    """Counts what is rare, by name and labels."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[MetricName, Counter[tuple[str, ...]]] = {}

    def __call__(self, name: MetricName, *labels: str) -> None:
        """Adds one."""
        with self._lock:
            self._counts.setdefault(name, Counter())[labels] += 1

    def counts_by_labels(self, name: MetricName) -> dict[tuple[str, ...], int]:
        """The numbers of one name, by their labels."""
        with self._lock:
            return dict(self._counts.get(name, {}))


class DurationHistogram:
    """Sorts durations into fixed ranges; counted on one thread.

    Attributes:
        numbers: how many fell into each range, the last is above all of `UPPER_SECONDS`.
        seconds: their sum.
    """

    __slots__ = ("bucket_counts", "sum_seconds")

    def __init__(self) -> None:
        self.bucket_counts = [0] * (len(BUCKET_BOUNDS_SECONDS) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Counts one."""
        self.bucket_counts[bisect_left(BUCKET_BOUNDS_SECONDS, seconds)] += 1
        self.sum_seconds += seconds


class EndpointMetrics:
    """Counts the requests of one endpoint; on the event loop alone.

    Attributes:
        results: how many ended with each class of outcome.
        durations: how long those took whose request was read whole, until the answer was made.
    """

    __slots__ = ("durations", "result_counts")

    def __init__(self) -> None:
        self.result_counts: dict[str, int] = {}
        self.durations = DurationHistogram()

    def increment(self, result: str) -> None:
        """Counts a request that was answered without being looked at."""
        self.result_counts[result] = self.result_counts.get(result, 0) + 1

    def observe(self, result: str, seconds: float) -> None:
        """Counts a request that was answered after some time."""
        self.result_counts[result] = self.result_counts.get(result, 0) + 1
        self.durations.observe(seconds)


PROMETHEUS_CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """Samples of one name.

    Attributes:
        name: with its unit, and `_total` where it only grows.
        kind: a counter only grows, a gauge comes and goes.
        help_text: what it tells, in one line.
        samples: labels and value.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help_text: str
    samples: Sequence[tuple[Mapping[str, str], float]]

    def lines(self) -> Iterator[str]:
        """The family as text."""
        yield from _header_lines(self.name, self.help_text, self.kind)
        for labels, value in self.samples:
            yield _sample_line(self.name, labels, value)


@dataclass(frozen=True, slots=True)
class HistogramFamily:
    """Durations of one name, in the ranges of `UPPER_SECONDS`."""

    name: str
    help_text: str
    samples: Sequence[tuple[Mapping[str, str], DurationHistogram]]

    def lines(self) -> Iterator[str]:
        """The histogram as text: each range counts those below it too."""
        yield from _header_lines(self.name, self.help_text, "histogram")
        for labels, durations in self.samples:
            cumulative_count = 0
            upper_bounds = [*map(repr, BUCKET_BOUNDS_SECONDS), "+Inf"]
            for upper_bound, number in zip(upper_bounds, durations.bucket_counts, strict=True):
                cumulative_count += number
                yield _sample_line(
                    f"{self.name}_bucket", {**labels, "le": upper_bound}, cumulative_count
                )
            yield _sample_line(f"{self.name}_sum", labels, durations.sum_seconds)
            yield _sample_line(f"{self.name}_count", labels, cumulative_count)


def format_prometheus(families: Iterable[MetricFamily | HistogramFamily]) -> bytes:
    """Everything that is told, as it goes over the wire."""
    lines = [line for family in families for line in family.lines()]
    return ("\n".join(lines) + "\n").encode()


def _header_lines(name: str, help_text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {_escape_help(help_text)}"
    yield f"# TYPE {name} {kind}"


def _sample_line(name: str, labels: Mapping[str, str], value: float) -> str:
    label_text = ",".join(f'{key}="{_escape_label(text)}"' for key, text in labels.items())
    return f"{name}{{{label_text}}} {value}" if label_text else f"{name} {value}"


def _escape_help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _escape_label(text: str) -> str:
    return _escape_help(text).replace('"', r"\"")


_PROCESS_STARTED_AT = time.time()
_LAG_INTERVAL_SECONDS = 0.25


class EventLoopLag:
    """Looks four times a second how late the event loop is: whatever holds it up, holds up all."""

    def __init__(self) -> None:
        self._lags = DurationHistogram()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins; on the loop that is looked at."""
        loop = asyncio.get_running_loop()
        due_at = loop.time() + _LAG_INTERVAL_SECONDS
        self._timer = loop.call_at(due_at, self._measure, loop, due_at)

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()

    def histogram(self) -> HistogramFamily:
        """All lags so far."""
        help_text = "How late the event loop was, looked at four times a second"
        return HistogramFamily("hupan_loop_lag_seconds", help_text, [({}, self._lags)])

    def _measure(self, loop: asyncio.AbstractEventLoop, due_at: float) -> None:
        self._lags.observe(max(0.0, loop.time() - due_at))
        self.start()


def process_metrics() -> list[MetricFamily]:
    """Memory, descriptors, processor time; memory and descriptors where the system has /proc."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    families = [
        _single_sample_family(
            "process_start_time_seconds", "gauge", "When it was started", _PROCESS_STARTED_AT
        ),
        _single_sample_family(
            "process_cpu_seconds_total", "counter", "Processor time used", time.process_time()
        ),
        _single_sample_family(
            "process_max_fds", "gauge", "Descriptors that it may have open", soft
        ),
    ]
    if Path("/proc/self/statm").exists():
        resident = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        size = resident * os.sysconf("SC_PAGE_SIZE")
        open_now = sum(1 for _ in Path("/proc/self/fd").iterdir())
        families.append(
            _single_sample_family("process_resident_memory_bytes", "gauge", "Memory in use", size)
        )
        families.append(
            _single_sample_family(
                "process_open_fds", "gauge", "Descriptors that are open", open_now
            )
        )
    return families


def _single_sample_family(name: str, kind: str, help_text: str, value: float) -> MetricFamily:
    return MetricFamily(name, "counter" if kind == "counter" else "gauge", help_text, [({}, value)])
