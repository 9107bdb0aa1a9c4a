"""Every SQL statement of the store, read from its source."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Final, NamedTuple

import hupan.store
from hupan.store.tables import erased_tables

STATEMENT: Final = re.compile(r"\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|REPLACE)\s")
PARAMETER: Final = re.compile(r"\?(\d+)")
# A row of constants is no table, and `SEARCH` is an index look-up.
WALK: Final = re.compile(r"SCAN (?!CONSTANT ROW)|USE TEMP B-TREE")
ANOTHER_ENGINE: Final = re.compile("postgres|citus$")
# They read the pages of a file, and the one row with the last writer of its log.
OF_PAGES: Final = re.compile("wal$|repair$")
OF_LOG: Final = "commit_counts"
MIGRATION: Final = "reads all rows once, as a store is brought up to date"
OPERATORS: Final = "an operator's command reads all rows; no request does"
SANDBOX: Final = "sorts the few accounts of this kind in a sandbox; no server asks for it"
FILES: Final = "one row for each file of the migrations, or for each table or column"
WALKS: Final[Mapping[str, str]] = {
    "migrate.ASCII_DOMAIN_READS": MIGRATION,
    "migrate.PICTURE_KEY_READS": MIGRATION,
    "tables._KEEP_PICTURE_NAMES": "empties the store of a sandbox",
    "snapshots.FORGET_REMOVALS": "restores the pictures of a sandbox, of which there are few",
    "discovery.COUNT_BOTS": "along an index; the list of bots is small",
    "discovery.LIST_BOTS": "along an index, as far as the limit",
    "discovery.LIST_CATEGORIES": "some dozen rows, made by an operator",
    "clients.LIST_CLIENTS": "some dozen rows, made by an operator; asked by the command line",
    "accounts.LIST_ALL_MEDALS": "some dozen rows, made by an operator; asked by the command line",
    "accounts.LIST_ACCOUNT_MEDALS": "sorts the medals that one account wears",
    "coins.FIND_INCONSISTENT_ENTRIES": OPERATORS,
    "shop.LIST_PRODUCTS": "at most 500 rows, made by an operator",
    "shop.COUNT_PRODUCTS": "at most 500 rows, made by an operator",
    "integrity.LIST_BAD_CODES": "reads the codes of some minutes, once in a while",
    "integrity.LIST_SUSPECT_SESSIONS": "sorts what is wrong with some of 1,000 accounts",
    "cluster_state.RESET_FUTURE_TIMES": OPERATORS,
    "outbox.LIST_NEXT_DUE_AT_ONCE": "along an index of at most 30,000 messages a channel",
    "outbox.COUNT_MESSAGES": "along an index of at most 30,000 messages a channel",
    "outbox.DELETE_OLDEST_MESSAGES": "sorts messages of one priority, only beyond 10,000",
    "devices.DELETE_OLDEST_IGNORED_MODULES": "sorts the devices of one account, at most 100",
    "devices.DELETE_OLDEST_NOTIFICATION_SETTING": "sorts the devices of one account, at most 100",
    "identity._HAS_COUNTERS": FILES,
    "migrate.read_applied": FILES,
    "tables.list_tables": FILES,
    "tables._read_table": FILES,
    "sqlite.check": FILES,
    "sqlite._LIST_TABLES": FILES,
    "sqlite._LIST_TRIGGERS": FILES,
    "sessions.DELETE_OLDEST_SESSIONS": "sorts the sessions of one account, some ten",
    "sessions.LIST_LIVE_SESSIONS": "sorts the sessions of one account, some ten",
    "sessions.LIST_SESSION_SUMMARIES": "sorts the sessions of one account, some ten",
    "sessions.TRIM_DEVICES": "sorts the devices of one account, at most 51",
    "sessions.TRIM_LOGGED_OUT": "sorts the signed-out tokens of one account, at most 101",
    "pending.LIST_BAN_ENDS": SANDBOX,
    "pending.LIST_VIP_ENDS": SANDBOX,
    "presence.LIST_PROCESSES": "a row for each process with sockets, once in ten seconds",
    "rate_counters.COUNT_COUNTERS": "along an index, once a minute, on the thread that writes",
    "rate_counters.DELETE_SURPLUS_COUNTERS": (
        "sorts the 2,000 counters that end soonest, beyond two million"
    ),
}
"""Statements that scan a table, or sort their results, and why they may."""
BUILT: Final[Mapping[str, str]] = {
    "copying.begin_copy": OPERATORS,
    "copying.count_rows": OPERATORS,
    "copying.get_table_totals": OPERATORS,
    "copying._last_key": OPERATORS,
    "copying._next_rows": OPERATORS,
    "copying.make_insert": OPERATORS,
    "backups.__init__": OPERATORS,
    "backups.change": OPERATORS,
    "backups.copy_into": OPERATORS,
    "backups.ensure_empty": OPERATORS,
    "identity.claim_store": "looks once whether a new store of a sandbox is empty",
    "devices._delete_oldest_device": "makes two constants, which are looked at",
    "snapshots.read_tables": "copies the store of a sandbox",
    "snapshots.replace_tables": "empties the store of a sandbox",
    "snapshots._insert_sql": "fills the store of a sandbox",
    "tables.delete_all_data": "empties the store of a sandbox",
}
"""Functions that compose their statements at run time, and why these are not checked."""


class Statement(NamedTuple):
    """A statement and its location: its module, and the constant or the function."""

    place: str
    sql: str


def modules() -> Iterator[ModuleType]:
    """Yield the modules of the store that SQLite runs."""
    for found in pkgutil.iter_modules(hupan.store.__path__):
        if not ANOTHER_ENGINE.match(found.name) and not OF_PAGES.match(found.name):
            yield importlib.import_module(f"hupan.store.{found.name}")


def texts(value: object) -> Iterator[str]:
    """Yield every text in a constant."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts(tuple(value.values()))
    elif isinstance(value, tuple | list | set | frozenset):
        for part in value:
            yield from texts(part)


