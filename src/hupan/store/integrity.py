"""Integrity checks of rows and of a whole SQLite file; they read everything.

For both databases. Rows are read in ranges of account ids, so memory does not grow with the store,
and no statement joins tables that a distributed database keeps on different machines: identities
are compared with accounts here. Statements see different moments, so what they show is only
suspected: a fault counts once it is found with its account locked (decision 0034).

A row that cannot be read at all raises `StoreUnavailable` instead.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

import apsw

from hupan.model import AccountId, StoreUnavailable
from hupan.store.accounts import FIND_IDENTITY
from hupan.store.checksums import (
    format_sqlite_error,
    is_checksum_error,
    is_corruption,
    localize_sqlite_error,
)
from hupan.store.coins import find_coin_inconsistencies, find_newest_balance
from hupan.store.database import Reader, Result, Row, Transaction, Value
from hupan.store.repair import find_file_faults, find_unexplained_faults
from hupan.store.sqlite import SqliteExecutor, connect, run_sync

MAX_ROW_FAULTS = 100
"""The maximum of each kind; more are neither confirmed nor reported."""
IDS_PER_RANGE = 1000
IDENTITIES_PER_READ = 5000
MAX_SUSPECTS = 1000
"""The maximum of each statement."""
SETTLE_SECONDS = 120.0
"""Twice the time after which a distributed database resolves an interrupted commit."""
_MIN_ID, _MAX_ID = -(2**63), 2**63 - 1

ORPHAN_IDENTITY = "identities: leads to no account"
FOREIGN_IDENTITY = {
    "phone": "identities: a phone number that its account does not show",
    "email": "identities: an address that its account does not show",
}
MISSING_IDENTITY = {
    "phone": "accounts: shows a phone number that is not its own",
    "email": "accounts: shows an address that is not its own",
}
BAD_PASSWORD_HASH = "accounts: an invalid password hash"  # noqa: S105 - the name of a fault
ORPHAN_SESSION = "sessions: of no account"
BAD_TOKEN_HASH = "sessions: an invalid token hash"  # noqa: S105 - the name of a fault
BAD_CODE = "codes: more attempts than allowed"
BAD_BALANCE = "coin_entries: the balance does not follow from the previous entry"

_CHECKED_COLUMNS = """
  id, phone, lower(email), CASE WHEN password_hash <> ''
    AND password_hash NOT LIKE '$argon2id$v=19$m=%,p=1$%' THEN 1 ELSE 0 END
"""
LIST_CHECKED_ACCOUNTS = f"SELECT {_CHECKED_COLUMNS} FROM accounts WHERE id >= ?1 AND id <= ?2"
LOCK_CHECKED_ACCOUNT = f"""
SELECT {_CHECKED_COLUMNS}, coin_cents FROM accounts WHERE id = ?1 /* FOR UPDATE */
"""
LIST_CHECKED_IDENTITIES = """
SELECT account_id, value, kind FROM identities
WHERE (account_id, value, kind) > (?1, ?2, ?3) AND account_id <= ?4
ORDER BY account_id, value, kind LIMIT ?5
"""
LIST_OWNED_IDENTITIES = """
SELECT kind, value FROM identities WHERE account_id = ?1 ORDER BY value, kind LIMIT ?2
"""
LIST_SUSPECT_SESSIONS = """
SELECT DISTINCT s.account_id, CASE WHEN a.id IS NULL THEN 1 ELSE 0 END AS is_orphan
FROM sessions s LEFT JOIN accounts a ON a.id = s.account_id
WHERE s.account_id >= ?1 AND s.account_id <= ?2 AND (a.id IS NULL OR length(s.token_hash) <> 32)
LIMIT ?3
"""
COUNT_SESSIONS = "SELECT count(*) FROM sessions WHERE account_id = ?1"
COUNT_BAD_SESSIONS = (
    "SELECT count(*) FROM sessions WHERE account_id = ?1 AND length(token_hash) <> 32"
)
# One row in one statement: there is nothing that it could be between.
LIST_BAD_CODES = "SELECT account_id FROM codes WHERE attempts < 0 OR attempts > 5 LIMIT ?1"
NEXT_ACCOUNT = "SELECT min(id) FROM accounts WHERE id >= ?1"
NEXT_REFERENCES = (
    "SELECT min(account_id) FROM identities WHERE account_id >= ?1",
    "SELECT min(account_id) FROM sessions WHERE account_id >= ?1",
    "SELECT min(account_id) FROM coin_entries WHERE account_id >= ?1",
)


class CheckedStore(Reader, Protocol):
    """The part of a store that a check of its rows uses."""

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` in one transaction, whose reads share a snapshot or lock their rows."""
        ...


