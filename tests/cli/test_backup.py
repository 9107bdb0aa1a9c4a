"""`hupan backup` and `hupan restore`, from and to either engine (security L6, R20)."""

import asyncio
import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hupan.store.backup_places import move_without_overwriting
from hupan.store.sqlite import connect
from tests.support.backups import PASSPHRASE, BackupKey, contents, invoke, succeed
from tests.support.client import WireClient
from tests.support.invariants import broken, rows_of, snapshot
from tests.support.journal import Facts
from tests.support.load_clients import ENVIRONMENT
from tests.support.pictures import picture, upload
from tests.support.servers import Server
from tests.support.stores import STORES, EngineName, open_engine

pytestmark = pytest.mark.slow
FORGET_LAST = "DELETE FROM migrations WHERE number = (SELECT max(number) FROM migrations)"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BackupKey:
    """Return a key that the settings name."""
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)
    key = BackupKey(tmp_path)
    monkeypatch.setenv("HUPAN_BACKUP_PUBLIC_KEY", key.public)
    return key


@contextmanager
def client_of(data: Path) -> Iterator[WireClient]:
    """Yield a client of a server on a folder."""
    with (
        Server("sandbox", "--data-dir", str(data), environment=ENVIRONMENT) as server,
        WireClient(server) as wire,
    ):
        yield wire


def at(data: Path) -> list[str]:
    """Return the options for a store of the tested engine."""
    return ["--data-dir", str(data), *STORES.options(data)]


