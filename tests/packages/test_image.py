"""The OCI image, run by runc: any user, a read-only root, one volume; and a day with it."""

import random
import stat
from pathlib import Path

import pytest

from hupan import __version__
from tests.support.client import WireClient
from tests.support.containers import ContainerHost, Image, can_run_containers
from tests.support.package_days import play_a_day, sign_in_all
from tools.packages.image import UID, VOLUME, build_image

pytestmark = [
    pytest.mark.soak,
    pytest.mark.one_engine,
    pytest.mark.skipif(not can_run_containers(), reason="needs root, mmdebstrap, buildah, runc"),
]

MOST_BYTES = 150_000_000
PHONE = "13900000000"
LOAD_ALL = """
import ctypes, pathlib
for path in sorted(pathlib.Path("/usr/lib/hupan").rglob("*.so")):
    ctypes.CDLL(str(path))
"""


def any_user() -> int:
    """Return a user id that the image does not know."""
    return random.randrange(100_000, 2**31)  # noqa: S311  any of them


@pytest.fixture
def host(image: Image, root: Path, tmp_path: Path) -> ContainerHost:
    """Return a machine without containers."""
    return ContainerHost(image, root, tmp_path / "host", any_user())


def test_what_is_in_it(image: Image, root: Path) -> None:
    """L3: an unprivileged user, neither shell nor package manager, no file for root only."""
    assert image.layer["size"] <= MOST_BYTES
    assert image.config["User"] == f"{UID}:0"
    assert image.config["Labels"]["org.opencontainers.image.version"] == __version__
    assert {path.name for path in (root / "usr/bin").iterdir()} == {"hupan", "python3.11"}
    volume = (root / VOLUME.lstrip("/")).stat()
    assert (volume.st_uid, volume.st_gid, stat.S_IMODE(volume.st_mode)) == (UID, 0, 0o770)
    for path in root.rglob("*"):
        status = path.lstat()
        assert not status.st_mode & (stat.S_ISUID | stat.S_ISGID), path
        assert path.is_symlink() or status.st_mode & stat.S_IROTH or str(path).endswith(VOLUME)
    for name in ("etc/machine-id", "var/log", "var/cache"):
        assert not (root / name).exists()


def test_every_compiled_library_finds_its_own(host: ContainerHost) -> None:
    """No library of the build machine is missing."""
    assert host.run("/usr/lib/hupan/bin/python3", "-c", LOAD_ALL) == ""
    host.run("/usr/lib/hupan/bin/python3", "-c", "import ssl, uuid, zoneinfo, bz2, lzma, ctypes")


def test_it_trusts_public_authorities(host: ContainerHost) -> None:
    """L6: senders and buckets are verified with Debian's list."""
    counted = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"
    assert int(host.run("/usr/lib/hupan/bin/python3", "-c", counted)) > 100


def test_it_serves(host: ContainerHost) -> None:
    """R20: the image serves without changes; the next container has its data."""
    with host.serve() as server, WireClient(server) as client:
        token = sign_in_all(host, server, client, [PHONE])[PHONE]
        account = client.own_info(token).pb_data.text(1)
        assert server.stop() == 0
    assert stat.S_IMODE(host.keys.stat().st_mode) == 0o700
    with host.serve() as server, WireClient(server) as client:
        assert client.own_info(token).pb_data.text(1) == account
        assert "warning: other users" not in server.output()
    assert f"hupan {__version__}" in host.hupan("version")
    assert host.hupan("config", "check")


def test_a_start_that_is_ended(host: ContainerHost) -> None:
    """A crash loses no acknowledged write, in a container either."""
    with host.serve() as server, WireClient(server) as client:
        token = sign_in_all(host, server, client, [PHONE])[PHONE]
        server.kill()
        server.start()
        assert client.own_info(token).code == 1


def test_a_day(image: Image, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R20: the same as for the Debian package; each machine has another user."""
    one, other = (
        ContainerHost(image, root, tmp_path / name, any_user()) for name in ("one", "other")
    )
    play_a_day(one, other, monkeypatch)


def test_the_same_image_twice(image: Image, tmp_path: Path) -> None:
    """L5: the same checkout and the same Debian packages give the same digest."""
    again = Image(build_image(tmp_path))
    assert again.digest == image.digest
    assert again.archive.read_bytes() == image.archive.read_bytes()
