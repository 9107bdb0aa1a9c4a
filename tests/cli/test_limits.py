"""`hupan limits`: the table, the counters of an account, and their reset (security C5)."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from hupan.domain.outbox import SESSION_ENDED_NOTICE, notice_limits
from hupan.model import Limit
from hupan.ratelimit.stored import (
    StoredLimiter,
    code_attempts_key,
    notices_key,
    password_attempts_key,
    sends_key,
)
from hupan.ratelimit.table import LIMITS
from hupan.store.database import Transaction
from tests.support.audit_events import events
from tests.support.console import call, refused, run
from tests.support.stores import STORES, open_store

pytestmark = pytest.mark.slow


PHONE, EMAIL, OTHER = "13900000001", "lin@example.com", "13900000002"
HOUR = 3600
SENDS = Limit("sends-hour", 5, HOUR)
CODES = Limit("wrong-codes-hour", 10, HOUR)
PASSWORDS = Limit("wrong-passwords-hour", 20, HOUR)
OWN_DEVICE = "0f" * 32


def rows(data: Path, *arguments: str) -> list[dict[str, object]]:
    """Return the counters, from the JSON output."""
    result = run(data, "limits", "show", *arguments, "--json")
    assert result.exit_code == 0, result.output
    told: list[dict[str, object]] = json.loads(result.stdout)
    return told


def count(data: Path, subject: str, limit: Limit, times: int) -> None:
    """Count events as a server does."""

    async def change(tx: Transaction) -> None:
        limiter, now = StoredLimiter(enabled=True), int(time.time())
        for _ in range(times):
            await limiter.take(tx, subject, [limit], now)

    async def scenario() -> None:
        engine = open_store(data if STORES.engine == "postgres" else data / "hupan.db")
        await engine.run_transaction(change)
        await engine.close()

    asyncio.run(scenario())


@pytest.fixture
def counted(data: Path) -> Path:
    """Return a store with counters for an account and for a stranger's number."""
    call(data, "account", "create", "--phone", PHONE, "--email", EMAIL)
    count(data, sends_key("sms", PHONE), SENDS, 5)
    count(data, code_attempts_key("sms", PHONE), CODES, 3)
    count(data, code_attempts_key("sms", PHONE) + OWN_DEVICE, CODES, 1)
    count(data, password_attempts_key(EMAIL), PASSWORDS, 2)
    count(data, sends_key("sms", OTHER), SENDS, 4)
    return data


@pytest.mark.one_engine
def test_every_limit_is_shown(data: Path) -> None:
    """Subject, event, number, window and location of each limit are shown in words (E5)."""
    shown = call(data, "limits", "show")
    limits = shown["limits"]
    assert isinstance(limits, list)
    assert [row["setting"] for row in limits] == [line.setting for line in LIMITS]
    assert {row["exact"] for row in limits} == {True, False}
    assert all(row["most"] > 0 and row["seconds"] + row["lockSeconds"] > 0 for row in limits)
    table = run(data, "limits", "show", "--wide").stdout
    for words in (*(line.setting for line in LIMITS), "数据库", "各进程内存"):
        assert words in table


@pytest.mark.one_engine
def test_limits_that_are_off_are_shown_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `limits_enabled = false` nothing is limited, and the table says so."""
    monkeypatch.setenv("HUPAN_LIMITS_ENABLED", "false")
    limits = call(data, "limits", "show")["limits"]
    assert isinstance(limits, list)
    assert {row["most"] for row in limits} == {0}


@pytest.mark.one_engine
def test_exempt_targets_are_shown_masked(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are shown with their end, but masked: readers need not see the numbers (security L1)."""
    until = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + HOUR))
    monkeypatch.setenv("HUPAN_LIMITS_EXEMPT", f"{PHONE}, {EMAIL}")
    monkeypatch.setenv("HUPAN_LIMITS_EXEMPT_UNTIL", until)
    assert call(data, "limits", "show")["exempt"] == [
        {"target": "139****0001", "until": until, "inForce": True},
        {"target": "l***@example.com", "until": until, "inForce": True},
    ]
    table = run(data, "limits", "show").stdout
    assert until in table
    assert PHONE not in table


