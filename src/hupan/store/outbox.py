"""Outbox of messages to send, written in the transaction that requires them."""

from typing import get_args

from msgspec import Struct

from hupan.model import Channel
from hupan.store.database import Reader, Transaction

CODE_PRIORITY, FIRST_NOTICE_PRIORITY, NOTICE_PRIORITY = 0, 1, 2
"""Priorities: a code, the first notice of its kind to a target on a day, any other one."""
PRIORITIES = (CODE_PRIORITY, FIRST_NOTICE_PRIORITY, NOTICE_PRIORITY)

INSERT_MESSAGE = """
INSERT INTO outbox
  (target, id, channel, purpose, sealed_code, created_at, expires_at, due_at, priority)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?8)
"""
# A notice that no sender has received yet is enough: a second one would repeat it.
RENEW_PENDING_NOTIFICATION = """
UPDATE outbox SET created_at = ?4, expires_at = ?5,
  priority = CASE WHEN priority < ?6 THEN priority ELSE ?6 END
WHERE target = ?1 AND channel = ?2 AND purpose = ?3 AND tries = 0
"""
# A message that waits for a retry, and whose code was replaced meanwhile, would only mislead.
DELETE_UNSENT_CODES = """
DELETE FROM outbox WHERE target = ?1 AND channel = ?2 AND length(sealed_code) > 0 AND tries > 0
"""
# Leasing is one statement, so two servers never send the same message.
LEASE_MESSAGES = """
UPDATE outbox SET tries = tries + 1, due_at = ?2
WHERE due_at <= ?1 AND (target, id) IN
  (SELECT target, id FROM outbox WHERE channel = ?3 AND priority = ?5 AND due_at <= ?1
   ORDER BY due_at LIMIT ?4)
RETURNING target, id, channel, purpose, sealed_code, created_at, expires_at, tries, priority
"""
# For one target: a distributed database with a machine away cannot list its outbox. No index of
# channels may serve it: the target finds the machine.
LEASE_MESSAGES_TO = """
UPDATE outbox SET tries = tries + 1, due_at = ?2
WHERE target = ?6 AND due_at <= ?1 AND id IN
  (SELECT id FROM outbox
   WHERE target = ?6 AND channel || '' = ?3 AND priority + 0 = ?5 AND due_at <= ?1 LIMIT ?4)
RETURNING target, id, channel, purpose, sealed_code, created_at, expires_at, tries, priority
"""
RESCHEDULE_MESSAGE = "UPDATE outbox SET due_at = ?3 WHERE target = ?1 AND id = ?2"
RETURN_LEASE = "UPDATE outbox SET due_at = ?3, tries = tries - 1 WHERE target = ?1 AND id = ?2"
DELETE_MESSAGE = "DELETE FROM outbox WHERE target = ?1 AND id = ?2"
# One look-up in the index for each channel and priority.
LIST_NEXT_DUE = " UNION ALL ".join(
    f"SELECT '{channel}', {priority}, min(due_at) FROM outbox"
    f" WHERE channel = '{channel}' AND priority = {priority}"
    for channel in get_args(Channel)
    for priority in PRIORITIES
)
# On a distributed database, where each look-up asks every shard and each has few messages.
LIST_NEXT_DUE_AT_ONCE = (
    "SELECT channel, priority, min(due_at) FROM outbox GROUP BY channel, priority"
)
# A walk along the index; the more expensive statement runs only if there are too many.
COUNT_MESSAGES = "SELECT channel, count(*) FROM outbox GROUP BY channel"
HAS_SURPLUS_MESSAGES = """
SELECT 1 FROM outbox WHERE channel = ?1 AND priority = ?2 ORDER BY due_at DESC LIMIT 1 OFFSET ?3
"""
DELETE_OLDEST_MESSAGES = """
DELETE FROM outbox WHERE (target, id) IN
  (SELECT target, id FROM outbox WHERE channel = ?1 AND priority = ?2
   ORDER BY created_at DESC, target, id LIMIT ?4 OFFSET ?3)
"""
MAX_DELETED_MESSAGES = 1000
"""Rows that one change drops, so that it holds up no other one."""


