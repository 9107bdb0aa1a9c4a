"""`make packages`: everything that an operator can install, in dist/.

Arguments select kinds: `make packages ARGS=deb`.
"""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tools import dist
from tools.packages.deb import build_deb
from tools.packages.image import build_image
from tools.packages.tree import ROOT

_DIRECTORY: Final = ROOT / "dist"


def _build_python() -> None:
    dist.main(_DIRECTORY)


def _build_deb() -> None:
    _show(build_deb(_DIRECTORY))


def _build_image() -> None:
    _show(build_image(_DIRECTORY))


def _show(path: Path) -> None:
    sys.stdout.write(f"{path}\n")


# In the order of building, with the programs that each needs.
KINDS: Final[dict[str, tuple[Callable[[], None], Sequence[str]]]] = {
    "python": (_build_python, ()),
    "deb": (_build_deb, ("dpkg-deb", "strip")),
    "image": (_build_image, ("dpkg-deb", "strip", "mmdebstrap", "buildah", "tar")),
}


def main(asked: Sequence[str]) -> str:
    """Build the requested kinds, or all; return the reason if that is impossible, else "".

    Nothing is built unless all of it can be.
    """
    if unknown := set(asked) - KINDS.keys():
        return (
            f"no such kind of package: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}"
        )
    kinds = [kind for name, kind in KINDS.items() if name in (asked or KINDS)]
    programs = dict.fromkeys(program for _, needed in kinds for program in needed)
    if missing := [program for program in programs if not shutil.which(program)]:
        return (
            f"needs {', '.join(missing)} (on Debian 12: apt-get install binutils buildah "
            "mmdebstrap); make packages ARGS=python needs nothing"
        )
    for build, _ in kinds:
        build()
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) or 0)