def test_counters_of_a_target_or_an_account(counted: Path) -> None:
    """Counters of a number, an address, or all contacts of an account; a full one is marked."""
    of_phone = rows(counted, f"+86{PHONE}")
    assert [(row["name"], row["count"], row["most"], row["full"]) for row in of_phone] == [
        ("wrong-codes-hour", 3, 10, False),
        ("wrong-codes-hour", 1, 10, False),
        ("sends-hour", 5, 5, True),
    ]
    assert [row["device"] for row in of_phone] == [False, True, False]
    assert {row["target"] for row in of_phone} == {"139****0001"}
    of_account = rows(counted, "1000001")
    assert [row for row in of_account if row["target"] == "139****0001"] == of_phone
    assert [row["count"] for row in of_account if row["target"] == "l***@example.com"] == [2]
    assert "已满" in run(counted, "limits", "show", PHONE, "--wide").stdout
    assert rows(counted, "13900000003") == []


def test_a_reset_of_an_account_forgets_what_is_bound_to_it(counted: Path) -> None:
    """All counters of its number and its address are reset, those of others stay."""
    assert call(counted, "limits", "reset", "1000001")["forgotten"] == 4
    assert rows(counted, "1000001") == []
    assert [row["count"] for row in rows(counted, OTHER)] == [4]


def test_a_reset_of_one_target(counted: Path) -> None:
    """Only the number is reset; the address of the same account keeps its counters."""
    assert call(counted, "limits", "reset", PHONE)["forgotten"] == 3
    assert rows(counted, PHONE) == []
    assert [row["count"] for row in rows(counted, EMAIL)] == [2]


@pytest.mark.parametrize(
    "target", ["203.0.113.9", "203.0.113.0/24", "2001:db8::1", "2001:db8::/48"]
)
def test_a_reset_of_an_address_is_asked_for(data: Path, target: str) -> None:
    """Processes reset their in-memory counters when they check next."""
    assert call(data, "limits", "reset", target) == {"target": target, "forgotten": 0}
    begun, line = events((data / "operators.log").read_text("utf-8"))
    assert begun["result"] == "begun"
    assert (line["event"], line["result"]) == ("operator-limits-reset", "ok")
    assert line["target"] == target


def test_a_reset_is_written_down_masked(counted: Path) -> None:
    """The log line names the reset target, masked (security L1, L2)."""
    run(counted, "limits", "reset", PHONE)
    line = events((counted / "operators.log").read_text("utf-8"))[-1]
    assert (line["event"], line["target"]) == ("operator-limits-reset", "139****0001")


@pytest.mark.parametrize("target", ["", "x", "110", "203.0.0.0/8", "2001:db8::/32", "9999999999"])
@pytest.mark.parametrize("act", ["show", "reset"])
def test_what_is_no_target_is_refused(data: Path, act: str, target: str) -> None:
    """An invalid target is refused with an explanation, and nothing is reset."""
    assert refused(data, "limits", act, target)


def test_notices_are_shown_with_their_limits_and_forgotten(data: Path) -> None:
    """They are fixed, not set; minor kinds have lower ones (X4)."""
    subject = notices_key("email", EMAIL)
    count(data, subject + "notice-phone-changed", notice_limits("notice-phone-changed")[0], 5)
    count(data, subject + SESSION_ENDED_NOTICE, notice_limits(SESSION_ENDED_NOTICE)[0], 1)
    shown = sorted((row["count"], row["most"], row["full"]) for row in rows(data, EMAIL))
    assert shown == [(1, 1, True), (5, 5, True)]
    call(data, "limits", "reset", EMAIL)
    assert rows(data, EMAIL) == []
