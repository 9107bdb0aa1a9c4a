"""`hupan coins check`: operators verify the journal of coins (security J3)."""

import json
from pathlib import Path

import apsw
import pytest

from tests.support.console import call, refused, run

pytestmark = pytest.mark.slow


CHECK = ("coins", "check")


@pytest.fixture(autouse=True)
def _coins(data: Path) -> None:
    """Create two accounts with two entries each."""
    for account in ("1000001", "1000002"):
        call(data, "account", "create")
        for coins in ("5", "2.5"):
            call(data, "account", "coins", account, "--give", coins, "--reason", "活动")


def spoil(data: Path, sql: str) -> None:
    """Change the store without the server."""
    store = apsw.Connection(str(data / "hupan.db"))
    store.pragma("ignore_check_constraints", True)  # noqa: FBT003 - apsw takes it by position
    store.execute(sql)
    store.close()


def test_a_whole_journal(data: Path) -> None:
    """The command says so, with status 0; the JSON output is an empty list."""
    result = run(data, *CHECK)
    assert (result.exit_code, result.stdout) == (0, "没有差错。\n")
    result = run(data, *CHECK, "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


@pytest.mark.one_engine
def test_faults_are_listed(data: Path) -> None:
    """A wrong entry and a wrong balance are listed; the status is 1."""
    spoil(
        data, "UPDATE coin_entries SET before_cents = 1 WHERE account_id = 1000001 AND number = 2"
    )
    spoil(data, "UPDATE accounts SET coin_cents = 1 WHERE id = 1000002")
    entry = {"account": "1000001", "entry": 2, "fault": "entry"}
    balance = {"account": "1000002", "entry": None, "fault": "balance"}
    for who, faults in (((), [entry, balance]), (("1000001",), [entry]), (("1000002",), [balance])):
        result = run(data, *CHECK, *who, "--json")
        assert (result.exit_code, json.loads(result.stdout)) == (1, faults)
    result = run(data, *CHECK)
    assert result.exit_code == 1
    for word in ("1000001", "1000002", "不衔接", "余额"):
        assert word in result.stdout


def test_one_account_alone(data: Path) -> None:
    """Faults of other accounts are left out; an unknown account is one sentence."""
    spoil(data, "UPDATE accounts SET coin_cents = 1 WHERE id = 1000002")
    assert run(data, *CHECK, "1000001").exit_code == 0
    assert "该用户不存在" in refused(data, *CHECK, "1000009")
