"""Changes of phone numbers and e-mail addresses, and step-up verifications of sessions."""

from msgspec import Struct

from hupan.model import AccountId, Channel, Session
from hupan.store.accounts import next_number
from hupan.store.database import Reader, Transaction

# A query within an INSERT would cost a distributed database a commit in two phases.
NEXT_CHANGE_NUMBER = (
    "SELECT coalesce(max(number), 0) + 1 FROM contact_changes WHERE account_id = ?1"
)
INSERT_CONTACT_CHANGE = """
INSERT INTO contact_changes
  (account_id, channel, old_address, new_address, changed_at, is_proven, number)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
"""
FIND_CONTACT_CHANGE = """
SELECT number, channel, old_address, new_address, changed_at, is_proven, undone_at
FROM contact_changes WHERE account_id = ?1 AND number = ?2
"""
LIST_CONTACT_CHANGES = """
SELECT number, channel, old_address, new_address, changed_at, is_proven, undone_at
FROM contact_changes WHERE account_id = ?1 ORDER BY number DESC
"""
# It proves nothing until it is undone, even after another contact has replaced it.
HAS_UNVERIFIED_BINDING = """
SELECT 1 FROM contact_changes
WHERE account_id = ?1 AND channel = ?2 AND changed_at > ?3 AND is_proven = 0 AND undone_at = 0
"""
# Going back to before a change undoes what came after it as well.
SET_CHANGES_UNDONE = """
UPDATE contact_changes SET undone_at = ?4
WHERE account_id = ?1 AND number >= ?2 AND channel = ?3 AND undone_at = 0
"""
SET_PHONE = "UPDATE accounts SET phone = ?2 WHERE id = ?1"
SET_EMAIL = "UPDATE accounts SET email = ?2 WHERE id = ?1"
COUNT_CONTACT_CHANGES = "SELECT count(*) FROM contact_changes WHERE account_id = ?1"
PURGE_CONTACT_CHANGES = """
DELETE FROM contact_changes WHERE (account_id, number) IN
  (SELECT account_id, number FROM contact_changes WHERE changed_at <= ?1 LIMIT ?2)
"""


class ContactChange(Struct, frozen=True):
    """A change of contact; an address is "" for none, `undone_at` is 0 unless it was undone.

    Attributes:
        is_verified: 0 for a first binding in a session that proved nothing, else 1.
    """

    number: int
    channel: Channel
    old_address: str
    new_address: str
    changed_at: int
    is_verified: int
    undone_at: int


async def insert_contact_change(
    tx: Transaction,
    account: AccountId,
    channel: Channel,
    *,
    old_address: str,
    new_address: str,
    is_verified: bool,
    now: int,
) -> None:
    """Record a change; the account is locked already."""
    await tx.execute(
        INSERT_CONTACT_CHANGE,
        account,
        channel,
        old_address,
        new_address,
        now,
        int(is_verified),
        await next_number(tx, NEXT_CHANGE_NUMBER, account),
    )


async def find_contact_change(
    reader: Reader, account: AccountId, number: int
) -> ContactChange | None:
    row = await reader.fetch_one(FIND_CONTACT_CHANGE, account, number)
    return None if row is None else ContactChange(*row)


async def list_contact_changes(reader: Reader, account: AccountId) -> list[ContactChange]:
    """Return the changes of an account, newest first."""
    return [ContactChange(*row) for row in await reader.fetch_all(LIST_CONTACT_CHANGES, account)]


async def has_unverified_binding(
    reader: Reader, account: AccountId, channel: Channel, after: int
) -> bool:
    """Return whether a channel was bound without proof after a time, and still is."""
    return await reader.fetch_one(HAS_UNVERIFIED_BINDING, account, channel, after) is not None


async def set_changes_undone(
    tx: Transaction, account: AccountId, change: ContactChange, now: int
) -> None:
    """Mark a change and all later ones of its channel as undone."""
    await tx.execute(SET_CHANGES_UNDONE, account, change.number, change.channel, now)


async def set_contact_address(
    tx: Transaction, account: AccountId, channel: Channel, address: str
) -> None:
    """Set the number or address that an account shows, "" for none."""
    await tx.execute(SET_PHONE if channel == "sms" else SET_EMAIL, account, address)


async def count_contact_changes(reader: Reader, account: AccountId) -> int:
    """Return the number of stored changes of an account."""
    row = await reader.fetch_one(COUNT_CONTACT_CHANGES, account)
    return 0 if row is None else int(row[0])


async def purge_contact_changes(tx: Transaction, until: int, max_rows: int) -> int:
    """Delete up to `max_rows` changes made up to a time; return their number."""
    return await tx.execute(PURGE_CONTACT_CHANGES, until, max_rows)


PUT_STEP_UP = """
INSERT INTO step_ups (account_id, token_hash, channel, ends_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (account_id, token_hash, channel) DO UPDATE SET ends_at = excluded.ends_at
"""
HAS_STEP_UP = """
SELECT 1 FROM step_ups
WHERE account_id = ?1 AND token_hash = ?2 AND channel = ?3 AND ends_at > ?4
"""
DELETE_STEP_UPS = "DELETE FROM step_ups WHERE account_id = ?1 AND channel = ?2"
PURGE_STEP_UPS = """
DELETE FROM step_ups WHERE (account_id, token_hash, channel) IN
  (SELECT account_id, token_hash, channel FROM step_ups WHERE ends_at <= ?1 LIMIT ?2)
"""


async def put_step_up(tx: Transaction, session: Session, channel: Channel, ends_at: int) -> None:
    """Record a step-up verification of a session until a time."""
    await tx.execute(PUT_STEP_UP, session.account_id, session.token_hash, channel, ends_at)


async def has_step_up(reader: Reader, session: Session, channel: Channel, now: int) -> bool:
    """Return whether a session has a valid step-up verification."""
    return (
        await reader.fetch_one(HAS_STEP_UP, session.account_id, session.token_hash, channel, now)
        is not None
    )


async def delete_step_ups(tx: Transaction, account: AccountId, channel: Channel) -> None:
    """Delete the step-up verifications of a channel in all sessions of an account."""
    await tx.execute(DELETE_STEP_UPS, account, channel)


async def purge_step_ups(tx: Transaction, now: int, max_rows: int) -> int:
    """Delete up to `max_rows` expired step-up verifications; return their number."""
    return await tx.execute(PURGE_STEP_UPS, now, max_rows)
