"""Each requirement of pages and of the sandbox has a test that names it.

The story: a table promised that each page works at 400 % zoom. The test that had shown it was
renamed, then split, then gone, and the table stayed.
"""

import ast
import re
from pathlib import Path

import pytest

from hupan.web.sandbox.app import NAVIGATION
from tests.support.sandbox_pages import PAGES as LOOKED_AT
from tools.screenshots import LOOKS

PAGES = [f"W-{number}" for number in range(1, 15)]
SANDBOX = [*(f"K-{number}" for number in range(1, 8)), "K-14"]
ID = re.compile(r"\b[WK]-[0-9]+\b")
RANGE = re.compile(r"\b([WK])-([0-9]+) to [WK]-([0-9]+)\b")


def named_ids(text: str) -> set[str]:
    """Return the ids in a docstring, including those of ranges."""
    found = set(ID.findall(text))
    for letter, first, last in RANGE.findall(text):
        found |= {f"{letter}-{number}" for number in range(int(first), int(last) + 1)}
    return found


@pytest.fixture(scope="module")
def shown(root: Path) -> set[str]:
    """Return the ids that docstrings of tests name."""
    found: set[str] = set()
    for path in (root / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("test_"):
                found |= named_ids(ast.get_docstring(node) or "")
    return found


@pytest.mark.parametrize("requirement", [*PAGES, *SANDBOX])
def test_each_has_a_test(shown: set[str], requirement: str) -> None:
    """A test names the id of each requirement."""
    assert requirement in shown


def test_ids_are_found() -> None:
    """An id is found alone, in a list and in a range."""
    assert named_ids("In each language (W-3, W-10), and K-1 to K-3.") == {
        *("W-3", "W-10"),
        *("K-1", "K-2", "K-3"),
    }


def test_the_readmes_show_the_pages(root: Path) -> None:
    """Two screenshots are before the first heading of each README, and exist (W-14)."""
    for name in ("README.md", "README.zh-CN.md"):
        top = (root / name).read_text("utf-8").partition("\n## ")[0]
        images = re.findall(r"\((docs/[\w.-]+\.png)\)|src=\"(docs/[\w.-]+\.png)\"", top)
        paths = [root / (one or other) for one, other in images]
        assert len(paths) >= 2, name
        for path in paths:
            assert path.read_bytes().startswith(b"\x89PNG"), path


def test_every_page_has_a_screenshot(root: Path) -> None:
    """`make screenshots` takes each page of the navigation, three times (W-14)."""
    assert {entry.path for entry in NAVIGATION} <= set(LOOKED_AT)
    assert [look[1:3] for look in LOOKS] == [
        ("zh-CN", "light"),
        ("en", "dark"),
        ("zh-CN", "light"),
    ]
    assert "tools.screenshots" in (root / "Makefile").read_text("utf-8")
