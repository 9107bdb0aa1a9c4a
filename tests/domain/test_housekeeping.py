"""Deleting what has expired: all of it, in changes that hold up nobody (security X5)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hupan.domain import maintenance as housekeeping
from hupan.domain.maintenance import Housekeeping
from hupan.rules import DAY_SECONDS
from hupan.store.database import Database, Transaction
from tests.domain.lives import CountingEngine
from tests.domain.standing import NOW, StandingClock
from tests.stores import open_engine

AT_ONCE = 20
EXPIRED = {
    "codes": "INSERT INTO codes (expires_at, target, mac, channel, class, account_id)"
    " VALUES (?1, ?2, ?3, 'sms', 'new', 0)",
    "spent_captchas": "INSERT INTO spent_captchas (expires_at, id)"
    " SELECT ?1 - 86400, ?3 WHERE ?2 <> ''",
    "tallies": "INSERT INTO tallies (ends_at, subject, name, count)"
    " SELECT ?1, ?2, 'sends', 1"
    " WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE token_hash = ?3)",
    "step_ups": "INSERT INTO step_ups (ends_at, account_id, token_hash, channel)"
    " SELECT ?1, 1, ?3, 'sms' WHERE ?2 <> ''",
    "left_sessions": "INSERT INTO left_sessions (left_at, account_id, token_hash)"
    " SELECT ?1 - 604800, 1, ?3 WHERE ?2 <> ''",
    "coin_refusals": "INSERT INTO coin_refusals"
    " (refused_at, key, account_id, cause, change_cents, typ, reason, remark, actor)"
    " SELECT ?1 - 604800, ?2, 1, 'x', 1, 2, 'x', '', 'server'"
    " WHERE NOT EXISTS (SELECT 1 FROM sessions WHERE token_hash = ?3)",
}
"""How a row is written that ends at a time: its number, the time, and bytes of its own."""


async def fill(engine: Database, table: str, rows: int, ends_at: int, first: int = 0) -> None:
    """Write rows that end at a time."""

    async def change(tx: Transaction) -> None:
        for number in range(first, first + rows):
            await tx.execute(EXPIRED[table], ends_at, f"{number}", number.to_bytes(32, "big"))

    await engine.run_transaction(change)


async def count(engine: Database, table: str) -> int:
    """How many rows a table has."""
    row = await engine.fetch_one(f"SELECT count(*) FROM {table}")  # noqa: S608 - a test's own name
    assert row is not None
    return int(row[0])


def play(path: Path, scenario: Callable[[CountingEngine, Housekeeping], Awaitable[None]]) -> None:
    """Run something on a new store."""

    async def run() -> None:
        async with open_engine(path) as engine:
            counting = CountingEngine(engine)
            await scenario(counting, Housekeeping(counting, StandingClock()))

    asyncio.run(run())


@pytest.mark.parametrize("table", EXPIRED)
def test_what_has_expired_goes_in_small_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """Whatever piled up is deleted in one round, so many rows a change; the rest stays (X5)."""
    monkeypatch.setattr(housekeeping, "PURGE_BATCH_SIZE", AT_ONCE)

    async def scenario(engine: CountingEngine, keeping: Housekeeping) -> None:
        await fill(engine, table, 5 * AT_ONCE + 3, NOW)
        await fill(engine, table, 4, NOW + 1, first=1000)
        await keeping.purge()
        idle = engine.transactions
        await keeping.purge()
        idle = engine.transactions - idle
        assert await count(engine, table) == 4
        assert engine.transactions - 2 * idle == 2 + 5  # two of this test, and five more than none

    play(tmp_path / "hupan.db", scenario)


def test_one_round_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is, the other chores have their turn; the next round goes on (X5)."""
    monkeypatch.setattr(housekeeping, "PURGE_BATCH_SIZE", AT_ONCE)
    monkeypatch.setattr(housekeeping, "MAX_BATCHES_PER_ROUND", 2)

    async def scenario(engine: CountingEngine, keeping: Housekeeping) -> None:
        await fill(engine, "tallies", 5 * AT_ONCE, NOW)
        left = []
        for _ in range(3):
            await keeping.purge()
            left.append(await count(engine, "tallies"))
        assert left == [3 * AT_ONCE, AT_ONCE, 0]

    play(tmp_path / "hupan.db", scenario)


def test_spent_captchas_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that expired stay for a day, so many at most, the newest; live ones all do (X5, C9)."""
    monkeypatch.setattr(housekeeping, "MAX_SPENT_CAPTCHAS", 30)

    async def scenario(engine: CountingEngine, keeping: Housekeeping) -> None:
        for number in range(10):
            await fill(engine, "spent_captchas", 10, NOW - number + DAY_SECONDS, first=100 * number)
        await fill(engine, "spent_captchas", 50, NOW + 1 + DAY_SECONDS, first=5000)
        await keeping.purge()
        assert await count(engine, "spent_captchas") == 50 + 30
        row = await engine.fetch_one("SELECT min(expires_at) FROM spent_captchas")
        assert row == (NOW - 2,)

    play(tmp_path / "hupan.db", scenario)


def test_counts_are_bounded_and_a_flood_frees_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts of targets without number push each other out, and none that holds back (X5, C5)."""
    monkeypatch.setattr(housekeeping, "MAX_RATE_COUNTERS", 30)
    monkeypatch.setattr(housekeeping, "PURGE_BATCH_SIZE", AT_ONCE)

    async def scenario(engine: CountingEngine, keeping: Housekeeping) -> None:
        insert = "INSERT INTO tallies (subject, name, count, ends_at) VALUES (?1, 'full', 10, ?2)"
        await engine.run_transaction(lambda tx: tx.execute(insert, "sms:victim:", NOW + 1))
        await fill(engine, "tallies", 50, NOW + 2)
        await keeping.purge()
        assert await count(engine, "tallies") == 30
        row = await engine.fetch_one("SELECT count FROM tallies WHERE subject = ?1", "sms:victim:")
        assert row == (10,)

    play(tmp_path / "hupan.db", scenario)
