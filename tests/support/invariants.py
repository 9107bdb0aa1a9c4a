"""J1 to J8 for a store on either engine, and over HTTP (security 3).

`Rows` queries the store: SQL for both engines, without parameters, to rows. Use
`rows_of(place)` for a place of `tests.support.stores`, or pass your own.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeAlias

from hupan.domain.sessions import sha256_digest
from hupan.store.database import Row
from tests.support.fault_clients import Asker
from tests.support.journal import Facts, Journal
from tests.support.stores import STORES, connect_without_syncs, open_engine

NOT_SIGNED_IN = -101
MOST_TRIES = 5
Rows: TypeAlias = Callable[[str], list[Row]]


def rows_of(place: Path) -> Rows:
    """Return the rows of a store, with or without a running server."""
    if STORES.engine == "sqlite":
        return partial(_rows_of_file, place)

    async def ask(sql: str) -> list[Row]:
        async with open_engine(place) as engine:
            return await engine.fetch_all(sql)

    return lambda sql: asyncio.run(ask(sql))


def _rows_of_file(place: Path, sql: str) -> list[Row]:
    """Return the rows of an existing file, as SQLite reads it after a crash."""
    assert place.exists()
    with closing(connect_without_syncs(place)) as connection:
        return connection.execute(sql).fetchall()


def session_key(token: str) -> tuple[str, str]:
    """Return the key for a token's session: its value is the account id, or None once it ended."""
    return ("session", sha256_digest(token).hex())


def snapshot(rows: Rows) -> Facts:
    """Return all facts of a store.

    ("phone" | "email", target) -> "taken"; ("name", account id) -> nickname;
    ("coins", account id) -> "entries:cents"; ("session", hash in hex) -> account id;
    ("code", target) -> "live"; ("remark", "account id/friend id") -> name.
    """
    facts: Facts = {}
    for kind, value in rows("SELECT kind, value FROM identities"):
        facts[(kind, value)] = "taken"
    for account, name, cents in rows("SELECT id, name, coin_cents FROM accounts"):
        facts[("name", str(account))] = name
        facts[("coins", str(account))] = f"0:{cents}"
    newest = "SELECT account_id, max(number), count(*) FROM coin_entries GROUP BY account_id"
    for account, _, entries in rows(newest):
        cents = str(facts[("coins", str(account))]).partition(":")[2]
        facts[("coins", str(account))] = f"{entries}:{cents}"
    for account, token_hash in rows("SELECT account_id, token_hash FROM sessions"):
        facts[("session", bytes(token_hash).hex())] = str(account)
    for (target,) in rows("SELECT target FROM codes"):
        facts[("code", target)] = "live"
    for account, friend, name in rows("SELECT account_id, friend_id, name FROM remarks"):
        facts[("remark", f"{account}/{friend}")] = name
    return facts


def broken(rows: Rows) -> list[str]:
    """Return the violations of J3, J4, J5 or J7 in a store; [] if there are none."""
    return [*broken_coins(rows), *broken_identities(rows), *broken_codes(rows), *broken_file(rows)]


def broken_coins(rows: Rows) -> list[str]:
    """Check J3: unbroken chains, sums of zero, no negative balance, correct balances."""
    faults: list[str] = []
    left: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for account, number, before, change, after, counter in rows(
        "SELECT account_id, number, before_cents, change_cents, after_cents, counter_cents "
        "FROM coin_entries ORDER BY account_id, number"
    ):
        if (number - 1, before) != left[account]:
            faults.append(f"J3: entry {number} of {account} does not follow {left[account]}")
        if before + change != after or change + counter != 0 or after < 0 or change == 0:
            faults.append(f"J3: entry {number} of {account} does not add up")
        left[account] = (number, after)
    for account, cents in rows("SELECT id, coin_cents FROM accounts"):
        if cents != left[account][1]:
            faults.append(f"J3: {account} has {cents}, its journal {left[account][1]}")
    keys = Counter(rows("SELECT account_id, key FROM coin_entries"))
    return faults + [f"J3: {key} acted {times} times" for key, times in keys.items() if times > 1]


def broken_identities(rows: Rows) -> list[str]:
    """Check J4: each number and address belongs to one account, which has it."""
    owned = {
        (kind, value): account
        for kind, value, account in rows("SELECT kind, value, account_id FROM identities")
        if kind != "invitation"
    }
    faults: list[str] = []
    shown: dict[tuple[str, str], int] = {}
    for account, phone, email in rows("SELECT id, phone, email FROM accounts"):
        for kind, value in (("phone", phone), ("email", email.lower())):
            if value and shown.setdefault((kind, value), account) != account:
                faults.append(f"J4: two accounts show a {kind}: {account}, {shown[kind, value]}")
    if shown != owned:
        faults.append(f"J4: shown and owned differ: {set(shown.items()) ^ set(owned.items())}")
    return faults


def broken_codes(rows: Rows) -> list[str]:
    """Check J5: no code had more than five attempts."""
    tries = rows("SELECT target, attempts FROM codes")
    return [f"J5: {target} had {count} tries" for target, count in tries if count > MOST_TRIES]


def broken_file(rows: Rows) -> list[str]:
    """Check J7: the file itself, except on PostgreSQL."""
    if STORES.engine != "sqlite":
        return []
    told = [row for row in rows("PRAGMA integrity_check") if row != ("ok",)]
    return [f"J7: {row}" for row in told + rows("PRAGMA foreign_key_check")]


def differences(journal: Journal, rows: Rows) -> list[str]:
    """Compare acknowledged writes with the store: J1, J2, and J6 as far as the store shows it."""
    return journal.differences(snapshot(rows))


def wrong_answers(
    asker: Asker, *, live: Iterable[str] = (), ended: Iterable[str] = ()
) -> list[str]:
    """Check J1 and J6 over HTTP: live tokens work, and ended ones do not."""
    wrong = [f"J1: a live token got {code}" for code in _codes(asker, live) if code != 1]
    return wrong + [
        f"J6: an ended token got {code}" for code in _codes(asker, ended) if code != NOT_SIGNED_IN
    ]


def _codes(asker: Asker, tokens: Iterable[str]) -> list[int]:
    return [asker.own_info(token).code for token in tokens]
