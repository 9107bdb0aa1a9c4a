"""Both pages on security, from the tests.

A test covers a requirement if its docstring cites it in brackets, as `(security C3)`, `(T6, R14
c)` or `(wire.md 5, security C1-C3)`. A file's docstring counts for the file; so does that of a
program of `make soak`, which is no pytest test.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from tools.docs import requirements as reasons
from tools.docs import security_zh as zh

ROOT = Path(__file__).parents[2]
ABOUT_CITING = {"tests/guards/test_documents.py", "tests/guards/test_security.py"}
SOAK = Path("docs/soak.md")

Tests: TypeAlias = dict[str, dict[str, list[str]]]
"""Id -> path -> names of tests, none where the file's own docstring cites the id."""

_ID = r"[ACEILPRTUWXZ]\d{1,2}"
_BRACKETS = re.compile(r"\(([^()]*)\)|\bsecurity ((?:[A-Z]\d{1,2}(?:, | and |-)?)+)")
_CITED = re.compile(rf"(?:security )?({_ID})(?: [a-d])?(?:-({_ID}))?(?: [a-d])?")
_ROW = re.compile(rf"^\| ({_ID}) \| (.+) \|$", re.MULTILINE)

_HEAD = """\
# Security requirements and their tests

[中文](security.zh-CN.md) · English

Generated from the tests by `make docs`; a guard keeps it up to date. The short wording of
each requirement is that of [wire-rules.md](wire-rules.md), which also has the decisions and
invariants that tests cite. *tested* means that the named tests fail when the requirement is
violated. `make soak` runs the tests in `tests/soak`, `make test` all others.
"""

_GROUPS = {
    "E": "Account enumeration",
    "C": "Codes and captchas",
    "P": "Passwords",
    "T": "Tokens and sessions",
    "A": "Accounts",
    "Z": "Access",
    "W": "Web console",
    "I": "Parsers and limits",
    "U": "URLs, images, text",
    "L": "Logs, secrets, supply, time",
    "R": "Faults",
    "X": "Found in reviews",
}


@dataclass(frozen=True)
class Edition:
    """The page in one language.

    Attributes:
        titles: the titles by id; an empty table means those of docs/wire-rules.md.
        later, not_here, remarks: as in requirements.py.
        states: tested; applies later; does not apply; tests are awaited.
        has_names: whether tests are named, or only their files.
    """

    file: str
    head: str
    columns: tuple[str, ...]
    groups: dict[str, str]
    titles: dict[str, str]
    later: dict[str, str]
    not_here: dict[str, str]
    remarks: dict[str, str]
    states: tuple[str, str, str, str]
    stop: str
    has_names: bool
    soak_title: str


ENGLISH = Edition(
    file="security.md",
    head=_HEAD,
    columns=("id", "requirement", "tests", "state"),
    groups=_GROUPS,
    titles={},
    later=reasons.LATER,
    not_here=reasons.NOT_HERE,
    remarks=reasons.REMARKS,
    states=("tested", "applies later: ", "does not apply: ", "tests are missing"),
    stop="; ",
    has_names=True,
    soak_title="Results of a full soak run",
)
CHINESE = Edition(
    file="security.zh-CN.md",
    head=zh.HEAD,
    columns=zh.COLUMNS,
    groups=zh.GROUPS,
    titles=zh.REQUIREMENTS,
    later=zh.LATER,
    not_here=zh.NOT_HERE,
    remarks=zh.REMARKS,
    states=zh.STATES,
    stop="；",
    has_names=False,
    soak_title=zh.SOAK_TITLE,
)


def english_page() -> str:
    """Return docs/security.md."""
    return page(requirements(ROOT), shown(ROOT), _soak(ROOT) or "No run has been recorded yet.\n")


def chinese_page() -> str:
    """Return docs/security.zh-CN.md."""
    soak = _soak(ROOT)
    text = soak_in_chinese(soak) if soak else zh.NO_SOAK
    return page(requirements(ROOT), shown(ROOT), text, CHINESE)


def requirements(root: Path) -> dict[str, str]:
    """Return each requirement's id and short wording, in the order of the page."""
    rows = dict(_ROW.findall((root / "docs/wire-rules.md").read_text("utf-8")))
    return {one: rows[one] for one in sorted(rows, key=_order)}


