"""Pages of the record of coins: exact, and found in the index however long it is."""

import asyncio
from pathlib import Path

import apsw
import pytest

from hupan.model import AccountId
from hupan.store.coins import FIND_COIN_ENTRY, FIND_NEWEST_ENTRY_NUMBER, LIST_COIN_ENTRIES
from hupan.store.coins import FIND_COIN_REFUSAL as FIND_REFUSAL
from hupan.store.migrate import migrate_file
from tests.domain.purses import Purses, open_purses, wish

ENTRIES = 23
MILLION = 1_000_000
MOST_STEPS = 10_000
FILL = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
INSERT INTO coin_entries
SELECT ?1, n, 'key ' || n, 2, '奖励', '', 'server', n - 1, 1, n, 'rewards', -1, n FROM numbers
"""


@pytest.mark.parametrize("size", [1, 2, 7, 22, 23, 24, 100])
def test_pages_hold_every_entry_once(tmp_path: Path, size: int) -> None:
    """The pages one after the other are all entries, newest first; behind them come empty ones."""

    async def scenario(purses: Purses) -> None:
        account, other = await purses.account(), await purses.account(1)
        for number in range(ENTRIES):
            await purses.coins.change(wish(account, 1, f"key {number}"))
        seen: list[int] = []
        for page in range(1, ENTRIES + 2):
            found = await purses.coins.list_page(account, size=size, page=page)
            assert found.total == ENTRIES
            assert len(found.entries) == min(size, max(0, ENTRIES - (page - 1) * size))
            assert {entry.account_id for entry in found.entries} <= {account}
            seen += [entry.number for entry in found.entries]
        assert seen == list(range(ENTRIES, 0, -1))
        assert (await purses.coins.list_page(account, size=100, page=10_000)).entries == []
        assert (await purses.coins.list_page(other, size=size, page=1)).total == 1

    with open_purses(tmp_path / "hupan.db") as purses:
        asyncio.run(scenario(purses))


@pytest.mark.parametrize(
    ("sql", "terms"),
    [
        (FIND_NEWEST_ENTRY_NUMBER, "account_id=?"),
        (LIST_COIN_ENTRIES, "account_id=? AND number>? AND number<?"),
        (FIND_COIN_ENTRY, "account_id=? AND key=?"),
        (FIND_REFUSAL, "account_id=? AND key=?"),
    ],
)
def test_every_query_is_a_look_up(tmp_path: Path, sql: str, terms: str) -> None:
    """Each statement goes through an index by all of its terms, and none sorts."""
    migrate_file(tmp_path / "hupan.db")
    connection = apsw.Connection(str(tmp_path / "hupan.db"))
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (1,) * sql.count("?")).fetchall()
    connection.close()
    assert len(plan) == 1, plan
    step = str(plan[0][3])
    assert step.startswith("SEARCH")
    assert step.endswith(f"({terms})")


@pytest.mark.one_engine
@pytest.mark.slow
def test_the_last_page_of_a_million_costs_as_much_as_the_first(tmp_path: Path) -> None:
    """At a million entries any page takes a few thousand steps of the store, and is exact."""
    path = tmp_path / "hupan.db"
    migrate_file(path)
    connection = apsw.Connection(str(path))
    connection.execute(FILL, (1_000_001, MILLION)).fetchall()
    connection.close()
    account = AccountId(1_000_001)
    with open_purses(path) as purses:
        for page in (1, 5_000, 10_000):
            found = asyncio.run(purses.coins.list_page(account, size=100, page=page))
            newest = MILLION - (page - 1) * 100
            assert [entry.number for entry in found.entries] == list(
                range(newest, newest - 100, -1)
            )
            assert found.total == MILLION
    assert steps(path, FIND_NEWEST_ENTRY_NUMBER, 1_000_001) < MOST_STEPS
    for above in (0, MILLION // 2, MILLION - 100):
        assert steps(path, LIST_COIN_ENTRIES, 1_000_001, above, above + 100) < MOST_STEPS


def steps(path: Path, sql: str, *values: int) -> int:
    """How many steps of SQLite's machine a query takes, within a hundred."""
    connection = apsw.Connection(str(path))
    taken = [0]

    def progress() -> bool:
        taken[0] += 100
        return False

    connection.set_progress_handler(progress, 100)
    connection.execute(sql, values).fetchall()
    connection.close()
    return taken[0]
