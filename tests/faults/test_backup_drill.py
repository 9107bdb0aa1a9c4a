"""The drill: backup under load, kill -9, loss of the machine, restore elsewhere (R20, L6).

Every write that was acknowledged before the backup began is in it; those during the backup are
included or not, each as a whole.
"""

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.support.backups import BackupKey, succeed
from tests.support.fault_clients import Asker
from tests.support.invariants import broken, rows_of, snapshot, wrong_answers
from tests.support.journal import Journal, Key, Value
from tests.support.load_clients import ENVIRONMENT, Crowd
from tests.support.servers import Server
from tests.support.stores import STORES

pytestmark = pytest.mark.slow
WRITES_BEFORE = 40
SOAK_WRITES, SOAK_ROUNDS = 3000, int(os.environ.get("SOAK_DRILLS", "10"))
WAIT_SECONDS = 120.0
CLIENTS = 5
LOOKED_AT = 25


def at(data: Path) -> list[str]:
    """Return the options of a store of the tested engine."""
    return ["--data-dir", str(data), *STORES.options(data)]


def await_writes(journal: Journal, more: int) -> None:
    """Wait until this number of further writes was acknowledged."""
    goal, deadline = journal.acknowledged + more, time.monotonic() + WAIT_SECONDS
    while journal.acknowledged < goal:
        assert time.monotonic() < deadline, "no work was answered"
        time.sleep(0.01)


def lost(
    before: dict[Key, frozenset[Value]], touched: set[Key], found: dict[Key, Value]
) -> list[str]:
    """Return writes acknowledged before the backup that it lacks; a restore ends codes."""
    return [
        f"{key}: {found.get(key)!r} was restored, but {sorted(map(repr, values))} was told"
        for key, values in before.items()
        if key[0] != "code" and key not in touched and found.get(key) not in values
    ]


def drill(folder: Path, seed: int, writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one drill, from the first account to the first response of the restored server."""
    monkeypatch.delenv("HUPAN_DATABASE", raising=False)
    folder.mkdir()
    key = BackupKey(folder)
    monkeypatch.setenv("HUPAN_BACKUP_PUBLIC_KEY", key.public)
    data, copy, file = folder / "data", folder / "copy", folder / "lake.age"
    crowd = Crowd(seed)
    with Server("sandbox", "--data-dir", str(data), environment=ENVIRONMENT) as server:
        with crowd.at_work(server.port, CLIENTS):
            await_writes(crowd.journal, writes)
            crowd.journal.drain_touched()
            before, ended = crowd.journal.possible(), crowd.ended(LOOKED_AT)
            succeed("backup", "create", str(file), *at(data))
            touched = crowd.journal.drain_touched()
            await_writes(crowd.journal, CLIENTS)
            server.kill()
        assert crowd.wrong == []
    ids = {int(who) for kind, who in crowd.journal.possible() if kind == "name"}
    shutil.rmtree(data)
    STORES.forget(data / "hupan.db")
    succeed("restore", str(file), "--key-file", str(key.file), "--keep-sessions", *at(copy))
    rows = rows_of(copy / "hupan.db")
    assert len(before) > writes // 2
    assert lost(before, touched, snapshot(rows)) == []
    assert broken(rows) == []
    sessions = [who for who, values in before.items() if who[0] == "session" and None not in values]
    live = [crowd.tokens[who[1]] for who in sessions if who not in touched][:LOOKED_AT]
    with (
        Server("sandbox", "--data-dir", str(copy), environment=ENVIRONMENT) as server,
        Asker(server.port) as asker,
    ):
        assert wrong_answers(asker, live=live, ended=ended) == []
        assert live
        made = asker.call_sandbox("accounts", {"email": "after@example.com"})
        assert isinstance(made, dict)
        assert int(made["id"]) > max(ids)


def test_everything_acknowledged_before_a_backup_is_restored(
    disk_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accounts, coins, contacts, remarks and sessions, on another machine (security R20)."""
    drill(disk_path / "drill", 1, WRITES_BEFORE, monkeypatch)


@pytest.mark.soak
def test_many_larger_drills(disk_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with more accounts, again and again (security R20)."""
    for number in range(SOAK_ROUNDS):
        drill(disk_path / str(number), number + 2, SOAK_WRITES, monkeypatch)
