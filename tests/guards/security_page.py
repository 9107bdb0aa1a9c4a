"""Makes docs/security.md from the tests: `python -m tests.guards.security_page > docs/security.md`.

A test shows a requirement when its docstring cites it in brackets, as `(security C3)`, `(T6, R14
c)` or `(wire.md 5, security C1-C3)`. A file's docstring counts for the file; so does that of a
program of `make soak`, which is no test of pytest's.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from tests.guards.requirements import AWAITED, LATER, NOT_HERE, REMARKS

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
# What is held against attacks and faults, and by which test

Made from the tests by `make security-table`; a guard keeps it true. The short wording of each
requirement is that of [wire-rules.md](wire-rules.md), where the decisions and invariants that tests
cite stand too. *tested* means that the named tests fail when it does not hold. Tests under
`tests/soak` are run by `make soak`, all others by `make test`.
"""

_GROUPS = {
    "E": "Guessing who is there",
    "C": "Codes and captchas",
    "P": "Passwords",
    "T": "Tokens and sessions",
    "A": "Accounts",
    "Z": "Access",
    "W": "Web console",
    "I": "Parsers and limits",
    "U": "Addresses, pictures, text",
    "L": "Logs, secrets, supply, time",
    "R": "Faults",
    "X": "Found from outside",
}


def main() -> int:
    """Writes the page to the standard output."""
    sys.stdout.write(page(requirements(ROOT), shown(ROOT), _soak(ROOT)))
    return 0


def requirements(root: Path) -> dict[str, str]:
    """Each requirement's id and short wording, in the order of the page."""
    rows = dict(_ROW.findall((root / "docs/wire-rules.md").read_text("utf-8")))
    return {one: rows[one] for one in sorted(rows, key=_order)}


def shown(root: Path) -> Tests:
    """Which tests cite which id."""
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
    """The ids that a docstring cites, those between the ends of a range included."""
    plain = re.sub(r"\s+", " ", text)
    found = set()
    for bracket, run in _BRACKETS.findall(plain):
        for part in re.split(r"[,;:]? and |[,;:] | / ", bracket or run):
            if match := _CITED.fullmatch(part.strip(" .")):
                found |= set(_range(match[1], match[2] or match[1]))
    return found


def state(one: str, tests: Tests) -> str:
    """The last cell of a row; "" for what has neither a test nor a reason."""
    if one in tests:
        return f"tested; {REMARKS[one]}" if one in REMARKS else "tested"
    if one in LATER:
        return f"applies later: {LATER[one]}"
    if one in NOT_HERE:
        return f"does not apply: {NOT_HERE[one]}"
    return "tests are awaited" if one in AWAITED else ""


def page(texts: dict[str, str], tests: Tests, soak: str) -> str:
    """The whole page."""
    parts = [_HEAD]
    for letter, title in _GROUPS.items():
        rows = [_row(one, text, tests) for one, text in texts.items() if one[0] == letter]
        table = ["| id | requirement | tests | state |", "|---|---|---|---|", *rows]
        parts.append("\n".join([f"## {title}", "", *table, ""]))
    parts.append(f"## Figures of one full soak run\n\n{soak}")
    return "\n".join(parts)


def _row(one: str, text: str, tests: Tests) -> str:
    files = "; ".join(_cell(path, names) for path, names in tests.get(one, {}).items())
    return f"| {one} | {text} | {files} | {state(one, tests)} |"


def _cell(path: str, names: list[str]) -> str:
    link = f"[{path.removeprefix('tests/').removesuffix('.py')}](../{path})"
    told = ", ".join(f"`{name.removeprefix('test_')}`" for name in names)
    return f"{link}: {told}" if told else link


def _of_file(source: str) -> Iterator[tuple[str, str]]:
    """Each id that a file cites, with the test that does, "" for the file itself."""
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
    return figures.read_text("utf-8") if figures.exists() else "No run is recorded yet.\n"


if __name__ == "__main__":
    sys.exit(main())
