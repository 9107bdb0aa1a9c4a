"""The store is checked regularly, and a fault makes the server unready (security R05).

Only orphaned claims are released.
Expired rows are deleted completely, in transactions that block no other request (security X5).
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hupan.addresses import ContactAddress
from hupan.domain import maintenance as housekeeping
from hupan.domain.maintenance import (
    RECHECK_SECONDS,
    Housekeeping,
    IntegrityChecker,
    OrphanIdentityRepair,
)
from hupan.model import AccountId, StoreUnavailable
from hupan.rules import DAY_SECONDS, InvitationRules
from hupan.store.accounts import claim_identity, find_identity_owner, schedule_erasure
from hupan.store.database import Database, Transaction
from hupan.store.integrity import check_rows
from tests.support.stores import open_engine
from tests.support.world import NOW, CountingEngine, StandingClock, World, coin_change

DAY = 86_400
LEAD = "INSERT INTO identities (kind, value, account_id) VALUES ('phone', '13900000001', ?1)"
SHOW = "UPDATE accounts SET {} WHERE id = 1000001"
BREAKS = {
    "coin_entries: entry 2 ": "DELETE FROM coin_entries WHERE number = 1",
    "coin_entries: the balance": SHOW.format("coin_cents = coin_cents + 1"),
    "accounts: shows a phone number": SHOW.format("phone = '13900000002'"),
    "accounts: shows an address": SHOW.format("email = 'a@example.com'"),
    "accounts: an invalid password hash": SHOW.format("password_hash = 'secret'"),
    "identities: leads to no account": LEAD.replace("?1", "5"),
    "identities: a phone number": LEAD.replace("?1", "1000001"),
    "identities: an address": LEAD.replace("?1", "1000001").replace("'phone'", "'email'"),
    "sessions: of no account": "INSERT INTO sessions VALUES (5, {hash}, 'd', '', 1, 1, 1, '')",
    "sessions: an invalid token hash": (
        "INSERT INTO sessions VALUES (1000001, {short}, 'd', '', 1, 1, 1, '')"
    ),
    "codes: more attempts": "INSERT INTO codes VALUES ('t', 'sms', 'own', 1, {short}, 6, 9)",
}


def parts(engine: Database, clock: StandingClock) -> IntegrityChecker:
    """Return the daily checks."""
    return IntegrityChecker(engine, clock, lambda: check_rows(engine), DAY)


async def fill(engine: Database) -> None:
    """Create an account with a balance."""
    world = World(engine)
    account = await world.bare_account()
    await world.coins.change(coin_change(account, 100, "a"))
    await world.coins.change(coin_change(account, 100, "b"))


@pytest.mark.parametrize("fault", BREAKS)
async def test_what_is_wrong_is_found(tmp_path: Path, fault: str) -> None:
    """Each kind of fault is reported by its table, without personal data."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        await fill(engine)
        soundness = parts(engine, StandingClock())
        assert await soundness.run() == []
        await soundness.check()
        sql = BREAKS[fault]
        hash_, short = b"h" * 32, b"h"
        values = [one for name, one in (("{hash}", hash_), ("{short}", short)) if name in sql]
        sql = sql.replace("{hash}", "?1").replace("{short}", "?1")
        await engine.run_transaction(lambda tx: tx.execute(sql, *values))
        found = await soundness.run()
        assert any(text.startswith(fault) for text in found), found
        assert not any("1390" in text or "secret" in text for text in found)
        with pytest.raises(StoreUnavailable):
            await soundness.check()


async def test_every_process_knows_and_it_ends(tmp_path: Path) -> None:
    """All processes report a fault that one of them found, until a check finds none."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        await fill(engine)
        first, second = (parts(engine, StandingClock()) for _ in range(2))
        await engine.run_transaction(lambda tx: tx.execute(BREAKS["coin_entries: the balance"]))
        await first.run()
        for one in (first, second):
            with pytest.raises(StoreUnavailable):
                await one.check()
        undo = BREAKS["coin_entries: the balance"].replace("+", "-")
        await engine.run_transaction(lambda tx: tx.execute(undo))
        await first.run()
        for one in (first, second):
            await one.check()


async def test_one_process_checks_once_a_day(tmp_path: Path) -> None:
    """One of several processes runs the check, and none repeats it within a day."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        clock = StandingClock()
        first, second = parts(engine, clock), parts(engine, clock)
        assert [await one.run_when_due() for one in (first, second, first)] == [
            True,
            False,
            False,
        ]
        clock.time += DAY - 1
        assert not await second.run_when_due()
        clock.time += 1
        assert await second.run_when_due()
        clock.time -= 10 * DAY  # a clock that was ahead does not stop the checks
        assert await first.run_when_due()