async def walk_account_ids(reader: Reader) -> AsyncIterator[range]:
    """Yield ranges of ids that cover every row of an account, even a damaged one."""
    first = _MIN_ID
    while (start := await _find_next_id(reader, first)) is not None:
        ids = range(start, min(start + IDS_PER_RANGE, _MAX_ID + 1))
        yield ids
        if ids.stop > _MAX_ID:
            return
        first = ids.stop


async def _find_next_id(reader: Reader, first: int) -> int | None:
    found = []
    for sql in (NEXT_ACCOUNT, *NEXT_REFERENCES):
        row = await reader.fetch_one(sql, first)
        if row is not None and row[0] is not None:
            found.append(int(row[0]))
        if first in found:  # nothing can come before it
            break
    return min(found, default=None)


async def check_rows(
    store: CheckedStore, settle: Callable[[], Awaitable[object]] | None = None
) -> list[str]:
    """Return the faults as `table: what: account`, without any user data.

    Args:
        store: a store that may be in use.
        settle: waits until interrupted commits are resolved; only faults that remain then count.

    Raises:
        StoreUnavailable: a row could not be read.
    """
    found: dict[AccountId, list[str]] = {}
    counts: Counter[str] = Counter()

    def is_wanted(fault: str) -> bool:
        return counts[_kind(fault)] < MAX_ROW_FAULTS

    async for ids in walk_account_ids(store):
        for account, suspected in sorted((await _find_suspects(store, ids)).items()):
            if not any(map(is_wanted, suspected)):
                continue
            for fault in await _confirm(store, account, suspected):
                if is_wanted(fault):
                    counts[_kind(fault)] += 1
                    found.setdefault(account, []).append(fault)
    if settle is not None and found:
        await settle()
        found = {
            account: await _confirm(store, account, faults) for account, faults in found.items()
        }
    codes = await store.fetch_all(LIST_BAD_CODES, MAX_ROW_FAULTS)
    return [
        *(f"{fault}: account {account}" for account, faults in found.items() for fault in faults),
        *(f"{BAD_CODE}: account {row[0]}" for row in codes),
    ]


async def _find_suspects(reader: Reader, ids: range) -> Mapping[AccountId, set[str]]:
    """Return what may be wrong with accounts: the statements see different moments."""
    found: defaultdict[AccountId, set[str]] = defaultdict(set)
    first, last = ids.start, ids.stop - 1
    accounts: dict[AccountId, dict[str, str]] = {}
    for account, phone, email, has_bad_hash in await reader.fetch_all(
        LIST_CHECKED_ACCOUNTS, first, last
    ):
        accounts[account] = {"phone": phone, "email": email}
        if has_bad_hash:
            found[account].add(BAD_PASSWORD_HASH)
    await _compare_identities(reader, ids, accounts, found)
    for account, is_orphan in await reader.fetch_all(
        LIST_SUSPECT_SESSIONS, first, last, MAX_SUSPECTS
    ):
        found[account].add(ORPHAN_SESSION if is_orphan else BAD_TOKEN_HASH)
    for one in await find_coin_inconsistencies(reader, ids, MAX_SUSPECTS):
        found[one.account_id].add(_entry_fault(one.number) if one.number else BAD_BALANCE)
    return found


async def _compare_identities(
    reader: Reader,
    ids: range,
    accounts: Mapping[AccountId, Mapping[str, str]],
    found: defaultdict[AccountId, set[str]],
) -> None:
    missing = {(one, kind) for one, shown in accounts.items() for kind in shown if shown[kind]}
    async for account, value, kind in _list_identities(reader, ids.start, ids.stop - 1):
        shown = accounts.get(account)
        if shown is None:
            found[account].add(ORPHAN_IDENTITY)
        elif shown.get(kind) == value:
            missing.discard((account, kind))
        elif kind in shown:
            found[account].add(FOREIGN_IDENTITY[kind])
    for account, kind in missing:
        found[account].add(MISSING_IDENTITY[kind])


