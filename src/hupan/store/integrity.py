"""Integrity checks of rows and of a whole SQLite file; they read everything.

For both databases. A row that cannot be read at all raises `StoreUnavailable` instead.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import apsw

from hupan.model import AccountId, StoreUnavailable
from hupan.store.checksums import (
    format_sqlite_error,
    is_checksum_error,
    is_corruption,
    localize_sqlite_error,
)
from hupan.store.coins import find_coin_inconsistencies
from hupan.store.database import Reader
from hupan.store.repair import find_file_faults, find_unexplained_faults
from hupan.store.sqlite import SqliteExecutor, connect, run_sync

MAX_ROW_FAULTS = 100
_MAX_ACCOUNT_ID = AccountId(2**63 - 1)

ROW_CHECKS: Mapping[str, str] = {
    "identities: leads to no account": """
SELECT i.account_id FROM identities i LEFT JOIN accounts a ON a.id = i.account_id
WHERE a.id IS NULL LIMIT ?1
""",
    "identities: a phone number that its account does not show": """
SELECT i.account_id FROM identities i JOIN accounts a ON a.id = i.account_id
WHERE i.kind = 'phone' AND i.value <> a.phone LIMIT ?1
""",
    "identities: an address that its account does not show": """
SELECT i.account_id FROM identities i JOIN accounts a ON a.id = i.account_id
WHERE i.kind = 'email' AND i.value <> lower(a.email) LIMIT ?1
""",
    "accounts: shows a phone number that is not its own": """
SELECT a.id FROM accounts a LEFT JOIN identities i
  ON i.kind = 'phone' AND i.value = a.phone AND i.account_id = a.id
WHERE a.phone <> '' AND i.value IS NULL LIMIT ?1
""",
    "accounts: shows an address that is not its own": """
SELECT a.id FROM accounts a LEFT JOIN identities i
  ON i.kind = 'email' AND i.value = lower(a.email) AND i.account_id = a.id
WHERE a.email <> '' AND i.value IS NULL LIMIT ?1
""",
    "accounts: a password hash that is none": """
SELECT id FROM accounts
WHERE password_hash <> '' AND password_hash NOT LIKE '$argon2id$v=19$m=%,p=1$%' LIMIT ?1
""",
    "sessions: of no account": """
SELECT s.account_id FROM sessions s LEFT JOIN accounts a ON a.id = s.account_id
WHERE a.id IS NULL LIMIT ?1
""",
    "sessions: a hash of a token that is none": """
SELECT account_id FROM sessions WHERE length(token_hash) <> 32 LIMIT ?1
""",
    "codes: more tries than there can be": """
SELECT account_id FROM codes WHERE attempts < 0 OR attempts > 5 LIMIT ?1
""",
}


async def check_rows(reader: Reader) -> list[str]:
    """Return the faults as `table: what: account`, without any user data.

    Raises:
        StoreUnavailable: a row could not be read.
    """
    found = []
    for fault, sql in ROW_CHECKS.items():
        rows = await reader.fetch_all(sql, MAX_ROW_FAULTS)
        found += [f"{fault}: account {row[0]}" for row in rows]
    for inconsistency in await find_coin_inconsistencies(
        reader, AccountId(0), _MAX_ACCOUNT_ID, MAX_ROW_FAULTS
    ):
        subject = f"entry {inconsistency.number}" if inconsistency.number else "the balance"
        found.append(
            f"coin_entries: {subject} does not follow from what was before: "
            f"account {inconsistency.account_id}"
        )
    return found


async def check_file(path: Path) -> list[str]:
    """Check every page and the rows, on a thread and a connection of its own.

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
        return faults + run_sync(check_rows(SqliteExecutor(connection)))
    except apsw.Error as error:
        if is_checksum_error(error):
            return find_unexplained_faults(path)
        if is_corruption(error):
            return [f"the file: {format_sqlite_error(error)}"]
        raise
