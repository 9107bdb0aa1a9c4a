"""Every library has a reason, a version and a hash (security L5).

The story: a poisoned release of a well-known scanner ran in the build of another project and took
its publishing token with it. What we install is what was read and locked; what is locked is what
somebody gave a reason for; and the number of packages only goes down.
"""

import ast
import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

LOCKED_PACKAGES_AT_RUN_TIME = 33  # security L5 aims at 25; docs/decisions/0002 says what is above
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
NAME = re.compile(r"^[A-Za-z0-9-]+")


def pins(lock: str) -> dict[str, str]:
    """The version of each package in a lock."""
    return dict(PIN.findall(lock))


def names(dependencies: list[str]) -> list[str]:
    """The packages that are asked for, without their versions."""
    return [match[0] for one in dependencies if (match := NAME.match(one))]


def without_reason(dependencies: list[str], page: str) -> list[str]:
    """The dependencies that have no row of their own in the table of the decision."""
    rows = set(re.findall(r"^\| (\S+) \| [^\s|]", page, re.MULTILINE))
    return [name for name in names(dependencies) if name not in rows]


def imported(sources: Iterable[str]) -> set[str]:
    """The packages that files import; what no package brings is the standard library's or ours."""
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    taken = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    brought_by = packages_distributions()
    tops = {name.partition(".")[0] for name in plain | taken} - {"hupan"}
    return {package.lower() for top in tops for package in brought_by.get(top, [])}


def disagreements(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """The packages of one lock that the other has not, or has in another version."""
    return [name for name, version in one.items() if other.get(name) != version]


@pytest.fixture(scope="module")
def dependencies(root: Path) -> list[str]:
    """What pyproject.toml asks for at run time."""
    listed = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    return [str(dependency) for dependency in listed]


@pytest.fixture(scope="module")
def locks(root: Path) -> dict[str, dict[str, str]]:
    """The pins of each lock by its name."""
    paths = (root / "requirements").glob("*.txt")
    return {path.stem: pins(path.read_text("utf-8")) for path in paths}


def test_every_runtime_library_has_its_reason(root: Path, dependencies: list[str]) -> None:
    """Each dependency in pyproject.toml has its row in decision 0002."""
    page = (root / "docs/decisions/0002-runtime-libraries.md").read_text("utf-8")
    assert dependencies
    assert without_reason(dependencies, page) == []


def test_what_is_declared_is_imported(modules: dict[str, str], dependencies: list[str]) -> None:
    """The libraries that the product imports are those of pyproject.toml, no more and no fewer."""
    assert imported(modules.values()) == set(names(dependencies))


def test_the_locks_agree(locks: dict[str, dict[str, str]]) -> None:
    """What the server runs with and what builds it is also what it is tested with."""
    assert disagreements(locks["runtime"], locks["dev"]) == []
    assert disagreements(locks["build"], locks["dev"]) == []


def test_the_build_backend_is_the_locked_one(root: Path, locks: dict[str, dict[str, str]]) -> None:
    """A build that somebody else starts uses the same hatchling as ours."""
    build = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["build-system"]
    assert build["requires"] == [f"hatchling=={locks['build']['hatchling']}"]


def test_the_number_of_packages_only_goes_down(locks: dict[str, dict[str, str]]) -> None:
    """Another package at run time needs another one gone."""
    assert 0 < len(locks["runtime"]) <= LOCKED_PACKAGES_AT_RUN_TIME


def test_a_library_without_reason_is_seen() -> None:
    """An empty reason and a mention in passing are none."""
    page = "| apsw | SQLite |\n| rich | |\n\nWe also use captcha.\n"
    assert without_reason(["apsw>=3", "rich", "captcha>=0.7,<1"], page) == ["rich", "captcha"]


def test_an_import_is_seen_as_its_package() -> None:
    """By the name it is installed under; the standard library and ourselves are no packages."""
    source = (
        "import os, argon2.low_level\nfrom hupan import model\ndef f():\n    from PIL import Image"
    )
    assert imported([source]) == {"argon2-cffi", "pillow"}


def test_locks_that_disagree_are_seen() -> None:
    """Another version, or none at all."""
    lock = pins("apsw==3.54 \\\n    --hash=sha256:0\nrich==15.0 \\\nclick==8.5\n")
    assert disagreements(lock, {"apsw": "3.54", "rich": "14.0"}) == ["rich", "click"]
