"""A store knows its kind and its key, and refuses others (security X9)."""

from pathlib import Path

import pytest

from tests.support.client import WireClient
from tests.support.commands import run_hupan
from tests.support.load_clients import ENVIRONMENT
from tests.support.servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.one_engine]


def hupan(folder: Path, *words: str) -> tuple[int, str]:
    """Run a command on a folder; return its status and output."""
    done = run_hupan(*words, "--data-dir", folder)
    return done.returncode, done.stdout + done.stderr


def is_refused(command: str, folder: Path) -> str:
    """Return the message of a server that does not start."""
    with (
        pytest.raises(RuntimeError) as refusal,
        Server(command, "--data-dir", str(folder), environment=ENVIRONMENT),
    ):
        pass
    return str(refusal.value)


def serve(folder: Path) -> None:
    """Start a server on a folder and stop it."""
    with Server("serve", "--data-dir", str(folder)):
        pass


def test_a_sandbox_never_empties_a_servers_store(tmp_path: Path) -> None:
    """A sandbox refuses it, and changes nothing (X9)."""
    serve(tmp_path)
    before = (tmp_path / "hupan.db").read_bytes()
    assert "沙盒会清空它" in is_refused("sandbox", tmp_path)
    assert (tmp_path / "hupan.db").read_bytes() == before
    serve(tmp_path)


def test_a_store_that_was_only_prepared_is_a_servers_too(tmp_path: Path) -> None:
    """Accounts created by commands before the first start are not a sandbox's (X9)."""
    assert hupan(tmp_path, "database", "migrate")[0] == 0
    assert hupan(tmp_path, "account", "create")[0] == 0
    assert "沙盒会清空它" in is_refused("sandbox", tmp_path)


def test_what_a_sandbox_seeded_is_never_served(tmp_path: Path) -> None:
    """A copy of it is refused, too; a sandbox still accepts it (X9)."""
    data = ("--data-dir", str(tmp_path / "sandbox"))
    for _ in range(2):
        with (
            Server("sandbox", *data, environment=ENVIRONMENT) as server,
            WireClient(server) as wire,
        ):
            assert wire.request("POST", "/sandbox/reset", {}).is_success
            assert wire.account(phone=wire.fresh_phone()).token
    assert "这是沙盒的数据库" in is_refused("serve", tmp_path / "sandbox")
    copy = tmp_path / "copy" / "hupan.db"
    done = run_hupan("database", "copy", tmp_path / "sandbox" / "hupan.db", copy)
    assert done.returncode == 0, done.stderr
    assert "这是沙盒的数据库" in is_refused("serve", copy.parent)


def test_a_lost_key_is_refused(tmp_path: Path) -> None:
    """A store restored without its key needs `accept-key` (X9)."""
    serve(tmp_path)
    key = tmp_path / "secret.key"
    own = key.read_bytes()
    key.unlink()
    assert "accept-key" in is_refused("serve", tmp_path)
    assert not key.exists()
    key.write_bytes(bytes(32))
    key.chmod(0o600)
    assert "accept-key" in is_refused("serve", tmp_path)
    assert "accept-key" in hupan(tmp_path, "account", "list")[1]
    key.write_bytes(own)
    serve(tmp_path)
    key.unlink()
    assert hupan(tmp_path, "database", "accept-key")[0] == 0
    serve(tmp_path)
    assert key.read_bytes() != own


def test_a_lost_store_is_refused(tmp_path: Path) -> None:
    """With a key but no store, the server needs `database create` (X9)."""
    serve(tmp_path)
    (tmp_path / "hupan.db").rename(tmp_path / "aside.db")
    assert "hupan database create" in is_refused("serve", tmp_path)
    status, told = hupan(tmp_path, "database", "migrate")
    assert (status, "hupan database create" in told) == (1, True)
    assert not (tmp_path / "hupan.db").exists()
    assert hupan(tmp_path, "database", "create")[0] == 0
    assert hupan(tmp_path, "database", "create")[0] == 1
    serve(tmp_path)


def test_the_key_of_a_sandbox_is_no_servers(tmp_path: Path) -> None:
    """It is public, so a server always refuses it (X9, C1)."""
    with Server("sandbox", "--data-dir", str(tmp_path), environment=ENVIRONMENT):
        pass
    for file in tmp_path.glob("hupan.db*"):
        file.unlink()
    assert hupan(tmp_path, "database", "create")[0] == 0
    assert "人人都知道" in is_refused("serve", tmp_path)
    status, said = hupan(tmp_path, "database", "accept-key")
    assert (status, "人人都知道" in said) == (1, True)
    (tmp_path / "secret.key").unlink()
    serve(tmp_path)


def test_a_hard_link_reaches_no_second_server(tmp_path: Path) -> None:
    """Commands refuse it too, because they would write another log (X9, R14)."""
    one, other = tmp_path / "one", tmp_path / "other"
    with Server("serve", "--data-dir", str(one)):
        other.mkdir(mode=0o700)
        (other / "hupan.db").hardlink_to(one / "hupan.db")
        (other / "secret.key").write_bytes((one / "secret.key").read_bytes())
        (other / "secret.key").chmod(0o600)
        assert "另一个湖畔进程" in is_refused("serve", other)
        status, told = hupan(other, "account", "list")
        assert (status, "其他名称" in told) == (1, True)


def test_a_store_that_was_moved_away_answers_no_success(tmp_path: Path) -> None:
    """A running server reports that it is not ready, logs it, and fails all requests (X9)."""
    folder = tmp_path / "data"
    with Server("serve", "--data-dir", str(folder)) as server, WireClient(server) as wire:
        assert wire.request("GET", "/readyz").status_code == 200
        (folder / "hupan.db").rename(folder / "aside.db")
        assert wire.request("GET", "/readyz").status_code == 503
        assert wire.request("GET", "/healthz").status_code == 200
        (folder / "aside.db").rename(folder / "hupan.db")
        assert wire.request("GET", "/readyz").status_code == 200