class OutboxMessage(Struct, frozen=True):
    """A row of the outbox; `attempts` counts the sends begun, this one included."""

    target: str
    id: str
    channel: Channel
    purpose: str
    encrypted_code: bytes
    created_at: int
    expires_at: int
    attempts: int = 0
    priority: int = CODE_PRIORITY


async def insert_message(tx: Transaction, message: OutboxMessage) -> None:
    """Insert a message that is due at once."""
    await tx.execute(
        INSERT_MESSAGE,
        message.target,
        message.id,
        message.channel,
        message.purpose,
        message.encrypted_code,
        message.created_at,
        message.expires_at,
        message.priority,
    )


async def renew_pending_notice(tx: Transaction, message: OutboxMessage) -> bool:
    """Renew a pending notice in place of a new one of its kind; False if none is pending."""
    return (
        await tx.execute(
            RENEW_PENDING_NOTIFICATION,
            message.target,
            message.channel,
            message.purpose,
            message.created_at,
            message.expires_at,
            message.priority,
        )
        > 0
    )


async def delete_unsent_codes(tx: Transaction, channel: Channel, target: str) -> None:
    """Delete codes for a target that could not be sent yet."""
    await tx.execute(DELETE_UNSENT_CODES, target, channel)


async def lease_messages(
    tx: Transaction, channel: Channel, priority: int, *, now: int, leased_until: int, max_rows: int
) -> list[OutboxMessage]:
    """Lease due messages of a priority until a time; the holder of the lease sends them."""
    rows = await tx.fetch_all(LEASE_MESSAGES, now, leased_until, channel, max_rows, priority)
    return [OutboxMessage(*row) for row in rows]


async def lease_messages_to(
    tx: Transaction,
    target: str,
    channel: Channel,
    priority: int,
    *,
    now: int,
    leased_until: int,
    max_rows: int,
) -> list[OutboxMessage]:
    """Lease due messages to one target, as `lease_messages` does to all."""
    rows = await tx.fetch_all(
        LEASE_MESSAGES_TO, now, leased_until, channel, max_rows, priority, target
    )
    return [OutboxMessage(*row) for row in rows]


async def reschedule_message(tx: Transaction, message: OutboxMessage, due_at: int) -> None:
    await tx.execute(RESCHEDULE_MESSAGE, message.target, message.id, due_at)


async def return_lease(tx: Transaction, message: OutboxMessage, due_at: int) -> None:
    """Return a leased message, which no sender received, until a time."""
    await tx.execute(RETURN_LEASE, message.target, message.id, due_at)


async def delete_message(tx: Transaction, message: OutboxMessage) -> None:
    """Delete a message that was sent or given up."""
    await tx.execute(DELETE_MESSAGE, message.target, message.id)


async def list_next_due(reader: Reader, *, at_once: bool = False) -> dict[tuple[str, int], int]:
    """Return when the next message of each channel and priority is due, for those with any."""
    rows = await reader.fetch_all(LIST_NEXT_DUE_AT_ONCE if at_once else LIST_NEXT_DUE)
    return {(row[0], row[1]): int(row[2]) for row in rows if row[2] is not None}


async def count_messages(reader: Reader) -> dict[str, int]:
    """Return the number of waiting messages for every channel."""
    found = {
        str(channel): int(number) for channel, number in await reader.fetch_all(COUNT_MESSAGES)
    }
    return {channel: found.get(channel, 0) for channel in get_args(Channel)}


async def has_surplus_messages(
    reader: Reader, channel: Channel, priority: int, max_messages: int
) -> bool:
    """Return whether more than `max_messages` of a channel and priority wait."""
    return await reader.fetch_one(HAS_SURPLUS_MESSAGES, channel, priority, max_messages) is not None


async def delete_oldest_messages(
    tx: Transaction, channel: Channel, priority: int, max_messages: int
) -> int:
    """Delete the oldest messages beyond `max_messages`, bounded per change; return their number."""
    return await tx.execute(
        DELETE_OLDEST_MESSAGES, channel, priority, max_messages, MAX_DELETED_MESSAGES
    )
