"""Build the release: wheels and sdists of server, client and pytest plugin (`make dist`).

The same checkout builds the same bytes, at any place and time.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECTS = (ROOT, ROOT / "clients/hupan-client", ROOT / "clients/pytest-hupan")


def build(project: Path, directory: Path, *targets: str) -> None:
    """Build a project into a directory, by default its sdist and its wheel."""
    options = [word for target in targets for word in ("--target", target)]
    subprocess.run(  # noqa: S603 - our own tool
        [Path(sys.executable).with_name("hatchling"), "build", "-d", directory.resolve(), *options],
        cwd=project,
        # Independent of the machine: the backend's constant time.
        env={key: text for key, text in os.environ.items() if key != "SOURCE_DATE_EPOCH"},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def main(directory: Path) -> None:
    """Build all of them, replacing earlier ones."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in (*directory.glob("*.whl"), *directory.glob("*.tar.gz")):
        old.unlink()
    for project in PROJECTS:
        build(project, directory)


if __name__ == "__main__":
    main(ROOT / "dist")
