"""Unfinished code does not exist, and every path is valid on every machine.

The story: a server answered "ok" to a call for a year before a reader found the note in its body
that it was unfinished. And a start-up script with its author's home directory worked on the
author's machine, in all of the author's tests, and nowhere else.
"""

import re
from collections.abc import Callable

import pytest

UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b")
# Where a path may start: not inside a URL or a longer path.
OF_ONE_MACHINE = re.compile(r"(?<![\w.:/*-])/(?:home|root|Users|work)/[\w.]")
ITSELF = "tests/guards/test_finished.py"
TEXT = (".py", ".sql", ".html", ".css", ".js", ".md", ".toml", ".yml", ".proto", ".sh", "")


def faults(pattern: re.Pattern[str], path: str, text: str) -> list[str]:
    """Return the lines of a text that match a pattern."""
    lines = enumerate(text.splitlines(), start=1)
    found = ((number, pattern.search(line)) for number, line in lines)
    return [f"{path}:{number}: {match[0]}" for number, match in found if match]


@pytest.mark.parametrize("pattern", [UNFINISHED, OF_ONE_MACHINE], ids=["unfinished", "machine"])
def test_nothing_is_left_to_do_or_bound_to_a_machine(
    pattern: re.Pattern[str], written: Callable[..., dict[str, str]]
) -> None:
    """No file has a to-do, or names a path of one machine."""
    texts = written(*TEXT)
    del texts[ITSELF]
    assert {"Makefile", ".ci/run", "pyproject.toml"} <= texts.keys()
    assert [fault for path, text in texts.items() for fault in faults(pattern, path, text)] == []


@pytest.mark.parametrize(
    "line",
    ["# TODO: limit", "x = 1  # FIXME", "raise NotImplementedError", "-- XXX later"],
)
def test_what_is_unfinished_is_seen(line: str) -> None:
    """A to-do in a comment, in code or in SQL is found."""
    assert faults(UNFINISHED, "a.py", f"first = 1\n{line}") != []


@pytest.mark.parametrize("top", ["home", "root", "Users", "work"])
@pytest.mark.parametrize("line", ['DATA = "/{}/li/hupan"', "cd /{}/hupan", "see (/{}/.config)"])
def test_a_path_of_one_machine_is_seen(top: str, line: str) -> None:
    """A path in code, in a command or in prose is found."""
    assert len(faults(OF_ONE_MACHINE, "a.md", line.format(top))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "https://example.org/home/page",
        "/v1/user/root/x",
        "/var/lib/hupan",
        "./work/x",
        "src/work/x",
    ],
)
def test_an_address_or_a_place_of_every_machine_passes(line: str) -> None:
    """Paths of every machine, and text that is no path, are no fault."""
    assert faults(OF_ONE_MACHINE, "a.md", line) == []
