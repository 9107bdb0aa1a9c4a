"""Accounts that were cancelled, and everything that is erased with one (security A7).

A table with a column `account_id` has its line in `ERASED`, or a reason to be kept: the journal of
coins stays, under an id that leads to nobody any more.
"""

from hupan.model import AccountId
from hupan.store.accounts import IdentityKind
from hupan.store.engine import Reader, Transaction

ERASED = (
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

MARK = "UPDATE accounts SET erase_at = ?2 WHERE id = ?1 AND erase_at = 0"
# Only before its time: what is due may be half erased on another process the next moment.
RESTORE = "UPDATE accounts SET erase_at = 0 WHERE id = ?1 AND erase_at > ?2"
LIST_DUE = """
SELECT id FROM accounts WHERE erase_at > 0 AND erase_at <= ?1 ORDER BY erase_at LIMIT ?2
"""
LIST_IDENTITIES = "SELECT kind, value FROM identities WHERE account_id = ?1"
REMOVE = "DELETE FROM accounts WHERE id = ?1 AND erase_at > 0 AND erase_at <= ?2"


async def mark_cancelled(tx: Transaction, account: AccountId, erase_at: int) -> bool:
    """Says that an account was cancelled and when it is erased; False when it was before."""
    return await tx.run(MARK, account, erase_at) == 1


async def restore(tx: Transaction, account: AccountId, now: int) -> bool:
    """Takes a cancellation back; False when there is none, or the account is to be erased now."""
    return await tx.run(RESTORE, account, now) == 1


async def list_due(reader: Reader, now: int, most: int) -> list[AccountId]:
    """Cancelled accounts whose time is over."""
    return [AccountId(row[0]) for row in await reader.all(LIST_DUE, now, most)]


async def list_identities(reader: Reader, account: AccountId) -> list[tuple[IdentityKind, str]]:
    """Everything unique that leads to an account."""
    return [(row[0], row[1]) for row in await reader.all(LIST_IDENTITIES, account)]


async def erase_rows(tx: Transaction, account: AccountId, now: int) -> bool:
    """Erases a cancelled account whose time is over, with all its rows; False when it is none."""
    if not await tx.run(REMOVE, account, now):
        return False
    for table in ERASED:
        await tx.run(f"DELETE FROM {table} WHERE account_id = ?1", account)
    return True