def functions(module: ModuleType) -> Iterator[tuple[str, ast.AST]]:
    """Yield the functions of a module, methods too, by name."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{short(module)}.{node.name}", node


def short(module: ModuleType) -> str:
    """Return the last part of a module's name."""
    return module.__name__.rpartition(".")[2]


def constants() -> Iterator[Statement]:
    """Yield the statements in constants, with the values of their f-strings."""
    for module in modules():
        for name, value in vars(module).items():
            for text in texts(value):
                if STATEMENT.match(text) and OF_LOG not in text:
                    yield Statement(f"{short(module)}.{name}", text)


def inline() -> Iterator[Statement]:
    """Yield the complete statements within functions."""
    for module in modules():
        for place, function in functions(module):
            parts = {id(part) for node in built_in(function) for part in ast.walk(node)}
            for node in ast.walk(function):
                if isinstance(node, ast.Constant) and id(node) not in parts:
                    yield from (Statement(place, sql) for sql in texts(node.value))


def built_in(function: ast.AST) -> Iterator[ast.JoinedStr]:
    """Yield the statements that a function composes."""
    for node in ast.walk(function):
        if isinstance(node, ast.JoinedStr):
            first = node.values[0]
            if isinstance(first, ast.Constant) and STATEMENT.match(str(first.value)):
                yield node


def erasures() -> Iterator[Statement]:
    """Yield what `erase_account` composes, for each table."""
    for table in erased_tables():
        sql = f"DELETE FROM {table} WHERE account_id = ?1"  # noqa: S608 - our own names
        yield Statement("accounts.erase_account", sql)


def statements() -> dict[str, Statement]:
    """Return every statement once, by a name for the test's report."""
    whole = (found for found in inline() if STATEMENT.match(found.sql))
    found = dict.fromkeys([*constants(), *whole, *erasures()])
    return {f"{n}-{statement.place}": statement for n, statement in enumerate(found)}


STATEMENTS: Final = statements()
