"""The page on security says what the tests say.

The story: a list of defences was kept by hand beside the code. Each line had been true on the day
that it was written; when one of the tests behind them went away in a clean-up, its line stayed, and
the gap was found by somebody else.
"""

from pathlib import Path

import pytest

from tests.guards.requirements import AWAITED, CORE, LATER, NOT_HERE, REMARKS
from tests.guards.security_page import cited, main, page, requirements, shown, state


def test_the_page_is_what_the_tests_make(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`make security-table` changes nothing."""
    assert main() == 0
    assert (root / "docs" / "security.md").read_text("utf-8") == capsys.readouterr().out


def test_every_requirement_has_a_test_or_a_reason(root: Path) -> None:
    """A row of the core or among the faults to survive never stands empty."""
    texts, tests = requirements(root), shown(root)
    assert set(texts) >= set(CORE)
    assert [one for one in texts if not state(one, tests)] == []


def test_no_test_shows_what_is_no_requirement(root: Path) -> None:
    """An id that a test cites stands among the requirements."""
    texts = requirements(root)
    assert {one: list(files) for one, files in shown(root).items() if one not in texts} == {}


def test_a_reason_is_given_where_it_is_needed_alone(root: Path) -> None:
    """What has a test needs no excuse; a remark belongs to a test; one reason is enough."""
    texts, tests = requirements(root), shown(root)
    excused = [*LATER, *NOT_HERE]
    assert len(excused) == len(set(excused))
    assert set(excused) <= set(texts) - set(tests)
    assert set(REMARKS) <= set(tests)
    assert set(CORE) >= AWAITED


def test_a_requirement_without_either_is_seen() -> None:
    """Its state is empty, and so is its cell."""
    assert state("C3", {}) == ""
    assert page({"C3": "five tries"}, {}, "").count("| C3 | five tries |  |  |") == 1


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("One line (security C3).", {"C3"}),
        ("Several (wire.md 1.2, T2).", {"T2"}),
        ("Parts (T6, R14 c).", {"T6", "R14"}),
        ("A range (security C1-C3, C7).", {"C1", "C2", "C3", "C7"}),
        ("Faults (R01-R03).", {"R01", "R02", "R03"}),
        ("As security C5 and C11 say.", {"C5", "C11"}),
        ("Broken over\n    lines (security\n    E1, E3).", {"E1", "E3"}),
        ("An endpoint (wire.md 4 user/captcha, security C9).", {"C9"}),
        ("A decision (D1) and an invariant (J3).", set()),
        ("A sheet of A4, and U+200B (U+200B).", set()),
    ],
)
def test_what_a_docstring_cites(text: str, ids: set[str]) -> None:
    """In brackets, in lists, in ranges and in a sentence."""
    assert cited(text) == ids
