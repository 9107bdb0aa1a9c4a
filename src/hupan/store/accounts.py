"""Accounts and the identities that lead to them."""

from typing import Literal, TypeAlias

from hupan.model import Account, AccountId
from hupan.store.engine import Reader, Transaction

IdentityKind: TypeAlias = Literal["phone", "email", "invitation"]

ACCOUNT_COLUMNS = """
  a.id, a.name, a.name_id, a.avatar_url, a.avatar_id, a.phone, a.email, a.coin_cents,
  a.vip_until, a.banned_until, a.ban_reason, a.invitation_code, a.registered_at,
  a.online_days, a.days_in_a_row, a.last_seen_day, a.last_active_at, a.country
"""

# One that was cancelled and waits to be erased is nobody any more (security A7).
FIND = f"SELECT {ACCOUNT_COLUMNS} FROM accounts a WHERE a.id = ?1 AND a.erase_at = 0"
# On PostgreSQL other changes of the account wait here; SQLite has one writer, and no need of it.
HOLD = f"{FIND} /* FOR UPDATE */"
NEXT_ID = "UPDATE counters SET value = value + 1 WHERE name = 'account' RETURNING value"
INSERT = """
INSERT INTO accounts
  (id, name, avatar_url, phone, email, invitation_code, registered_at, last_active_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
"""
FIND_OWNER = "SELECT account_id FROM identities WHERE kind = ?1 AND value = ?2"
CLAIM = """
INSERT INTO identities (kind, value, account_id) VALUES (?1, ?2, ?3)
ON CONFLICT DO NOTHING
"""
RELEASE = "DELETE FROM identities WHERE kind = ?1 AND value = ?2 AND account_id = ?3"
FIND_HASH = "SELECT password_hash FROM accounts WHERE id = ?1"
SET_HASH = "UPDATE accounts SET password_hash = ?2 WHERE id = ?1"


async def find_account(reader: Reader, account: AccountId) -> Account | None:
    """The account with an id; None also for one that was cancelled."""
    row = await reader.one(FIND, account)
    return None if row is None else Account(*row)


async def hold_account(tx: Transaction, account: AccountId) -> Account | None:
    """The account with an id, which no other change that holds it touches until this one ends.

    A change that decides by what it reads of an account holds it first (decision 0017).
    """
    row = await tx.one(HOLD, account)
    return None if row is None else Account(*row)


async def next_account_id(tx: Transaction) -> AccountId:
    """An id that was never handed out before."""
    row = await tx.one(NEXT_ID)
    if row is None:
        raise LookupError("the counter of accounts is missing")
    return AccountId(row[0])


async def insert_account(tx: Transaction, account: Account) -> None:
    """Writes a new account: id, name, avatar, contacts, invitation code, time of registration."""
    await tx.run(
        INSERT,
        account.id,
        account.name,
        account.avatar_url,
        account.phone,
        account.email,
        account.invitation_code,
        account.registered_at,
    )


async def find_owner(reader: Reader, kind: IdentityKind, value: str) -> AccountId | None:
    """The account that a phone number, an address or an invitation code belongs to."""
    row = await reader.one(FIND_OWNER, kind, value)
    return None if row is None else AccountId(row[0])


async def claim_identity(
    tx: Transaction, kind: IdentityKind, value: str, account: AccountId
) -> bool:
    """Takes an identity for an account; False when somebody has it already (security A3)."""
    return await tx.run(CLAIM, kind, value, account) == 1


async def release_identity(
    tx: Transaction, kind: IdentityKind, value: str, account: AccountId
) -> None:
    """Gives up an identity of an account; whoever proves it may have it now (security A4)."""
    await tx.run(RELEASE, kind, value, account)


async def find_password_hash(reader: Reader, account: AccountId) -> str:
    """The stored hash, "" when there is none or no such account."""
    row = await reader.one(FIND_HASH, account)
    return "" if row is None else str(row[0])


async def set_password_hash(tx: Transaction, account: AccountId, password_hash: str) -> None:
    """Replaces the hash."""
    await tx.run(SET_HASH, account, password_hash)
