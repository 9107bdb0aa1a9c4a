"""Bans: they stand on the account's own row, so that who reads the account sees its ban."""

from hupan.model import AccountId
from hupan.store.engine import Transaction

SET = "UPDATE accounts SET banned_until = ?2, ban_reason = ?3 WHERE id = ?1"


async def set_ban(tx: Transaction, account: AccountId, until: int, reason: str) -> bool:
    """Sets end and reason, 0 and "" for no ban; False when there is no such account."""
    return await tx.run(SET, account, until, reason) == 1