def settle(data: Path) -> None:
    """Create a store with one account."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in STORES.environment(data).items():
            patch.setenv(name, value)
        succeed("database", "migrate", "--data-dir", str(data))
        succeed("account", "create", "--phone", "13900000001", "--data-dir", str(data))


def lasting(facts: Facts) -> Facts:
    """Return what a restore keeps."""
    return {key: value for key, value in facts.items() if key[0] not in ("session", "code")}


def fill(wire: WireClient) -> str:
    """Fill a store with activity; return a token of one user."""
    for pack in ("minimal", "vip", "coins", "unicode", "discovery"):
        assert wire.request("POST", "/sandbox/seed", {"pack": pack, "number": 30}).is_success
    token = wire.account(phone=wire.fresh_phone(), coins=12).token
    upload(wire, token, "lake.png", picture())
    return token


def test_a_backup_of_a_running_server(engine: EngineName, tmp_path: Path, key: BackupKey) -> None:
    """Accounts, coins, remarks and pictures are restored; sessions and codes have ended."""
    data, copy, file = tmp_path / "data", tmp_path / "copy", tmp_path / "lake.age"
    with (
        Server("sandbox", "--data-dir", str(data), environment=ENVIRONMENT) as server,
        WireClient(server) as wire,
    ):
        token = fill(wire)
        told = json.loads(succeed("backup", "create", str(file), "--json", *at(data)))
        before = snapshot(rows_of(data / "hupan.db"))
    assert (told["engine"], told["pictures"]) == (engine, 1)
    assert told["accounts"] == sum(kind == "name" for kind, _ in before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (data / "secret.key").read_bytes() not in file.read_bytes()
    succeed("restore", str(file), "--key-file", str(key.file), *at(copy))
    assert lasting(snapshot(rows_of(copy / "hupan.db"))) == lasting(before)
    assert snapshot(rows_of(copy / "hupan.db")) == lasting(before)
    assert broken(rows_of(copy / "hupan.db")) == []
    assert (copy / "secret.key").read_bytes() == (data / "secret.key").read_bytes()
    pictures = [name for name in contents(data / "media") if name.endswith(".png")]
    assert pictures == [name for name in contents(copy / "media") if name.endswith(".png")] != []
    with (
        Server("sandbox", "--data-dir", str(copy), environment=ENVIRONMENT) as server,
        WireClient(server) as wire,
    ):
        assert wire.own_info(token).code != 1
        newest = max(int(who) for kind, who in before if kind == "name")
        assert int(wire.account(email="new@example.com").id) > newest + 1


def test_from_one_engine_to_the_other(tmp_path: Path, key: BackupKey) -> None:
    """A backup from a server is restored into a file, and a backup of that file onto a server."""
    data, file, copy, back = (tmp_path / name for name in ("data", "a.age", "copy", "back"))
    with (
        Server("sandbox", "--data-dir", str(data), environment=ENVIRONMENT) as server,
        WireClient(server) as wire,
    ):
        token = fill(wire)
        before = snapshot(rows_of(data / "hupan.db"))
        succeed("backup", "create", str(file), *at(data))
    options = ["--key-file", str(key.file), "--keep-sessions"]
    succeed("restore", str(file), "--data-dir", str(copy), *options)
    assert succeed("database", "check", "--data-dir", str(copy)) == "完好\n"
    again = tmp_path / "b.age"
    succeed("backup", "create", str(again), "--data-dir", str(copy))
    succeed("restore", str(again), *options, *at(back))
    found = snapshot(rows_of(back / "hupan.db"))
    assert found == {one: value for one, value in before.items() if one[0] != "code"}
    with (
        Server("sandbox", "--data-dir", str(back), environment=ENVIRONMENT) as server,
        WireClient(server) as wire,
    ):
        assert wire.own_info(token).code == 1


def test_nothing_is_overwritten(tmp_path: Path, key: BackupKey) -> None:
    """A store, a log without one, another key and a database in use are left unchanged."""
    data, file = tmp_path / "data", tmp_path / "a.age"
    settle(data)
    succeed("backup", "create", str(file), *at(data))
    assert "已存在" in invoke("backup", "create", str(file), *at(data)).stderr
    refused = invoke("restore", str(file), "--key-file", str(key.file), *at(data))
    assert (refused.exit_code, "不会覆盖" in refused.stderr) == (1, True)
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    (other / "secret.key").write_bytes(bytes(32))
    (other / "secret.key").chmod(0o600)
    refused = invoke("restore", str(file), "--key-file", str(key.file), *at(other))
    assert (refused.exit_code, "另一个密钥" in refused.stderr) == (1, True)
    assert contents(other) == ["secret.key"]


@pytest.mark.one_engine
def test_a_log_without_a_store_is_refused(tmp_path: Path, key: BackupKey) -> None:
    """SQLite would replay it into the restored file."""
    data, file = tmp_path / "data", tmp_path / "a.age"
    succeed("database", "migrate", "--data-dir", str(data))
    (data / "secret.key").write_bytes(bytes(range(32)))
    (data / "secret.key").chmod(0o600)
    succeed("backup", "create", str(file), "--data-dir", str(data))
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    (copy / "hupan.db-wal").write_bytes(b"x")
    assert invoke("restore", str(file), "--key-file", str(key.file), *at(copy)).exit_code == 1
    assert contents(copy) == ["hupan.db-wal"]


@pytest.mark.one_engine
def test_a_passphrase_and_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup can be opened without Hupan, by passphrase and by key."""
    monkeypatch.setenv("HUPAN_BACKUP_PASSPHRASE", PASSPHRASE)
    data, file = tmp_path / "data", tmp_path / "a.age"
    settle(data)
    succeed("backup", "create", str(file), "--data-dir", str(data))
    key = BackupKey(tmp_path)
    monkeypatch.setenv("HUPAN_BACKUP_PUBLIC_KEY", key.public)
    keyed = tmp_path / "b.age"
    succeed("backup", "create", str(keyed), "--data-dir", str(data))
    script = [sys.executable, str(ROOT / "examples" / "open_backup.py")]
    for command in ([*script, str(file)], [*script, str(keyed), str(key.file)]):
        opened = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - our own script
        folder = tmp_path / str(len(opened)) / command[2].rpartition("/")[2]
        folder.mkdir(parents=True)
        subprocess.run(["tar", "xz"], input=opened, check=True, cwd=folder)  # noqa: S607 - of the system
        rows = (folder / "tables" / "accounts" / "000000.jsonl").read_text("utf-8")
        assert json.loads(rows)[5] == "13900000001"
        assert (folder / "secret.key").read_bytes() == (data / "secret.key").read_bytes()


