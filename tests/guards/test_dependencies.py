"""Every library has a reason, a version and a hash (security L5).

The story: a poisoned release of a well-known scanner ran in the build of another project and stole
its publishing token. We only install what was reviewed and locked; each locked package has a
reason; and the number of packages only decreases.
"""

import ast
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.support.syntax import nodes_of

LOCKED_PACKAGES_AT_RUN_TIME = 37  # security L5 aims at 25; docs/decisions/0002 explains the rest
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
# Packages whose internals we use although no release guarantees them: they may change with any
# minor version, so we check before an update.
STOOD_ON = {
    "asyncpg": "connect_utils: which of several hosts may be written to",
    "httptools": "what it calls when, its leniencies, and where an offer ended",
    "protobuf": "internal.api_implementation: which back end reads",
    "typer": "_click: its errors and its formatter of help, said in the terminal's language",
    "uvicorn": "its connection and its request are base classes of the listener's",
}
INNER = re.compile(r"^(?:_.*|internal|.*_impl|connect_utils)$")
NAME = re.compile(r"^[A-Za-z0-9-]+")


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package in a lock."""
    return dict(PIN.findall(lock))


def names(dependencies: list[str]) -> list[str]:
    """Return the requested packages, without their versions."""
    return [match[0] for one in dependencies if (match := NAME.match(one))]


def without_reason(dependencies: list[str], page: str) -> list[str]:
    """Return the dependencies without their own row in the table of the decision."""
    rows = set(re.findall(r"^\| (\S+) \| [^\s|]", page, re.MULTILINE))
    return [name for name in names(dependencies) if name not in rows]


@cache
def packages() -> Mapping[str, list[str]]:
    """Return the packages that provide a module, by its name."""
    return packages_distributions()


def imported(sources: Iterable[str]) -> set[str]:
    """Return the packages that files import, without the standard library and our own."""
    nodes = [node for source in sources for node in nodes_of(source)]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    taken = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    brought_by = packages()
    tops = {name.partition(".")[0] for name in plain | taken} - {"hupan"}
    return {package.lower() for top in tops for package in brought_by.get(top, [])}


def inner_parts(sources: Iterable[str]) -> set[str]:
    """Return the packages of which files import a private part."""
    found: set[str] = set()
    for source in sources:
        for node in nodes_of(source):
            if isinstance(node, ast.ImportFrom) and not node.level:
                words = [*str(node.module).split("."), *(alias.name for alias in node.names)]
            elif isinstance(node, ast.Import):
                words = [word for alias in node.names for word in alias.name.split(".")]
            else:
                continue
            is_ours = words[0] in ("hupan", "__future__")
            if not is_ours and any(map(INNER.match, words)):
                found |= imported([f"import {'.'.join(words[:2])}"]) or {words[0]}
    return found


def is_held(dependency: str, locked: str) -> bool:
    """Return whether a dependency allows the locked version and its patches, but no next minor."""
    takes = Requirement(dependency).specifier
    now = Version(locked)
    patched, later = f"{now.major}.{now.minor}.9999", f"{now.major}.{now.minor + 1}"
    return takes.contains(locked) and takes.contains(patched) and not takes.contains(later)


def disagreements(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Return the packages of one lock that are missing in the other, or differ in version."""
    return [name for name, version in one.items() if other.get(name) != version]


@pytest.fixture(scope="module")
def dependencies(root: Path) -> list[str]:
    """Return the run-time dependencies of pyproject.toml."""
    listed = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    return [str(dependency) for dependency in listed]


@pytest.fixture(scope="module")
def locks(root: Path) -> dict[str, dict[str, str]]:
    """Return the pins of each lock by its name."""
    paths = (root / "requirements").glob("*.txt")
    return {path.stem: pins(path.read_text("utf-8")) for path in paths}


def test_every_runtime_library_has_its_reason(root: Path, dependencies: list[str]) -> None:
    """Each dependency in pyproject.toml has its row in decision 0002."""
    page = (root / "docs/decisions/0002-runtime-libraries.md").read_text("utf-8")
    assert dependencies
    assert without_reason(dependencies, page) == [], "give the library a row in decision 2"


def test_what_is_declared_is_imported(modules: dict[str, str], dependencies: list[str]) -> None:
    """The product imports exactly the libraries of pyproject.toml."""
    assert imported(modules.values()) == set(names(dependencies))


def test_what_we_stand_on_is_held(
    dependencies: list[str], locks: dict[str, dict[str, str]]
) -> None:
    """A library whose private parts we use gets no next minor version automatically."""
    held = {
        name
        for dependency, name in zip(dependencies, names(dependencies), strict=True)
        if name in locks["runtime"] and is_held(dependency, locks["runtime"][name])
    }
    assert set(STOOD_ON) <= held


def test_inner_parts_are_known(modules: dict[str, str]) -> None:
    """Every import of a private part is listed here with its reason."""
    own = [text for path, text in modules.items() if "contract/pb/" not in path]
    assert inner_parts(own) <= set(STOOD_ON)


def test_the_locks_agree(locks: dict[str, dict[str, str]]) -> None:
    """The server is run, built and tested with the same versions."""
    assert disagreements(locks["runtime"], locks["dev"]) == []
    assert disagreements(locks["build"], locks["dev"]) == []


def test_the_build_backend_is_the_locked_one(root: Path, locks: dict[str, dict[str, str]]) -> None:
    """A build outside of the project uses our hatchling version."""
    build = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["build-system"]
    assert build["requires"] == [f"hatchling=={locks['build']['hatchling']}"]


def test_the_number_of_packages_only_goes_down(locks: dict[str, dict[str, str]]) -> None:
    """A new run-time package requires the removal of another one."""
    assert 0 < len(locks["runtime"]) <= LOCKED_PACKAGES_AT_RUN_TIME


def test_what_is_not_held_is_seen() -> None:
    """A missing or wide upper bound is found, and one below the lock."""
    assert is_held("a>=0.54,<0.55", "0.54.0")
    for dependency in ("a>=0.54", "a>=0.54,<1", "a==0.54.0", "a>=0.53,<0.54"):
        assert not is_held(dependency, "0.54.0")


def test_an_inner_part_is_seen() -> None:
    """A private name is found by its underscore or its listing; public names are not."""
    assert inner_parts(["from uvicorn._types import Scope"]) == {"uvicorn"}
    assert inner_parts(["from google.protobuf.internal import x"]) == {"protobuf"}
    assert (
        inner_parts(["import os\nfrom hupan.a import _b\nfrom starlette.routing import R"]) == set()
    )


def test_a_library_without_reason_is_seen() -> None:
    """An empty reason and a passing mention do not count."""
    page = "| apsw | SQLite |\n| rich | |\n\nWe also use captcha.\n"
    assert without_reason(["apsw>=3", "rich", "captcha>=0.7,<1"], page) == ["rich", "captcha"]


def test_an_import_is_seen_as_its_package() -> None:
    """The package has its distribution name; the standard library and ourselves are excluded."""
    source = (
        "import os, argon2.low_level\nfrom hupan import model\ndef f():\n    from PIL import Image"
    )
    assert imported([source]) == {"argon2-cffi", "pillow"}


def test_locks_that_disagree_are_seen() -> None:
    """Another version, or a missing package, is found."""
    lock = pins("apsw==3.54 \\\n    --hash=sha256:0\nrich==15.0 \\\nclick==8.5\n")
    assert disagreements(lock, {"apsw": "3.54", "rich": "14.0"}) == ["rich", "click"]
