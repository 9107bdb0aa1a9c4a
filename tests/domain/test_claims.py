"""A claim that was left half-way is given back, and no other one ever is."""

import asyncio
from pathlib import Path

import pytest

from hupan.addresses import ContactAddress
from hupan.domain.maintenance import RECHECK_SECONDS, OrphanIdentityRepair
from hupan.model import AccountId
from hupan.rules import InvitationRules
from hupan.store.accounts import claim_identity, find_identity_owner
from hupan.store.database import Database, Transaction
from hupan.store.deletion import schedule_erasure
from tests.domain.standing import Standing
from tests.stores import open_engine

NOBODY = AccountId(1_000_900)
PHONE = ContactAddress("sms", "13900000001", "13900000001")
EMAIL = ContactAddress("email", "lake@example.com", "Lake@Example.com")
PUT = "INSERT INTO identities (kind, value, account_id) VALUES (?1, ?2, ?3)"
COUNT = "SELECT count(*) FROM identities"
LAST = "UPDATE counters SET value = 1003999 WHERE name = 'account'"
SHOW = "UPDATE accounts SET phone = '13900000009' WHERE id = ?1"


class Lake:
    """A store, one account that has all there is to claim, and what repairs claims."""

    def __init__(self, engine: Database) -> None:
        self.engine = engine
        self.standing = Standing(engine, rules=InvitationRules())
        self.claims = OrphanIdentityRepair(engine, self.standing.clock)

    async def settle(self) -> AccountId:
        """The account, with a number, an address, and a second invitation code."""

        async def change(tx: Transaction) -> AccountId:
            account = await self.standing.accounts.create(tx, phone=PHONE, email=EMAIL)
            return account.id

        account = await self.engine.run_transaction(change)
        await self.standing.invitations.change_code(account, "LAKE2025")
        return account

    async def put(self, kind: str, value: str, account: AccountId) -> None:
        """Leave a claim behind, without anything else."""
        await self.engine.run_transaction(lambda tx: tx.execute(PUT, kind, value, account))

    async def count(self) -> int:
        """How many claims there are."""
        row = await self.engine.fetch_one(COUNT)
        assert row is not None
        return int(row[0])

    async def twice(self) -> tuple[int, int]:
        """Look, wait, and look again; what each of them released."""
        first = await self.claims.run()
        self.standing.clock.time += RECHECK_SECONDS
        return first, await self.claims.run()


def test_what_is_borne_out_stays(tmp_path: Path) -> None:
    """Number, address, both invitation codes, and all of it once the account is cancelled."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            lake = Lake(engine)
            account = await lake.settle()
            assert (await lake.twice(), await lake.count()) == ((0, 0), 4)
            at = int(lake.standing.clock.now()) + 86_400
            await engine.run_transaction(lambda tx: schedule_erasure(tx, account, at))
            assert (await lake.twice(), await lake.count()) == ((0, 0), 4)

    asyncio.run(scenario())


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
def test_what_leads_to_nobody_is_released(
    tmp_path: Path, kind: str, value: str, *, is_of_nobody: bool
) -> None:
    """Not at the first look, nor too soon after it, but then; and whoever comes may have it."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            lake = Lake(engine)
            account = await lake.settle()
            await lake.put(kind, value, NOBODY if is_of_nobody else account)
            assert await lake.claims.run() == 0
            lake.standing.clock.time += RECHECK_SECONDS - 1
            assert (await lake.claims.run(), await lake.count()) == (0, 5)
            lake.standing.clock.time += 1
            assert (await lake.claims.run(), await lake.count()) == (1, 4)
            assert await lake.twice() == (0, 0)

    asyncio.run(scenario())


def test_what_was_repaired_meanwhile_stays(tmp_path: Path) -> None:
    """The account shows it at the second look: it was a change under way."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            lake = Lake(engine)
            account = (await lake.standing.account()).id
            await lake.put("phone", "13900000009", account)
            assert await lake.claims.run() == 0
            await engine.run_transaction(lambda tx: tx.execute(SHOW, account))
            lake.standing.clock.time += RECHECK_SECONDS
            assert (await lake.claims.run(), await lake.count()) == (0, 2)

    asyncio.run(scenario())


def test_what_somebody_else_claimed_meanwhile_stays(tmp_path: Path) -> None:
    """The broken claim is gone, and the same number leads to somebody who shows it."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            lake = Lake(engine)
            account = (await lake.standing.account()).id
            await lake.put("phone", "13900000009", NOBODY)
            assert await lake.claims.run() == 0

            async def take(tx: Transaction) -> None:
                await tx.execute("DELETE FROM identities WHERE account_id = ?1", NOBODY)
                assert await claim_identity(tx, "phone", "13900000009", account)
                await tx.execute(SHOW, account)

            await engine.run_transaction(take)
            lake.standing.clock.time += RECHECK_SECONDS
            assert await lake.claims.run() == 0
            assert await find_identity_owner(engine, "phone", "13900000009") == account

    asyncio.run(scenario())


def test_all_claims_come_up(tmp_path: Path) -> None:
    """Two processes share the walk through four thousand ids, and begin anew at its end."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            lake = Lake(engine)
            await lake.settle()
            await engine.run_transaction(lambda tx: tx.execute(LAST))
            for far in range(1_000_100, 1_004_000, 100):
                await lake.put("phone", f"137{far:08}", AccountId(far))
            other = OrphanIdentityRepair(engine, lake.standing.clock)
            for _ in range(2):
                assert await lake.claims.run() + await other.run() == 0
            lake.standing.clock.time += RECHECK_SECONDS
            assert (await lake.claims.run(), await other.run()) == (20, 19)
            assert await lake.count() == 4

    asyncio.run(scenario())
