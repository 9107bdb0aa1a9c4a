"""One-time codes and the captchas that were already answered."""

from msgspec import Struct

from hupan.model import AccountId, Channel
from hupan.store.database import Transaction

PUT_CODE = """
INSERT INTO codes (target, channel, class, account_id, mac, attempts, expires_at)
VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)
ON CONFLICT (target, channel) DO UPDATE SET
  class = excluded.class, account_id = excluded.account_id, mac = excluded.mac,
  attempts = 0, expires_at = excluded.expires_at
"""
# One statement counts the attempt and reads what to compare, so a hundred parallel guesses still
# get five attempts (security C3).
COUNT_CODE_ATTEMPT = """
UPDATE codes SET attempts = attempts + 1
WHERE target = ?1 AND channel = ?2 AND attempts < 5 AND expires_at > ?3
RETURNING class, account_id, mac
"""
# Locks the row, so that the code is still live when the attempt is counted.
LOCK_LIVE_CODE = """
UPDATE codes SET attempts = attempts
WHERE target = ?1 AND channel = ?2 AND attempts < 5 AND expires_at > ?3
"""
SPEND_CODE = "DELETE FROM codes WHERE target = ?1 AND channel = ?2 AND mac = ?3"
REVOKE_CODE = "DELETE FROM codes WHERE target = ?1 AND channel = ?2"
PURGE_CODES = """
DELETE FROM codes WHERE (target, channel) IN
  (SELECT target, channel FROM codes WHERE expires_at <= ?1 LIMIT ?2)
"""


class Code(Struct, frozen=True):
    """A stored code: its keyed hash, its purpose and its account (security D1)."""

    purpose: str
    account_id: AccountId
    mac: bytes


async def put_code(
    tx: Transaction, channel: Channel, target: str, code: Code, expires_at: int
) -> None:
    """Store a new code; it replaces the previous one of the target."""
    await tx.execute(PUT_CODE, target, channel, code.purpose, code.account_id, code.mac, expires_at)


async def lock_live_code(tx: Transaction, channel: Channel, target: str, now: int) -> bool:
    """Lock the code of a target; False if none is live or its five attempts are used up."""
    return await tx.execute(LOCK_LIVE_CODE, target, channel, now) == 1


async def count_code_attempt(
    tx: Transaction, channel: Channel, target: str, now: int
) -> Code | None:
    """Count an attempt; None if no code is live or its five attempts are used up."""
    row = await tx.fetch_one(COUNT_CODE_ATTEMPT, target, channel, now)
    return None if row is None else Code(*row)


async def spend_code(tx: Transaction, channel: Channel, target: str, mac: bytes) -> bool:
    """Use up a code; False if another request did so first."""
    return await tx.execute(SPEND_CODE, target, channel, mac) == 1


async def revoke_code(tx: Transaction, channel: Channel, target: str) -> None:
    """Revoke the live code of a target, if any (security D1)."""
    await tx.execute(REVOKE_CODE, target, channel)


async def purge_codes(tx: Transaction, now: int, max_rows: int) -> int:
    """Delete up to `max_rows` expired codes; return their number."""
    return await tx.execute(PURGE_CODES, now, max_rows)


SPEND_CAPTCHA = """
INSERT INTO spent_captchas (id, expires_at) VALUES (?1, ?2)
ON CONFLICT DO NOTHING
"""
PURGE_CAPTCHAS = """
DELETE FROM spent_captchas WHERE id IN
  (SELECT id FROM spent_captchas WHERE expires_at <= ?1 LIMIT ?2)
"""
# The newest stay: they are what a clock that jumps back could revive.
DELETE_SURPLUS_CAPTCHAS = """
DELETE FROM spent_captchas WHERE id IN
  (SELECT id FROM spent_captchas WHERE expires_at <= ?1
   ORDER BY expires_at DESC LIMIT ?2 OFFSET ?3)
"""


async def spend_captcha(tx: Transaction, captcha_id: bytes, expires_at: int) -> bool:
    """Mark a captcha as answered; False if it was already."""
    return await tx.execute(SPEND_CAPTCHA, captcha_id, expires_at) == 1


async def purge_captchas(tx: Transaction, now: int, max_rows: int) -> int:
    """Delete up to `max_rows` expired captchas; return their number."""
    return await tx.execute(PURGE_CAPTCHAS, now, max_rows)


async def delete_surplus_captchas(
    tx: Transaction, now: int, max_rows: int, *, keep_newest: int
) -> int:
    """Delete up to `max_rows` expired captchas beyond the newest `keep_newest`; return how many."""
    return await tx.execute(DELETE_SURPLUS_CAPTCHAS, now, max_rows, keep_newest)
