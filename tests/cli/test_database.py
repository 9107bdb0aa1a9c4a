"""`hupan database`: status, migration, check and copy, on both engines."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hupan.admin.database import OnCopyProgress
from hupan.cli import database as database_commands
from hupan.cli.main import app
from hupan.store import copying
from hupan.store.tables import list_tables, read_schema_files
from tests.support.client import WireClient
from tests.support.load_clients import ENVIRONMENT
from tests.support.servers import Server
from tests.support.stores import STORES, EngineName

pytestmark = pytest.mark.slow

NEWEST = len(read_schema_files())


def run(*arguments: str) -> tuple[int, str, str]:
    """Run `hupan database`; return its exit status and its output."""
    done = CliRunner().invoke(app, ["database", *arguments])
    return done.exit_code, done.stdout, done.stderr


def places(engine: EngineName, tmp_path: Path) -> tuple[str, str]:
    """Return a store of this engine, and one of the other, to copy into."""
    file = str(tmp_path / "copies" / "hupan.db")
    if engine == "sqlite":
        return str(tmp_path / "data" / "hupan.db"), file
    return STORES.url(tmp_path), file


def used_store(tmp_path: Path) -> None:
    """Create a store with activity."""
    data = ["--data-dir", str(tmp_path / "data")]
    with Server("sandbox", *data, environment=ENVIRONMENT) as server, WireClient(server) as wire:
        for pack in ("minimal", "vip", "coins", "unicode", "discovery"):
            reply = wire.request("POST", "/sandbox/seed", {"pack": pack, "number": 30})
            assert reply.is_success, reply.text
        for _ in range(3):
            wire.account(phone=wire.fresh_phone(), email=wire.fresh_email(), coins=12)


def test_a_store_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status says so, check refuses, and no store is created."""
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)
    at = ["--data-dir", str(tmp_path / "data")]
    status, told, _ = run("status", "--json", *at)
    assert (status, json.loads(told)["state"]) == (1, "unreachable")
    assert run("check", *at)[0] == 1
    assert not (tmp_path / "data").exists()


def test_status_migrate_check(engine: EngineName, tmp_path: Path) -> None:
    """`migrate` creates a new store, once, and the store is sound."""
    at = ["--data-dir", str(tmp_path / "data")]
    missing = 0 if engine == "postgres" else NEWEST
    status, told, _ = run("migrate", *at)
    assert (status, f"已应用 {missing} 个迁移" in told) == (0, True)
    assert "已应用 0 个迁移" in run("migrate", *at)[1]
    status, told, _ = run("status", "--json", *at)
    assert json.loads(told)["state"] == "current"
    assert json.loads(told)["applied"] == json.loads(told)["known"] >= NEWEST
    assert "已是最新" in run("status", *at)[1]
    assert run("check", *at) == (0, "完好\n", "")


def test_a_copy_is_whole_and_serves(engine: EngineName, tmp_path: Path) -> None:
    """The copy has all tokens, coins and groups; a copy into a store in use is refused."""
    used_store(tmp_path)
    source, target = places(engine, tmp_path)
    status, told, wrong = run("copy", source, target)
    assert (status, "行数与校验和一致" in told) == (0, True), wrong
    assert run("check", "--database", target) == (0, "完好\n", "")
    status, _, wrong = run("copy", source, target)
    assert (status, "不是空的" in wrong) == (1, True)


class BrokenOffError(Exception):
    """Stand for an interruption of the copy."""


class Breaking:
    """Interrupt a copy at every n-th step."""

    def __init__(self, every: int) -> None:
        self.steps = 0
        self._every = every

    @contextmanager
    def bar(self, _label: str) -> Iterator[OnCopyProgress]:
        """Replace the command's progress bar."""

        def on_copied(_table: str, _done: int, _whole: int) -> None:
            self.steps += 1
            if self.steps % self._every == 0:
                raise BrokenOffError

        yield on_copied


def test_a_copy_goes_on_where_it_broke_off(
    engine: EngineName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers refuse the interrupted copy until a later run has finished it."""
    used_store(tmp_path)
    source, target = places(engine, tmp_path)
    monkeypatch.setattr(copying, "ROWS_PER_BATCH", 20)
    monkeypatch.setattr(database_commands, "_progress", Breaking(every=len(list_tables()) + 5).bar)
    broken = 0
    while broken < 50:
        done = CliRunner().invoke(app, ["database", "copy", source, target])
        if done.exit_code == 0:
            break
        assert isinstance(done.exception, BrokenOffError), done.output
        broken += 1
        with pytest.raises(RuntimeError, match="尚未完成"):
            start_on(target, tmp_path, monkeypatch)
    assert broken > 1
    assert run("check", "--database", target)[0] == 0
    start_on(target, tmp_path, monkeypatch)


def start_on(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a sandbox on a sandbox's store, with its key, and stop it."""
    other = tmp_path / "other"
    other.mkdir(mode=0o700, exist_ok=True)
    shutil.copy2(tmp_path / "data" / "secret.key", other)
    with monkeypatch.context() as patched:
        patched.setenv("HUPAN_DATABASE", target)
        with Server("sandbox", "--data-dir", str(other), "--database", target):
            pass
