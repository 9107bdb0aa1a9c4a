"""The text format of Prometheus, version 0.0.4 (decision 0015)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hupan.counting import UPPER_SECONDS, Durations

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one name.

    Attributes:
        name: with its unit, and `_total` where it only grows.
        kind: a counter only grows, a gauge comes and goes.
        meaning: what it tells, in one line.
        samples: labels and value.
    """

    name: str
    kind: Literal["counter", "gauge"]
    meaning: str
    samples: Sequence[tuple[Mapping[str, str], float]]

    def lines(self) -> Iterator[str]:
        """The family as text."""
        yield from _head(self.name, self.meaning, self.kind)
        for labels, value in self.samples:
            yield _line(self.name, labels, value)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Durations of one name, in the ranges of `UPPER_SECONDS`."""

    name: str
    meaning: str
    samples: Sequence[tuple[Mapping[str, str], Durations]]

    def lines(self) -> Iterator[str]:
        """The histogram as text: each range counts those below it too."""
        yield from _head(self.name, self.meaning, "histogram")
        for labels, durations in self.samples:
            below = 0
            uppers = [*map(repr, UPPER_SECONDS), "+Inf"]
            for upper, number in zip(uppers, durations.numbers, strict=True):
                below += number
                yield _line(f"{self.name}_bucket", {**labels, "le": upper}, below)
            yield _line(f"{self.name}_sum", labels, durations.seconds)
            yield _line(f"{self.name}_count", labels, below)


def exposition(families: Iterable[Family | Histogram]) -> bytes:
    """Everything that is told, as it goes over the wire."""
    lines = [line for family in families for line in family.lines()]
    return ("\n".join(lines) + "\n").encode()


def _head(name: str, meaning: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {_escaped(meaning)}"
    yield f"# TYPE {name} {kind}"


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    told = ",".join(f'{key}="{_quoted(text)}"' for key, text in labels.items())
    return f"{name}{{{told}}} {value}" if told else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")
