"""Captchas that were answered: each id counts once (security C9)."""

from hupan.store.engine import Transaction

CLAIM = """
INSERT INTO spent_captchas (id, expires_at) VALUES (?1, ?2)
ON CONFLICT DO NOTHING
"""
PURGE = "DELETE FROM spent_captchas WHERE expires_at <= ?1"


async def claim_captcha(tx: Transaction, captcha_id: bytes, expires_at: int) -> bool:
    """Marks a captcha as answered; False when it was before."""
    return await tx.run(CLAIM, captcha_id, expires_at) == 1


async def purge_captchas(tx: Transaction, now: int) -> None:
    """Forgets captchas that have expired."""
    await tx.run(PURGE, now)
