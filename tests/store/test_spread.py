"""A spread database answers each request from one machine at a time: proven on every statement.

SQLite's plan tells that each row is found by its distribution column, and the text that all of a
statement's rows are of one and the same value of it. Each subquery must say so by itself: Citus
asks every shard for one that is bound to a column of the query around it. Statements that no
request runs are listed.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import apsw
import pytest

from hupan.store import citus
from hupan.store.migrate import MIGRATIONS_TABLE, list_tables, migrate_file
from hupan.store.sqlite import connect
from tests.support.statements import PARAMETER, STATEMENTS

OUTBOX: Final = "the outbox worker runs it, not a request"
HOUSEKEEPING: Final = "housekeeping does it once a minute"
CHECK: Final = "a look at all rows, or what a repair of them asks; once in a while"
OPERATOR: Final = "an operator's command"
START: Final = "the start of a server, or a migration"
FILE: Final = "of a SQLite file"
ERASURE: Final = "housekeeping erases cancelled accounts"
LISTS: Final = "operators list and search accounts"

OFF_THE_PATH: Final[Mapping[str, str]] = {
    "accounts.COUNT_ACCOUNTS": LISTS,
    "accounts.FIND_FIRST_REGISTERED_SINCE": LISTS,
    "accounts.FIND_IDS_BY_CONTACT_PREFIX": LISTS,
    "accounts.FIND_IDS_BY_NAME_PREFIX": LISTS,
    "accounts.LIST_ACCOUNTS": LISTS,
    "accounts.LIST_IDENTITIES_IN_RANGE": HOUSEKEEPING,
    "accounts._SELECT_PAGE": LISTS,
    "cluster_state.CAP_ERASURE_TIMES": OPERATOR,
    "cluster_state.RESET_FUTURE_TIMES": OPERATOR,
    "codes.DELETE_SURPLUS_CAPTCHAS": HOUSEKEEPING,
    "codes.PURGE_CAPTCHAS": HOUSEKEEPING,
    "codes.PURGE_CODES": HOUSEKEEPING,
    "coins.FIND_INCONSISTENT_BALANCES": CHECK,
    "coins.FIND_INCONSISTENT_ENTRIES": CHECK,
    "coins.PURGE_COIN_REFUSALS": HOUSEKEEPING,
    "contacts.PURGE_CONTACT_CHANGES": HOUSEKEEPING,
    "contacts.PURGE_STEP_UPS": HOUSEKEEPING,
    "copying.begin_copy": OPERATOR,
    "copying.change": OPERATOR,
    "deletion.LIST_ACCOUNT_IDENTITIES": ERASURE,
    "deletion.LIST_DUE_ERASURES": ERASURE,
    "deletion.erase_account": ERASURE,
    "identity._HAS_COUNTERS": FILE,
    "integrity.ROW_CHECKS": CHECK,
    "migrate.ASCII_DOMAIN_READS": OPERATOR,
    "migrate._apply_missing": START,
    "migrate.read_applied": START,
    "migrate._read_table": FILE,
    "migrate.list_tables": FILE,
    "outbox.COUNT_MESSAGES": "the figures that a monitor asks for",
    "outbox.DELETE_OLDEST_MESSAGES": OUTBOX,
    "outbox.HAS_SURPLUS_MESSAGES": OUTBOX,
    "outbox.LEASE_MESSAGES": OUTBOX,
    "outbox.LIST_NEXT_DUE": OUTBOX,
    "rate_counters.COUNT_COUNTERS": HOUSEKEEPING,
    "rate_counters.DELETE_SURPLUS_COUNTERS": HOUSEKEEPING,
    "rate_counters.LIST_LIMIT_RESETS": "each process reads now and then what operators asked for",
    "rate_counters.PURGE_COUNTERS": HOUSEKEEPING,
    "rate_counters.PURGE_LIMIT_RESETS": HOUSEKEEPING,
    "sessions.PURGE_LOGGED_OUT": HOUSEKEEPING,
    "session_ends.LIST_SESSION_ENDS": "each process reads what ended, while somebody listens",
    "session_ends.PURGE_SESSION_ENDS": HOUSEKEEPING,
    "sessions.DELETE_FUTURE_SESSIONS": OPERATOR,
    "sessions.PURGE_OLD_SESSIONS": HOUSEKEEPING,
    "sessions.PURGE_UNUSED_SESSIONS": HOUSEKEEPING,
    "sqlite.check": FILE,
}
"""Statements that ask more than one machine, and who runs them."""

REFERENCE: Final = re.compile(
    r"\b(FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+(?!(?:ON|WHERE|SET|ORDER|LEFT|JOIN|LIMIT|GROUP|VALUES"
    r"|SELECT|DO|UNION)\b)(\w+))?"
)
EQUAL: Final = re.compile(r"(?:(\w+)\.)?(\w+) = (\?\d+|'[^']*'|\w+\.\w+)(?! [-+])")
INSERT: Final = re.compile(r"INSERT INTO (\w+) \(([^)]*)\) (VALUES \(|SELECT )(.*)")
NEW: Final = "the new row"
STEP: Final = re.compile(r"(SEARCH|SCAN) (\w+)(?:.* \((\w+)=\?)?")
KEYS: Final = {table.name: table.primary_key for table in list_tables()}


class Touch(NamedTuple):
    """A table that a statement names, by the name that it goes by there."""

    verb: str
    table: str
    alias: str


def flat(sql: str) -> str:
    """The statement in one line."""
    return re.sub(r"\s+", " ", sql).replace("( ", "(").strip()


def touches(sql: str) -> list[Touch]:
    """Every distributed table in a statement, as often as it is named."""
    found = (Touch(verb, table, alias or table) for verb, table, alias in REFERENCE.findall(sql))
    return [one for one in found if one.table in KEYS and one.table not in citus.REFERENCE_TABLES]


def column(table: str) -> str:
    """What a distributed table is distributed by."""
    name = citus.distribution_column(table)
    assert name is not None
    return name


def group(table: str) -> str:
    """What lies beside each other: all that is an account's, and each other table alone."""
    return citus.COLOCATION_TABLE if column(table) == "account_id" else table


