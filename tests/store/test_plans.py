"""SQLite finds the rows of each statement by an index, without a full scan.

Statements are found, not listed: every text in `hupan.store` that begins like one, also in tuples
and mappings, with the values of its f-strings. A new one is checked automatically.
"""

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from hupan.model import AccountFilter
from hupan.store.accounts import COUNT_ACCOUNTS, LIST_ACCOUNTS
from hupan.store.migrate import migrate_file
from hupan.store.sqlite import connect
from tests.support.statements import (
    BUILT,
    PARAMETER,
    STATEMENTS,
    WALK,
    WALKS,
    built_in,
    functions,
    modules,
)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """Yield an empty store: the planner only uses the shape of tables and indices."""
    path: Path = tmp_path_factory.mktemp("plans") / "hupan.db"
    migrate_file(path)
    opened = connect(path)
    yield opened
    opened.close()


def walks(connection: apsw.Connection, sql: str) -> list[str]:
    """Return the steps of a plan that scan a whole table, or sort."""
    unbound = (None,) * max(map(int, PARAMETER.findall(sql)), default=0)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", unbound).fetchall()
    return [str(step[3]) for step in plan if WALK.match(str(step[3]))]


def test_a_statement_finds_its_rows_by_an_index(connection: apsw.Connection) -> None:
    """The number of accounts does not affect the cost of a request."""
    for name, statement in STATEMENTS.items():
        if statement.place not in WALKS:
            assert walks(connection, statement.sql) == [], name


@pytest.mark.parametrize("standing", ["banned", "vip", "cancelled"])
def test_few_of_many_accounts_are_listed_by_an_index_of_their_own(
    connection: apsw.Connection, standing: AccountFilter
) -> None:
    """A list of banned accounts does not scan all others."""
    for sql in (LIST_ACCOUNTS[standing], COUNT_ACCOUNTS[standing]):
        unbound = (None,) * max(map(int, PARAMETER.findall(sql)))
        ((*_, step),) = connection.execute(f"EXPLAIN QUERY PLAN {sql}", unbound).fetchall()
        assert "INDEX accounts_" in str(step)


def test_what_may_walk_does(connection: apsw.Connection) -> None:
    """An unneeded exception is removed from the list."""
    walking = {found.place for found in STATEMENTS.values() if walks(connection, found.sql)}
    assert walking == set(WALKS)


def test_what_is_put_together_is_known() -> None:
    """A composed statement is listed with its reason, or checked for each table."""
    built = {
        place
        for module in modules()
        for place, function in functions(module)
        if any(built_in(function))
    }
    assert built == {*BUILT, "accounts.erase_account"}


def test_statements_are_found() -> None:
    """Constants, tuples, mappings, f-strings and statements within functions are found."""
    places = {statement.place for statement in STATEMENTS.values()}
    assert places >= {
        "sessions.FIND_CALLER",
        "discovery.DELETE_VERSION_ROWS",
        "integrity.NEXT_REFERENCES",
        "devices.DELETE_OLDEST_IGNORED_MODULES",
        "sqlite.check",
    }


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM accounts WHERE country = ?1",
        "DELETE FROM sessions WHERE platform = ?1",
        "SELECT name FROM accounts WHERE erase_at = 0 ORDER BY online_days LIMIT 1",
        "SELECT a.id FROM remarks r JOIN accounts a ON a.id = r.friend_id WHERE r.friend_id = ?1",
    ],
)
def test_a_walk_is_seen(connection: apsw.Connection, sql: str) -> None:
    """A missing index, a sort without one and the second part of a key are found."""
    assert walks(connection, sql)
