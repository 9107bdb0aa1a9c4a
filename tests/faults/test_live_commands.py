"""Operators' commands while a server runs (security R14 b, J7)."""

import os
from pathlib import Path

import pytest

from tests.support.commands import run_hupan
from tests.support.fault_clients import Asker
from tests.support.invariants import broken, differences, rows_of, wrong_answers
from tests.support.journal import Journal
from tests.support.load_clients import ENVIRONMENT, Crowd
from tests.support.servers import Server
from tests.support.stores import STORES

COMMANDS = 4
COINS = 3
FAILURES = {1000, 1001, 1002, 1003}
"""The codes of a failing server."""
pytestmark = [pytest.mark.slow]


def operate(folder: Path, port: int, journal: Journal, key: str) -> None:
    """Grant coins to a new account by command, and repeat it."""
    with Asker(port) as asker:
        made = asker.call_sandbox("accounts", {"coins": 1})
    assert isinstance(made, dict)
    who = made["id"]
    words = ("account", "coins", who, "--give", str(COINS), "--reason", "测试", "--key", key)
    environment = {
        **os.environ,
        "HUPAN_DATA_DIR": str(folder),
        **STORES.environment(folder),
    }
    for _ in range(2):
        command = run_hupan(*words, environment=environment)
        assert command.returncode == 0, command.stderr
    journal.believe({("coins", who): f"2:{100 + COINS * 100}"})


def test_commands_during_a_server(tmp_path: Path) -> None:
    """Both write for a while: no request gets Busy, nothing is lost (R14 b, J1-J7)."""
    folder, crowd = tmp_path / "data", Crowd(seed=7)
    with Server("sandbox", "--data-dir", str(folder), environment=ENVIRONMENT) as server:
        with crowd.at_work(server.port):
            for number in range(COMMANDS):
                operate(folder, server.port, crowd.journal, f"k{number}")
        check(server, crowd, folder)


def check(server: Server, crowd: Crowd, folder: Path) -> None:
    """Compare everything with the journal of the clients."""
    rows = rows_of(folder / "hupan.db")
    assert not FAILURES & {code for _, code in crowd.answers_by_code}, crowd.answers_by_code
    assert crowd.journal.acknowledged > 100
    assert crowd.journal.in_doubt == 0
    assert differences(crowd.journal, rows) == []
    assert broken(rows) == []
    assert crowd.wrong == []
    with Asker(server.port) as asker:
        assert wrong_answers(asker, live=crowd.live(60), ended=crowd.ended(60)) == []
    assert "busy" not in server.output().lower()
