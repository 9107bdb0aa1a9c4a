"""Metrics: in-process counters, the Prometheus text format and process figures (decision 0015).

Counters are kept where events occur and read on request: counting a request takes less than a
microsecond, and sums are computed only when metrics are read.
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
    "auth", "messages", "limit_refusals", "alarms", "background_failures", "sockets"
]
"""The counters, with their labels in this order:

auth: event, result. messages: channel, outcome. limit_refusals: limit. alarms: alarm.
background_failures: task. sockets: event.
"""

BUCKET_BOUNDS_SECONDS = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""The upper bounds of the buckets of durations; one more bucket has the rest."""


class IncrementMetric(Protocol):
    """Increments a counter; can be called from every thread."""

    def __call__(self, name: MetricName, *labels: str) -> None:
        """Increment by one. Labels come from the program, never from a request: they are few."""
        ...


def ignore_metric(name: MetricName, *labels: str) -> None:
    """Count nothing."""
    del name, labels


class MetricCounters:
    """Counters of rare events, by name and labels."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[MetricName, Counter[tuple[str, ...]]] = {}

    def __call__(self, name: MetricName, *labels: str) -> None:
        with self._lock:
            self._counts.setdefault(name, Counter())[labels] += 1

    def counts_by_labels(self, name: MetricName) -> dict[tuple[str, ...], int]:
        """Return the counts of one name, by their labels."""
        with self._lock:
            return dict(self._counts.get(name, {}))


class DurationHistogram:
    """Counts durations by bucket; used from one thread.

    Attributes:
        bucket_counts: one per upper bound of `BUCKET_BOUNDS_SECONDS`, then one for the rest.
        sum_seconds: the sum of the durations.
    """

    __slots__ = ("bucket_counts", "sum_seconds")

    def __init__(self) -> None:
        self.bucket_counts = [0] * (len(BUCKET_BOUNDS_SECONDS) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        self.bucket_counts[bisect_left(BUCKET_BOUNDS_SECONDS, seconds)] += 1
        self.sum_seconds += seconds


class EndpointMetrics:
    """Counts the requests of one endpoint; used from the event loop only.

    Attributes:
        result_counts: requests by result.
        durations: from the complete request to its response.
    """

    __slots__ = ("durations", "result_counts")

    def __init__(self) -> None:
        self.result_counts: dict[str, int] = {}
        self.durations = DurationHistogram()

    def increment(self, result: str) -> None:
        """Count a request that was answered without being processed."""
        self.result_counts[result] = self.result_counts.get(result, 0) + 1

    def observe(self, result: str, seconds: float) -> None:
        """Count a request with its duration."""
        self.result_counts[result] = self.result_counts.get(result, 0) + 1
        self.durations.observe(seconds)


PROMETHEUS_CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """Samples of one name.

    Attributes:
        name: the name with its unit, and `_total` for a counter.
        kind: counter or gauge.
        help_text: one line.
        samples: labels and value.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help_text: str
    samples: Sequence[tuple[Mapping[str, str], float]]

    def lines(self) -> Iterator[str]:
        yield from _header_lines(self.name, self.help_text, self.kind)
        for labels, value in self.samples:
            yield _sample_line(self.name, labels, value)


@dataclass(frozen=True, slots=True)
class HistogramFamily:
    """Durations of one name, in the buckets of `BUCKET_BOUNDS_SECONDS`."""

    name: str
    help_text: str
    samples: Sequence[tuple[Mapping[str, str], DurationHistogram]]

    def lines(self) -> Iterator[str]:
        """Yield the lines; each bucket includes those below it."""
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
    """Return all families in the Prometheus text format."""
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
    """Measures four times a second how late the event loop is."""

    def __init__(self) -> None:
        self._lags = DurationHistogram()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start on the running loop."""
        loop = asyncio.get_running_loop()
        due_at = loop.time() + _LAG_INTERVAL_SECONDS
        self._timer = loop.call_at(due_at, self._measure, loop, due_at)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def histogram(self) -> HistogramFamily:
        help_text = "Delay of the event loop, measured four times a second"
        return HistogramFamily("hupan_loop_lag_seconds", help_text, [({}, self._lags)])

    def _measure(self, loop: asyncio.AbstractEventLoop, due_at: float) -> None:
        self._lags.observe(max(0.0, loop.time() - due_at))
        self.start()


def process_metrics() -> list[MetricFamily]:
    """Return memory, descriptors and processor time; the first two if the system has /proc."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    families = [
        _single_sample_family(
            "process_start_time_seconds", "gauge", "Start time of the process", _PROCESS_STARTED_AT
        ),
        _single_sample_family(
            "process_cpu_seconds_total", "counter", "Processor time used", time.process_time()
        ),
        _single_sample_family(
            "process_max_fds", "gauge", "Maximum number of open file descriptors", soft
        ),
    ]
    if Path("/proc/self/statm").exists():
        resident = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        size = resident * os.sysconf("SC_PAGE_SIZE")
        open_count = sum(1 for _ in Path("/proc/self/fd").iterdir())
        families.append(
            _single_sample_family("process_resident_memory_bytes", "gauge", "Memory in use", size)
        )
        families.append(
            _single_sample_family("process_open_fds", "gauge", "Open file descriptors", open_count)
        )
    return families


def _single_sample_family(name: str, kind: str, help_text: str, value: float) -> MetricFamily:
    return MetricFamily(name, "counter" if kind == "counter" else "gauge", help_text, [({}, value)])
