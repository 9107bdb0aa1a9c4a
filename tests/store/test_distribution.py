"""A distributed database answers each request from one node at a time, for every statement.

SQLite's plan shows that each row is found by its distribution column, and the text shows that all
rows of a statement have the same value of it. Each subquery must name the value itself: Citus asks
every shard for one that is bound to a column of the outer query. Statements outside of requests are
listed. They may ask many nodes, but must not join rows on several: Citus refuses that.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import apsw
import pytest

import hupan
from hupan.store import citus
from hupan.store.migrate import migrate_file
from hupan.store.sqlite import connect
from hupan.store.tables import MIGRATIONS_TABLE, list_tables
from tests.support.distribution import (
    KEYS,
    column,
    crossing,
    flat,
    group,
    levels,
    touches,
    values,
)
from tests.support.statements import PARAMETER, STATEMENT, STATEMENTS

SOURCE: Final = Path(hupan.__path__[0])

OUTBOX: Final = "the outbox worker runs it, not a request"
HOUSEKEEPING: Final = "housekeeping does it once a minute"
CHECK: Final = "a look at all rows, or what a repair of them asks; once in a while"
OPERATOR: Final = "an operator's command"
START: Final = "the start of a server, or a migration"
FILE: Final = "of a SQLite file"
SANDBOX: Final = "for the clock and the snapshots of a sandbox; no server runs it"
ERASURE: Final = "housekeeping erases cancelled accounts"
LISTS: Final = "operators list and search accounts"

OFF_THE_PATH: Final[Mapping[str, str]] = {
    "account_search.LIST_IDS_IN_RANGE": HOUSEKEEPING,
    "accounts.COUNT_ACCOUNTS": LISTS,
    "accounts.FIND_FIRST_REGISTERED_SINCE": LISTS,
    "accounts.FIND_IDS_BY_CONTACT_PREFIX": LISTS,
    "accounts.FIND_IDS_BY_NAME_PREFIX": LISTS,
    "accounts.LIST_ACCOUNTS": LISTS,
    "accounts.LIST_IDENTITIES_IN_RANGE": HOUSEKEEPING,
    "accounts._SELECT_PAGE": LISTS,
    "backups.END_PENDING": OPERATOR,
    "backups.END_SESSIONS": OPERATOR,
    "cluster_state.CAP_ERASURE_TIMES": OPERATOR,
    "cluster_state.RESET_FUTURE_TIMES": OPERATOR,
    "codes.DELETE_SURPLUS_CAPTCHAS": HOUSEKEEPING,
    "codes.PURGE_CAPTCHAS": HOUSEKEEPING,
    "codes.PURGE_CODES": HOUSEKEEPING,
    "coins.COUNT_ENTRIES_IN_RANGE": CHECK,
    "coins.FIND_INCONSISTENT_BALANCES": CHECK,
    "coins.FIND_INCONSISTENT_ENTRIES": CHECK,
    "coins.PURGE_COIN_REFUSALS": HOUSEKEEPING,
    "contacts.PURGE_CONTACT_CHANGES": HOUSEKEEPING,
    "contacts.PURGE_STEP_UPS": HOUSEKEEPING,
    "copying._CLEAR_COUNTERS": OPERATOR,
    "accounts.LIST_ACCOUNT_IDENTITIES": ERASURE,
    "accounts.LIST_DUE_ERASURES": ERASURE,
    "accounts.erase_account": ERASURE,
    "identity._HAS_COUNTERS": FILE,
    "integrity.LIST_BAD_CODES": CHECK,
    "integrity.LIST_CHECKED_ACCOUNTS": CHECK,
    "integrity.LIST_CHECKED_IDENTITIES": CHECK,
    "integrity.LIST_OWNED_IDENTITIES": CHECK,
    "integrity.LIST_SUSPECT_SESSIONS": CHECK,
    "integrity.NEXT_ACCOUNT": CHECK,
    "integrity.NEXT_REFERENCES": CHECK,
    "migrate.ASCII_DOMAIN_READS": OPERATOR,
    "migrate.PICTURE_KEY_READS": START,
    "migrate._apply_missing": START,
    "migrate.read_applied": START,
    "outbox.COUNT_MESSAGES": "the figures that a monitor asks for",
    "outbox.DELETE_OLDEST_MESSAGES": OUTBOX,
    "outbox.HAS_SURPLUS_MESSAGES": OUTBOX,
    "outbox.LEASE_MESSAGES": OUTBOX,
    "outbox.LIST_NEXT_DUE": OUTBOX,
    "outbox.LIST_NEXT_DUE_AT_ONCE": OUTBOX,
    "media.LIST_DUE_REMOVALS": HOUSEKEEPING,
    "media.LIST_NAMES": HOUSEKEEPING,
    "tables._KEEP_PICTURE_NAMES": ERASURE,
    "running_servers.LIST_SERVERS": HOUSEKEEPING,
    "rate_counters.COUNT_COUNTERS": HOUSEKEEPING,
    "rate_counters.DELETE_SURPLUS_COUNTERS": HOUSEKEEPING,
    "rate_counters.LIST_LIMIT_RESETS": "each process reads now and then what operators asked for",
    "rate_counters.PURGE_COUNTERS": HOUSEKEEPING,
    "rate_counters.PURGE_LIMIT_RESETS": HOUSEKEEPING,
    "sessions.PURGE_LOGGED_OUT": HOUSEKEEPING,
    "pending.LIST_BAN_ENDS": SANDBOX,
    "pending.LIST_CODE_ENDS": SANDBOX,
    "pending.LIST_ERASURES": SANDBOX,
    "pending.LIST_MESSAGES": SANDBOX,
    "pending.LIST_REMOVALS": SANDBOX,
    "pending.LIST_SESSIONS_BY_SIGN_IN": SANDBOX,
    "pending.LIST_SESSIONS_BY_USE": SANDBOX,
    "pending.LIST_STEP_UP_ENDS": SANDBOX,
    "pending.LIST_VIP_ENDS": SANDBOX,
    "presence.LIST_PROCESSES": "a process with sockets reads it once in ten seconds",
    "presence.LIST_SURPLUS": "a process with sockets reads it once in two seconds",
    "presence.PURGE_PROCESS_SOCKETS": HOUSEKEEPING,
    "sessions.LIST_SESSION_ENDS": "each process reads what ended, while somebody listens",
    "sessions.PURGE_SESSION_ENDS": HOUSEKEEPING,
    "sessions.DELETE_FUTURE_SESSIONS": OPERATOR,
    "sessions.PURGE_OLD_SESSIONS": HOUSEKEEPING,
    "sessions.PURGE_UNUSED_SESSIONS": HOUSEKEEPING,
    "snapshots.FORGET_REMOVALS": SANDBOX,
    "snapshots.LIST_COUNTERS": SANDBOX,
    "sqlite._LIST_TABLES": FILE,
    "sqlite._LIST_TRIGGERS": FILE,
    "sqlite.check": FILE,
    "tables._read_table": FILE,
    "tables.list_tables": FILE,
}
"""Statements that ask more than one node, and their callers."""

STEP: Final = re.compile(r"(SEARCH|SCAN) (\w+)(?:.* \((\w+)=\?)?")


def found_by_value(connection: apsw.Connection, sql: str) -> Counter[str]:
    """Return how often each table is searched by one value of its distribution column."""
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


def trouble(connection: apsw.Connection, statement: str) -> str:
    """Return why a statement would ask more than one node; "" if it does not."""
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
    """Yield an empty store that is up to date."""
    path: Path = tmp_path_factory.mktemp("spread") / "hupan.db"
    migrate_file(path)
    opened = connect(path)
    yield opened
    opened.close()


def test_keys_begin_with_what_is_distributed_by() -> None:
    """Rows of an account are on its node; a claim is where its value is looked up."""
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
    """The first account table is the leader, and small tables are replicated."""
    spread_out = dict(citus.distribution_statements())
    assert set(spread_out) == {*KEYS, MIGRATIONS_TABLE}
    assert next(iter(spread_out)) == citus.COLOCATION_TABLE
    everywhere = {name for name, sql in spread_out.items() if "create_reference_table" in sql}
    assert everywhere == {*citus.REFERENCE_TABLES, MIGRATIONS_TABLE}
    assert set(KEYS) >= citus.REFERENCE_TABLES


def test_what_is_unique_is_so_within_a_machine(connection: apsw.Connection) -> None:
    """A unique index without the distribution column would not be enforced."""
    for table in set(KEYS) - citus.REFERENCE_TABLES:
        indices = connection.execute(
            'SELECT name FROM pragma_index_list(?1) WHERE "unique" = 1', (table,)
        ).fetchall()
        for (index,) in indices:
            told = connection.execute("SELECT name FROM pragma_index_info(?1)", (index,))
            assert (column(table),) in told.fetchall(), index


def test_a_statement_asks_one_machine(connection: apsw.Connection) -> None:
    """A statement that asks several nodes is listed with its caller, or rewritten."""
    for name, (place, sql) in STATEMENTS.items():
        if place not in OFF_THE_PATH:
            assert trouble(connection, sql) == "", name


def test_what_is_listed_asks_many(connection: apsw.Connection) -> None:
    """An unneeded reason is removed from the list."""
    asking = {found.place for found in STATEMENTS.values() if trouble(connection, found.sql)}
    assert asking == set(OFF_THE_PATH)


@pytest.mark.slow
def test_no_statement_joins_across_nodes() -> None:
    """This applies to constants, composed statements and migrations."""
    found = dict(product_statements())
    for place in ("integrity.LIST_SUSPECT_SESSIONS", "0013_remark_size.sql", "postgres_pool.py"):
        assert any(place in name for name in found), place
    assert {name: crossing(sql) for name, sql in found.items() if crossing(sql)} == {}


def product_statements() -> Iterator[tuple[str, str]]:
    """Yield every statement by its location: in the store, in other code, in migrations."""
    yield from ((name, statement.sql) for name, statement in STATEMENTS.items())
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            # A backslash occurs in patterns, which search for statements.
            if STATEMENT.match(text := written(node)) and "\\" not in text:
                yield f"{path.name}:{getattr(node, 'lineno', 0)}", text
    for path in sorted(SOURCE.rglob("*.sql")):
        for number, text in enumerate(path.read_text().split(";")):
            yield f"{path.name}:{number}", text


def written(node: ast.AST) -> str:
    """Return a text as in the source, with a word for each inserted part."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(written(one) or "part" for one in node.values)
    return ""