NOBODY = AccountId(1_000_900)
PHONE = ContactAddress("sms", "13900000001", "13900000001")
EMAIL = ContactAddress("email", "lake@example.com", "Lake@Example.com")
PUT = "INSERT INTO identities (kind, value, account_id) VALUES (?1, ?2, ?3)"
COUNT = "SELECT count(*) FROM identities"
LAST = "UPDATE counters SET value = 1003999 WHERE name = 'account'"
SHOW_PHONE = "UPDATE accounts SET phone = '13900000009' WHERE id = ?1"


class ClaimHarness:
    """A store, one account with every kind of claim, and the repair of claims."""

    def __init__(self, engine: Database) -> None:
        self.engine = engine
        self.world = World(engine, invitations=InvitationRules())
        self.claims = OrphanIdentityRepair(engine, self.world.clock)

    async def settle(self) -> AccountId:
        """Return the account, with a number, an address and a second invitation code."""

        async def change(tx: Transaction) -> AccountId:
            account = await self.world.accounts.create(tx, phone=PHONE, email=EMAIL)
            return account.id

        account = await self.engine.run_transaction(change)
        await self.world.invitations.change_code(account, "LAKE2025")
        return account

    async def put(self, kind: str, value: str, account: AccountId) -> None:
        """Insert a claim without its account data."""
        await self.engine.run_transaction(lambda tx: tx.execute(PUT, kind, value, account))

    async def count(self) -> int:
        """Return the number of claims."""
        row = await self.engine.fetch_one(COUNT)
        assert row is not None
        return int(row[0])

    async def twice(self) -> tuple[int, int]:
        """Run the repair twice with a pause; return what each run released."""
        first = await self.claims.run()
        self.world.clock.time += RECHECK_SECONDS
        return first, await self.claims.run()


async def test_what_is_borne_out_stays(tmp_path: Path) -> None:
    """Number, address and both invitation codes stay, even after the account is cancelled."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        harness = ClaimHarness(engine)
        account = await harness.settle()
        assert (await harness.twice(), await harness.count()) == ((0, 0), 4)
        at = int(harness.world.clock.now()) + 86_400
        await engine.run_transaction(lambda tx: schedule_erasure(tx, account, at))
        assert (await harness.twice(), await harness.count()) == ((0, 0), 4)


@pytest.mark.parametrize(
    ("kind", "value", "is_of_nobody"),
    [
        ("phone", "13900000009", True),
        ("phone", "13900000009", False),
        ("email", "other@example.com", False),
        ("invitation", "NOBODYS1", True),
        ("invitation", "NOTSHOWN", False),
    ],
)
async def test_an_orphan_is_released(
    tmp_path: Path, kind: str, value: str, *, is_of_nobody: bool
) -> None:
    """It is released at the second check, and can then be claimed again."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        harness = ClaimHarness(engine)
        account = await harness.settle()
        await harness.put(kind, value, NOBODY if is_of_nobody else account)
        assert await harness.claims.run() == 0
        harness.world.clock.time += RECHECK_SECONDS - 1
        assert (await harness.claims.run(), await harness.count()) == (0, 5)
        harness.world.clock.time += 1
        assert (await harness.claims.run(), await harness.count()) == (1, 4)
        assert await harness.twice() == (0, 0)


async def test_what_was_repaired_meanwhile_stays(tmp_path: Path) -> None:
    """If the account has the claim at the second check, a change was in progress."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        harness = ClaimHarness(engine)
        account = (await harness.world.account()).id
        await harness.put("phone", "13900000009", account)
        assert await harness.claims.run() == 0
        await engine.run_transaction(lambda tx: tx.execute(SHOW_PHONE, account))
        harness.world.clock.time += RECHECK_SECONDS
        assert (await harness.claims.run(), await harness.count()) == (0, 2)


async def test_a_claim_of_another_account_meanwhile_stays(tmp_path: Path) -> None:
    """A number that another account claimed meanwhile stays with it."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        harness = ClaimHarness(engine)
        account = (await harness.world.account()).id
        await harness.put("phone", "13900000009", NOBODY)
        assert await harness.claims.run() == 0

        async def take(tx: Transaction) -> None:
            await tx.execute("DELETE FROM identities WHERE account_id = ?1", NOBODY)
            assert await claim_identity(tx, "phone", "13900000009", account)
            await tx.execute(SHOW_PHONE, account)

        await engine.run_transaction(take)
        harness.world.clock.time += RECHECK_SECONDS
        assert await harness.claims.run() == 0
        assert await find_identity_owner(engine, "phone", "13900000009") == account


