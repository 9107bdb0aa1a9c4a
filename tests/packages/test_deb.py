"""The Debian package on fresh machines: installation, setup, upgrade, purge; and a day with it."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hupan import __version__
from tests.support.debian_roots import AS_SERVICE, CONFIG, DATA, Machine, can_make_roots
from tests.support.package_days import play_a_day
from tools.packages.deb import build_deb, with_version

pytestmark = [
    pytest.mark.soak,
    pytest.mark.one_engine,
    pytest.mark.skipif(not can_make_roots(), reason="needs root and mmdebstrap"),
]

WANTED = "etc/systemd/system/multi-user.target.wants/hupan.service"


@contextmanager
def machine_with(package: Path, folder: Path) -> Iterator[Machine]:
    """Yield a fresh machine with the package; remove it at the end, as it is large."""
    made = Machine(folder)
    try:
        made.install(package)
        yield made
    finally:
        made.close()


@pytest.fixture
def machine(tmp_path: Path, package: Path) -> Iterator[Machine]:
    """Yield a fresh machine with the package."""
    with machine_with(package, tmp_path / "machine") as made:
        yield made


def mode(status: object) -> int:
    """Return only the permissions."""
    return stat.S_IMODE(getattr(status, "st_mode", 0))


def test_installation(machine: Machine) -> None:
    """L3: a user without a shell, private folders, and a file that only the service can read."""
    uid, shell = machine.user()
    assert shell == "/usr/sbin/nologin"
    config, data = machine.status_of(CONFIG), machine.status_of(str(DATA))
    assert (config.st_uid, config.st_gid != 0, mode(config)) == (0, True, 0o640)
    assert (data.st_uid, mode(data)) == (uid, 0o700)
    assert (machine.root / WANTED).is_symlink()
    machine.run(*AS_SERVICE, "hupan", "config", "check", "--config", f"/{CONFIG}")


def test_upgrade_and_purge(machine: Machine, package: Path, tmp_path: Path) -> None:
    """R13, L3: an upgrade keeps settings, their mode and the service; a purge keeps the data."""
    machine.run("hupan", "setup", "--yes", "--set", "brand=东湖")
    settings = (machine.root / CONFIG).read_bytes()
    (machine.root / DATA / "kept").write_text("data", "utf-8")
    before = machine.status_of(CONFIG)
    told = machine.install(with_version(package, "9.0.0", tmp_path))
    assert f"over ({__version__})" in told
    after = machine.status_of(CONFIG)
    assert (machine.root / CONFIG).read_bytes() == settings
    assert (after.st_uid, after.st_gid, mode(after)) == (0, before.st_gid, 0o640)
    assert (machine.root / WANTED).is_symlink()
    machine.run("dpkg", "--purge", "hupan")
    assert (machine.root / DATA / "kept").read_text("utf-8") == "data"
    assert not (machine.root / CONFIG).exists()
    assert not (machine.root / WANTED).is_symlink()
    assert not (machine.root / "usr/lib/hupan").exists()
    machine.install(package)
    assert (machine.root / WANTED).is_symlink()


def test_a_disabled_service_stays_disabled(machine: Machine, package: Path, tmp_path: Path) -> None:
    """An upgrade does not start a service that an operator has disabled."""
    (machine.root / WANTED).unlink()  # as `systemctl disable` does
    machine.install(with_version(package, "9.0.0", tmp_path))
    assert not (machine.root / WANTED).is_symlink()


def test_a_day(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R20: set up, serve, sign up, back up, lose the machine, restore on another: all is there."""
    with (
        machine_with(package, tmp_path / "one") as one,
        machine_with(package, tmp_path / "other") as other,
    ):
        play_a_day(one, other, monkeypatch)


def test_the_same_package_twice(package: Path, tmp_path: Path) -> None:
    """L5: the same checkout builds the same bytes."""
    assert build_deb(tmp_path).read_bytes() == package.read_bytes()
