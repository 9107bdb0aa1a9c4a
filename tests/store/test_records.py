"""The columns of each SELECT are the fields of its record, in order.

A row fills its record by position, so two swapped columns of one type would not be noticed. The
pairs are found: a call `Record(*row)` in a function that runs one statement.
"""

import ast
import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

import apsw
import apsw.ext
import pytest
from msgspec import Struct

from hupan.model import (
    Account,
    CoinEntry,
    FoundAccount,
    PersonalData,
    PrivacyChoice,
    PublicAccount,
    Session,
)
from hupan.store import account_search, accounts, coins, profiles, rate_counters, sessions
from hupan.store.migrate import migrate_file
from hupan.store.postgres_dsn import PostgresDsn
from hupan.store.postgres_pool import Connection, PostgresPool, to_postgres
from hupan.store.sqlite import connect
from tests.support.statements import functions, modules
from tests.support.stores import Databases

RENAMED: Final[Mapping[str, str]] = {
    "class": "purpose",
    "is_proven": "is_verified",
    "sealed_code": "encrypted_code",
    "tries": "attempts",
}
"""Columns of the schema, which stays, and the names of their fields."""


class Filling(NamedTuple):
    """A statement, and the names that its row fills."""

    place: str
    sql: str
    fields: tuple[str, ...]


def fields(record: type[Struct]) -> tuple[str, ...]:
    """Return the fields of a record in order."""
    return record.__struct_fields__


SHOWN: Final = tuple(f"shows_{name}" for name in fields(PrivacyChoice))
SPLIT: Final = (
    Filling("sessions.find_caller", sessions.FIND_CALLER, fields(Session) + fields(Account)),
    Filling(
        "profiles.find_profile_view",
        profiles.FIND_PROFILE_VIEW,
        fields(PublicAccount) + fields(PersonalData)[:6] + SHOWN[:4],
    ),
    *(
        Filling("accounts._to_listed_account", sql, (*fields(Account), "erase_at"))
        for sql in (accounts.FIND_LISTED_ACCOUNT, *accounts.LIST_ACCOUNTS.values())
    ),
    *(
        Filling("coins._to_coin_entry", sql, fields(CoinEntry))
        for sql in (coins.FIND_COIN_ENTRY, coins.LIST_COIN_ENTRIES)
    ),
    *(
        Filling("coins.find_coin_inconsistencies", sql, fields(coins.CoinInconsistency))
        for sql in (coins.FIND_INCONSISTENT_ENTRIES, coins.FIND_INCONSISTENT_BALANCES)
    ),
    Filling("profiles._to_privacy_choice", profiles.FIND_PRIVACY, SHOWN),
    Filling(
        "account_search.search_accounts",
        account_search.SEARCH_ACCOUNTS,
        ("folded", *fields(FoundAccount)),
    ),
    Filling(
        "account_search.find_searchable",
        account_search.FIND_SEARCHED_ACCOUNT,
        (*fields(FoundAccount), "banned_until", "erase_at", "shows_search"),
    ),
    Filling(
        "rate_counters.list_counters",
        rate_counters.LIST_COUNTERS,
        fields(rate_counters.RateCounter),
    ),
)
"""Functions that split a row over several records, or fill one from several statements."""


def filled(module: ModuleType, function: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls in a function that use a row."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and any(isinstance(one, ast.Starred) for one in node.args):
            made = getattr(module, getattr(node.func, "id", ""), None)
            if isinstance(made, type) and issubclass(made, Struct):
                yield node


def statements(module: ModuleType, function: ast.AST) -> list[str]:
    """Return the constant statements that a function names."""
    names = dict.fromkeys(
        node.id for node in ast.walk(function) if isinstance(node, ast.Name) and node.id.isupper()
    )
    found = (getattr(module, name) for name in names)
    return [
        one for one in found if isinstance(one, str) and ("SELECT" in one or "RETURNING" in one)
    ]


def fillings() -> Iterator[Filling]:
    """Yield every statement that fills a record, with the fields."""
    yield from SPLIT
    split = {filling.place for filling in SPLIT}
    for module in modules():
        for place, function in functions(module):
            calls = [*filled(module, function)]
            if not calls or place in split:
                continue
            (sql,) = statements(module, function)
            for call in calls:
                assert isinstance(call.func, ast.Name)
                yield Filling(place, sql, fields(getattr(module, call.func.id)))


FILLINGS: Final = tuple(fillings())


def expected(filling: Filling) -> list[str]:
    """Return the required column names of a statement."""
    named = {field: column for column, field in RENAMED.items() if column in filling.sql}
    return [named.get(field, field) for field in filling.fields]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """Yield an empty store of the current version."""
    path: Path = tmp_path_factory.mktemp("records") / "hupan.db"
    migrate_file(path)
    opened = connect(path)
    yield opened
    opened.close()


def columns(connection: apsw.Connection, sql: str) -> list[str]:
    """Return the column names that SQLite returns."""
    return [str(name) for name, _ in apsw.ext.query_info(connection, sql).description]


def test_each_column_fills_its_field(connection: apsw.Connection) -> None:
    """SQLite's column names are the fields."""
    for filling in FILLINGS:
        assert columns(connection, filling.sql) == expected(filling), filling.place


@pytest.mark.slow
def test_each_column_fills_its_field_on_postgresql(databases: Databases) -> None:
    """PostgreSQL names its columns as SQLite does."""

    async def compare(connection: Connection) -> None:
        for filling in FILLINGS:
            prepared = await connection.prepare(to_postgres(filling.sql))
            names = [attribute.name for attribute in prepared.get_attributes()]
            assert names == expected(filling), filling.place

    async def live() -> None:
        pool = PostgresPool(PostgresDsn(databases.cluster.url(name)))
        await pool.use(compare)
        await pool.close()

    name = databases.make()
    asyncio.run(live())
    databases.drop(name)


def test_a_swap_is_seen(connection: apsw.Connection) -> None:
    """Two swapped columns of one type are found."""
    for filling in FILLINGS:
        if filling.place == "accounts.find_medal":
            swapped = filling.sql.replace(
                "m.description, m.image_url", "m.image_url, m.description"
            )
            assert swapped != accounts.FIND_MEDAL
            assert columns(connection, swapped) != expected(filling)


def test_fillings_are_found() -> None:
    """Single records, lists and split rows are found."""
    places = {filling.place for filling in FILLINGS}
    assert places >= {
        "accounts.find_account",
        "sessions.find_viewer",
        "accounts.find_medal",
        "accounts.list_all_medals",
        "outbox.lease_messages",
        "discovery.list_bots",
        "profiles.get_personal_data",
    }
