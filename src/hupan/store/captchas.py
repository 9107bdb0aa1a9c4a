"""Captchas that were answered: each id counts once (security C9)."""

from hupan.store.engine import Transaction

CLAIM = """
INSERT INTO spent_captchas (id, expires_at) VALUES (?1, ?2)
ON CONFLICT DO NOTHING
"""
PURGE = """
DELETE FROM spent_captchas WHERE id IN
  (SELECT id FROM spent_captchas WHERE expires_at <= ?1 LIMIT ?2)
"""
# The newest stay: they are what a clock that jumps back could revive.
DROP_SURPLUS = """
DELETE FROM spent_captchas WHERE id IN
  (SELECT id FROM spent_captchas WHERE expires_at <= ?1
   ORDER BY expires_at DESC LIMIT ?2 OFFSET ?3)
"""


async def claim_captcha(tx: Transaction, captcha_id: bytes, expires_at: int) -> bool:
    """Marks a captcha as answered; False when it was before."""
    return await tx.run(CLAIM, captcha_id, expires_at) == 1


async def purge_captchas(tx: Transaction, now: int, most: int) -> int:
    """Delete captchas that have expired, up to `most`; return how many."""
    return await tx.run(PURGE, now, most)


async def drop_surplus_captchas(tx: Transaction, now: int, most: int, *, kept: int) -> int:
    """Delete expired captchas beyond the newest `kept`, up to `most`; return how many."""
    return await tx.run(DROP_SURPLUS, now, most, kept)
