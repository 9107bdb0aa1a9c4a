"""Sessions that proved to hold what is bound to their account (security D2)."""

from hupan.model import AccountId, Channel, Session
from hupan.store.engine import Reader, Transaction

PUT = """
INSERT INTO step_ups (account_id, token_hash, channel, ends_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (account_id, token_hash, channel) DO UPDATE SET ends_at = excluded.ends_at
"""
HAS = """
SELECT 1 FROM step_ups
WHERE account_id = ?1 AND token_hash = ?2 AND channel = ?3 AND ends_at > ?4
"""
DROP = "DELETE FROM step_ups WHERE account_id = ?1 AND channel = ?2"
PURGE = """
DELETE FROM step_ups WHERE (account_id, token_hash, channel) IN
  (SELECT account_id, token_hash, channel FROM step_ups WHERE ends_at <= ?1 LIMIT ?2)
"""


async def put_step_up(tx: Transaction, session: Session, channel: Channel, ends_at: int) -> None:
    """Marks a session until a time."""
    await tx.run(PUT, session.account_id, session.token_hash, channel, ends_at)


async def has_step_up(reader: Reader, session: Session, channel: Channel, now: int) -> bool:
    """Whether a session is marked."""
    return await reader.one(HAS, session.account_id, session.token_hash, channel, now) is not None


async def drop_step_ups(tx: Transaction, account: AccountId, channel: Channel) -> None:
    """Takes the marks of a channel off all sessions of an account."""
    await tx.run(DROP, account, channel)


async def purge_step_ups(tx: Transaction, now: int, most: int) -> int:
    """Delete marks whose time is over, up to `most`; return how many."""
    return await tx.run(PURGE, now, most)