async def _list_identities(reader: Reader, first: int, last: int) -> AsyncIterator[Row]:
    """Yield the identities of accounts in a range; one account may have any number of them."""
    # Before every identity of the first account: no value is shorter than "".
    key: tuple[Value, ...] = (first, "", "")
    while True:
        rows = await reader.fetch_all(LIST_CHECKED_IDENTITIES, *key, last, IDENTITIES_PER_READ)
        for row in rows:
            yield row
        if len(rows) < IDENTITIES_PER_READ:
            return
        key = rows[-1]


_BAD_ENTRY = "coin_entries: entry "


def _entry_fault(number: int) -> str:
    return f"{_BAD_ENTRY}{number} does not follow from the previous entry"


def _kind(fault: str) -> str:
    return _BAD_ENTRY if fault.startswith(_BAD_ENTRY) else fault


async def _confirm(store: CheckedStore, account: AccountId, suspected: Iterable[str]) -> list[str]:
    """Return which faults are there while nothing can change the account."""
    faults = await store.run_transaction(lambda tx: _find_faults(tx, account))
    # Entries are only ever added, and one statement saw each with the one before it.
    return faults + sorted(fault for fault in suspected if fault.startswith(_BAD_ENTRY))


async def _find_faults(tx: Transaction, account: AccountId) -> list[str]:
    row = await tx.fetch_one(LOCK_CHECKED_ACCOUNT, account)
    claims = await _read_claims(tx, account)
    if row is None and any(claims):
        # The account may have been created between the two: then it is there now.
        row = await tx.fetch_one(LOCK_CHECKED_ACCOUNT, account)
        if row is not None:
            claims = await _read_claims(tx, account)
    identities, session_count = claims
    if row is None:
        return [ORPHAN_IDENTITY] * bool(identities) + [ORPHAN_SESSION] * bool(session_count)
    _, phone, email, has_bad_hash, cents = row
    found = [BAD_PASSWORD_HASH] * has_bad_hash
    for kind, shown in (("phone", phone), ("email", email)):
        if any(one == kind and value != shown for one, value in identities):
            found.append(FOREIGN_IDENTITY[kind])
        if shown and await tx.fetch_one(FIND_IDENTITY, shown, kind, account) is None:
            found.append(MISSING_IDENTITY[kind])
    bad = await tx.fetch_one(COUNT_BAD_SESSIONS, account)
    if bad is not None and bad[0]:
        found.append(BAD_TOKEN_HASH)
    if await find_newest_balance(tx, account) != cents:
        found.append(BAD_BALANCE)
    return found


async def _read_claims(tx: Transaction, account: AccountId) -> tuple[list[Row], int]:
    """Return the identities that lead to an account, up to a bound, and how many sessions do."""
    identities = await tx.fetch_all(LIST_OWNED_IDENTITIES, account, MAX_SUSPECTS)
    sessions = await tx.fetch_one(COUNT_SESSIONS, account)
    return identities, 0 if sessions is None else int(sessions[0])


async def check_file(path: Path) -> list[str]:
    """Check every page and the rows, on a separate thread and connection.

    Returns:
        The faults, without any user data.

    Raises:
        StoreUnavailable: the check failed, which says nothing about the file.
    """
    connection = connect(path)
    check_task = asyncio.ensure_future(asyncio.to_thread(_check_connection, path, connection))
    try:
        return await asyncio.shield(check_task)
    except asyncio.CancelledError:
        connection.interrupt()  # or shutdown would wait for it
        await asyncio.wait({check_task})
        check_task.exception()
        raise
    except apsw.Error as error:
        raise StoreUnavailable(localize_sqlite_error(error)) from error
    finally:
        connection.close()


def _check_connection(path: Path, connection: apsw.Connection) -> list[str]:
    try:
        faults = find_file_faults(connection)
        return faults + run_sync(check_rows(_FileRows(connection)))
    except apsw.Error as error:
        if is_checksum_error(error):
            return find_unexplained_faults(path)
        if is_corruption(error):
            return [f"the file: {format_sqlite_error(error)}"]
        raise


class _FileRows(SqliteExecutor):
    """Rows of a file through a separate connection; a transaction sees one moment."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._owner = connection

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` on rows of one moment; it must not write."""
        self._owner.execute("BEGIN").fetchall()
        try:
            return await work(self)
        finally:
            self._owner.execute("ROLLBACK").fetchall()
