"""How SQLite finds the rows of each statement of the store: by an index, never by reading them all.

The statements are found, not listed: every text in `hupan.store` that begins as one does, also in
tuples and mappings, with what its f-strings stand for. A new one is looked at without being named.
"""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

import apsw
import pytest

import hupan.store
from hupan.model import AccountFilter
from hupan.store.accounts import COUNT_ACCOUNTS, LIST_ACCOUNTS
from hupan.store.deletion import ERASED_TABLES
from hupan.store.migrate import migrate_file
from hupan.store.sqlite import connect

STATEMENT: Final = re.compile(r"\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|REPLACE)\s")
PARAMETER: Final = re.compile(r"\?(\d+)")
# A row of constants is no table, and `SEARCH` is a look-up in an index.
WALK: Final = re.compile(r"SCAN (?!CONSTANT ROW)|USE TEMP B-TREE")
ANOTHER_ENGINE: Final = re.compile("postgres|citus$")
# They look at the pages of a file, and at the one row that tells who wrote its log back.
OF_PAGES: Final = re.compile("wal$|repair$")

MIGRATION: Final = "reads all rows once, as a store is brought up to date"
OPERATORS: Final = "an operator's command reads all rows; no request does"
FILES: Final = "one row for each file of the migrations, or for each table or column"
WALKS: Final[Mapping[str, str]] = {
    "migrate.ASCII_DOMAIN_READS": MIGRATION,
    "discovery.COUNT_BOTS": "along an index; the list of bots is small",
    "discovery.LIST_BOTS": "along an index, as far as the limit",
    "discovery.LIST_CATEGORIES": "some dozen rows, made by an operator",
    "medals.LIST_ALL_MEDALS": "some dozen rows, made by an operator; asked by the command line",
    "medals.LIST_ACCOUNT_MEDALS": "sorts the medals that one account wears",
    "coins.FIND_INCONSISTENT_ENTRIES": OPERATORS,
    "integrity.ROW_CHECKS": "reads all rows once in a while, in pieces between the requests",
    "cluster_state.RESET_FUTURE_TIMES": OPERATORS,
    "outbox.COUNT_MESSAGES": "along an index of at most 30,000 messages a channel",
    "outbox.DELETE_OLDEST_MESSAGES": "sorts messages of one priority, only beyond 10,000",
    "devices.DELETE_OLDEST_IGNORED_MODULES": "sorts the devices of one account, at most 100",
    "devices.DELETE_OLDEST_NOTIFICATION_SETTING": "sorts the devices of one account, at most 100",
    "copying.begin_copy": OPERATORS,
    "copying.change": OPERATORS,
    "identity._HAS_COUNTERS": FILES,
    "migrate.read_applied": FILES,
    "migrate.list_tables": FILES,
    "migrate._read_table": FILES,
    "sqlite.check": FILES,
    "sessions.DELETE_OLDEST_SESSIONS": "sorts the sessions of one account, some ten",
    "sessions.LIST_LIVE_SESSIONS": "sorts the sessions of one account, some ten",
    "sessions.LIST_SESSION_SUMMARIES": "sorts the sessions of one account, some ten",
    "sessions.TRIM_DEVICES": "sorts the devices of one account, at most 51",
    "sessions.TRIM_LOGGED_OUT": "sorts the signed-out tokens of one account, at most 101",
    "rate_counters.COUNT_COUNTERS": "along an index, once a minute, on the thread that writes",
    "rate_counters.DELETE_SURPLUS_COUNTERS": (
        "sorts the 2,000 counters that end soonest, beyond two million"
    ),
}
"""Statements that walk a table, or sort what they found, and why they may."""

BUILT: Final[Mapping[str, str]] = {
    "copying.begin_copy": OPERATORS,
    "copying.count_rows": OPERATORS,
    "copying.get_table_totals": OPERATORS,
    "copying._last_key": OPERATORS,
    "copying._next_rows": OPERATORS,
    "copying._insert_rows": OPERATORS,
    "identity.claim_store": "looks once whether a new store of a sandbox is empty",
    "devices._delete_oldest_device": "makes two constants, which are looked at",
    "database.delete_all_data": "empties the store of a sandbox",
}
"""Functions whose statements are put together while they run, and why they are not looked at."""


class Statement(NamedTuple):
    """A statement and where it stands: its module, and the constant or the function."""

    place: str
    sql: str


def modules() -> Iterator[ModuleType]:
    """The modules of the store that SQLite runs."""
    for found in pkgutil.iter_modules(hupan.store.__path__):
        if not ANOTHER_ENGINE.match(found.name) and not OF_PAGES.match(found.name):
            yield importlib.import_module(f"hupan.store.{found.name}")


