"""The check of the journal finds every break of its invariants (security J3)."""

import asyncio
from pathlib import Path

import apsw
import pytest

from hupan.model import AccountId
from hupan.store.coins import CoinInconsistency
from hupan.store.migrate import load_migrations, migrate_file
from tests.support.world import World, coin_change, open_world

pytestmark = pytest.mark.one_engine

NUMBER_OF_COINS = 6
BREAKS = [
    ("UPDATE coin_entries SET number = 5 WHERE number = 3", 5),
    ("UPDATE coin_entries SET before_cents = 21 WHERE number = 3", 3),
    ("UPDATE coin_entries SET change_cents = 11, counter_cents = -11 WHERE number = 2", 2),
    ("UPDATE coin_entries SET before_cents = 11, after_cents = 21 WHERE number = 2", 2),
    ("UPDATE coin_entries SET counter_cents = -9 WHERE number = 1", 1),
    ("UPDATE coin_entries SET change_cents = -40, counter_cents = 40, after_cents = -20", 1),
    ("UPDATE coin_entries SET change_cents = 0, counter_cents = 0, after_cents = 0", 1),
    ("DELETE FROM coin_entries WHERE number = 1", 2),
    ("DELETE FROM coin_entries WHERE number = 3", 0),
    ("UPDATE accounts SET coin_cents = 31", 0),
]


async def fill(world: World) -> None:
    """Create two accounts with three entries each."""
    for _ in range(2):
        account = await world.bare_account()
        for key in "abc":
            await world.coins.change(coin_change(account, 10, key))


@pytest.mark.parametrize(("sql", "number"), BREAKS)
async def test_every_break_is_found(tmp_path: Path, sql: str, number: int) -> None:
    """Every fault of an entry or a balance is reported with its place."""
    path = tmp_path / "hupan.db"
    async with open_world(path) as world:
        await fill(world)
        assert await world.coins.list_faults() == []
        first, second = AccountId(1_000_001), AccountId(1_000_002)
        where = "id" if "accounts" in sql else "account_id"
        joint = "AND" if "WHERE" in sql else "WHERE"
        connection = apsw.Connection(str(path))
        connection.execute("PRAGMA ignore_check_constraints = ON").fetchall()
        connection.execute(f"{sql} {joint} {where} = {second}").fetchall()
        connection.close()
        await asyncio.sleep(0)  # one tick of the loop reads one state of the file
        found = await world.coins.list_faults()
        assert CoinInconsistency(second, number) in found
        assert {fault.account_id for fault in found} == {second}
        assert await world.coins.list_faults(second) == found
        assert await world.coins.list_faults(first) == []


@pytest.mark.parametrize(("sql", "number"), BREAKS[4:7])
async def test_the_store_refuses_an_entry_that_does_not_add_up(
    tmp_path: Path, sql: str, number: int
) -> None:
    """The sides must differ by the amount, which is not 0, and the balance is never negative."""
    path = tmp_path / "hupan.db"
    async with open_world(path) as world:
        await fill(world)
        connection = apsw.Connection(str(path))
        with pytest.raises(apsw.ConstraintError, match="CHECK"):
            connection.execute(sql).fetchall()
        connection.close()
        assert await world.coins.list_faults() == []
    assert number == 1


async def test_older_balances_open_the_journal(tmp_path: Path) -> None:
    """A balance from before the journal becomes the first entry of its account."""
    path = tmp_path / "hupan.db"
    migrate_file(path, [one for one in load_migrations() if one.number < NUMBER_OF_COINS])
    connection = apsw.Connection(str(path))
    for account, cents in ((1_000_001, 0), (1_000_002, 5501)):
        connection.execute(
            "INSERT INTO accounts (id, name, coin_cents, invitation_code, registered_at) "
            "VALUES (?1, 'somebody', ?2, ?1, 1700000000)",
            (account, cents),
        ).fetchall()
    connection.close()
    async with open_world(path) as world:
        rows = await world.engine.fetch_all(
            "SELECT account_id, number, before_cents, change_cents, after_cents, "
            "counter_account, counter_cents, created_at FROM coin_entries"
        )
        assert rows == [(1_000_002, 1, 0, 5501, 5501, "opening", -5501, 1_700_000_000)]
        assert await world.coins.list_faults() == []
