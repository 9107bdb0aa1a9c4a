"""Messages that wait to be sent: rows written in the transaction that wants them sent."""

from typing import get_args

from msgspec import Struct

from hupan.model import Channel
from hupan.store.engine import Reader, Transaction

INSERT = """
INSERT INTO outbox (target, id, channel, purpose, sealed_code, created_at, expires_at, due_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6)
"""
# A message that waits for another try, and whose code was replaced meanwhile, would only mislead.
DROP_CODES = """
DELETE FROM outbox WHERE target = ?1 AND channel = ?2 AND length(sealed_code) > 0 AND tries > 0
"""
# Leasing is one statement, so two servers never send the same message.
LEASE = """
UPDATE outbox SET tries = tries + 1, due_at = ?2
WHERE due_at <= ?1 AND (target, id) IN
  (SELECT target, id FROM outbox WHERE channel = ?3 AND due_at <= ?1 ORDER BY due_at LIMIT ?4)
RETURNING target, id, channel, purpose, sealed_code, created_at, expires_at, tries
"""
PUT_OFF = "UPDATE outbox SET due_at = ?3 WHERE target = ?1 AND id = ?2"
REMOVE = "DELETE FROM outbox WHERE target = ?1 AND id = ?2"
# One look-up in the index for each channel.
NEXT_DUE = """
SELECT min(due_at) FROM (
  SELECT min(due_at) AS due_at FROM outbox WHERE channel = 'sms'
  UNION ALL SELECT min(due_at) FROM outbox WHERE channel = 'email') AS next
"""
# A walk along the index; what costs more is done only once there are too many.
COUNT = "SELECT channel, count(*) FROM outbox GROUP BY channel"
HAS_SURPLUS = "SELECT 1 FROM outbox WHERE channel = ?1 ORDER BY due_at DESC LIMIT 1 OFFSET ?2"
DROP_OLDEST = """
DELETE FROM outbox WHERE channel = ?1 AND created_at <
  (SELECT created_at FROM outbox WHERE channel = ?1 ORDER BY created_at DESC LIMIT 1 OFFSET ?2)
"""


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
    )


async def drop_codes(tx: Transaction, channel: Channel, target: str) -> None:
    """Removes codes to a target that could not be sent so far."""
    await tx.run(DROP_CODES, target, channel)


async def lease_due(
    tx: Transaction, channel: Channel, *, now: int, until: int, most: int
) -> list[OutboxMessage]:
    """Takes due messages until a time; whoever holds the lease sends them."""
    return [OutboxMessage(*row) for row in await tx.all(LEASE, now, until, channel, most)]


async def put_off(tx: Transaction, message: OutboxMessage, due_at: int) -> None:
    """Has a message tried again later."""
    await tx.run(PUT_OFF, message.target, message.id, due_at)


async def remove_message(tx: Transaction, message: OutboxMessage) -> None:
    """Forgets a message that was sent or given up."""
    await tx.run(REMOVE, message.target, message.id)


async def find_next_due(reader: Reader) -> int | None:
    """When the next message is due, None when none waits."""
    row = await reader.one(NEXT_DUE)
    return None if row is None or row[0] is None else int(row[0])


async def count_waiting(reader: Reader) -> dict[str, int]:
    """How many messages wait, by channel; every channel is named."""
    found = {str(channel): int(number) for channel, number in await reader.all(COUNT)}
    return {channel: found.get(channel, 0) for channel in get_args(Channel)}


async def has_surplus(reader: Reader, channel: Channel, most: int) -> bool:
    """Whether more messages of a channel wait than should."""
    return await reader.one(HAS_SURPLUS, channel, most) is not None


async def drop_oldest(tx: Transaction, channel: Channel, most: int) -> int:
    """Forgets the oldest messages of a channel beyond so many, to a second; gives their number."""
    return await tx.run(DROP_OLDEST, channel, most - 1)
