"""Messages that wait to be sent: rows written in the transaction that wants them sent."""

from typing import get_args

from msgspec import Struct

from hupan.model import Channel
from hupan.store.engine import Reader, Transaction

CODE, FIRST_NOTICE, NOTICE = 0, 1, 2
"""Priorities: a code, a notice of a kind that its target was not told that day, any other one."""
PRIORITIES = (CODE, FIRST_NOTICE, NOTICE)

INSERT = """
INSERT INTO outbox
  (target, id, channel, purpose, sealed_code, created_at, expires_at, due_at, priority)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?8)
"""
# A notice that no sender was given so far says it all: the same one again would say it twice.
RENEW_WAITING = """
UPDATE outbox SET created_at = ?4, expires_at = ?5,
  priority = CASE WHEN priority < ?6 THEN priority ELSE ?6 END
WHERE target = ?1 AND channel = ?2 AND purpose = ?3 AND tries = 0
"""
# A message that waits for another try, and whose code was replaced meanwhile, would only mislead.
DROP_CODES = """
DELETE FROM outbox WHERE target = ?1 AND channel = ?2 AND length(sealed_code) > 0 AND tries > 0
"""
# Leasing is one statement, so two servers never send the same message.
LEASE = """
UPDATE outbox SET tries = tries + 1, due_at = ?2
WHERE due_at <= ?1 AND (target, id) IN
  (SELECT target, id FROM outbox WHERE channel = ?3 AND priority = ?5 AND due_at <= ?1
   ORDER BY due_at LIMIT ?4)
RETURNING target, id, channel, purpose, sealed_code, created_at, expires_at, tries, priority
"""
PUT_OFF = "UPDATE outbox SET due_at = ?3 WHERE target = ?1 AND id = ?2"
PUT_BACK = "UPDATE outbox SET due_at = ?3, tries = tries - 1 WHERE target = ?1 AND id = ?2"
REMOVE = "DELETE FROM outbox WHERE target = ?1 AND id = ?2"
# One look-up in the index for each channel and priority.
NEXT_DUE = " UNION ALL ".join(
    f"SELECT '{channel}', {priority}, min(due_at) FROM outbox"
    f" WHERE channel = '{channel}' AND priority = {priority}"
    for channel in get_args(Channel)
    for priority in PRIORITIES
)
# A walk along the index; what costs more is done only once there are too many.
COUNT = "SELECT channel, count(*) FROM outbox GROUP BY channel"
HAS_SURPLUS = """
SELECT 1 FROM outbox WHERE channel = ?1 AND priority = ?2 ORDER BY due_at DESC LIMIT 1 OFFSET ?3
"""
DROP_OLDEST = """
DELETE FROM outbox WHERE (target, id) IN
  (SELECT target, id FROM outbox WHERE channel = ?1 AND priority = ?2
   ORDER BY created_at DESC, target, id LIMIT ?4 OFFSET ?3)
"""
MOST_AT_ONCE = 1000
"""Rows that one change drops, so that it holds up no other one."""


class OutboxMessage(Struct, frozen=True):
    """A row of the outbox; `tries` counts the sends begun, this one included."""

    target: str
    id: str
    channel: Channel
    purpose: str
    sealed_code: bytes
    created_at: int
    expires_at: int
    tries: int = 0
    priority: int = CODE


async def put_message(tx: Transaction, message: OutboxMessage) -> None:
    """Adds a message that is due at once."""
    await tx.run(
        INSERT,
        message.target,
        message.id,
        message.channel,
        message.purpose,
        message.sealed_code,
        message.created_at,
        message.expires_at,
        message.priority,
    )


async def renew_waiting(tx: Transaction, message: OutboxMessage) -> bool:
    """Let a notice that still waits stand for a new one of its kind; False when none waits."""
    return (
        await tx.run(
            RENEW_WAITING,
            message.target,
            message.channel,
            message.purpose,
            message.created_at,
            message.expires_at,
            message.priority,
        )
        > 0
    )


async def drop_codes(tx: Transaction, channel: Channel, target: str) -> None:
    """Removes codes to a target that could not be sent so far."""
    await tx.run(DROP_CODES, target, channel)


async def lease_due(
    tx: Transaction, channel: Channel, priority: int, *, now: int, until: int, most: int
) -> list[OutboxMessage]:
    """Takes due messages of a priority until a time; whoever holds the lease sends them."""
    rows = await tx.all(LEASE, now, until, channel, most, priority)
    return [OutboxMessage(*row) for row in rows]


async def put_off(tx: Transaction, message: OutboxMessage, due_at: int) -> None:
    """Has a message tried again later."""
    await tx.run(PUT_OFF, message.target, message.id, due_at)


async def put_back(tx: Transaction, message: OutboxMessage, due_at: int) -> None:
    """Keep a leased message, which no sender was given, until a time."""
    await tx.run(PUT_BACK, message.target, message.id, due_at)


async def remove_message(tx: Transaction, message: OutboxMessage) -> None:
    """Forgets a message that was sent or given up."""
    await tx.run(REMOVE, message.target, message.id)


async def list_next_due(reader: Reader) -> dict[tuple[str, int], int]:
    """When the next message of each channel and priority is due; those without one are left out."""
    rows = await reader.all(NEXT_DUE)
    return {(row[0], row[1]): int(row[2]) for row in rows if row[2] is not None}


async def count_waiting(reader: Reader) -> dict[str, int]:
    """How many messages wait, by channel; every channel is named."""
    found = {str(channel): int(number) for channel, number in await reader.all(COUNT)}
    return {channel: found.get(channel, 0) for channel in get_args(Channel)}


async def has_surplus(reader: Reader, channel: Channel, priority: int, most: int) -> bool:
    """Whether more messages of a channel and priority wait than should."""
    return await reader.one(HAS_SURPLUS, channel, priority, most) is not None


async def drop_oldest(tx: Transaction, channel: Channel, priority: int, most: int) -> int:
    """Drop the oldest messages beyond so many, as many as one change may; return their number."""
    return await tx.run(DROP_OLDEST, channel, priority, most, MOST_AT_ONCE)
