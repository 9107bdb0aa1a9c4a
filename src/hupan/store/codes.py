"""One-time codes: one live code for each target (security C1-C4, C7)."""

from msgspec import Struct

from hupan.model import AccountId, Channel
from hupan.store.engine import Transaction

PUT = """
INSERT INTO codes (target, channel, class, account_id, mac, attempts, expires_at)
VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)
ON CONFLICT (target, channel) DO UPDATE SET
  class = excluded.class, account_id = excluded.account_id, mac = excluded.mac,
  attempts = 0, expires_at = excluded.expires_at
"""
# One statement counts the try and reads what to compare, so that a hundred parallel guesses are
# still five (security C3).
COUNT_TRY = """
UPDATE codes SET attempts = attempts + 1
WHERE target = ?1 AND channel = ?2 AND attempts < 5 AND expires_at > ?3
RETURNING class, account_id, mac
"""
# Writes nothing new: the row is held, so that what is found still holds when the try is counted.
HOLD_LIVE = """
UPDATE codes SET attempts = attempts
WHERE target = ?1 AND channel = ?2 AND attempts < 5 AND expires_at > ?3
"""
SPEND = "DELETE FROM codes WHERE target = ?1 AND channel = ?2 AND mac = ?3"
KILL = "DELETE FROM codes WHERE target = ?1 AND channel = ?2"
PURGE = """
DELETE FROM codes WHERE (target, channel) IN
  (SELECT target, channel FROM codes WHERE expires_at <= ?1 LIMIT ?2)
"""


class Code(Struct, frozen=True):
    """A code as it is kept: its keyed hash and what it may do (security D1)."""

    kind: str
    account_id: AccountId
    mac: bytes


async def put_code(
    tx: Transaction, channel: Channel, target: str, code: Code, expires_at: int
) -> None:
    """Keeps a new code; the old one of the same target dies."""
    await tx.run(PUT, target, channel, code.kind, code.account_id, code.mac, expires_at)


async def hold_live_code(tx: Transaction, channel: Channel, target: str, now: int) -> bool:
    """Hold the code of a target; False when none is live or it has had its five tries."""
    return await tx.run(HOLD_LIVE, target, channel, now) == 1


async def count_try(tx: Transaction, channel: Channel, target: str, now: int) -> Code | None:
    """Counts one try; None when there is no live code or it has had its five tries."""
    row = await tx.one(COUNT_TRY, target, channel, now)
    return None if row is None else Code(*row)


async def spend_code(tx: Transaction, channel: Channel, target: str, mac: bytes) -> bool:
    """Uses a code up; False when somebody else was first."""
    return await tx.run(SPEND, target, channel, mac) == 1


async def kill_code(tx: Transaction, channel: Channel, target: str) -> None:
    """Ends the live code of a target, if there is one (security D1)."""
    await tx.run(KILL, target, channel)


async def purge_codes(tx: Transaction, now: int, most: int) -> int:
    """Delete codes that have expired, up to `most`; return how many."""
    return await tx.run(PURGE, now, most)
