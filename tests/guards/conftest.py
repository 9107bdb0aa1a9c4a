"""The files that the guards read."""

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("src", "clients", "tests", "bench", "docs", "proto", ".ci", ".github")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the top folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def modules() -> dict[str, str]:
    """Return each Python file of src/hupan by its relative path, without the generated stubs."""
    top = ROOT / "src" / "hupan"
    paths = (path for path in top.rglob("*.py") if not path.match("contract/pb/*"))
    return {path.relative_to(top).as_posix(): path.read_text("utf-8") for path in sorted(paths)}


@pytest.fixture(scope="session")
def written() -> Callable[..., dict[str, str]]:
    """Return a function that reads our files with given suffixes, by relative path."""

    def texts(*suffixes: str) -> dict[str, str]:
        below = (path for folder in OURS for path in (ROOT / folder).rglob("*"))
        # In a second working tree `.git` is a file with a path of its machine.
        top = (path for path in ROOT.iterdir() if path.name != ".git")
        paths = [path for path in (*top, *below) if path.is_file()]
        return {
            path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
            for path in sorted(paths)
            if path.suffix in suffixes and not path.match("contract/pb/*")
        }

    return texts
