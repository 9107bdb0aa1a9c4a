"""Accounts: identities, bans, VIP, medals, listings for operators, cancelling and erasure (A7).

Listings include cancelled accounts until they are erased, with their `erase_at`.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from hupan.model import Account, AccountFilter, AccountId, Medal
from hupan.store.account_search import put_new_search_row, update_search_row
from hupan.store.database import Reader, Row, Transaction
from hupan.store.media import remove_all_pictures
from hupan.store.tables import erased_tables

IdentityKind: TypeAlias = Literal["phone", "email", "invitation"]

ACCOUNT_COLUMNS = """
  a.id, a.name, a.name_id, a.avatar_url, a.avatar_id, a.phone, a.email, a.coin_cents,
  a.vip_until, a.banned_until, a.ban_reason, a.invitation_code, a.registered_at,
  a.online_days, a.days_in_a_row, a.last_seen_day, a.last_active_at, a.country
"""

# A cancelled account that waits for its erasure counts as missing (security A7).
FIND_ACCOUNT = f"SELECT {ACCOUNT_COLUMNS} FROM accounts a WHERE a.id = ?1 AND a.erase_at = 0"
# On PostgreSQL other changes of the account wait here; SQLite has one writer and needs no lock.
LOCK_ACCOUNT = f"{FIND_ACCOUNT} /* FOR UPDATE */"
NEXT_ACCOUNT_ID = "UPDATE counters SET value = value + 1 WHERE name = 'account' RETURNING value"
INSERT_ACCOUNT = """
INSERT INTO accounts
  (id, name, avatar_url, phone, email, invitation_code, registered_at, last_active_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
"""
FIND_IDENTITY_OWNER = "SELECT account_id FROM identities WHERE kind = ?1 AND value = ?2"
CLAIM_IDENTITY = """
INSERT INTO identities (kind, value, account_id) VALUES (?1, ?2, ?3)
ON CONFLICT DO NOTHING
"""
RELEASE_IDENTITY = "DELETE FROM identities WHERE kind = ?1 AND value = ?2 AND account_id = ?3"
FIND_PASSWORD_HASH = "SELECT password_hash FROM accounts WHERE id = ?1"  # noqa: S105 - SQL
SET_PASSWORD_HASH = "UPDATE accounts SET password_hash = ?2 WHERE id = ?1"  # noqa: S105 - SQL


async def find_account(reader: Reader, account: AccountId) -> Account | None:
    """Return the account with an id; None for an unknown or cancelled one."""
    row = await reader.fetch_one(FIND_ACCOUNT, account)
    return None if row is None else Account(*row)


async def lock_account(tx: Transaction, account: AccountId) -> Account | None:
    """Return an account, locked against other changes until this transaction ends.

    A change that depends on what it reads of an account locks it first (decision 0017).
    """
    row = await tx.fetch_one(LOCK_ACCOUNT, account)
    return None if row is None else Account(*row)


async def next_account_id(tx: Transaction) -> AccountId:
    """Return an id that was never used before."""
    row = await tx.fetch_one(NEXT_ACCOUNT_ID)
    if row is None:
        raise LookupError("the counter of accounts is missing")
    return AccountId(row[0])


async def insert_account(tx: Transaction, account: Account) -> None:
    """Insert a new account: id, name, avatar, contacts, invitation code, registration time."""
    await tx.execute(
        INSERT_ACCOUNT,
        account.id,
        account.name,
        account.avatar_url,
        account.phone,
        account.email,
        account.invitation_code,
        account.registered_at,
    )
    await put_new_search_row(tx, account.id, account.name, account.avatar_url)


async def find_identity_owner(reader: Reader, kind: IdentityKind, value: str) -> AccountId | None:
    """Return the account that owns a phone number, an e-mail address or an invitation code."""
    row = await reader.fetch_one(FIND_IDENTITY_OWNER, kind, value)
    return None if row is None else AccountId(row[0])


async def claim_identity(
    tx: Transaction, kind: IdentityKind, value: str, account: AccountId
) -> bool:
    """Claim an identity for an account; False if another account has it (security A3)."""
    return await tx.execute(CLAIM_IDENTITY, kind, value, account) == 1


async def release_identity(
    tx: Transaction, kind: IdentityKind, value: str, account: AccountId
) -> None:
    """Release an identity of an account, so that another account may claim it (security A4)."""
    await tx.execute(RELEASE_IDENTITY, kind, value, account)


async def find_password_hash(reader: Reader, account: AccountId) -> str:
    """Return the stored hash, "" if there is none or no such account."""
    row = await reader.fetch_one(FIND_PASSWORD_HASH, account)
    return "" if row is None else str(row[0])


async def set_password_hash(tx: Transaction, account: AccountId, password_hash: str) -> None:
    await tx.execute(SET_PASSWORD_HASH, account, password_hash)


SET_BAN = "UPDATE accounts SET banned_until = ?2, ban_reason = ?3 WHERE id = ?1"


async def set_ban(tx: Transaction, account: AccountId, until: int, reason: str) -> bool:
    """Set end and reason of a ban, 0 and "" for none; return False for an unknown account."""
    is_set = await tx.execute(SET_BAN, account, until, reason) == 1
    if is_set:
        await update_search_row(tx, account)
    return is_set


_LISTED_ACCOUNT_COLUMNS = f"{ACCOUNT_COLUMNS}, a.erase_at"
FIND_LISTED_ACCOUNT = f"SELECT {_LISTED_ACCOUNT_COLUMNS} FROM accounts a WHERE a.id = ?1"
_SELECT_PAGE = f"SELECT {_LISTED_ACCOUNT_COLUMNS} FROM accounts a WHERE a.id < ?1 AND a.id >= ?2"
_ORDER_NEWEST_FIRST = "ORDER BY a.id DESC LIMIT ?3"
LIST_ACCOUNTS: dict[AccountFilter, str] = {
    "any": f"{_SELECT_PAGE} {_ORDER_NEWEST_FIRST}",
    "banned": f"{_SELECT_PAGE} AND a.banned_until > 0 AND a.banned_until > ?4 "
    f"{_ORDER_NEWEST_FIRST}",
    "vip": f"{_SELECT_PAGE} AND a.vip_until > 0 AND a.vip_until > ?4 {_ORDER_NEWEST_FIRST}",
    "cancelled": f"{_SELECT_PAGE} AND a.erase_at > 0 {_ORDER_NEWEST_FIRST}",
}
COUNT_ACCOUNTS: dict[AccountFilter, str] = {
    "any": "SELECT count(*) FROM accounts WHERE registered_at >= ?1",
    "banned": "SELECT count(*) FROM accounts "
    "WHERE banned_until > 0 AND banned_until > ?2 AND id >= ?1",
    "vip": "SELECT count(*) FROM accounts WHERE vip_until > 0 AND vip_until > ?2 AND id >= ?1",
    "cancelled": "SELECT count(*) FROM accounts WHERE erase_at > 0 AND id >= ?1",
}
FIND_FIRST_REGISTERED_SINCE = """
SELECT a.id FROM accounts a WHERE a.registered_at >= ?1
ORDER BY a.registered_at, a.id LIMIT 1
"""
FIND_IDS_BY_NAME_PREFIX = """
SELECT a.id FROM accounts a WHERE a.name >= ?1 AND a.name < ?2 ORDER BY a.name LIMIT ?3
"""
FIND_IDS_BY_CONTACT_PREFIX = """
SELECT account_id FROM identities
WHERE value >= ?1 AND value < ?2 AND kind <> 'invitation' ORDER BY value LIMIT ?3
"""
_PREFIX_END = "\U0010ffff"
NO_ACCOUNT_YET = 1_000_000
"""The counter of ids before the first account."""


class ListedAccount(Struct, frozen=True):
    """An account for operators; `erase_at` is 0 unless it was cancelled."""

    account: Account
    erase_at: int


async def find_listed_account(reader: Reader, account: AccountId) -> ListedAccount | None:
    """Return the account with an id, even a cancelled one."""
    row = await reader.fetch_one(FIND_LISTED_ACCOUNT, account)
    return None if row is None else _to_listed_account(row)


async def list_accounts(
    reader: Reader,
    account_filter: AccountFilter,
    *,
    below_id: int,
    min_id: int,
    max_rows: int,
    now: int,
) -> list[ListedAccount]:
    """Return accounts that match a filter, with `min_id` <= id < `below_id`, newest first."""
    times = (now,) if account_filter in ("banned", "vip") else ()
    rows = await reader.fetch_all(LIST_ACCOUNTS[account_filter], below_id, min_id, max_rows, *times)
    return [_to_listed_account(row) for row in rows]


async def count_accounts(
    reader: Reader, account_filter: AccountFilter, *, since: int, min_id: int, now: int
) -> int:
    """Count the accounts that match a filter and registered at a time or later."""
    times = (now,) if account_filter in ("banned", "vip") else ()
    start = since if account_filter == "any" else min_id
    row = await reader.fetch_one(COUNT_ACCOUNTS[account_filter], start, *times)
    return 0 if row is None else int(row[0])


async def find_first_registered_since(reader: Reader, since: int) -> AccountId | None:
    """Return the first account that registered at a time or later, or None."""
    row = await reader.fetch_one(FIND_FIRST_REGISTERED_SINCE, since)
    return None if row is None else AccountId(row[0])


async def count_registered(reader: Reader, since: int) -> tuple[int, int]:
    """Return how many accounts registered at a time or later, and how many ever did.

    Ids are consecutive and never reused, so that nothing is counted row by row.
    """
    last = await reader.fetch_one(FIND_LAST_ACCOUNT_ID)
    first = await find_first_registered_since(reader, since)
    last_id = NO_ACCOUNT_YET if last is None else int(last[0])
    return (0 if first is None else last_id - first + 1), last_id - NO_ACCOUNT_YET


async def find_ids_by_name_prefix(reader: Reader, prefix: str, max_rows: int) -> list[AccountId]:
    """Return accounts whose nickname begins with a prefix."""
    return [
        AccountId(row[0])
        for row in await reader.fetch_all(
            FIND_IDS_BY_NAME_PREFIX, prefix, prefix + _PREFIX_END, max_rows
        )
    ]


async def find_ids_by_contact_prefix(reader: Reader, prefix: str, max_rows: int) -> list[AccountId]:
    """Return accounts whose normalized number or address begins with a prefix."""
    rows = await reader.fetch_all(
        FIND_IDS_BY_CONTACT_PREFIX, prefix, prefix + _PREFIX_END, max_rows
    )
    return [AccountId(row[0]) for row in rows]


def _to_listed_account(row: Row) -> ListedAccount:
    return ListedAccount(Account(*row[:-1]), row[-1])


# One statement, so that concurrent extensions add up.
EXTEND_VIP = """
UPDATE accounts SET vip_until = CASE WHEN vip_until > ?2 THEN vip_until ELSE ?2 END + ?3
WHERE id = ?1
RETURNING vip_until
"""
SET_VIP = "UPDATE accounts SET vip_until = ?2 WHERE id = ?1"
END_VIP = "UPDATE accounts SET vip_until = ?2 WHERE id = ?1 AND vip_until > ?2"


async def extend_vip(tx: Transaction, account: AccountId, now: int, seconds: int) -> int | None:
    """Extend VIP; return the new end, None if there is no such account."""
    row = await tx.fetch_one(EXTEND_VIP, account, now, seconds)
    return None if row is None else int(row[0])


async def set_vip(tx: Transaction, account: AccountId, until: int) -> bool:
    """Set the end of VIP; False if there is no such account."""
    return await tx.execute(SET_VIP, account, until) == 1


async def end_vip(tx: Transaction, account: AccountId, now: int) -> bool:
    """End current VIP; False if there is none."""
    return await tx.execute(END_VIP, account, now) == 1


# The processes of a store share the check: each takes the next ids; after the last account it
# starts over.
FIND_LAST_ACCOUNT_ID = "SELECT value FROM counters WHERE name = 'account'"
TAKE_CHECK_RANGE = """
INSERT INTO counters (name, value) VALUES ('claims-walked', ?1)
ON CONFLICT (name) DO UPDATE SET value = CASE
  WHEN counters.value >= ?2 THEN excluded.value ELSE counters.value + ?3 END
RETURNING value
"""
LIST_IDENTITIES_IN_RANGE = """
SELECT value, kind, account_id FROM identities WHERE account_id > ?1 AND account_id <= ?2
ORDER BY account_id
"""
FIND_IDENTITY = (
    "SELECT account_id FROM identities WHERE value = ?1 AND kind = ?2 AND account_id = ?3"
)
# In two steps: the change that held the lock may have changed the identity (decision 0017).
LOCK_ACCOUNT_ID = "SELECT id FROM accounts WHERE id = ?1 /* FOR UPDATE */"
FIND_ACCOUNT_IDENTITIES = """
SELECT a.phone, a.email, a.invitation_code, COALESCE(c.former_code, '')
FROM accounts a LEFT JOIN invitation_changes c ON c.account_id = a.id WHERE a.id = ?1
"""


class IdentityRow(Struct, frozen=True):
    """An identity, in its normal form, and the account that owns it."""

    value: str
    kind: IdentityKind
    account_id: AccountId


async def take_check_range(tx: Transaction, start: int, count: int) -> range:
    """Return the next account ids whose identities are to be checked; the first follow `start`."""
    last = await tx.fetch_one(FIND_LAST_ACCOUNT_ID) or (start,)
    row = await tx.fetch_one(TAKE_CHECK_RANGE, start + count, int(last[0]), count) or (
        start + count,
    )
    end = int(row[0])
    return range(end - count + 1, end + 1)


async def list_identities_in_range(reader: Reader, ids: range) -> list[IdentityRow]:
    """Return the identities of the accounts with these consecutive ids."""
    return [
        IdentityRow(*row)
        for row in await reader.fetch_all(LIST_IDENTITIES_IN_RANGE, ids.start - 1, ids.stop - 1)
    ]


async def matches_account(reader: Reader, identity: IdentityRow) -> bool:
    """Return whether an identity's account exists and shows it, or once had the invitation code.

    A cancelled account keeps its identities until it is erased (security A7).
    """
    row = await reader.fetch_one(FIND_ACCOUNT_IDENTITIES, identity.account_id)
    if row is None:
        return False
    phone, email, *codes = row
    if identity.kind == "invitation":
        return identity.value in codes
    return identity.value == str(phone if identity.kind == "phone" else email).lower()


async def lock_identity(tx: Transaction, identity: IdentityRow) -> bool:
    """Lock the account of an identity, if it exists; False if the identity itself is gone."""
    await tx.fetch_one(LOCK_ACCOUNT_ID, identity.account_id)
    return (
        await tx.fetch_one(FIND_IDENTITY, identity.value, identity.kind, identity.account_id)
        is not None
    )


async def next_number(tx: Transaction, sql: str, account: int) -> int:
    """Return what a query returns as the number of the next row of an account."""
    row = await tx.fetch_one(sql, account)
    return 1 if row is None else int(row[0])


MEDAL_COLUMNS = "m.id, m.name, m.sort, m.description, m.image_url"

LIST_ACCOUNT_MEDALS = f"""
SELECT {MEDAL_COLUMNS} FROM account_medals am JOIN medals m ON m.id = am.medal_id
WHERE am.account_id = ?1 ORDER BY m.sort, m.id
"""
LIST_ALL_MEDALS = f"SELECT {MEDAL_COLUMNS} FROM medals m ORDER BY m.sort, m.id"
FIND_MEDAL = f"SELECT {MEDAL_COLUMNS} FROM medals m WHERE m.name = ?1"
FIND_LAST_SORT = "SELECT COALESCE(max(sort), 0) FROM medals"
DEFINE_MEDAL = """
INSERT INTO medals (id, name, sort, description, image_url)
SELECT COALESCE(max(id), 0) + 1, ?1, ?2, ?3, ?4 FROM medals WHERE true
ON CONFLICT (name) DO UPDATE SET
  sort = excluded.sort, description = excluded.description, image_url = excluded.image_url
RETURNING id, name, sort, description, image_url
"""
GRANT_MEDAL = """
INSERT INTO account_medals (account_id, medal_id) VALUES (?1, ?2)
ON CONFLICT DO NOTHING
"""
REVOKE_MEDAL = "DELETE FROM account_medals WHERE account_id = ?1 AND medal_id = ?2"


async def list_account_medals(reader: Reader, account: AccountId) -> list[Medal]:
    """Return the medals of an account in their order."""
    return [Medal(*row) for row in await reader.fetch_all(LIST_ACCOUNT_MEDALS, account)]


async def list_all_medals(reader: Reader) -> list[Medal]:
    """Return all medals in their order."""
    return [Medal(*row) for row in await reader.fetch_all(LIST_ALL_MEDALS)]


async def find_medal(reader: Reader, name: str) -> Medal | None:
    """Return the medal with a name."""
    row = await reader.fetch_one(FIND_MEDAL, name)
    return None if row is None else Medal(*row)


async def get_last_sort(reader: Reader) -> int:
    """Return the highest sort position, 0 if there are no medals."""
    row = await reader.fetch_one(FIND_LAST_SORT)
    return 0 if row is None else int(row[0])


async def define_medal(
    tx: Transaction, name: str, sort: int, description: str, image_url: str
) -> Medal:
    """Create a medal, or change the one with that name."""
    row = await tx.fetch_one(DEFINE_MEDAL, name, sort, description, image_url)
    if row is None:
        raise LookupError("a medal was neither created nor changed")
    return Medal(*row)


async def get_or_define_medal(tx: Transaction, name: str) -> Medal:
    """Return the medal with a name; create it last in order if there is none."""
    return await find_medal(tx, name) or await define_medal(
        tx, name, await get_last_sort(tx) + 1, "", ""
    )


async def grant_medal(tx: Transaction, account: AccountId, medal: Medal) -> bool:
    """Grant a medal; False if it was granted before."""
    return await tx.execute(GRANT_MEDAL, account, medal.id) == 1


async def revoke_medal(tx: Transaction, account: AccountId, medal: Medal) -> bool:
    """Revoke a medal; False if the account did not have it."""
    return await tx.execute(REVOKE_MEDAL, account, medal.id) == 1


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