OLD_VIEWER: Final = """
SELECT s.account_id, s.signed_in_at, s.last_used_at, a.banned_until, a.last_seen_day,
  EXISTS (SELECT 1 FROM remarks r WHERE r.account_id = s.account_id)
FROM sessions s JOIN accounts a ON a.id = s.account_id
WHERE s.account_id = ?1 AND s.token_hash = ?2
"""
OLD_SEEN: Final = """
SELECT a.id, a.name, EXISTS (SELECT 1 FROM account_medals am WHERE am.account_id = a.id),
  p.introduction
FROM accounts a LEFT JOIN profiles p ON p.account_id = a.id WHERE a.id = ?1 AND a.erase_at = 0
"""


@pytest.mark.parametrize("sql", [OLD_VIEWER, OLD_SEEN])
def test_what_asked_every_shard_is_seen(connection: apsw.Connection, sql: str) -> None:
    """Two former statements asked every shard; the fixed ones pass."""
    assert "in each of its subqueries" in trouble(connection, sql)
    assert trouble(connection, re.sub(r"= (s\.account_id|a\.id)\)", "= ?1)", sql)) == ""


@pytest.mark.parametrize(
    "sql",
    [
        (
            "SELECT i.account_id FROM identities i LEFT JOIN accounts a ON a.id = i.account_id "
            "WHERE a.id IS NULL LIMIT ?1"
        ),
        "SELECT i.value FROM identities i, accounts AS a WHERE a.id = i.account_id",
        (
            "SELECT id FROM accounts a WHERE phone <> '' AND NOT EXISTS "
            "(SELECT 1 FROM identities WHERE account_id = a.id)"
        ),
        "SELECT id FROM accounts WHERE id NOT IN (SELECT account_id FROM identities)",
        (
            "WITH taken AS (SELECT account_id FROM identities WHERE kind = 'phone') "
            "SELECT a.id FROM accounts a JOIN taken ON taken.account_id = a.id"
        ),
        "UPDATE accounts SET phone = i.value FROM identities i WHERE i.account_id = accounts.id",
        "UPDATE accounts SET phone = (SELECT value FROM identities WHERE account_id = ?1)",
        "DELETE FROM sessions USING codes WHERE codes.account_id = sessions.account_id",
        "INSERT INTO identities (value, account_id) SELECT phone, id FROM accounts",
        "SELECT phone FROM accounts UNION ALL SELECT target FROM codes",
        "SELECT a.id FROM remarks r JOIN accounts a ON a.id = r.friend_id",
        "SELECT a.id FROM accounts a, remarks r WHERE a.name = r.name",
        "SELECT a.id FROM accounts a WHERE EXISTS (SELECT 1 FROM remarks r WHERE r.name = a.name)",
        (
            "SELECT a.id FROM accounts a WHERE a.coin_cents <> (SELECT e.after_cents FROM "
            "coin_entries e WHERE e.account_id = a.id ORDER BY e.number DESC LIMIT 1)"
        ),
    ],
)
def test_a_join_across_nodes_is_seen(sql: str) -> None:
    """A join across nodes is found in any form, even if it asks all nodes anyway."""
    assert crossing(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT s.account_id FROM sessions s LEFT JOIN accounts a ON a.id = s.account_id",
        "SELECT a.id FROM accounts AS a, sessions s WHERE s.account_id = a.id",
        "SELECT 1 FROM accounts a WHERE EXISTS (SELECT 1 FROM remarks r WHERE r.account_id = a.id)",
        "SELECT am.account_id FROM account_medals am JOIN medals m ON m.id = am.medal_id",
        (
            "DELETE FROM coin_refusals WHERE (account_id, key) IN "
            "(SELECT account_id, key FROM coin_refusals LIMIT ?1)"
        ),
        "SELECT id FROM accounts UNION ALL SELECT account_id FROM sessions",
    ],
)
def test_colocated_rows_may_be_joined(sql: str) -> None:
    """A join by the distribution column is allowed, on all nodes at once."""
    assert crossing(sql) == ""


def test_no_insert_asks_for_constants() -> None:
    """Citus would route such rows through the coordinator, with a two-phase commit."""
    asking = {
        found.place
        for found in STATEMENTS.values()
        for into in [re.match(r"INSERT INTO (\w+) \([^)]*\) SELECT \?", flat(found.sql))]
        if into and into[1] not in citus.REFERENCE_TABLES
    }
    assert asking == {"migrate._INSERT_GIVEN_UP_EMAIL"}  # once, during a migration


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
    """A wrong column, a range, all rows, two values and a join across nodes are found."""
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
    """Colocated tables may be joined, and reference tables with any other."""
    assert trouble(connection, sql) == ""
