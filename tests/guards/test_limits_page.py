"""docs/limits.md has the program's table, and names every alert.

The story: an operator raised the limit that the page named, and nothing changed: the page was two
versions old, and the setting had another name by then.
"""

import re
from pathlib import Path

import pytest

from hupan.config import Settings
from hupan.contract import ENDPOINTS
from hupan.ratelimit.table import LIMITS
from tools.docs.limits import limits_page


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    """Return the page."""
    return (root / "docs" / "limits.md").read_text("utf-8")


def test_the_table_is_that_of_the_program(page: str) -> None:
    """`make docs` changes nothing."""
    assert limits_page(page) == page, "run make docs"
    assert [line.setting for line in LIMITS] == re.findall(
        r"^\| `([a-z_]+)` \|", page, re.MULTILINE
    )


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    """The command refuses, and overwrites nothing."""
    with pytest.raises(ValueError, match="marks"):
        limits_page("# Limits\n")


def test_every_alarm_is_explained(page: str, modules: dict[str, str]) -> None:
    """The page lists exactly the alerts of the code."""
    pattern = re.compile(r'\.raise_alarm\(\s*"([^"]+)"')
    raised = {name for text in modules.values() for name in pattern.findall(text)}
    assert raised
    explained = set(re.findall(r"^\| `([a-z]+-[a-z-]+)` \|", page, re.MULTILINE))
    assert raised == explained, "give the alarm a row in docs/limits.md"


def test_the_table_prints_the_defaults_of_the_settings(page: str) -> None:
    """Each setting is printed with its default, in its unit."""
    cells = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", page, re.MULTILINE))
    defaults = {
        line.setting: str(getattr(Settings(), line.setting) or "unlimited") for line in LIMITS
    }
    assert {name: cells[name] for name in defaults} == defaults


def test_every_limit_in_memory_is_used() -> None:
    """A limit of endpoints has rows in the table, and each row is used by an endpoint."""
    named = {endpoint.limit for endpoint in ENDPOINTS if endpoint.limit}
    defined = {limit.event for limit in LIMITS if not limit.exact}
    no_endpoints = {"upstream", "introspection"}
    assert defined - {"wrong_attempts"} - no_endpoints == named, (
        "a limit needs a line in ratelimit/table.py, and an endpoint with this `limit`"
    )
    assert "wrong_attempts" in defined
