"""Virtual environments that have only the packages of a lock, made without network."""

import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([a-z0-9._-]+)==[^\s;]+(?: ; ([^\\\n]+))?", re.MULTILINE)


def locked_packages() -> set[str]:
    """The packages that the server runs with, but for those of other systems."""
    lock = (ROOT / "requirements/runtime.txt").read_text("utf-8")
    pins = PIN.findall(lock)
    return {name for name, marker in pins if not marker or holds(f"{name}; {marker.strip()}")}


def holds(requirement: str, extra: str = "") -> bool:
    """Whether a requirement counts on this system."""
    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate({"extra": extra})


def closure(names: Iterable[str]) -> set[str]:
    """The packages, and all that they need."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop().lower().replace("_", "-")
        if name not in found:
            found.add(name)
            needed = distribution(name).requires or []
            left += [Requirement(one).name for one in needed if holds(one)]
    return found


class EmptyEnvironment:
    """A virtual environment with some packages of the one that runs the tests."""

    def __init__(self, folder: Path, packages: Iterable[str]) -> None:
        venv.create(folder, symlinks=True)
        self.bin = folder / "bin"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.packages = folder / "lib" / version / "site-packages"
        for name in packages:
            self._link(distribution(name))

    def _link(self, package: Distribution) -> None:
        for file in package.files or ():
            source = Path(str(package.locate_file(file)))
            if ".." in file.parts or not source.is_file():
                continue  # a command, or not compiled yet
            target = self.packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.symlink_to(source)

    def install(self, *wheels: Path) -> None:
        """Install wheels without network; what they need must be there."""
        uv = str(Path(sys.executable).with_name("uv"))
        options = ["--offline", "--no-index", "--no-cache", "--quiet"]
        python = ["--python", str(self.bin / "python")]
        self.run(uv, "pip", "install", *options, *python, *map(str, wheels))

    def run(self, *command: str, folder: Path | None = None) -> str:
        """Run a command that knows nothing of the checkout; return its output."""
        own = ("PYTHON", "PYTEST", "VIRTUAL_ENV", "COV")
        variables = {key: text for key, text in os.environ.items() if not key.startswith(own)}
        variables["PATH"] = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(  # noqa: S603 - commands of the tests
            command,
            cwd=folder or self.bin,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