async def test_all_claims_come_up(tmp_path: Path) -> None:
    """Two processes share the four thousand ids, and start over at the end."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        harness = ClaimHarness(engine)
        await harness.settle()
        await engine.run_transaction(lambda tx: tx.execute(LAST))
        for far in range(1_000_100, 1_004_000, 100):
            await harness.put("phone", f"137{far:08}", AccountId(far))
        other = OrphanIdentityRepair(engine, harness.world.clock)
        for _ in range(2):
            assert await harness.claims.run() + await other.run() == 0
        harness.world.clock.time += RECHECK_SECONDS
        assert (await harness.claims.run(), await other.run()) == (20, 19)
        assert await harness.count() == 4


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
"""How to insert a row that expires: its number, the time, and unique bytes."""


async def fill_table(engine: Database, table: str, rows: int, ends_at: int, first: int = 0) -> None:
    """Insert rows that expire at a time."""

    async def change(tx: Transaction) -> None:
        for number in range(first, first + rows):
            await tx.execute(EXPIRED[table], ends_at, f"{number}", number.to_bytes(32, "big"))

    await engine.run_transaction(change)


async def count(engine: Database, table: str) -> int:
    """Return the number of rows of a table."""
    row = await engine.fetch_one(f"SELECT count(*) FROM {table}")  # noqa: S608 - a test's own name
    assert row is not None
    return int(row[0])


def play(path: Path, scenario: Callable[[CountingEngine, Housekeeping], Awaitable[None]]) -> None:
    """Run a scenario on a new store."""

    async def run() -> None:
        async with open_engine(path) as engine:
            counting = CountingEngine(engine)
            await scenario(counting, Housekeeping(counting, StandingClock()))

    asyncio.run(run())


@pytest.mark.parametrize("table", EXPIRED)
def test_what_has_expired_goes_in_small_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """Expired rows are deleted in one round, in batches; the rest stays (X5)."""
    monkeypatch.setattr(housekeeping, "PURGE_BATCH_SIZE", AT_ONCE)

    async def scenario(engine: CountingEngine, keeping: Housekeeping) -> None:
        await fill_table(engine, table, 5 * AT_ONCE + 3, NOW)
        await fill_table(engine, table, 4, NOW + 1, first=1000)
        await keeping.purge()
        idle = engine.transactions
        await keeping.purge()
        idle = engine.transactions - idle
        assert await count(engine, table) == 4
        assert engine.transactions - 2 * idle == 2 + 5  # two by this test, and five for the checks

    play(tmp_path / "hupan.db", scenario)


def test_one_round_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows there are, other tasks run too; the next round continues (X5)."""
    monkeypatch.setattr(housekeeping, "PURGE_BATCH_SIZE", AT_ONCE)
    monkeypatch.setattr(housekeeping, "MAX_BATCHES_PER_ROUND", 2)

    async def scenario(engine: CountingEngine, keeping: Housekeeping) -> None:
        await fill_table(engine, "tallies", 5 * AT_ONCE, NOW)
        left = []
        for _ in range(3):
            await keeping.purge()
            left.append(await count(engine, "tallies"))
        assert left == [3 * AT_ONCE, AT_ONCE, 0]

    play(tmp_path / "hupan.db", scenario)


def test_spent_captchas_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expired ones stay for a day, up to a maximum; all live ones stay (X5, C9)."""
    monkeypatch.setattr(housekeeping, "MAX_SPENT_CAPTCHAS", 30)

    async def scenario(engine: CountingEngine, keeping: Housekeeping) -> None:
        for number in range(10):
            await fill_table(
                engine, "spent_captchas", 10, NOW - number + DAY_SECONDS, first=100 * number
            )
        await fill_table(engine, "spent_captchas", 50, NOW + 1 + DAY_SECONDS, first=5000)
        await keeping.purge()
        assert await count(engine, "spent_captchas") == 50 + 30
        row = await engine.fetch_one("SELECT min(expires_at) FROM spent_captchas")
        assert row == (NOW - 2,)

    play(tmp_path / "hupan.db", scenario)


def test_counters_are_bounded_and_a_flood_resets_no_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New counters replace old ones, except those that block (X5, C5)."""
    monkeypatch.setattr(housekeeping, "MAX_RATE_COUNTERS", 30)
    monkeypatch.setattr(housekeeping, "PURGE_BATCH_SIZE", AT_ONCE)

    async def scenario(engine: CountingEngine, keeping: Housekeeping) -> None:
        insert = "INSERT INTO tallies (subject, name, count, ends_at) VALUES (?1, 'full', 10, ?2)"
        await engine.run_transaction(lambda tx: tx.execute(insert, "sms:victim:", NOW + 1))
        await fill_table(engine, "tallies", 50, NOW + 2)
        await keeping.purge()
        assert await count(engine, "tallies") == 30
        row = await engine.fetch_one("SELECT count FROM tallies WHERE subject = ?1", "sms:victim:")
        assert row == (10,)

    play(tmp_path / "hupan.db", scenario)
