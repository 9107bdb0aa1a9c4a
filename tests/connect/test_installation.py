"""`hupan connect --install` and `--undo`: everything is restored, from any point (kit K-11)."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hupan.cli.connect import app
from hupan.connect import files, plan
from hupan.connect.authority import AUTHORITY_NAME, Authority
from hupan.connect.files import ConnectRefused
from hupan.connect.hosts import MARK
from hupan.connect.installation import check_rights, install
from hupan.connect.names import KNOWN_NAMES
from hupan.connect.plan import Places, survey
from hupan.connect.record import PARTS, Part
from hupan.connect.stores import SystemStore, find_certutil, find_keytool, find_nss_folders
from hupan.connect.undo import undo
from hupan.connect.user import User
from tests.support.commands import run_hupan

pytestmark = pytest.mark.one_engine

HERE = "127.0.0.1"
HUPAN = str(Path(sys.executable).with_name("hupan"))
UPDATE = shutil.which("update-ca-certificates", path="/usr/sbin:/usr/bin")
CERTUTIL, KEYTOOL = find_certutil(os.environ["PATH"]), find_keytool(os.environ["PATH"])
JAVA_STORE = Path("/etc/ssl/certs/java/cacerts")
HOSTS = b"127.0.0.1\tlocalhost\n# the end has no line feed"
needs_certutil = pytest.mark.skipif(CERTUTIL is None, reason="certutil is not installed")
needs_debian = pytest.mark.skipif(UPDATE is None, reason="there are no Debian certificates")


class Killed(BaseException):
    """Stand for the end of the process."""


def snapshot(folder: Path) -> dict[str, tuple[int, int, str, bytes]]:
    """Return mode, owner, link target and content of all files and folders but the authority's."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if "hupan" not in path.relative_to(folder).parts:
            status = path.lstat()
            target = str(path.readlink()) if path.is_symlink() else ""
            content = path.read_bytes() if path.is_file() else b""
            name = str(path.relative_to(folder))
            found[name] = (stat.S_IMODE(status.st_mode), status.st_uid, target, content)
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return a folder with a hosts file and a user's home."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hosts").write_bytes(HOSTS)
    (tmp_path / "etc/hosts").chmod(0o640)
    (tmp_path / "home/hupan").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def places(machine: Path) -> Places:
    """Return the places of a machine that only has a hosts file."""
    user = User(os.getuid(), os.getgid(), machine / "home", is_other=False)
    authority = Authority(machine / "home/hupan/connect")
    return Places(user, authority, machine / "etc/hosts", None, (), (), CERTUTIL, KEYTOOL)


def with_browsers(places: Places) -> Places:
    """Add the database of a browser, and one that does not exist yet."""
    profile = places.user.home / ".mozilla/firefox/x.default"
    profile.mkdir(parents=True)
    subprocess.run(  # noqa: S603 - Debian's
        [str(CERTUTIL), "-N", "-d", f"sql:{profile}", "--empty-password"], check=True
    )
    return replace(places, nss=(places.user.home / ".pki/nssdb", profile))


def with_system(places: Places, machine: Path) -> Places:
    """Add Debian's own tool, on folders of the test."""
    folders = {name: machine / name for name in ("local", "made", "shipped", "hooks")}
    for folder in folders.values():
        folder.mkdir()
    bundle = Path("/etc/ssl/certs/ca-certificates.crt").read_text("ascii")
    for number, block in enumerate(bundle.split("-----END CERTIFICATE-----\n")[:3]):
        (folders["shipped"] / f"{number}.crt").write_text(f"{block}-----END CERTIFICATE-----\n")
    (machine / "ca.conf").write_text("0.crt\n1.crt\n2.crt\n")
    store = SystemStore(
        folders["local"],
        folders["made"],
        (
            *(str(UPDATE), "--certsconf", str(machine / "ca.conf")),
            *("--certsdir", str(folders["shipped"]), "--localcertsdir", str(folders["local"])),
            *("--etccertsdir", str(folders["made"]), "--hooksdir", str(folders["hooks"])),
        ),
    )
    store.run_update()
    return replace(places, system=store)


def installed(places: Places, *parts: Part) -> bool:
    """Install, and return whether something was changed."""
    return install(places, HERE, parts or PARTS).is_changed


def states(places: Places) -> set[str]:
    """Return the state of each part."""
    return {step.state for step in survey(places, HERE, PARTS)}


def test_showing_touches_nothing(places: Places, machine: Path) -> None:
    """Without `--install` not even the authority is created."""
    before = snapshot(machine)
    assert states(places) == {"missing"} | ({"skipped"} if places.system is None else set())
    assert snapshot(machine) == before
    assert not places.authority.folder.exists()


