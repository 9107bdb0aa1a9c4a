"""What accounts noted about each other."""

from hupan.model import AccountId, Remark
from hupan.store.engine import Reader, Transaction

FIND = "SELECT name, phone, others FROM remarks WHERE account_id = ?1 AND friend_id = ?2"
# One that is there already may always be changed; a new one only while there is room.
PUT = """
INSERT INTO remarks (account_id, friend_id, name, phone, others)
SELECT ?1, ?2, ?3, ?4, ?5
WHERE EXISTS (SELECT 1 FROM remarks WHERE account_id = ?1 AND friend_id = ?2)
  OR (SELECT count(*) FROM remarks WHERE account_id = ?1) < ?6
ON CONFLICT (account_id, friend_id) DO UPDATE SET
  name = excluded.name, phone = excluded.phone, others = excluded.others
"""
REMOVE = "DELETE FROM remarks WHERE account_id = ?1 AND friend_id = ?2"


async def find_remark(reader: Reader, account: AccountId, friend: AccountId) -> Remark | None:
    """What an account noted about another one."""
    row = await reader.one(FIND, account, friend)
    return None if row is None else Remark(*row)


async def put_remark(
    tx: Transaction, account: AccountId, friend: AccountId, remark: Remark, *, most: int
) -> bool:
    """Keeps a remark in place of the one before; False, unkept, when there are too many."""
    put = await tx.run(PUT, account, friend, remark.name, remark.phone, remark.others, most)
    return put == 1


async def remove_remark(tx: Transaction, account: AccountId, friend: AccountId) -> None:
    """Forgets a remark."""
    await tx.run(REMOVE, account, friend)
