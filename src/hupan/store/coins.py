"""Balances and the journal of every change of them. Entries are only ever added."""

from hupan.model import AccountId, CoinEntry, CoinType
from hupan.store.engine import Reader, Row, Transaction

COLUMNS = """
  account_id, number, key, typ, reason, remark, actor, before_cents, change_cents, after_cents,
  counter_account, counter_cents, created_at
"""

# Writing the row as it is holds it: changes of one balance come one after the other.
HOLD = "UPDATE accounts SET coin_cents = coin_cents WHERE id = ?1"
# One statement tests and changes, so a balance cannot pass its bounds (security 4, PostgreSQL).
MOVE = """
UPDATE accounts SET coin_cents = coin_cents + ?2
WHERE id = ?1 AND coin_cents + ?2 >= 0 AND coin_cents + ?2 <= ?3
RETURNING coin_cents
"""
INSERT = f"""
INSERT INTO coin_entries ({COLUMNS})
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
"""
FIND_BY_KEY = f"SELECT {COLUMNS} FROM coin_entries WHERE account_id = ?1 AND key = ?2"
NEWEST = "SELECT number FROM coin_entries WHERE account_id = ?1 ORDER BY number DESC LIMIT 1"
LIST = f"""
SELECT {COLUMNS} FROM coin_entries
WHERE account_id = ?1 AND number > ?2 AND number <= ?3 ORDER BY number DESC
"""


async def hold_balance(tx: Transaction, account: AccountId) -> bool:
    """Keeps others from changing a balance until this change ends; False when there is none."""
    return await tx.run(HOLD, account) == 1


async def move_coins(
    tx: Transaction, account: AccountId, change_cents: int, most_cents: int
) -> int | None:
    """The balance after a change of it; None, unchanged, when it would pass 0 or the most."""
    row = await tx.one(MOVE, account, change_cents, most_cents)
    return None if row is None else int(row[0])


async def insert_entry(tx: Transaction, entry: CoinEntry) -> None:
    """Adds the entry that belongs to a moved balance."""
    await tx.run(
        INSERT,
        entry.account_id,
        entry.number,
        entry.key,
        entry.typ,
        entry.reason,
        entry.remark,
        entry.actor,
        entry.before_cents,
        entry.change_cents,
        entry.after_cents,
        entry.counter_account,
        entry.counter_cents,
        entry.created_at,
    )


async def find_entry(reader: Reader, account: AccountId, key: str) -> CoinEntry | None:
    """The entry that a key named."""
    row = await reader.one(FIND_BY_KEY, account, key)
    return None if row is None else _entry(row)


async def count_entries(reader: Reader, account: AccountId) -> int:
    """How many entries an account has: the number of the newest."""
    row = await reader.one(NEWEST, account)
    return 0 if row is None else int(row[0])


async def list_entries(
    reader: Reader, account: AccountId, *, above: int, up_to: int
) -> list[CoinEntry]:
    """The entries with numbers above one and up to another, newest first."""
    return [_entry(row) for row in await reader.all(LIST, account, above, up_to)]


def _entry(row: Row) -> CoinEntry:
    account, number, key, typ, *rest = row
    return CoinEntry(account, number, key, CoinType(typ), *rest)
