"""`hupan database copy` of a PostgreSQL store in use: its server records decide."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.store import running_servers
from tests.support.client import WireClient
from tests.support.load_clients import ENVIRONMENT
from tests.support.servers import Server
from tests.support.stores import Databases

pytestmark = [pytest.mark.one_engine, pytest.mark.slow]
IN_USE = "1 个湖畔服务进程在使用"


def copy(source: str, target: str) -> tuple[int, str]:
    """Run the command; return its exit status and standard error."""
    done = CliRunner().invoke(app, ["database", "copy", source, target])
    return done.exit_code, done.stderr


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    """Yield an empty store."""
    name = databases.make()
    yield databases.cluster.url(name)
    databases.drop(name)


def test_a_store_in_use_is_not_copied(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be neither source nor target; a killed server blocks only for a while."""
    folder = tmp_path / "data"
    places = ("--data-dir", str(folder), "--database", url)
    with Server("sandbox", *places, environment=ENVIRONMENT) as server:
        with WireClient(server) as wire:
            account = wire.account()
        status, wrong = copy(url, str(tmp_path / "of-a-running-one.db"))
        assert (status, IN_USE in wrong) == (1, True), wrong
        with Server("sandbox", "--data-dir", str(tmp_path / "file"), environment=ENVIRONMENT):
            pass
        status, wrong = copy(str(tmp_path / "file" / "hupan.db"), url)
        assert (status, IN_USE in wrong) == (1, True), wrong
        server.kill()
        monkeypatch.setattr(running_servers, "WATCH_SECONDS", 2)
        assert copy(url, str(tmp_path / "of-a-killed-one.db")) == (0, "")
        server.start()
        assert server.stop() == 0
        monkeypatch.setattr(running_servers, "WATCH_SECONDS", 10**9)  # nothing needs to be watched
        assert copy(url, str(tmp_path / "of-a-stopped-one.db")) == (0, "")
    for name in ("of-a-killed-one.db", "of-a-stopped-one.db"):
        with sqlite3.connect(tmp_path / name) as copied:
            assert copied.execute("SELECT id FROM accounts").fetchall() == [(int(account.id),)]
            names = {name for (name,) in copied.execute("SELECT name FROM counters")}
            assert not [name for name in names if name.startswith(running_servers.PREFIX)]


def test_no_server_starts_on_half_a_copy(url: str, tmp_path: Path, databases: Databases) -> None:
    """A server that starts just before the copy registers itself, then checks again."""
    name = url.rpartition("/")[2]
    databases.cluster.sql("INSERT INTO counters VALUES ('being-copied', 1)", name)
    with (
        pytest.raises(RuntimeError, match="database copy"),
        Server("serve", "--data-dir", str(tmp_path), "--database", url),
    ):
        pass
    found = databases.cluster.sql("SELECT name FROM counters WHERE name LIKE 'server:%'", name)
    assert found == ""
