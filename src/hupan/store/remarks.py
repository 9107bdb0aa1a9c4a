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
FIND_SIZE = """
SELECT length(name) + length(phone) + length(others) FROM remarks
WHERE account_id = ?1 AND friend_id = ?2
"""
# What is too much already, from before there was a bound, may only become less.
RESIZE = """
UPDATE accounts SET remark_size = remark_size + ?2
WHERE id = ?1 AND (remark_size + ?2 <= ?3 OR ?2 <= 0)
"""
REMOVE = "DELETE FROM remarks WHERE account_id = ?1 AND friend_id = ?2"


async def find_remark(reader: Reader, account: AccountId, friend: AccountId) -> Remark | None:
    """What an account noted about another one."""
    row = await reader.one(FIND, account, friend)
    return None if row is None else Remark(*row)


async def find_remark_size(reader: Reader, account: AccountId, friend: AccountId) -> int:
    """The characters of what an account noted about another one."""
    row = await reader.one(FIND_SIZE, account, friend)
    return 0 if row is None else int(row[0])


async def resize_remarks(tx: Transaction, account: AccountId, change: int, *, most: int) -> bool:
    """Count characters of an account's remarks; False, uncounted, when they would pass `most`."""
    return await tx.run(RESIZE, account, change, most) == 1


async def put_remark(
    tx: Transaction, account: AccountId, friend: AccountId, remark: Remark, *, most: int
) -> bool:
    """Keeps a remark in place of the one before; False, unkept, when there are too many."""
    put = await tx.run(PUT, account, friend, remark.name, remark.phone, remark.others, most)
    return put == 1


async def remove_remark(tx: Transaction, account: AccountId, friend: AccountId) -> None:
    """Forgets a remark."""
    await tx.run(REMOVE, account, friend)