def texts(value: object) -> Iterator[str]:
    """Every text in a constant."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts(tuple(value.values()))
    elif isinstance(value, tuple | list | set | frozenset):
        for part in value:
            yield from texts(part)


def functions(module: ModuleType) -> Iterator[tuple[str, ast.AST]]:
    """The functions of a module, methods too, by name."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{short(module)}.{node.name}", node


def short(module: ModuleType) -> str:
    """The last part of a module's name."""
    return module.__name__.rpartition(".")[2]


def constants() -> Iterator[Statement]:
    """The statements in constants, with what their f-strings stand for."""
    for module in modules():
        for name, value in vars(module).items():
            for text in texts(value):
                if STATEMENT.match(text):
                    yield Statement(f"{short(module)}.{name}", text)


def inline() -> Iterator[Statement]:
    """The statements that stand whole within functions."""
    for module in modules():
        for place, function in functions(module):
            parts = {id(part) for node in built_in(function) for part in ast.walk(node)}
            for node in ast.walk(function):
                if isinstance(node, ast.Constant) and id(node) not in parts:
                    yield from (Statement(place, sql) for sql in texts(node.value))


def built_in(function: ast.AST) -> Iterator[ast.JoinedStr]:
    """The statements that a function puts together."""
    for node in ast.walk(function):
        if isinstance(node, ast.JoinedStr):
            first = node.values[0]
            if isinstance(first, ast.Constant) and STATEMENT.match(str(first.value)):
                yield node


def erasures() -> Iterator[Statement]:
    """What `erase_account` puts together, for each table."""
    for table in ERASED_TABLES:
        sql = f"DELETE FROM {table} WHERE account_id = ?1"  # noqa: S608 - names of our own
        yield Statement("deletion.erase_account", sql)


def statements() -> dict[str, Statement]:
    """Every statement once, by a name for the test's report."""
    whole = (found for found in inline() if STATEMENT.match(found.sql))
    found = dict.fromkeys([*constants(), *whole, *erasures()])
    return {f"{n}-{statement.place}": statement for n, statement in enumerate(found)}


STATEMENTS: Final = statements()


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """An empty store: the planner then goes by the shape of tables and indices alone."""
    path: Path = tmp_path_factory.mktemp("plans") / "hupan.db"
    migrate_file(path)
    opened = connect(path)
    yield opened
    opened.close()


def walks(connection: apsw.Connection, sql: str) -> list[str]:
    """The steps of a plan that read a whole table, or sort."""
    unbound = (None,) * max(map(int, PARAMETER.findall(sql)), default=0)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", unbound).fetchall()
    return [str(step[3]) for step in plan if WALK.match(str(step[3]))]


def test_a_statement_finds_its_rows_by_an_index(connection: apsw.Connection) -> None:
    """However many accounts there are, a request costs the same."""
    for name, statement in STATEMENTS.items():
        if statement.place not in WALKS:
            assert walks(connection, statement.sql) == [], name


@pytest.mark.parametrize("standing", ["banned", "vip", "cancelled"])
def test_few_of_many_accounts_are_listed_by_an_index_of_their_own(
    connection: apsw.Connection, standing: AccountFilter
) -> None:
    """A list of those that are banned does not walk along all others on its way."""
    for sql in (LIST_ACCOUNTS[standing], COUNT_ACCOUNTS[standing]):
        unbound = (None,) * max(map(int, PARAMETER.findall(sql)))
        ((*_, step),) = connection.execute(f"EXPLAIN QUERY PLAN {sql}", unbound).fetchall()
        assert "INDEX accounts_" in str(step)


def test_what_may_walk_does(connection: apsw.Connection) -> None:
    """An exception that is not needed any more is taken off the list."""
    walking = {found.place for found in STATEMENTS.values() if walks(connection, found.sql)}
    assert walking == set(WALKS)


def test_what_is_put_together_is_known() -> None:
    """A statement that no constant holds is listed with its reason, or looked at for each table."""
    built = {
        place
        for module in modules()
        for place, function in functions(module)
        if any(built_in(function))
    }
    assert built == {*BUILT, "deletion.erase_account"}


def test_statements_are_found() -> None:
    """The look-out sees constants, tuples, mappings, f-strings and statements within functions."""
    places = {statement.place for statement in STATEMENTS.values()}
    assert places >= {
        "sessions.FIND_CALLER",
        "discovery.DELETE_VERSION_ROWS",
        "integrity.ROW_CHECKS",
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
    """A column without an index, a sort without one, the second part of a key."""
    assert walks(connection, sql)
