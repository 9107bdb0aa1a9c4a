"""Cancelled accounts and everything that is erased with them (security A7)."""

from hupan.model import AccountId
from hupan.store.account_search import update_search_row
from hupan.store.accounts import IdentityKind
from hupan.store.database import Reader, Transaction
from hupan.store.media import remove_all_pictures
from hupan.store.tables import erased_tables

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
    is_changed = await tx.execute(SCHEDULE_ERASURE, account, erase_at) == 1
    await update_search_row(tx, account)
    return is_changed


async def restore_account(tx: Transaction, account: AccountId, now: int) -> bool:
    """Undo a cancellation; False if there is none, or the erasure is due."""
    is_changed = await tx.execute(RESTORE_ACCOUNT, account, now) == 1
    await update_search_row(tx, account)
    return is_changed


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
    await remove_all_pictures(tx, account, now)
    for table in erased_tables():
        await tx.execute(f"DELETE FROM {table} WHERE account_id = ?1", account)
    return True
