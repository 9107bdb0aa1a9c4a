"""The security pages match the tests, in both languages.

The story: a list of defences was kept by hand next to the code. Each line had been true when it was
written; when one of the tests was removed in a clean-up, its line stayed, and an outsider found the
gap.
"""

import re
from pathlib import Path

import pytest

from tests.soak.page import PHASES
from tools.docs import security_zh
from tools.docs.requirements import AWAITED, CORE, LATER, NOT_HERE, REMARKS
from tools.docs.security import (
    CHINESE,
    ENGLISH,
    cited,
    page,
    requirements,
    shown,
    soak_in_chinese,
    state,
)

FIGURE = re.compile(r"[0-9]+(?:,[0-9]{3})*")


def test_every_requirement_and_reason_stands_in_chinese(root: Path) -> None:
    """Each has its sentence, and none has an outdated id."""
    assert security_zh.REQUIREMENTS.keys() == requirements(root).keys(), (
        "give the requirement its Chinese sentence in tools/docs/security_zh.py"
    )
    assert (security_zh.LATER.keys(), security_zh.NOT_HERE.keys(), security_zh.REMARKS.keys()) == (
        LATER.keys(),
        NOT_HERE.keys(),
        REMARKS.keys(),
    )
    assert security_zh.GROUPS.keys() == ENGLISH.groups.keys()


def test_a_requirement_has_the_same_figures_in_both_languages(root: Path) -> None:
    """A bound that changes in docs/wire-rules.md changes in the Chinese sentence too."""
    other = {
        one: (text, security_zh.REQUIREMENTS[one])
        for one, text in requirements(root).items()
        if sorted(FIGURE.findall(text)) != sorted(FIGURE.findall(security_zh.REQUIREMENTS[one]))
    }
    assert other == {}, "change the figure in tools/docs/security_zh.py too"


def test_the_figures_of_a_soak_run_are_the_same_in_chinese(root: Path) -> None:
    """Each phase and each fact is translated, with the missed targets."""
    assert security_zh.PHASES.keys() == PHASES.keys()
    english = (root / "docs" / "soak.md").read_text("utf-8")
    told = re.compile(r"^- .*?(?:: |：)`?(.*?)`?[.。]$", re.MULTILINE)
    chinese = soak_in_chinese(english)
    facts = [fact.replace(" 至 ", " to ") for fact in told.findall(chinese)]
    assert told.findall(english) == facts
    last_cells = re.compile(r"^\| \S.* \| ([\d.]+ \| [\d,]+) \| .*? \|( .*)$", re.MULTILINE)
    assert len(last_cells.findall(english)) == len(PHASES)
    assert last_cells.findall(english) == last_cells.findall(chinese)


def test_a_soak_run_that_missed_nothing_in_chinese(root: Path) -> None:
    """The word for "nothing" is Chinese, and not in code style."""
    english = (root / "docs" / "soak.md").read_text("utf-8")
    clean = re.sub(
        r"^- Missed targets: .*$", "- Missed targets: nothing.", english, flags=re.MULTILINE
    )
    assert soak_in_chinese(clean).endswith("- 未达标：无。\n")


def test_every_requirement_has_a_test_or_a_reason(root: Path) -> None:
    """No row of the core or of the faults is empty."""
    texts, tests = requirements(root), shown(root)
    assert set(texts) >= set(CORE)
    assert [one for one in texts if not state(one, tests)] == [], (
        "cite the requirement in the docstring of the test that covers it"
    )


def test_no_test_shows_what_is_no_requirement(root: Path) -> None:
    """Every id that a test cites is a requirement."""
    texts = requirements(root)
    assert {one: list(files) for one, files in shown(root).items() if one not in texts} == {}, (
        "add the requirement to docs/wire-rules.md, or correct the citation"
    )


def test_a_reason_is_given_where_it_is_needed_alone(root: Path) -> None:
    """A requirement with a test needs no reason; a remark needs a test; one reason is enough."""
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
    chinese = f"| C3 | {security_zh.REQUIREMENTS['C3']} |  |  |"
    assert page({"C3": "five tries"}, {}, "", CHINESE).count(chinese) == 1


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
    """Ids in brackets, in lists, in ranges and in a sentence are found."""
    assert cited(text) == ids
