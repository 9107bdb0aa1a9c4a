"""The Debian package on fresh machines: installed, set up, upgraded, purged; and a day with it."""

import re
import stat
import time
from pathlib import Path

import pytest

from tests.support.captchas import solve
from tests.support.client import WireClient
from tests.support.debian_roots import AS_SERVICE, DATA, Machine, PackagedServer, can_make_roots
from tools.packages.deb import build_deb, with_version

pytestmark = [
    pytest.mark.soak,
    pytest.mark.one_engine,
    pytest.mark.skipif(not can_make_roots(), reason="needs root and mmdebstrap"),
]

ACCOUNTS = 100
CONFIG = "etc/hupan/hupan.toml"
WANTED = "etc/systemd/system/multi-user.target.wants/hupan.service"
PASSPHRASE = {"HUPAN_BACKUP_PASSPHRASE": "herons stand in the reeds"}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of this checkout."""
    return build_deb(tmp_path_factory.mktemp("dist"))


@pytest.fixture
def machine(tmp_path: Path, package: Path) -> Machine:
    """A fresh machine with the package."""
    made = Machine(tmp_path / "machine")
    made.install(package)
    return made


def mode(status: object) -> int:
    """The permissions alone."""
    return stat.S_IMODE(getattr(status, "st_mode", 0))


def code_for(server: PackagedServer, phone: str, since: int) -> str:
    """The code for a number that the terminal shows after a place."""
    for _ in range(1000):
        if found := re.search(rf"{phone}.*?(\d{{6}})", server.output()[since:]):
            return found[1]
        time.sleep(0.01)  # until the outbox has sent it
    raise AssertionError(server.output())


def sign_in(server: PackagedServer, client: WireClient, folder: Path, phone: str) -> str:
    """Sign in with a code from the terminal; return the id of the account."""
    since = len(server.output())
    captcha = client.post("user/captcha").text("id")
    fields = {"mobile": phone, "code": solve(folder, captcha), "id": captcha}
    assert client.post("verification/get-verification-code", fields).code == 1
    token = client.sign_in(phone, code_for(server, phone, since)).text("token")
    return client.own_info(token).pb_data.text(1)


def test_installation(machine: Machine) -> None:
    """L3: a user without a shell, private folders, and a file that the service alone may read."""
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
    assert "over (0.1.0)" in told
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
    """An upgrade does not start what an operator has turned off."""
    (machine.root / WANTED).unlink()  # what `systemctl disable` does
    machine.install(with_version(package, "9.0.0", tmp_path))
    assert not (machine.root / WANTED).is_symlink()


def test_a_day(machine: Machine, package: Path, tmp_path: Path) -> None:
    """R20: set up, serve, sign up, back up, lose the machine, restore on another: all there."""
    limits = ("--set", "limits_enabled=false")
    machine.run("hupan", "setup", "--yes", *limits)
    phones = [f"139{number:08}" for number in range(ACCOUNTS)]
    with PackagedServer(machine) as server, WireClient(server) as client:
        folder = machine.root / DATA
        ids = {phone: sign_in(server, client, folder, phone) for phone in phones}
        machine.run(
            "hupan",
            "backup",
            "create",
            "/srv/day.backup",
            "--config",
            f"/{CONFIG}",
            environment=PASSPHRASE,
        )
    assert len(set(ids.values())) == ACCOUNTS
    backup = (machine.root / "srv/day.backup").read_bytes()
    machine.run("dpkg", "--purge", "hupan")

    other = Machine(tmp_path / "other")
    other.install(package)
    other.run("hupan", "setup", "--yes", *limits)
    (other.root / "srv/day.backup").write_bytes(backup)
    other.run(
        "hupan", "restore", "/srv/day.backup", "--data-dir", f"/{DATA}", environment=PASSPHRASE
    )
    with PackagedServer(other) as server, WireClient(server) as client:
        folder = other.root / DATA
        assert {phone: sign_in(server, client, folder, phone) for phone in phones} == ids


def test_the_same_package_twice(package: Path, tmp_path: Path) -> None:
    """L5: the same checkout builds the same bytes."""
    assert build_deb(tmp_path).read_bytes() == package.read_bytes()
