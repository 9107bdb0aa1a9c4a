"""The table of checks, what a check reports, and the run over all of them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from hupan.conformance.protobuf import Malformed
from hupan.conformance.target import OutOfTime, Unreachable, printable
from hupan.conformance.world import Answer, CannotCheck, World
from hupan.localized import LocalizedText

Level: TypeAlias = Literal["must", "should", "known"]
Status: TypeAlias = Literal["passed", "failed", "skipped"]
_MAX_SHOWN = 120
RULES_PAGE: Final = "docs/wire-rules.md"


@dataclass(frozen=True, slots=True)
class Problem:
    """One deviation from the rule.

    Attributes:
        key: its name, the same in every run.
    """

    key: str
    expected: str
    got: str


@dataclass(slots=True)
class Probe:
    """Collects the problems of one check."""

    problems: list[Problem] = field(default_factory=list)

    def same(self, key: str, got: object, expected: object) -> None:
        """Report a value that is not the expected one; `True` is not 1."""
        if got != expected or isinstance(got, bool) is not isinstance(expected, bool):
            self._add(key, expected, got)

    def that(self, key: str, holds: object, expected: str, got: object) -> None:
        """Report a condition that does not hold."""
        if not holds:
            self._add(key, expected, got)

    def code(self, key: str, answer: Answer, expected: int = 1) -> None:
        """Report an answer with another code."""
        if answer.code != expected:
            self._add(key, f"code {expected}", f"code {answer.code} {answer.msg}")

    def refused(self, key: str, answer: Answer) -> None:
        """Report an answer that is not a refusal with its own code."""
        if answer.code <= 1:
            self._add(key, "a positive code above 1", f"code {answer.code} {answer.msg}")

    def _add(self, key: str, expected: object, got: object) -> None:
        self.problems.append(Problem(key, _show(expected), _show(got)))


def _show(value: object) -> str:
    text = printable(value if isinstance(value, str) else repr(value))
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


Body: TypeAlias = Callable[[World, Probe], None]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule, and its check."""

    id: str
    level: Level
    rule: str
    title: LocalizedText
    body: Body


CHECKS: Final[dict[str, Check]] = {}


def check(name: str, level: Level, rule: str, zh: str, en: str) -> Callable[[Body], Body]:
    """Add a check to the table."""

    def add(body: Body) -> Body:
        CHECKS[name] = Check(name, level, rule, LocalizedText(zh, en), body)
        return body

    return add


_NO_REASON: Final = LocalizedText("", "")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a check.

    Attributes:
        reason: why it was skipped.
    """

    check: Check
    status: Status
    seconds: float
    problems: tuple[Problem, ...] = ()
    reason: LocalizedText = _NO_REASON


def run_checks(world: World, checks: Iterable[Check]) -> list[Outcome]:
    """Run the checks, one after another."""
    return [_run_check(world, one) for one in checks]


def _run_check(world: World, one: Check) -> Outcome:
    probe, start = Probe(), time.monotonic()
    reason = _NO_REASON
    try:
        one.body(world, probe)
    except (CannotCheck, OutOfTime) as error:
        reason = LocalizedText(printable(error.localized.zh), printable(error.localized.en))
    except (Malformed, Unreachable, TimeoutError) as error:
        probe.that(
            "form", holds=False, expected="a response in the form of the rule", got=str(error)
        )
    except Exception as error:  # noqa: BLE001 - the other checks continue after any answer
        seen = f"{type(error).__name__}: {error}"
        probe.that("form", holds=False, expected="a response in the form of the rule", got=seen)
    seconds = time.monotonic() - start
    if probe.problems:
        return Outcome(one, "failed", seconds, tuple(probe.problems))
    return Outcome(one, "skipped" if reason.en else "passed", seconds, (), reason)
