"""Until when accounts are VIP."""

from hupan.model import AccountId
from hupan.store.engine import Transaction

# One statement, so that two who give days at once both give them.
EXTEND = """
UPDATE accounts SET vip_until = CASE WHEN vip_until > ?2 THEN vip_until ELSE ?2 END + ?3
WHERE id = ?1
RETURNING vip_until
"""
SET = "UPDATE accounts SET vip_until = ?2 WHERE id = ?1"
END = "UPDATE accounts SET vip_until = ?2 WHERE id = ?1 AND vip_until > ?2"


async def extend_vip(tx: Transaction, account: AccountId, now: int, seconds: int) -> int | None:
    """Adds time to what is left; gives the new end, None when there is no such account."""
    row = await tx.one(EXTEND, account, now, seconds)
    return None if row is None else int(row[0])


async def set_vip(tx: Transaction, account: AccountId, until: int) -> bool:
    """Sets when VIP ends; False when there is no such account."""
    return await tx.run(SET, account, until) == 1


async def end_vip(tx: Transaction, account: AccountId, now: int) -> bool:
    """Ends VIP that is in force; False when there is none."""
    return await tx.run(END, account, now) == 1
