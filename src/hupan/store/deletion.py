"""Cancelled accounts and everything that is erased with them (security A7).

A table with a column `account_id` is in `ERASED_TABLES`, or has a reason to be kept: the journal of
coins stays, under an id without an account, and so do ended sessions for some minutes, until every
process has read them.
"""

from hupan.model import AccountId
from hupan.store.accounts import IdentityKind
from hupan.store.database import Reader, Transaction

ERASED_TABLES = (
    "identities",
    "sessions",
    "left_sessions",
    "devices",
    "account_medals",
    "invitation_changes",
    "invitations",
    "inviters",
    "coin_refusals",
    "profiles",
    "remarks",
    "contact_changes",
    "step_ups",
    "ignored_modules",
    "notification_settings",
)

SCHEDULE_ERASURE = "UPDATE accounts SET erase_at = ?2 WHERE id = ?1 AND erase_at = 0"
# Only before its time: what is due may be half erased on another process the next moment.
RESTORE_ACCOUNT = "UPDATE accounts SET erase_at = 0 WHERE id = ?1 AND erase_at > ?2"
LIST_DUE_ERASURES = """
SELECT id FROM accounts WHERE erase_at > 0 AND erase_at <= ?1 ORDER BY erase_at LIMIT ?2
"""
LIST_ACCOUNT_IDENTITIES = "SELECT kind, value FROM identities WHERE account_id = ?1"
DELETE_ACCOUNT = "DELETE FROM accounts WHERE id = ?1 AND erase_at > 0 AND erase_at <= ?2"


async def schedule_erasure(tx: Transaction, account: AccountId, erase_at: int) -> bool:
    """Mark an account as cancelled and schedule its erasure; False if it was cancelled already."""
    return await tx.execute(SCHEDULE_ERASURE, account, erase_at) == 1


async def restore_account(tx: Transaction, account: AccountId, now: int) -> bool:
    """Undo a cancellation; False if there is none, or the erasure is due."""
    return await tx.execute(RESTORE_ACCOUNT, account, now) == 1


async def list_due_erasures(reader: Reader, now: int, max_rows: int) -> list[AccountId]:
    """Return cancelled accounts whose erasure is due."""
    return [AccountId(row[0]) for row in await reader.fetch_all(LIST_DUE_ERASURES, now, max_rows)]


async def list_identities(reader: Reader, account: AccountId) -> list[tuple[IdentityKind, str]]:
    """Return the identities of an account."""
    return [(row[0], row[1]) for row in await reader.fetch_all(LIST_ACCOUNT_IDENTITIES, account)]


async def erase_account(tx: Transaction, account: AccountId, now: int) -> bool:
    """Erase a cancelled account that is due, with all its rows; False if it is not due."""
    if not await tx.execute(DELETE_ACCOUNT, account, now):
        return False
    for table in ERASED_TABLES:
        await tx.execute(f"DELETE FROM {table} WHERE account_id = ?1", account)
    return True
