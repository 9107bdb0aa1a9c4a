"""A server behind PgBouncer in transaction mode works, and its store can be copied."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hupan.cli.main import app
from hupan.store import running_servers
from tests.support.fault_clients import Asker
from tests.support.invariants import (
    broken_codes,
    broken_coins,
    broken_identities,
    differences,
    wrong_answers,
)
from tests.support.load_clients import ENVIRONMENT, Crowd
from tests.support.pgbouncer import PROGRAM, SERVER_CONNECTIONS, PgBouncer
from tests.support.replicas import rows_on
from tests.support.servers import Server
from tests.support.stores import Databases

pytestmark = [
    pytest.mark.one_engine,
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed"),
]
CLIENTS = 32
WRITES = 300
LOOKED_AT = 60
IDLE = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle' AND datname = '{name}'"


@dataclass(frozen=True)
class Pooled:
    """A pooler, and an empty store behind it."""

    bouncer: PgBouncer
    databases: Databases
    name: str

    @property
    def url(self) -> str:
        """Return the URL of the store, through the pooler."""
        return self.bouncer.url(self.name)

    def server(self, folder: Path) -> Server:
        """Return a sandbox on the store, configured as docs/postgresql.md says."""
        environment = {**ENVIRONMENT, "HUPAN_DATABASE_STATEMENTS": "0"}
        places = ("--data-dir", str(folder), "--database", self.url)
        return Server("sandbox", *places, environment=environment)


@pytest.fixture
def pooled(databases: Databases) -> Iterator[Pooled]:
    """Yield a pooler for one test."""
    name = databases.make()
    with PgBouncer(databases.cluster) as bouncer:
        yield Pooled(bouncer, databases, name)
    databases.drop(name)


def copy(source: str, target: str) -> tuple[int, str]:
    """Run `hupan database copy` through a pooler; return its exit status and output."""
    done = CliRunner().invoke(
        app, ["database", "copy", source, target], env={"HUPAN_DATABASE_STATEMENTS": "0"}
    )
    return done.exit_code, done.stdout + done.stderr


def test_a_crowd_behind_a_pooler(pooled: Pooled, tmp_path: Path) -> None:
    """32 clients sign in, bind, rename, note and sign out; acknowledged writes are stored (J1)."""
    crowd = Crowd()
    with pooled.server(tmp_path) as server:
        with crowd.at_work(server.port, CLIENTS), Asker(server.port) as asker:
            while crowd.journal.acknowledged < WRITES:
                assert asker.status("/readyz") == 200
                time.sleep(0.1)
        assert crowd.wrong == []
        # On a very slow machine a request may be refused as busy (1002).
        assert {code for _, code in crowd.answers_by_code} <= {1, 1002, 1202}, crowd.answers_by_code
        rows = rows_on(pooled.databases.cluster.url(pooled.name))
        assert differences(crowd.journal, rows) == []
        assert [*broken_coins(rows), *broken_identities(rows), *broken_codes(rows)] == []
        with Asker(server.port) as asker:
            live, ended = crowd.live(LOOKED_AT), crowd.ended(LOOKED_AT)
            assert wrong_answers(asker, live=live, ended=ended) == []
        shown = pooled.bouncer.command("SHOW POOLS")
        assert f"{pooled.name}|hupan" in shown
        (used,) = rows(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{pooled.name}'")  # noqa: S608 - a name of our own
        assert used[0] <= SERVER_CONNECTIONS + 1  # this one bypasses the pooler


def test_a_copy_behind_a_pooler(
    pooled: Pooled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Idle connections do not block it; a running server does, even without a connection."""
    file, sql = str(tmp_path / "copy.db"), IDLE.format(name=pooled.name)
    with pooled.server(tmp_path / "data") as server:
        with Asker(server.port) as asker:
            asker.call_sandbox("accounts", {"nickname": "copied"})
        pooled.bouncer.command("RECONNECT")
        status, told = copy(pooled.url, file)
        assert (status, "湖畔服务进程在使用" in told) == (1, True), told
    assert int(pooled.databases.cluster.sql(sql)) > 0
    monkeypatch.setattr(running_servers, "WATCH_SECONDS", 10**9)  # a stopped server is not watched
    status, told = copy(pooled.url, file)
    assert (status, "行数与校验和一致" in told) == (0, True), told
    other = pooled.databases.make()
    status, told = copy(file, pooled.bouncer.url(other))
    assert (status, "行数与校验和一致" in told) == (0, True), told
    assert pooled.databases.cluster.sql("SELECT name FROM accounts", other) == "copied"
    pooled.databases.drop(other)
