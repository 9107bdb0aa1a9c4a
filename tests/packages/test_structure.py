"""The content of the packages without the server: takes seconds, and only needs dpkg."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from hupan.config import load_with_sources
from hupan.config.settings import SETTINGS
from tools.packages import __main__ as packages
from tools.packages import image
from tools.packages.deb import SCRIPTS, lay_out
from tools.packages.tree import run

pytestmark = pytest.mark.one_engine

CREATED = "2026-11-26T20:00:00Z"
needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb")


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def bare_package(tmp_path: Path) -> Path:
    """Return the Debian package without the server."""
    root, file = tmp_path / "root", tmp_path / "hupan.deb"
    previous = os.umask(0o022)
    root.mkdir()
    lay_out(root, "1.2.3")
    os.umask(previous)
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", root, file)
    return file


@needs_dpkg
def test_fields_of_the_debian_package(bare_package: Path) -> None:
    """L5: it depends on the Python of its libraries, and on what these link against."""
    fields = dict(
        line.split(": ", 1)
        for line in run("dpkg-deb", "--field", bare_package).splitlines()
        if line[0] != " "
    )
    assert (fields["Package"], fields["Version"], fields["Section"]) == ("hupan", "1.2.3", "net")
    needed = {name.split(" ")[0] for name in fields["Depends"].split(", ")}
    assert needed >= {"python3", "libc6", "libstdc++6", "ca-certificates", "tzdata", "passwd"}
    assert "python3 (<<" in fields["Depends"]


@needs_dpkg
def test_files_of_the_debian_package(bare_package: Path, tmp_path: Path) -> None:
    """L3: settings only for root and the service, kept by dpkg; scripts that a shell can parse."""
    root = tmp_path / "unpacked"
    run("dpkg-deb", "--raw-extract", bare_package, root)
    kept = (root / "DEBIAN/conffiles").read_text("utf-8").split()
    for name in kept:
        assert (root / name.lstrip("/")).is_file()
    config = root / "etc/hupan/hupan.toml"
    assert f"/{config.relative_to(root)}" in kept
    assert mode(config) == 0o640
    unit = (root / "usr/lib/systemd/system/hupan.service").read_text("utf-8")
    assert "ExecStart=/usr/bin/hupan serve --config /etc/hupan/hupan.toml" in unit
    for name in SCRIPTS:
        assert mode(root / "DEBIAN" / name) == 0o755
        subprocess.run(["sh", "-n", root / "DEBIAN" / name], check=True)  # noqa: S603, S607  sh
    listed = run("dpkg-deb", "--contents", bare_package).splitlines()
    assert all(" root/root " in line for line in listed)


def configured() -> dict[str, list[str]]:
    """Return the options of the image's configuration, by name."""
    options = iter(image.config_options("1.2.3", CREATED))
    found: dict[str, list[str]] = {}
    for name in options:
        found.setdefault(name, []).append(next(options))
    return found


def test_configuration_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L3: no root, one volume, and no unknown or secret setting."""
    monkeypatch.chdir(tmp_path)
    found = configured()
    (user,) = found["--user"]
    uid, group = user.split(":")
    assert int(uid) > 1000
    assert int(group) == 0
    assert [json.loads(words) for words in found["--entrypoint"]] == [["/usr/bin/hupan"]]
    assert (found["--cmd"], found["--stop-signal"]) == (["serve"], ["SIGTERM"])
    environment = dict(variable.split("=", 1) for variable in found["--env"])
    loaded = load_with_sources({}, environment).settings
    (volume,) = found["--volume"]
    assert loaded.data_dir.is_relative_to(volume)
    assert loaded.data_dir != Path(volume)  # the group may write the volume
    assert found["--port"] == [f"{loaded.port}/tcp"]
    own = {name for name in SETTINGS if getattr(loaded, name) != SETTINGS[name].default}
    assert own == {"host", "data_dir"}
    labels = dict(label.split("=", 1) for label in found["--label"])
    assert labels["org.opencontainers.image.version"] == "1.2.3"
    assert labels["org.opencontainers.image.created"] == CREATED


def test_folders_of_the_image(tmp_path: Path) -> None:
    """L3: any user with group 0 may write the volume, and no permanent folder."""
    image.lay_out(tmp_path)
    assert mode(tmp_path / image.VOLUME.lstrip("/")) == 0o770
    assert mode(tmp_path / "tmp") == 0o1777
    users = [line.split(":") for line in (tmp_path / "etc/passwd").read_text("utf-8").splitlines()]
    assert {(user[0], user[2]) for user in users} == {("root", "0"), ("hupan", str(image.UID))}
    assert {user[6] for user in users} == {"/usr/sbin/nologin"}
    for path in tmp_path.rglob("*"):
        assert path.name == "tmp" or not mode(path) & stat.S_IWOTH


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is built unless every requested package can be."""
    built: list[str] = []
    kinds = {
        "python": (lambda: built.append("python"), ()),
        "image": (lambda: built.append("image"), ("buildah-of-nobody", "sh")),
    }
    monkeypatch.setattr(packages, "KINDS", kinds)
    assert "needs buildah-of-nobody " in packages.main([])
    assert "rpm" in packages.main(["rpm", "python"])
    assert built == []
    assert packages.main(["python"]) == ""
    assert built == ["python"]
