"""Reports of a run: for programs, for CI, and compared with an earlier one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

from hupan.conformance.checks import RULES_PAGE, Outcome
from hupan.localized import LocalizedError

FORMAT: Final = 1
_MAX_BASELINE_BYTES = 4 << 20


class BadBaseline(LocalizedError):
    """The file is not a report of an earlier run; the text says why."""


def problem_keys(outcome: Outcome) -> set[str]:
    """Return the names of what is wrong; a check has the same names in every run."""
    return {problem.key for problem in outcome.problems}


def to_json(url: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return a run as JSON; it can be the baseline of a later run."""
    return {
        "format": FORMAT,
        "url": url,
        "checks": [
            {
                "id": outcome.check.id,
                "level": outcome.check.level,
                "rule": outcome.check.rule,
                "page": RULES_PAGE,
                "status": outcome.status,
                "title": {"zh": outcome.check.title.zh, "en": outcome.check.title.en},
                "reason": outcome.reason.en,
                "seconds": round(outcome.seconds, 3),
                "problems": [
                    {"key": problem.key, "expected": problem.expected, "got": problem.got}
                    for problem in outcome.problems
                ],
            }
            for outcome in outcomes
        ],
    }


def to_junit(url: str, outcomes: Sequence[Outcome], *, english: bool) -> bytes:
    """Return a run as JUnit XML: only a failed must counts as a failure."""
    failed = [one for one in outcomes if one.status == "failed" and one.check.level == "must"]
    suite = ET.Element(
        "testsuite",
        name="hupan conformance",
        hostname=url,
        tests=str(len(outcomes)),
        failures=str(len(failed)),
        skipped=str(sum(one.status == "skipped" for one in outcomes)),
        time=f"{sum(one.seconds for one in outcomes):.3f}",
    )
    for one in outcomes:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=f"{one.check.level}.{one.check.rule}",
            name=f"{one.check.id}: {one.check.title.text(english)}",
            time=f"{one.seconds:.3f}",
        )
        text = "\n".join(f"{p.key}: {p.expected} ≠ {p.got}" for p in one.problems)
        if one in failed:
            ET.SubElement(case, "failure", message=_clean(one.check.rule)).text = _clean(text)
        elif one.status == "skipped":
            ET.SubElement(case, "skipped", message=_clean(one.reason.text(english)))
        elif text:
            ET.SubElement(case, "system-out").text = _clean(text)
    content: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return content


def _clean(text: str) -> str:
    """Leave out what XML cannot contain."""
    return "".join(c for c in text if c in "\n\t" or (c.isprintable() and ord(c) not in _NO_XML))


_NO_XML = (0xFFFE, 0xFFFF)


def read_baseline(content: bytes) -> dict[str, set[str]]:
    """Return what was wrong in an earlier run, by check.

    Raises:
        BadBaseline: it is not a report of this kind.
    """
    if len(content) > _MAX_BASELINE_BYTES:
        raise BadBaseline("基线文件过大", "the baseline is too large")
    try:
        report = json.loads(content)
        if report["format"] != FORMAT:
            raise BadBaseline(
                f"基线文件的格式为 {report['format']!a}，本版本只认 {FORMAT}",
                f"the baseline has format {report['format']!a}, this version reads {FORMAT}",
            )
        return {str(one["id"]): _keys(one) for one in report["checks"]}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadBaseline(
            "基线文件不是 hupan conformance --json 的输出",
            "the baseline is not output of hupan conformance --json",
        ) from error


def _keys(entry: Mapping[str, Any]) -> set[str]:
    return {str(problem["key"]) for problem in entry["problems"]}


def new_failures(outcomes: Sequence[Outcome], baseline: Mapping[str, set[str]]) -> list[Outcome]:
    """Return the musts and shoulds with a problem that the baseline does not have."""
    return [
        outcome
        for outcome in outcomes
        if outcome.check.level != "known"
        and problem_keys(outcome) - baseline.get(outcome.check.id, set())
    ]