def test_hosts_file(places: Places, machine: Path) -> None:
    """Lines are added; mode and owner stay; a repetition changes nothing; undo restores it."""
    before = snapshot(machine)
    assert installed(places)
    text = places.hosts.read_text("utf-8")
    assert all(f"{HERE} {name} {MARK}\n" in text for name in KNOWN_NAMES)
    assert stat.S_IMODE(places.hosts.stat().st_mode) == 0o640
    once = snapshot(machine)
    assert not installed(places)
    assert snapshot(machine) == once
    assert undo(places) is not None
    assert snapshot(machine) == before
    assert undo(places) is None


def test_the_record_is_private(places: Places) -> None:
    """Only the owner can read record and backups."""
    installed(places)
    folder = places.authority.folder / "installed"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    undo(places)
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["link", "second name", "missing"])
def test_unusual_hosts_files(places: Places, machine: Path, kind: str) -> None:
    """A link stays a link, a second name is the same file, and a created file is removed."""
    real = machine / "etc/hosts"
    if kind == "link":
        real.rename(machine / "real")
        real.symlink_to("../real")
    elif kind == "second name":
        (machine / "real").hardlink_to(real)
    else:
        real.unlink()
    places = replace(places, hosts=real.resolve())
    before = snapshot(machine)
    installed(places)
    assert MARK in real.read_text("utf-8")
    if kind != "missing":
        assert (machine / "real").read_bytes() == real.read_bytes()
        assert real.is_symlink() == (kind == "link")
    undo(places)
    assert snapshot(machine) == before


def test_lines_of_others(places: Places) -> None:
    """Undo removes only our lines from a file that was edited since, and reports that."""
    installed(places)
    with places.hosts.open("ab") as file:
        file.write(b"192.0.2.7 printer\n")
    undone = undo(places)
    assert undone is not None
    assert undone.notes[0].en.endswith("has been changed since; only Hupan's part was removed")
    assert places.hosts.read_bytes() == HOSTS + b"\n192.0.2.7 printer\n"


def test_a_lost_record(places: Places) -> None:
    """Our lines are found by their mark."""
    installed(places)
    shutil.rmtree(places.authority.folder)
    assert undo(places) is not None
    assert places.hosts.read_bytes() == HOSTS + b"\n"


def test_a_line_that_leads_elsewhere(places: Places, machine: Path) -> None:
    """The line is refused before anything is created."""
    places.hosts.write_bytes(b"192.0.2.1 chat-go.jwzhd.com\n")
    before = snapshot(machine)
    with pytest.raises(ConnectRefused, match="line 1"):
        survey(places, HERE, PARTS)
    assert snapshot(machine) == before


@pytest.mark.parametrize("what", ["folder", "pipe"])
def test_what_is_no_file(places: Places, what: str) -> None:
    """A special file is refused without blocking."""
    places.hosts.unlink()
    places.hosts.mkdir() if what == "folder" else os.mkfifo(places.hosts)
    with pytest.raises((ConnectRefused, IsADirectoryError)):
        survey(places, HERE, PARTS)


def test_another_address(places: Places, machine: Path) -> None:
    """The lines of the first address are undone before those of the second are added."""
    before = snapshot(machine)
    installed(places)
    install(places, "127.0.0.9", PARTS)
    assert "127.0.0.1 chat" not in places.hosts.read_text("utf-8")
    undo(places)
    assert snapshot(machine) == before


@needs_certutil
def test_browsers(places: Places, machine: Path) -> None:
    """Databases trust the authority for servers; undo restores the bytes and adds no database."""
    places = with_browsers(places)
    before = snapshot(machine)
    assert installed(places)
    for folder in places.nss:
        listed = subprocess.run(  # noqa: S603 - Debian's
            [str(CERTUTIL), "-L", "-d", f"sql:{folder}"], capture_output=True, text=True, check=True
        )
        (line,) = [line for line in listed.stdout.splitlines() if line.startswith(AUTHORITY_NAME)]
        assert line.split()[-1] == "C,,"
    assert not installed(places)
    undo(places)
    assert snapshot(machine) == before


def test_where_browsers_keep_their_databases(tmp_path: Path) -> None:
    """Each profile of Firefox is found, of any package, and Chromium's if there is one."""
    profiles = [
        ".mozilla/firefox/a.default",
        ".config/mozilla/firefox/b.default-esr",
        "snap/firefox/common/.mozilla/firefox/c",
        ".var/app/org.mozilla.firefox/.mozilla/firefox/d",
        ".pki/nssdb",
    ]
    for profile in profiles:
        (tmp_path / profile).mkdir(parents=True)
        (tmp_path / profile / "cert9.db").touch()
    (tmp_path / ".mozilla/firefox/Crash Reports").mkdir()
    found = find_nss_folders(tmp_path, "")
    assert sorted(found) == sorted(tmp_path / profile for profile in profiles)