def found_by_value(connection: apsw.Connection, sql: str) -> Counter[str]:
    """How often each table is searched by one value of its distribution column."""
    unbound = (None,) * max(map(int, PARAMETER.findall(sql)), default=0)
    names = {touch.alias: touch.table for touch in touches(sql)}
    found: Counter[str] = Counter()
    for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", unbound).fetchall():
        step = STEP.match(str(row[3]))
        if step and step[1] == "SEARCH" and step[2] in names:
            key = KEYS[names[step[2]]]
            by = key[0] if step[3] == "rowid" and len(key) == 1 else step[3]
            found[step[2]] += by == column(names[step[2]])
    return found


def parts(text: str) -> list[str]:
    """What commas part, but for those in brackets; it ends where a bracket closes it, or a word."""
    found, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0:
            break
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [re.split(r" (?:FROM|WHERE|ON CONFLICT)\b", part.strip())[0] for part in found]


def links(sql: str) -> Iterator[tuple[str, str]]:
    """What the distribution columns of a statement are equal to: each other, or values."""
    named = {touch.alias: touch.table for touch in touches(sql)}
    for alias, name, value in EQUAL.findall(sql):
        for owner in [alias] if alias else named:
            if owner in named and column(named[owner]) == name:
                yield f"{owner}.{name}", value
    new = INSERT.match(sql)
    if new and new[1] in named:
        given = dict(zip(new[2].split(", "), parts(new[4]), strict=False))
        value = given.get(column(new[1]), "nothing")
        yield NEW, value
        yield from ((NEW, f"{one.alias}.{value}") for one in touches(sql) if one.verb != "INTO")


