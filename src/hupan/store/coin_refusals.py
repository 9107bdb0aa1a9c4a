"""Changes of coins that were refused, kept for a while so that their keys are refused again."""

from msgspec import Struct

from hupan.model import AccountId
from hupan.store.engine import Reader, Transaction

REMEMBER = """
INSERT INTO coin_refusals
  (account_id, key, cause, refused_at, change_cents, typ, reason, remark, actor)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
"""
FIND = """
SELECT account_id, key, cause, refused_at, change_cents, typ, reason, remark, actor
FROM coin_refusals WHERE account_id = ?1 AND key = ?2
"""
PURGE = """
DELETE FROM coin_refusals WHERE (account_id, key) IN
  (SELECT account_id, key FROM coin_refusals WHERE refused_at <= ?1 LIMIT ?2)
"""


class RefusedCoins(Struct, frozen=True):
    """A change that was refused; `cause` names the refusal."""

    account_id: AccountId
    key: str
    cause: str
    refused_at: int
    change_cents: int
    typ: int
    reason: str
    remark: str
    actor: str


async def remember_refusal(tx: Transaction, refused: RefusedCoins) -> None:
    """Keeps a refusal."""
    await tx.run(
        REMEMBER,
        refused.account_id,
        refused.key,
        refused.cause,
        refused.refused_at,
        refused.change_cents,
        refused.typ,
        refused.reason,
        refused.remark,
        refused.actor,
    )


async def find_refusal(reader: Reader, account: AccountId, key: str) -> RefusedCoins | None:
    """The refusal that a key met."""
    row = await reader.one(FIND, account, key)
    return None if row is None else RefusedCoins(*row)


async def purge_refusals(tx: Transaction, refused_until: int, most: int) -> int:
    """Delete refusals up to a time, up to `most` of them; return how many."""
    return await tx.run(PURGE, refused_until, most)
