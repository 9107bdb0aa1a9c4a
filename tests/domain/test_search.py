"""The search table follows the state and the choice of each account (wire.md 8.3, A7, D4)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hupan.background import DONE
from hupan.domain.discovery import Discovery
from hupan.domain.profiles import Privacy, VisibleFields
from hupan.domain.search import ACCOUNTS_PER_FILL, HomeSearch, SearchFill
from hupan.model import Account
from hupan.store.accounts import restore_account, schedule_erasure, set_ban
from hupan.store.database import Transaction
from hupan.store.profiles import set_avatar, set_name
from tests.support.world import NOW, World, open_world

FROM_BEFORE = """
INSERT INTO accounts (id, name, invitation_code, registered_at) VALUES (?1, ?2, ?3, 0)
"""
COUNT_ROWS = "SELECT count(*) FROM account_search"
LAST_ID = 1_000_000 + 2 * ACCOUNTS_PER_FILL + 1


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield accounts that may be found."""
    with open_world(tmp_path / "hupan.db") as world:
        yield world


async def found(world: World, word: str, *, by_default: bool = True) -> list[int]:
    """Return the ids of the users that match a word."""
    discovery = Discovery(world.engine)
    search = HomeSearch(world.engine, world.clock, discovery, shows_by_default=by_default)
    return [one.id for one in (await search.search(word)).users]


async def named(world: World, name: str) -> Account:
    """Return a new account with a nickname."""
    account = await world.account()
    await world.engine.run_transaction(lambda tx: set_name(tx, account.id, name))
    return account


async def rows(world: World) -> int:
    """Return the number of rows of the table."""
    row = await world.engine.fetch_one(COUNT_ROWS)
    assert row is not None
    return int(row[0])


async def test_accounts_choose_to_be_found(world: World) -> None:
    """A choice overrides the server's setting (D4)."""
    plain = await named(world, "heron one")
    shown = await named(world, "heron two")
    hidden = await named(world, "heron three")
    privacy = Privacy(world.engine, VisibleFields())
    await privacy.update_choice(shown.id, lambda choice: replace(choice, search=True))
    await privacy.update_choice(hidden.id, lambda choice: replace(choice, search=False))
    assert await found(world, "Heron") == [plain.id, shown.id]
    assert await found(world, "heron", by_default=False) == [shown.id]
    for account, is_found in ((plain, True), (shown, True), (hidden, False)):
        assert await found(world, str(account.id)) == [account.id] * is_found
    assert await found(world, str(plain.id), by_default=False) == []
    await privacy.update_choice(hidden.id, lambda choice: replace(choice, search=None))
    assert hidden.id in await found(world, "heron")
    assert await rows(world) == 3


async def test_one_row_follows_each_account(world: World) -> None:
    """Name, avatar, ban, cancellation and restoration apply at once; no old row stays."""
    account = (await named(world, "ibis")).id

    async def rename(tx: Transaction) -> None:
        await set_name(tx, account, "Stork")
        await set_avatar(tx, account, "https://a.example/s.png")

    await world.engine.run_transaction(rename)
    assert (await found(world, "ibis"), await found(world, "STORK")) == ([], [account])
    await world.engine.run_transaction(lambda tx: set_ban(tx, account, NOW + 60, "spam"))
    assert await found(world, "stork") == await found(world, str(account)) == []
    world.clock.time += 60
    assert await found(world, "stork") == [account]
    await world.engine.run_transaction(lambda tx: schedule_erasure(tx, account, NOW + 10**6))
    assert (await found(world, "stork"), await rows(world)) == ([], 0)
    await world.engine.run_transaction(lambda tx: restore_account(tx, account, NOW))
    assert (await found(world, "stork"), await rows(world)) == ([account], 1)


async def test_accounts_from_before_are_added(world: World) -> None:
    """Accounts of an older version become searchable in the background, a few per round."""

    async def fill(tx: Transaction) -> None:
        for number in range(1_000_001, LAST_ID + 1):
            await tx.execute(FROM_BEFORE, number, f"old {number}", f"C{number}")
        await tx.execute("UPDATE counters SET value = ?1 WHERE name = 'account'", LAST_ID)

    await world.engine.run_transaction(fill)
    assert await found(world, "old") == []
    fill_table, rounds = SearchFill(world.engine), 1
    while await fill_table.run() is not DONE:
        rounds += 1
    assert (rounds, await rows(world)) == (3, LAST_ID - 1_000_000)
    assert await found(world, f"old {LAST_ID}") == [LAST_ID]
    assert await fill_table.run() is DONE