def values(sql: str) -> set[str]:
    """The values that the distribution columns have, joins followed; "" for one that has none."""
    nodes = {f"{one.alias}.{column(one.table)}" for one in touches(sql) if one.verb != "INTO"}
    nodes |= {NEW for one in touches(sql) if one.verb == "INTO"}
    joined: list[set[str]] = [{node} for node in nodes]
    for one, other in links(sql):
        met = [those for those in joined if those & {one, other}]
        joined = [those for those in joined if those not in met] + [{one, other}.union(*met)]
    return {
        value
        for those in joined
        if those & nodes
        for value in [name for name in those if name.startswith(("?", "'"))] or [""]
    }


def levels(sql: str) -> list[str]:
    """The statement without its subqueries, and each subquery without those within it."""
    found, open_brackets = [""], [0]
    for index, letter in enumerate(sql):
        if letter == "(" and sql[index + 1 :].startswith("SELECT "):
            found[open_brackets[-1]] += "(…)"
            found.append("")
            open_brackets.append(len(found) - 1)
            continue
        if letter == "(":
            open_brackets.append(open_brackets[-1])
        elif letter == ")":
            left = open_brackets.pop()
            if left != open_brackets[-1]:
                continue
        found[open_brackets[-1]] += letter
    return found


def trouble(connection: apsw.Connection, statement: str) -> str:
    """Why a statement would ask more than one machine; "" when it does not."""
    sql = flat(statement)
    if MIGRATIONS_TABLE in sql or "pragma_" in sql or "sqlite_schema" in sql:
        return "what is on no other machine"
    touched = touches(sql)
    if len({group(touch.table) for touch in touched}) > 1:
        return "tables that do not lie beside each other"
    read = Counter(touch.alias for touch in touched if touch.verb != "INTO")
    if read - found_by_value(connection, sql):
        return "rows that are not found by the distribution column"
    if touched and (len(values(sql)) != 1 or any("" in values(level) for level in levels(sql))):
        return "not one value of the distribution column, in it or in each of its subqueries"
    if re.search(r"VALUES \(.*\(SELECT", sql):
        return "Citus takes no query among the values of an INSERT"
    return ""


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """An empty store that is up to date."""
    path: Path = tmp_path_factory.mktemp("spread") / "hupan.db"
    migrate_file(path)
    opened = connect(path)
    yield opened
    opened.close()


def test_keys_begin_with_what_is_distributed_by() -> None:
    """Rows of an account lie beside it; what is claimed lies where its value is looked up."""
    for table in list_tables():
        if table.name in citus.REFERENCE_TABLES:
            continue
        assert column(table.name) == table.primary_key[0]
        names = [one.name for one in table.columns]
        assert (
            table.name == citus.COLOCATION_TABLE
            or ("account_id" not in names) == (group(table.name) != citus.COLOCATION_TABLE)
            or table.name in ("identities", "codes")
        ), table.name


def test_every_table_is_spread_once() -> None:
    """The leader of the accounts' tables comes first, and small tables go everywhere."""
    spread_out = dict(citus.distribution_statements())
    assert set(spread_out) == {*KEYS, MIGRATIONS_TABLE}
    assert next(iter(spread_out)) == citus.COLOCATION_TABLE
    everywhere = {name for name, sql in spread_out.items() if "create_reference_table" in sql}
    assert everywhere == {*citus.REFERENCE_TABLES, MIGRATIONS_TABLE}
    assert set(KEYS) >= citus.REFERENCE_TABLES


def test_what_is_unique_is_so_within_a_machine(connection: apsw.Connection) -> None:
    """A unique index that does not hold the distribution column would not be enforced."""
    for table in set(KEYS) - citus.REFERENCE_TABLES:
        indices = connection.execute(
            'SELECT name FROM pragma_index_list(?1) WHERE "unique" = 1', (table,)
        ).fetchall()
        for (index,) in indices:
            told = connection.execute("SELECT name FROM pragma_index_info(?1)", (index,))
            assert (column(table),) in told.fetchall(), index