@needs_certutil
def test_one_part_alone(places: Places, machine: Path) -> None:
    """Parts can be installed and undone one by one."""
    places = with_browsers(places)
    before = snapshot(machine)
    assert installed(places, "hosts")
    only_hosts = snapshot(machine)
    assert installed(places, "browsers")
    undo(places, ["browsers"])
    assert snapshot(machine) == only_hosts
    assert undo(places, ["java"]) is None
    assert snapshot(machine) == only_hosts
    undo(places, ["hosts"])
    assert snapshot(machine) == before
    assert not (places.authority.folder / "installed").exists()


@needs_certutil
def test_a_database_with_a_password(places: Places, machine: Path) -> None:
    """It is left alone, and its tool's message is shown."""
    places = with_browsers(places)
    for name, text in (("old", "\n"), ("new", "secret-1\n")):
        (machine / name).write_text(text)
    files = ["-f", str(machine / "old"), "-@", str(machine / "new")]
    change = [str(CERTUTIL), "-W", "-d", f"sql:{places.nss[1]}", *files]
    subprocess.run(change, check=True, capture_output=True)  # noqa: S603 - Debian's
    done = install(places, HERE, PARTS)
    assert [step.state for step in done.steps if step.part == "browsers"] == ["present", "skipped"]
    undo(places)


@needs_certutil
def test_a_database_that_was_changed_since(places: Places, tmp_path: Path) -> None:
    """Undo removes only our certificate."""
    places = with_browsers(places)
    installed(places)
    folder = places.nss[1]
    other = tmp_path / "other.pem"
    other.write_bytes(Path(__file__).parents[1].joinpath("support/nobody.pem").read_bytes())
    add = ["-A", "-d", f"sql:{folder}", "-n", "other", "-t", ",,", "-i", str(other)]
    subprocess.run([str(CERTUTIL), *add], check=True)  # noqa: S603 - Debian's
    undone = undo(places)
    assert undone is not None
    assert len(undone.notes) == 1
    listed = subprocess.run(  # noqa: S603 - Debian's
        [str(CERTUTIL), "-L", "-d", f"sql:{folder}"], capture_output=True, text=True, check=True
    )
    assert "other" in listed.stdout
    assert AUTHORITY_NAME not in listed.stdout


@needs_certutil
def test_a_browser_that_runs(places: Places) -> None:
    """Its database is left alone, and undone once the browser is closed."""
    places = with_browsers(places)
    profile = places.nss[1]
    with (profile / "cert9.db").open("rb"):
        step = survey(places, HERE, ["browsers"])[1]
        assert step.state == "skipped"
        assert step.reason is not None
        assert "close that first" in step.reason.en
    before = (profile / "cert9.db").read_bytes()
    installed(places)
    with (profile / "cert9.db").open("rb"):
        undone = undo(places)
        assert undone is not None
        assert len(undone.failures) == 1
        assert places.hosts.read_bytes() == HOSTS
    assert undo(places) is not None
    assert (profile / "cert9.db").read_bytes() == before


@needs_debian
def test_system(places: Places, machine: Path) -> None:
    """Debian's tool adds the certificate to its bundle; undo restores all files and links."""
    places = with_system(places, machine)
    assert places.system is not None
    before = snapshot(machine)
    assert installed(places)
    pem = places.authority.certificate.read_bytes()
    assert pem in places.system.bundle.read_bytes()
    assert not installed(places)
    undo(places)
    assert snapshot(machine) == before


@needs_debian
def test_a_bundle_that_was_old(places: Places, machine: Path) -> None:
    """Undo restores the former bytes, although the tool would order them differently."""
    places = with_system(places, machine)
    assert places.system is not None
    blocks = places.system.bundle.read_bytes().split(b"-----END CERTIFICATE-----\n")[:-1]
    end = b"-----END CERTIFICATE-----\n"
    places.system.bundle.write_bytes(b"# by hand\n" + b"".join(b + end for b in blocks[::-1]))
    before = snapshot(machine)
    installed(places)
    undo(places)
    assert snapshot(machine) == before


@needs_debian
def test_certificates_that_came_since(places: Places, machine: Path) -> None:
    """An authority that was added later stays."""
    places = with_system(places, machine)
    assert places.system is not None
    installed(places)
    shutil.copyfile(Path(__file__).parents[1] / "support/nobody.pem", machine / "local/other.crt")
    undone = undo(places)
    assert undone is not None
    assert any("only Hupan's was removed" in note.en for note in undone.notes)
    assert (machine / "local/other.crt").read_bytes() in places.system.bundle.read_bytes()
    assert places.authority.certificate.read_bytes() not in places.system.bundle.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(KEYTOOL is None or not JAVA_STORE.exists(), reason="java is not installed")
