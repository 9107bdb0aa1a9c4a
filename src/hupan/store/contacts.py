"""Changes of phone numbers and addresses, kept for as long as they can be undone (security A2)."""

from msgspec import Struct

from hupan.model import AccountId, Channel
from hupan.store.engine import Reader, Transaction

NOTE = """
INSERT INTO contact_changes
  (account_id, number, channel, old_address, new_address, changed_at, is_proven)
SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5, ?6
FROM contact_changes WHERE account_id = ?1
"""
FIND = """
SELECT number, channel, old_address, new_address, changed_at, is_proven, undone_at
FROM contact_changes WHERE account_id = ?1 AND number = ?2
"""
OF_ACCOUNT = """
SELECT number, channel, old_address, new_address, changed_at, is_proven, undone_at
FROM contact_changes WHERE account_id = ?1 ORDER BY number DESC
"""
# What stands of it vouches for nothing, also once another target has taken its place.
HAS_UNPROVEN = """
SELECT 1 FROM contact_changes
WHERE account_id = ?1 AND channel = ?2 AND changed_at > ?3 AND is_proven = 0 AND undone_at = 0
"""
# Going back to before a change undoes what came after it as well.
NOTE_UNDONE = """
UPDATE contact_changes SET undone_at = ?4
WHERE account_id = ?1 AND number >= ?2 AND channel = ?3 AND undone_at = 0
"""
SET_PHONE = "UPDATE accounts SET phone = ?2 WHERE id = ?1"
SET_EMAIL = "UPDATE accounts SET email = ?2 WHERE id = ?1"
COUNT = "SELECT count(*) FROM contact_changes WHERE account_id = ?1"
PURGE = """
DELETE FROM contact_changes WHERE (account_id, number) IN
  (SELECT account_id, number FROM contact_changes WHERE changed_at <= ?1 LIMIT ?2)
"""


class ContactChange(Struct, frozen=True):
    """One change; an address is "" where nothing was bound, `undone_at` 0 while it stands.

    Attributes:
        is_proven: 0 for a first binding in a session that proved nothing, else 1.
    """

    number: int
    channel: Channel
    old_address: str
    new_address: str
    changed_at: int
    is_proven: int
    undone_at: int


async def note_change(
    tx: Transaction,
    account: AccountId,
    channel: Channel,
    *,
    old: str,
    new: str,
    is_proven: bool,
    now: int,
) -> None:
    """Writes a change down."""
    await tx.run(NOTE, account, channel, old, new, now, int(is_proven))


async def find_change(reader: Reader, account: AccountId, number: int) -> ContactChange | None:
    """One change of an account."""
    row = await reader.one(FIND, account, number)
    return None if row is None else ContactChange(*row)


async def list_changes(reader: Reader, account: AccountId) -> list[ContactChange]:
    """The changes of an account, newest first."""
    return [ContactChange(*row) for row in await reader.all(OF_ACCOUNT, account)]


async def has_unproven_binding(
    reader: Reader, account: AccountId, channel: Channel, after: int
) -> bool:
    """Whether a channel was bound without proof after a time, and that still stands."""
    return await reader.one(HAS_UNPROVEN, account, channel, after) is not None


async def note_undone(tx: Transaction, account: AccountId, change: ContactChange, now: int) -> None:
    """Says that a change, and all later ones of its channel, were undone."""
    await tx.run(NOTE_UNDONE, account, change.number, change.channel, now)


async def set_address(tx: Transaction, account: AccountId, channel: Channel, address: str) -> None:
    """Writes what an account shows as its number or address, "" for none."""
    await tx.run(SET_PHONE if channel == "sms" else SET_EMAIL, account, address)


async def count_changes(reader: Reader, account: AccountId) -> int:
    """How many changes of an account are kept."""
    row = await reader.one(COUNT, account)
    return 0 if row is None else int(row[0])


async def purge_changes(tx: Transaction, until: int, most: int) -> int:
    """Delete changes made up to a time, up to `most` of them; return how many."""
    return await tx.run(PURGE, until, most)
