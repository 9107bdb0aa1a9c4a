"""Build the Debian package: server, libraries, unit, and an empty file of settings."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from hupan import __version__
from tools.packages.tree import ROOT, install_tree, python_version, run, source_date, unit

SCRIPTS: Final = ("postinst", "prerm", "postrm")
_DEPENDS: Final = (
    *("libc6", "libstdc++6", "zlib1g", "ca-certificates", "tzdata", "passwd"),
    "init-system-helpers (>= 1.54)",
)
_CONTROL: Final = """\
Package: hupan
Version: {version}
Architecture: {architecture}
Maintainer: The Hupan maintainers <hupan@users.noreply.github.com>
Installed-Size: {size}
Depends: {depends}
Section: net
Priority: optional
Description: self-hosted account server for Yunhu-compatible chat
 Hupan (湖畔) keeps the accounts of a community: sign-up, sign-in, contacts,
 profiles and coins. It stores them in SQLite or PostgreSQL.
"""


def control(version: str, architecture: str, kilobytes: int) -> str:
    """Return the control file."""
    python = python_version()
    major, minor = python.split(".")
    return _CONTROL.format(
        version=version,
        architecture=architecture,
        size=kilobytes,
        depends=", ".join(
            (
                f"python3 (>= {python})",
                f"python3 (<< {major}.{int(minor) + 1})",
                f"python{python}",
                *_DEPENDS,
            )
        ),
    )


def lay_out(root: Path, version: str) -> None:
    """Make the tree for dpkg-deb, without the server itself."""
    debian = Path(__file__).parent / "debian"
    for name, text in {
        "etc/hupan/hupan.toml": (debian / "hupan.toml").read_text("utf-8"),
        "etc/logrotate.d/hupan": (ROOT / "deploy/logrotate/hupan").read_text("utf-8"),
        "usr/lib/systemd/system/hupan.service": unit(),
        "usr/share/doc/hupan/copyright": (ROOT / "LICENSE").read_text("utf-8"),
        "DEBIAN/conffiles": "/etc/hupan/hupan.toml\n/etc/logrotate.d/hupan\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o644)
    # Until postinst assigns it to the service's group.
    (root / "etc/hupan/hupan.toml").chmod(0o640)
    for name in SCRIPTS:
        shutil.copyfile(debian / name, root / "DEBIAN" / name)
        (root / "DEBIAN" / name).chmod(0o755)
    architecture = run("dpkg", "--print-architecture").strip()
    kilobytes = sum(path.lstat().st_size for path in root.rglob("*")) // 1024
    (root / "DEBIAN/control").write_text(control(version, architecture, kilobytes), "utf-8")


def build_deb(directory: Path, version: str = __version__) -> Path:
    """Build the package into a directory and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    previous_umask = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory() as name:
            root = Path(name) / "root"
            root.mkdir(mode=0o755)
            install_tree(root)
            lay_out(root, version)
            packed = run(
                *("dpkg-deb", "--root-owner-group", "-Zxz", "-z2", "--build", root, directory),
                env={"SOURCE_DATE_EPOCH": source_date()},
            )
    finally:
        os.umask(previous_umask)
    return directory / Path(packed.rpartition("'")[0].rpartition("'")[2]).name


def with_version(package: Path, version: str, directory: Path) -> Path:
    """Return the same package with another version, as an upgrade to it."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        subprocess.run(["dpkg-deb", "-R", package, root], check=True)  # noqa: S603, S607  dpkg
        control_file = root / "DEBIAN/control"
        text = control_file.read_text("utf-8")
        lines = [
            f"Version: {version}" if line.startswith("Version: ") else line
            for line in text.splitlines()
        ]
        control_file.write_text("\n".join(lines) + "\n", "utf-8")
        target = directory / f"hupan_{version}_next.deb"
        run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", root, target)
        return target
