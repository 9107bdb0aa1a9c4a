"""Build the OCI image: Debian's Python, the server, and neither shell nor package manager."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hupan import __version__
from tools.packages.base import install_base
from tools.packages.tree import ROOT, install_tree, run, source_date

VOLUME: Final = "/var/lib/hupan"
PORT: Final = 8480
UID: Final = 65532
# Any user that a runtime chooses has group 0. The server creates its folder below.
_VOLUME_MODE: Final = 0o770
_FILES: Final[Mapping[str, str]] = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/usr/sbin/nologin\n"
        f"hupan:x:{UID}:0:Hupan:{VOLUME}:/usr/sbin/nologin\n"
    ),
    "etc/group": "root:x:0:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": "/usr/bin",
    "LANG": "C.UTF-8",
    "HOME": VOLUME,
    "container": "oci",  # so that `hupan setup` shows no unit
    # The only access is a port that the operator publishes; loopback would be unreachable.
    "HUPAN_HOST": "*",
    "HUPAN_DATA_DIR": f"{VOLUME}/data",
}


def lay_out(root: Path) -> None:
    """Add the folders and files that belong to no package."""
    for name, text in _FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    # Runtimes mount on these, which a read-only root must have.
    for name in ("dev", "etc/hupan", "proc", "root", "run", "sys", "tmp", VOLUME.lstrip("/")):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / VOLUME.lstrip("/")).chmod(_VOLUME_MODE)
    (root / "usr/share/doc/hupan").mkdir(parents=True, exist_ok=True)
    (root / "usr/share/doc/hupan/copyright").write_text((ROOT / "LICENSE").read_text("utf-8"))


def labels(version: str, created: str) -> dict[str, str]:
    """Return the labels that registries and scanners show."""
    return {
        "title": "Hupan",
        "description": "Self-hosted account server for Yunhu-compatible chat",
        "version": version,
        "created": created,
        "licenses": "MIT",
    }


def config_options(version: str, created: str) -> Iterator[str]:
    """Yield the configuration of the image, as options of `buildah config`."""
    yield from ("--user", f"{UID}:0")
    yield from ("--entrypoint", json.dumps(["/usr/bin/hupan"]))
    yield from ("--cmd", "serve")
    yield from ("--workingdir", VOLUME)
    yield from ("--volume", VOLUME)
    yield from ("--port", f"{PORT}/tcp")
    yield from ("--stop-signal", "SIGTERM")
    yield from ("--created-by", "make packages")
    for name, value in _ENVIRONMENT.items():
        yield from ("--env", f"{name}={value}")
    for name, value in labels(version, created).items():
        yield from ("--label", f"org.opencontainers.image.{name}={value}")


def build_image(directory: Path, version: str = __version__) -> Path:
    """Build the image into a directory and return the path of its archive."""
    directory.mkdir(parents=True, exist_ok=True)
    architecture = run("dpkg", "--print-architecture").strip()
    archive = directory / f"hupan_{version}_{architecture}.oci.tar"
    archive.unlink(missing_ok=True)
    previous_umask = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(prefix="hupan-image-") as name:
            root = Path(name) / "root"
            install_base(root)
            install_tree(root)
            lay_out(root)
            _commit(root, Path(name), archive, version)
    finally:
        os.umask(previous_umask)
    return archive


def _commit(root: Path, folder: Path, archive: Path, version: str) -> None:
    seconds = source_date()
    created = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    buildah = (
        *("buildah", "--storage-driver", "vfs"),  # needs no kernel features
        *("--root", folder / "storage", "--runroot", folder / "run"),
    )
    container = run(*buildah, "from", "scratch").strip()
    # Files of a folder would belong to root, those of a tar keep their owner.
    data = folder / "data.tar"
    run("tar", f"--owner={UID}", "--group=0", "-C", root, "-cf", data, VOLUME.lstrip("/"))
    run(*buildah, "add", "--quiet", container, root, "/")
    run(*buildah, "add", "--quiet", container, data, "/")
    run(*buildah, "config", *config_options(version, created), container)
    run(
        *(*buildah, "commit", "--quiet", "--rm", "--format", "oci", "--timestamp", seconds),
        *(container, f"oci:{folder}/layout:hupan:{version}"),
    )
    # Uncompressed, as the layer is: buildah's compression is not reproducible.
    run(
        *("tar", "--sort=name", f"--mtime=@{seconds}", "--owner=0", "--group=0", "--numeric-owner"),
        *("-C", folder / "layout", "-cf", archive, "blobs", "index.json", "oci-layout"),
    )
