"""Nothing of an erased account is left but the journal of coins (security A4, A7).

The tables are read from the schema, so one that a feature adds and the erasure forgets is found.
"""

import asyncio
from pathlib import Path

import pytest

from hupan.domain.coins import CoinChange, Coins
from hupan.model import AccountId, CoinType
from hupan.store.database import Transaction, Value
from hupan.store.deletion import ERASED_TABLES
from tests.domain.lives import ERASED_AFTER_DAYS, Lives, open_lives, sms

pytestmark = pytest.mark.one_engine

PHONE = "13900000001"
TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
COLUMNS = "SELECT name, type FROM pragma_table_info(?1)"
KEPT = {
    "coin_entries": "the journal stays whole, under an id that leads to nobody",
}
BY_TARGET = {"codes": "found by what was bound, and killed with it"}
SAMPLES: dict[str, Value] = {"INTEGER": 1, "TEXT": "x", "BLOB": b"x"}


async def tables_of_accounts(home: Lives) -> list[str]:
    """Every table with a column `account_id`."""
    names = [row[0] for row in await home.rows(TABLES)]
    return [name for name in names if "account_id" in dict(await columns(home, name))]


async def columns(home: Lives, table: str) -> list[tuple[str, str]]:
    """Names and types of a table's columns."""
    return [(row[0], row[1]) for row in await home.rows(COLUMNS, table)]


async def tables_with(home: Lives, account: AccountId) -> set[str]:
    """The tables in which an account has a row."""
    found = set()
    for table in await tables_of_accounts(home):
        sql = f"SELECT 1 FROM {table} WHERE account_id = ?1"  # noqa: S608 - names of our own schema
        if await home.rows(sql, account):
            found.add(table)
    return found


async def put_samples(home: Lives, table: str, account: AccountId) -> None:
    """Writes a row of an account into a table, whatever its columns are."""
    names_and_types = await columns(home, table)
    names = ", ".join(name for name, _ in names_and_types)
    places = ", ".join(f"?{n}" for n in range(1, len(names_and_types) + 1))
    values = [account if name == "account_id" else SAMPLES[kind] for name, kind in names_and_types]
    sql = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - likewise
    await home.engine.run_transaction(lambda tx: tx.execute(sql, *values))


def test_every_table_of_accounts_is_known_to_the_erasure(tmp_path: Path) -> None:
    """A table with an `account_id` is erased, or kept for a reason that is written down."""

    async def scenario(home: Lives) -> None:
        tables = await tables_of_accounts(home)
        assert set(tables) == {*ERASED_TABLES, *KEPT, *BY_TARGET}

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_every_row_is_erased(tmp_path: Path) -> None:
    """A row in each table goes with its account; the same rows of another account stay."""

    async def scenario(home: Lives) -> None:
        mine, other = await home.account(phone=PHONE), await home.account()
        await home.account_deletion.cancel_by_operator(mine)
        home.pass_days(ERASED_AFTER_DAYS)
        await home.issue(sms(PHONE), "own", mine)
        for table in set(ERASED_TABLES) - {"identities"}:
            await put_samples(home, table, mine)
        kept = set(ERASED_TABLES) - {"identities", "sessions"}
        for table in kept:
            await put_samples(home, table, other)
        assert await home.account_deletion.erase_due() == 1
        assert await tables_with(home, mine) == set()
        assert await tables_with(home, other) == kept | {"identities"}
        assert await home.rows("SELECT id FROM accounts") == [(other,)]

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_the_journal_of_coins_stays_and_names_nobody(tmp_path: Path) -> None:
    """Entries outlive their account, each still with both of its sides (security J3)."""

    async def scenario(home: Lives) -> None:
        account = await home.account(phone=PHONE)
        coins = Coins(home.engine, home.clock)
        for key, cents in (("a", 500), ("b", -200)):
            await coins.change(
                CoinChange(
                    account=account,
                    change_cents=cents,
                    typ=CoinType.REWARD,
                    reason="奖励",
                    key=key,
                )
            )
        await home.cancel(account, PHONE)
        home.pass_days(ERASED_AFTER_DAYS)
        await home.account_deletion.erase_due()
        entries = await home.rows(
            "SELECT number, change_cents, change_cents + counter_cents FROM coin_entries"
        )
        assert entries == [(1, 500, 0), (2, -200, 0)]

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_an_account_that_lives_is_never_erased(tmp_path: Path) -> None:
    """The erasure asks for the end itself, inside its own change."""

    async def scenario(home: Lives) -> None:
        account = await home.account(phone=PHONE)
        home.pass_days(10 * 365)

        async def change(tx: Transaction) -> None:
            await home.account_deletion._erase(account, tx)  # noqa: SLF001 - no door leads here for it

        await home.engine.run_transaction(change)
        assert await home.exists(account)

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))