def test_a_statement_asks_one_machine(connection: apsw.Connection) -> None:
    """A new one that does not is listed with who runs it, or written otherwise."""
    for name, (place, sql) in STATEMENTS.items():
        if place not in OFF_THE_PATH:
            assert trouble(connection, sql) == "", name


def test_what_is_listed_asks_many(connection: apsw.Connection) -> None:
    """A reason that is not needed any more is taken off the list."""
    asking = {found.place for found in STATEMENTS.values() if trouble(connection, found.sql)}
    assert asking == set(OFF_THE_PATH)


def test_no_insert_asks_for_constants() -> None:
    """Citus takes such rows through the coordinator, and commits them in two phases."""
    asking = {
        found.place
        for found in STATEMENTS.values()
        for into in [re.match(r"INSERT INTO (\w+) \([^)]*\) SELECT \?", flat(found.sql))]
        if into and into[1] not in citus.REFERENCE_TABLES
    }
    assert asking == {"migrate._INSERT_GIVEN_UP_EMAIL"}  # once, as a store is brought up to date


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM accounts WHERE phone = ?1",
        "SELECT name FROM accounts WHERE id > ?1",
        "DELETE FROM outbox",
        "DELETE FROM sessions WHERE token_hash = ?1",
        "INSERT INTO outbox (id, channel) VALUES (?1, ?2)",
        (
            "SELECT a.id FROM identities i JOIN accounts a ON a.id = i.account_id "
            "WHERE i.value = ?1 AND i.kind = ?2"
        ),
        (
            "SELECT 1 FROM accounts a LEFT JOIN remarks r ON r.account_id = ?2 AND r.name = a.name"
            " WHERE a.id = ?1"
        ),
        "SELECT a.id FROM accounts a JOIN remarks r ON r.friend_id = a.id WHERE r.account_id = ?1",
        (
            "SELECT 1 FROM devices WHERE account_id = ?1 AND device_id = "
            "(SELECT device_id FROM sessions WHERE account_id = ?2 LIMIT 1)"
        ),
        (
            "INSERT INTO devices (account_id, device_id) SELECT ?2, device_id FROM sessions "
            "WHERE account_id = ?1"
        ),
        (
            "SELECT a.name, EXISTS (SELECT 1 FROM remarks r WHERE r.account_id = a.id) "
            "FROM accounts a WHERE a.id = ?1"
        ),
        (
            "SELECT a.name FROM accounts a WHERE a.id = ?1 AND a.name IN "
            "(SELECT r.name FROM remarks r WHERE r.account_id = a.id)"
        ),
        (
            "INSERT INTO remarks (account_id, name) VALUES (?1, (SELECT name FROM accounts "
            "WHERE id = ?1))"
        ),
    ],
)
def test_many_machines_are_seen(connection: apsw.Connection, sql: str) -> None:
    """A column that is not the one, a range, all rows, two values, a join over the fence."""
    assert trouble(connection, sql)


@pytest.mark.parametrize(
    "sql",
    [
        (
            "SELECT s.device_id FROM sessions s JOIN accounts a ON a.id = s.account_id "
            "WHERE s.account_id = ?1"
        ),
        (
            "SELECT m.name FROM account_medals am JOIN medals m ON m.id = am.medal_id "
            "WHERE am.account_id = ?1"
        ),
        (
            "SELECT a.name, EXISTS (SELECT 1 FROM remarks r WHERE r.account_id = ?1) "
            "FROM accounts a WHERE a.id = ?1"
        ),
        (
            "INSERT INTO left_sessions (account_id, token_hash, left_at) "
            "SELECT account_id, token_hash, ?2 FROM sessions WHERE account_id = ?1"
        ),
        "SELECT name FROM medals",
    ],
)
def test_one_machine_is_seen(connection: apsw.Connection, sql: str) -> None:
    """What lies beside each other may be joined, and what is everywhere with anything."""
    assert trouble(connection, sql) == ""