def test_java(places: Places, machine: Path) -> None:
    """A Java trust store gets one certificate, and then has the same bytes as before."""
    store = machine / "home/jdk/lib/security/cacerts"
    store.parent.mkdir(parents=True)
    shutil.copyfile(JAVA_STORE, store)
    places = replace(places, java=(store,))
    before = snapshot(machine)
    assert installed(places, "java")
    assert store.read_bytes() != JAVA_STORE.read_bytes()
    assert places.hosts.read_bytes() == HOSTS
    assert not installed(places, "java")
    undo(places)
    assert snapshot(machine) == before


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Simulate the end of the process at the n-th write to disk."""
    fsync, counted = os.fsync, [0]

    def count(descriptor: int) -> None:
        counted[0] -= 1
        if counted[0] == 0:
            raise Killed
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", count)
    return lambda number: counted.__setitem__(0, number)


@pytest.mark.slow
@needs_certutil
@needs_debian
def test_killed_at_any_point(
    places: Places, machine: Path, killed_at: Callable[[int], None]
) -> None:
    """After a kill at any point undo restores everything, even when undo itself is killed."""
    places = with_browsers(with_system(places, machine))
    before, number, is_killed = snapshot(machine), 0, True
    while is_killed:
        number += 3  # every third: all kinds of points are among them
        killed_at(number)
        try:
            is_killed = not installed(places)
        except Killed:
            killed_at(number % 7 + 1)  # kill the undo, too
            try:
                undo(places)
            except Killed:
                killed_at(0)
                undo(places)
            assert snapshot(machine) == before, number
    assert number > 20
    killed_at(0)
    undo(places)
    assert snapshot(machine) == before


def test_a_failure_takes_everything_back(
    places: Places, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure, such as a full disk, leaves everything unchanged."""
    if CERTUTIL is None:
        pytest.skip("certutil is not installed")
    places = with_browsers(places)
    before = snapshot(machine)
    write, counted = files.write_file, [0]

    def fail(path: Path, content: files.FileContent) -> None:
        counted[0] += 1
        if counted[0] == 3:
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr("hupan.connect.installation.write_file", fail)
    with pytest.raises(ConnectRefused, match=r"undone: .*No space"):
        installed(places)
    assert snapshot(machine) == before
    assert not (places.authority.folder / "installed").exists()


def test_without_the_right_to_write(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal says what to run; nothing is created."""
    monkeypatch.setattr(plan, "can_write", lambda path: path != places.hosts)
    with pytest.raises(ConnectRefused, match=r"Run: sudo hupan connect --install$"):
        check_rights(places, survey(places, HERE, PARTS), ["hupan", "connect", "--install"])
    assert not places.authority.folder.exists()


def run(machine: Path, *options: str, answer: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the command on the hosts file of a test."""
    return run_hupan(
        *("connect", "--hosts-file", machine / "etc/hosts", "--only", "hosts"),
        *("--authority", str(machine / "home/hupan/connect"), *options),
        environment={"HUPAN_LANG": "en", "HOME": str(machine / "home")},
        entered=answer,
    )


@pytest.mark.slow
def test_the_command(machine: Path) -> None:
    """It shows, asks, installs and undoes; with JSON output it does not ask."""
    before = snapshot(machine)
    shown = run(machine)
    assert shown.returncode == 0
    assert "nothing was changed; hupan connect --install makes these changes" in shown.stdout
    assert run(machine, "--install", answer="n\n").returncode == 1
    assert snapshot(machine) == before
    assert run(machine, "--install", answer="y\n").returncode == 0
    again = json.loads(run(machine, "--install", "--yes", "--json").stdout)
    assert again["state"] == "unchanged"
    assert again["steps"] == [
        {"part": "hosts", "path": str(machine / "etc/hosts"), "state": "present", "reason": ""}
    ]
    undone = json.loads(run(machine, "--undo", "--json").stdout)
    assert undone["state"] == "undone"
    assert undone["restored"] == [str(machine / "etc/hosts")]
    assert snapshot(machine) == before


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--install", "--undo"], "--undo"),
        (["--install", "--json"], "--yes"),
        (["--address", "192.0.2.1"], "'192.0.2.1'"),
        (["--only", "windows"], "'windows'"),
    ],
)
def test_wrong_options(machine: Path, options: list[str], text: str) -> None:
    """They are refused before anything is read."""
    hosts = ["--hosts-file", str(machine / "missing")]
    done = CliRunner().invoke(app, [*options, *hosts])
    assert done.exit_code == 2
    assert text in done.output