@pytest.mark.one_engine
@pytest.mark.usefixtures("key")
def test_what_killed_commands_left_is_removed(tmp_path: Path) -> None:
    """Leftovers are removed after a day: they are copies of the database."""
    data, file = tmp_path / "data", tmp_path / "a.age"
    succeed("database", "migrate", "--data-dir", str(data))
    (data / "secret.key").write_bytes(bytes(range(32)))
    (data / "secret.key").chmod(0o600)
    names = (".backup-1.db", ".backup-1.db-wal", ".upgrade-1.db", ".hupan-1.part")
    for name in names:
        (data / name).write_bytes(b"x")
        os.utime(data / name, (1, 1))
        (data / name.replace("1", "2")).write_bytes(b"x")
    succeed("backup", "create", str(file), "--data-dir", str(data))
    left = [name for name in contents(data) if name.startswith((".backup", ".upgrade", ".hupan"))]
    assert left == sorted(name.replace("1", "2") for name in names)


@pytest.mark.one_engine
def test_backups_are_always_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup needs a key or a passphrase, and a passphrase is never an option (security L6)."""
    data = tmp_path / "data"
    succeed("database", "migrate", "--data-dir", str(data))
    refused = invoke("backup", "create", "--data-dir", str(data))
    assert (refused.exit_code, "必须加密" in refused.stderr) == (1, True)
    assert not (data / "backups").exists()
    assert invoke("backup", "create", "--passphrase", "x").exit_code == 2
    monkeypatch.setenv("HUPAN_BACKUP_PASSPHRASE", "too short")
    assert "too short" not in invoke("backup", "create", "--data-dir", str(data)).output


@pytest.mark.one_engine
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_root_belong_to_the_owner(tmp_path: Path, key: BackupKey) -> None:
    """Files that `sudo hupan` creates belong to the owner of the folder."""
    data, copy, owner = tmp_path / "data", tmp_path / "copy", 65534
    with (
        Server("sandbox", "--data-dir", str(data), environment=ENVIRONMENT) as server,
        WireClient(server) as wire,
    ):
        fill(wire)
    for folder in (data, copy):
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, owner, owner)
    succeed("backup", "create", "--data-dir", str(data))
    (file,) = (data / "backups").iterdir()
    assert {file.stat().st_uid, file.parent.stat().st_uid} == {owner}
    succeed("restore", str(file), "--key-file", str(key.file), "--data-dir", str(copy))
    assert {path.stat().st_uid for path in copy.rglob("*")} == {owner}


def test_a_store_of_another_version_is_left_alone(
    engine: EngineName, tmp_path: Path, key: BackupKey
) -> None:
    """A target is not migrated just to find out that it is not empty."""
    data, other, file = tmp_path / "data", tmp_path / "other", tmp_path / "a.age"
    settle(data)
    settle(other)
    succeed("backup", "create", str(file), *at(data))
    if engine == "postgres":
        forget_last_migration(other)
    before = json.loads(succeed("database", "status", "--json", *at(other)))
    refused = invoke("restore", str(file), "--key-file", str(key.file), *at(other))
    assert refused.exit_code == 1
    assert json.loads(succeed("database", "status", "--json", *at(other))) == before


def forget_last_migration(folder: Path) -> None:
    """Make a store look like one of an older version."""

    async def change() -> None:
        async with open_engine(folder / "hupan.db") as store:
            await store.run_transaction(lambda tx: tx.execute(FORGET_LAST))

    asyncio.run(change())


@pytest.mark.one_engine
def test_unsound_rows_are_named(tmp_path: Path, key: BackupKey) -> None:
    """A backup includes faulty rows, and restoring it needs an explicit option."""
    data, file, copy = tmp_path / "data", tmp_path / "a.age", tmp_path / "copy"
    settle(data)
    connection = connect(data / "hupan.db")
    connection.execute("DELETE FROM identities WHERE kind = 'phone'").fetchall()
    connection.close()
    made = invoke("backup", "create", str(file), *at(data))
    assert (made.exit_code, "accounts: shows a phone number" in made.stderr) == (0, True)
    options = ["--key-file", str(key.file), *at(copy)]
    refused = invoke("restore", str(file), *options)
    assert (refused.exit_code, "--accept-faults" in refused.stderr) == (1, True)
    assert contents(copy) == ["hupan.db.lock", "operators.log"]
    assert invoke("restore", str(file), "--accept-faults", *options).exit_code == 0
    assert (copy / "hupan.db").exists()


@pytest.mark.one_engine
@pytest.mark.parametrize("moment", ["take_rows", "take_picture", "finish", "publish"])
def test_a_killed_restore_is_done_again(
    tmp_path: Path, key: BackupKey, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """No server starts on the leftovers, and the next restore replaces them."""
    data, file, copy = tmp_path / "data", tmp_path / "a.age", tmp_path / "copy"
    settle(data)
    name = "abcdefghijklmnopqrstuvwxyz.png"
    (data / "media" / "ab").mkdir(parents=True)
    (data / "media" / "ab" / name).write_bytes(b"picture")
    connection = connect(data / "hupan.db")
    connection.execute(
        "INSERT INTO pictures VALUES (1000001, 'k', ?1, 7, 1, 1)", (name,)
    ).fetchall()
    connection.close()
    succeed("backup", "create", str(file), *at(data))
    options = ["restore", str(file), "--key-file", str(key.file), *at(copy)]
    with monkeypatch.context() as killed:
        killed.setattr(f"hupan.admin.restores._Restore.{moment}", _die)
        killed.setattr("hupan.admin.restores._Restore.undo", _leave)
        assert isinstance(invoke(*options).exception, KilledError)
    assert not (copy / "hupan.db").exists()
    succeed(*options)
    assert (copy / "media" / "ab" / name).read_bytes() == b"picture"
    assert [entry for entry in contents(copy) if "restoring" in entry or "draft" in entry] == [
        "media/drafts"
    ]


@pytest.mark.one_engine
@pytest.mark.parametrize("moment", [1, 2])
def test_a_disk_that_fails_at_the_end(
    tmp_path: Path, key: BackupKey, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """A failure leaves neither a key without its store nor a store without its key (L6).

    Writing the folder to disk fails: first after the key has its name, then after the store has.
    """
    data, file, copy = tmp_path / "data", tmp_path / "a.age", tmp_path / "copy"
    settle(data)
    succeed("backup", "create", str(file), *at(data))
    options = ["restore", str(file), "--key-file", str(key.file), *at(copy)]
    moves: list[Path] = []

    def move(source: Path, target: Path) -> None:
        move_without_overwriting(source, target)
        moves.append(target)
        if len(moves) == moment:
            raise OSError(errno.EIO, "the disk failed")

    with monkeypatch.context() as failing:
        failing.setattr("hupan.admin.restores.move_without_overwriting", move)
        assert invoke(*options).exit_code == 1
    assert moves == [copy / "secret.key", copy / "hupan.db"][:moment]
    assert contents(copy) == ["hupan.db.lock", "operators.log"]
    succeed(*options)


@pytest.mark.one_engine
def test_a_key_that_appears_at_the_end(
    tmp_path: Path, key: BackupKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused restore does not touch a key that another process created meanwhile (L6)."""
    data, file, copy = tmp_path / "data", tmp_path / "a.age", tmp_path / "copy"
    settle(data)
    succeed("backup", "create", str(file), *at(data))

    def move(source: Path, target: Path) -> None:
        target.write_bytes(b"another's")
        move_without_overwriting(source, target)

    monkeypatch.setattr("hupan.admin.restores.move_without_overwriting", move)
    assert invoke("restore", str(file), "--key-file", str(key.file), *at(copy)).exit_code == 1
    assert contents(copy) == ["hupan.db.lock", "operators.log", "secret.key"]
    assert (copy / "secret.key").read_bytes() == b"another's"


class KilledError(Exception):
    """Stand for the end of the process."""


def _die(*_: object) -> None:
    raise KilledError


async def _leave(*_: object) -> None:
    """Undo nothing: a killed process does not."""
