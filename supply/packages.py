"""The packages of the server, from its lock and from what they say of themselves (security L5)."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path
from typing import cast

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements/runtime.txt"
_PIN = re.compile(
    r"^([a-z0-9-]+)==([^\s;]+)(?: ; ([^\\\n]+?))?((?: \\\n    --hash=\S+)+)", re.MULTILINE
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")

SPDX: Mapping[str, str] = {
    "MIT": "MIT",
    "MIT License": "MIT",
    "ISC": "ISC",
    "ISC License (ISCL)": "ISC",
    "Unlicense": "Unlicense",
    "The Unlicense (Unlicense)": "Unlicense",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "any-OSI": "any-OSI",
}
"""What older metadata calls a licence, and its name by SPDX."""

ELSEWHERE: Mapping[str, str] = {"colorama": "BSD-3-Clause"}
"""Packages that are installed on other systems only, so nothing here can be asked."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the lock.

    Attributes:
        only_if: the systems that it is installed on, "" for all.
        hashes: SHA-256 of each file that may be installed.
        licence: by SPDX.
        needs: the packages of the lock that it asks for.
    """

    name: str
    version: str
    only_if: str
    hashes: tuple[str, ...]
    licence: str
    needs: tuple[str, ...]


def packages() -> list[Package]:
    """Return every package of the lock, by name."""
    pins = _PIN.findall(LOCK.read_text("utf-8"))
    names = {name for name, *_ in pins}
    return [
        Package(
            name,
            version,
            only_if.strip(),
            tuple(_HASH.findall(hashes)),
            licence(name),
            tuple(sorted(set(_needs(name)) & names)),
        )
        for name, version, only_if, hashes in pins
    ]


def direct() -> list[str]:
    """Return the packages that the server itself asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return sorted(canonicalize_name(Requirement(one).name) for one in project["dependencies"])


def licence(name: str) -> str:
    """Return the licence of an installed package, by SPDX.

    Raises:
        KeyError: it says something that is not known so far.
    """
    try:
        told = cast("Message[str, str]", metadata(name))
    except PackageNotFoundError:
        return ELSEWHERE[name]
    if expression := told.get("License-Expression"):
        return str(expression)
    classifiers = [
        one.rpartition(" :: ")[2]
        for one in told.get_all("Classifier", [])
        if one.startswith("License :: OSI Approved :: ")
    ]
    names = classifiers or [str(told.get("License", ""))]
    return " OR ".join(sorted({SPDX[one] for one in names}))


def _needs(name: str) -> Iterator[str]:
    try:
        asked = requires(name) or []
    except PackageNotFoundError:
        return
    for one in map(Requirement, asked):
        if "extra ==" not in str(one.marker):
            yield canonicalize_name(one.name)
