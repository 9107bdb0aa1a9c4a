"""The Debian part of the image: Python, its libraries, certificates, time zones.

mmdebstrap fetches, verifies and unpacks the packages; the image takes the files that a server
without shell and package manager needs.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.packages.tree import compile_folder, python_version, run

PYTHON: Final = "3.11"
_MIRROR: Final = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
_SECURITY_MIRROR: Final = os.environ.get(
    "DEBIAN_SECURITY_MIRROR", "http://security.debian.org/debian-security"
)
_SOURCES: Final = (
    f"deb {_MIRROR} bookworm main",
    f"deb {_MIRROR} bookworm-updates main",
    f"deb {_SECURITY_MIRROR} bookworm-security main",
)
_ASKED_FOR: Final = (
    "libstdc++6",  # compiled libraries of Python packages expect it on every machine
    *("base-files", "ca-certificates", "media-types", "netbase", "tzdata"),
    *(f"python{PYTHON}-minimal", f"libpython{PYTHON}-stdlib"),
)
# And their dependencies; not those of dpkg, Perl or an interactive Python.
_NEEDED: Final = (
    *_ASKED_FOR,
    *("libc6", "libcrypt1", "libgcc-s1", f"libpython{PYTHON}-minimal"),
    *("libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libssl3"),
    *("libuuid1", "zlib1g"),
)
_MERGED_INTO_USR: Final = ("bin", "lib", "lib64", "sbin")
_UNNEEDED: Final = (
    "etc/ca-certificates",
    *("etc/default", "etc/dpkg", "etc/profile.d", "etc/skel", "etc/update-motd.d"),
    *("usr/share/base-files", "usr/share/binfmts", "usr/share/bug", "usr/share/dict"),
    *("usr/share/info", "usr/share/lintian", "usr/share/locale", "usr/share/man"),
    *("usr/games", "usr/include", "usr/lib/binfmt.d", "usr/sbin/update-ca-certificates"),
    *("usr/share/zoneinfo/posix", "usr/share/zoneinfo/right"),
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/lib/aarch64-linux-gnu/gconv",
    f"usr/lib/python{PYTHON}/lib2to3",
    f"usr/lib/python{PYTHON}/pydoc_data",
)
CERTIFICATES: Final = "etc/ssl/certs/ca-certificates.crt"


def install_base(root: Path) -> None:
    """Install it into a new folder: the same packages give the same bytes.

    Raises:
        ValueError: this machine's Python is not that of the image.
    """
    if python_version() != PYTHON:
        message = (
            f"the image has Python {PYTHON}, this machine has {python_version()}: use Debian 12"
        )
        raise ValueError(message)
    root.mkdir(mode=0o755)
    for name in _MERGED_INTO_USR:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    with tempfile.TemporaryDirectory(prefix="hupan-base-") as name:
        archives = _unpack_debian(Path(name))
        for package in _NEEDED:
            (archive,) = archives.glob(f"{package}_*.deb")
            _take_package(Path(name) / "root", archive, root)
            _note_package(archive, package, root)
    _remove_unneeded(root)
    _join_certificates(root)
    compile_folder(root / f"usr/lib/python{PYTHON}", root)


def _unpack_debian(folder: Path) -> Path:
    """Unpack Debian's packages below a folder and return the folder of their archives."""
    tar, tree = folder / "root.tar", folder / "root"
    run(
        *("mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(_ASKED_FOR)}"),
        *("--skip=cleanup/apt/cache", "bookworm", tar, *_SOURCES),
    )
    tree.mkdir()
    run("tar", "-C", tree, "--exclude=./dev/*", "-xf", tar)
    tar.unlink()
    return tree / "var/cache/apt/archives"


def _take_package(tree: Path, archive: Path, root: Path) -> None:
    for name in _files(archive):
        source, target = tree / name, _place(root, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def _files(archive: Path) -> Iterator[str]:
    """Yield the names of the files in a package, from dpkg-deb's list."""
    for line in run("dpkg-deb", "--contents", archive).splitlines():
        kind, name = line[0], line.split(maxsplit=5)[5].removeprefix("./")
        if kind != "d":
            yield name.partition(" link to ")[0].partition(" -> ")[0]


def _place(root: Path, name: str) -> Path:
    """Return the target of a file: /lib becomes /usr/lib, as everywhere in Debian."""
    merged = name.partition("/")[0] in _MERGED_INTO_USR
    return root / "usr" / name if merged else root / name


def _note_package(archive: Path, package: str, root: Path) -> None:
    """Write name and version where image scanners look for them."""
    noted = root / "var/lib/dpkg/status.d" / package
    noted.parent.mkdir(parents=True, exist_ok=True)
    noted.write_text(run("dpkg-deb", "--field", archive), "utf-8")


def _remove_unneeded(root: Path) -> None:
    for name in _UNNEEDED:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in (root / "usr/share/doc").glob("*/*"):
        if path.name != "copyright":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _join_certificates(root: Path) -> None:
    """Make the file of all authorities, as the package's script does on other machines."""
    authorities = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    joined = root / CERTIFICATES
    joined.parent.mkdir(parents=True, exist_ok=True)
    joined.write_text("".join(path.read_text("ascii") for path in authorities), "ascii")
    default = root / "usr/lib/ssl/cert.pem"
    default.parent.mkdir(parents=True, exist_ok=True)
    default.symlink_to(f"/{CERTIFICATES}")
    shutil.rmtree(root / "usr/share/ca-certificates")