@cache
def shown(root: Path) -> Tests:
    """Return which tests cite which id."""
    found: Tests = {}
    programs = (root / "tests/soak").glob("*.py")
    for path in sorted({*(root / "tests").rglob("test_*.py"), *programs}):
        name = path.relative_to(root).as_posix()
        if name in ABOUT_CITING:
            continue
        for one, test in _of_file(path.read_text("utf-8")):
            tests = found.setdefault(one, {}).setdefault(name, [])
            tests += [test] if test and test not in tests else []
    return found


def cited(text: str) -> set[str]:
    """Return the ids that a docstring cites, including those within a range."""
    plain = re.sub(r"\s+", " ", text)
    found = set()
    for bracket, run in _BRACKETS.findall(plain):
        for part in re.split(r"[,;:]? and |[,;:] | / ", bracket or run):
            if match := _CITED.fullmatch(part.strip(" .")):
                found |= set(_range(match[1], match[2] or match[1]))
    return found


def state(one: str, tests: Tests, edition: Edition = ENGLISH) -> str:
    """Return the last cell of a row; "" for a requirement without a test or a reason."""
    tested, later, not_here, awaited = edition.states
    if one in tests:
        remark = edition.remarks.get(one)
        return f"{tested}{edition.stop}{remark}" if remark else tested
    if one in edition.later:
        return f"{later}{edition.later[one]}"
    if one in edition.not_here:
        return f"{not_here}{edition.not_here[one]}"
    return awaited if one in reasons.AWAITED else ""


def page(texts: dict[str, str], tests: Tests, soak: str, edition: Edition = ENGLISH) -> str:
    """Return the whole page."""
    parts = [edition.head]
    head = [f"| {' | '.join(edition.columns)} |", "|---|---|---|---|"]
    for letter, title in edition.groups.items():
        rows = [
            _row(one, edition.titles.get(one, text), tests, edition)
            for one, text in texts.items()
            if one[0] == letter
        ]
        parts.append("\n".join([f"## {title}", "", *head, *rows, ""]))
    parts.append(f"## {edition.soak_title}\n\n{soak}")
    return "\n".join(parts)


def soak_in_chinese(soak: str) -> str:
    """Return the figures of docs/soak.md with Chinese text."""
    cells = [row.strip("| ").split(" | ") for row in soak.splitlines() if row.startswith("| ")]
    rows = [
        f"| {' | '.join((*zh.PHASES[phase], *_others_in_chinese(figures)))} |\n"
        for phase, _load, *figures in cells[1:]
    ]
    values = [line.partition(": ")[2].rstrip(".") for line in soak.splitlines() if line[:2] == "- "]
    *numbers, missed = values
    told = "无" if missed == "nothing" else "；".join(f"`{bound}`" for bound in missed.split("; "))
    facts = [
        f"- {label}：{value.replace(' to ', ' 至 ')}。\n"
        for label, value in zip(zh.FACTS, (*numbers, told), strict=True)
    ]
    return f"{zh.SOAK_HEAD}{''.join(rows)}{zh.SOAK_NOTES}\n{''.join(facts)}"


def _others_in_chinese(figures: list[str]) -> list[str]:
    """Return the cells of one phase; errors are named as in the load."""
    seconds, good, others, *times = figures
    return [seconds, good, "无" if others == "none" else f"`{others}`", *times]


def _row(one: str, text: str, tests: Tests, edition: Edition) -> str:
    cells = [_cell(path, names, edition) for path, names in tests.get(one, {}).items()]
    return f"| {one} | {text} | {edition.stop.join(cells)} | {state(one, tests, edition)} |"


def _cell(path: str, names: list[str], edition: Edition) -> str:
    link = f"[{path.removeprefix('tests/').removesuffix('.py')}](../{path})"
    if not names or not edition.has_names:
        return link
    told = ", ".join(f"`{name.removeprefix('test_')}`" for name in names)
    return f"{link}: {told}"


def _of_file(source: str) -> Iterator[tuple[str, str]]:
    """Yield each id that a file cites, with the citing test, "" for the file itself."""
    tree = ast.parse(source)
    for one in sorted(cited(ast.get_docstring(tree) or "")):
        yield one, ""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            is_test = node.name.startswith(("test_", "Test"))
            for one in sorted(cited(ast.get_docstring(node) or "")) if is_test else ():
                yield one, node.name


def _range(first: str, last: str) -> Iterator[str]:
    for number in range(int(first[1:]), int(last[1:]) + 1):
        yield first[0] + str(number).zfill(len(first) - 1)


def _order(one: str) -> tuple[int, int]:
    return list(_GROUPS).index(one[0]), int(one[1:])


def _soak(root: Path) -> str:
    figures = root / SOAK
    return figures.read_text("utf-8") if figures.exists() else ""
