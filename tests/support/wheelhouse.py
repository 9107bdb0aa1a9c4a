"""A folder of wheels, made of the packages that the tests run with: an offline index."""

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.support.servers import FEW_PICTURES

UV = Path(sys.executable).with_name("uv")
SECONDS = 240
_OF_AN_INSTALLER = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"}
OURS = {"hupan", "hupan-client", "pytest-hupan"}
"""Packages installed from the checkout, without a wheel in the index."""
_OWN = ("PYTHON", "PYTEST", "VIRTUAL_ENV", "COV", "UV_", "PIP_", "XDG_")


def closure(names: Iterable[str]) -> set[str]:
    """Return the packages with all their dependencies on this system."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop().lower().replace("_", "-")
        if name not in found:
            found.add(name)
            needed = map(Requirement, distribution(name).requires or [])
            left += [one.name for one in needed if not one.marker or one.marker.evaluate()]
    return found


def make_wheel(package: Distribution, folder: Path) -> Path:
    """Pack an installed package as its wheel, without its commands."""
    metadata = package.read_text("WHEEL") or ""
    tags = [line.partition(": ")[2].split("-") for line in metadata.splitlines() if "Tag: " in line]
    parts = [".".join(dict.fromkeys(part)) for part in zip(*tags, strict=True)]
    name = package.name.replace("-", "_").replace(".", "_")
    wheel = folder / f"{'-'.join([name, package.version, *parts])}.whl"
    lines, records = [], ""
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in package.files or ():
            if ".." in file.parts or file.name.endswith(".pyc"):
                continue
            if file.parent.name.endswith(".dist-info"):
                records = f"{file.parent}/RECORD"
                if file.name in _OF_AN_INSTALLER:
                    continue
            content = Path(str(package.locate_file(file))).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            lines.append(f"{file},sha256={digest},{len(content)}\n")
            archive.writestr(str(file), content)
        archive.writestr(records, "".join([*lines, f"{records},,\n"]))
    return wheel


class Machine:
    """A user's machine: an empty home, uv and Python, and an index with some packages only.

    It uses neither the network nor the checkout's environment.

    Args:
        folder: contains all of it.
        packages: the content of the index, with their dependencies.
    """

    def __init__(self, folder: Path, packages: Iterable[str]) -> None:
        self.home = folder / "home"
        self.index = folder / "index"
        tools, self.commands = folder / "tools", self.home / ".local/bin"
        for path in (self.home, self.index, tools):
            path.mkdir(parents=True)
        for name in closure(packages) - OURS:
            make_wheel(distribution(name), self.index)
        (tools / "uv").symlink_to(UV)
        (tools / "uvx").symlink_to(UV.with_name("uvx"))
        python = Path(sys.base_prefix) / "bin"
        kept = {key: text for key, text in os.environ.items() if not key.startswith(_OWN)}
        self.environment: Mapping[str, str] = {
            **kept,
            **FEW_PICTURES,
            "HOME": str(self.home),
            "PATH": os.pathsep.join(map(str, (self.commands, tools, python, "/usr/bin", "/bin"))),
            "UV_OFFLINE": "1",
            "UV_NO_INDEX": "1",
            "UV_FIND_LINKS": str(self.index),
            "UV_PYTHON_DOWNLOADS": "never",
            # Without UV_PYTHON, because uv would install into that one, which is the machine's.
            "PIP_REQUIRE_VIRTUALENV": "1",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def run(self, *command: str | Path, folder: Path | None = None) -> str:
        """Run a command and return its output; it must succeed."""
        done = subprocess.run(  # noqa: S603 - commands of the tests
            list(map(str, command)),
            cwd=folder or self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def shell(self, script: str, folder: Path | None = None) -> str:
        """Run the lines of a page in a shell, as a reader who copies them."""
        return self.run("sh", "-euc", script, folder=folder)
