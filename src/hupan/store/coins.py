"""Coin balances, the append-only journal, refused changes and the journal's audit."""

from msgspec import Struct

from hupan.model import AccountId, CoinEntry, CoinType
from hupan.store.database import Reader, Row, Transaction

COIN_ENTRY_COLUMNS = """
  account_id, number, key, typ, reason, remark, actor, before_cents, change_cents, after_cents,
  counter_account, counter_cents, created_at
"""

# Writing the row unchanged locks it: changes of one balance come one after the other.
LOCK_BALANCE = "UPDATE accounts SET coin_cents = coin_cents WHERE id = ?1"
# One statement tests and changes, so a balance cannot pass its bounds (security 4, PostgreSQL).
CHANGE_BALANCE = """
UPDATE accounts SET coin_cents = coin_cents + ?2
WHERE id = ?1 AND coin_cents + ?2 >= 0 AND coin_cents + ?2 <= ?3
RETURNING coin_cents
"""
INSERT_COIN_ENTRY = f"""
INSERT INTO coin_entries ({COIN_ENTRY_COLUMNS})
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
"""
FIND_COIN_ENTRY = (
    f"SELECT {COIN_ENTRY_COLUMNS} FROM coin_entries WHERE account_id = ?1 AND key = ?2"
)
FIND_NEWEST_ENTRY_NUMBER = (
    "SELECT number FROM coin_entries WHERE account_id = ?1 ORDER BY number DESC LIMIT 1"
)
LIST_COIN_ENTRIES = f"""
SELECT {COIN_ENTRY_COLUMNS} FROM coin_entries
WHERE account_id = ?1 AND number > ?2 AND number <= ?3 ORDER BY number DESC
"""


async def lock_balance(tx: Transaction, account: AccountId) -> bool:
    """Lock a balance until this transaction ends; False if there is no such account."""
    return await tx.execute(LOCK_BALANCE, account) == 1


async def change_balance(
    tx: Transaction, account: AccountId, change_cents: int, max_balance_cents: int
) -> int | None:
    """Change a balance and return it; None, unchanged, if it would leave its bounds."""
    row = await tx.fetch_one(CHANGE_BALANCE, account, change_cents, max_balance_cents)
    return None if row is None else int(row[0])


async def insert_coin_entry(tx: Transaction, entry: CoinEntry) -> None:
    await tx.execute(
        INSERT_COIN_ENTRY,
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


async def find_coin_entry(reader: Reader, account: AccountId, key: str) -> CoinEntry | None:
    """Return the entry with an idempotency key."""
    row = await reader.fetch_one(FIND_COIN_ENTRY, account, key)
    return None if row is None else _to_coin_entry(row)


async def count_coin_entries(reader: Reader, account: AccountId) -> int:
    """Return the number of entries of an account, which is the number of the newest."""
    row = await reader.fetch_one(FIND_NEWEST_ENTRY_NUMBER, account)
    return 0 if row is None else int(row[0])


async def list_coin_entries(
    reader: Reader, account: AccountId, *, after_number: int, last_number: int
) -> list[CoinEntry]:
    """Return entries with `after_number` < number <= `last_number`, newest first."""
    return [
        _to_coin_entry(row)
        for row in await reader.fetch_all(LIST_COIN_ENTRIES, account, after_number, last_number)
    ]


def _to_coin_entry(row: Row) -> CoinEntry:
    account, number, key, typ, *rest = row
    return CoinEntry(account, number, key, CoinType(typ), *rest)


# An entry follows the one before it, and its two sides are each other's opposite. The first number
# is that of an entry that was checked before.
FIND_INCONSISTENT_ENTRIES = """
SELECT account_id, number FROM (
  SELECT account_id, number, before_cents, change_cents, after_cents, counter_cents,
    COALESCE(lag(number) OVER journal, 0) AS last_number,
    COALESCE(lag(after_cents) OVER journal, 0) AS last_cents
  FROM coin_entries
  WHERE account_id >= ?1 AND account_id <= ?2 AND number >= ?3 AND number <= ?4
  WINDOW journal AS (PARTITION BY account_id ORDER BY number)
) AS chain
WHERE number > ?3 AND (number <> last_number + 1 OR before_cents <> last_cents
  OR before_cents + change_cents <> after_cents OR change_cents + counter_cents <> 0
  OR change_cents = 0 OR after_cents < 0)
ORDER BY account_id, number LIMIT ?5
"""
# Citus refuses a subquery with a limit that is bound to a row around it.
FIND_INCONSISTENT_BALANCES = """
SELECT a.id AS account_id, 0 AS number FROM accounts a
LEFT JOIN (
  SELECT account_id, max(number) AS number FROM coin_entries
  WHERE account_id >= ?1 AND account_id <= ?2 GROUP BY account_id
) AS newest ON newest.account_id = a.id
LEFT JOIN coin_entries e ON e.account_id = a.id AND e.number = newest.number
WHERE a.id >= ?1 AND a.id <= ?2 AND a.coin_cents <> COALESCE(e.after_cents, 0)
ORDER BY a.id LIMIT ?3
"""
COUNT_ENTRIES_IN_RANGE = """
SELECT account_id, count(*) FROM coin_entries WHERE account_id >= ?1 AND account_id <= ?2
GROUP BY account_id ORDER BY account_id
"""
FIND_LATER_ENTRY = """
SELECT number FROM coin_entries WHERE account_id = ?1 AND number > ?2
ORDER BY number LIMIT 1 OFFSET ?3
"""
MAX_ENTRIES_AT_ONCE = 20_000
"""Entries that one statement reads, unless the newest of one account is wanted."""
_BEFORE_FIRST, _AFTER_LAST = -(2**63), 2**63 - 1


class CoinInconsistency(Struct, frozen=True):
    """An inconsistency in an account's coin journal.

    Attributes:
        number: the entry that does not follow or does not add up; 0 when the balance is not
            what the newest entry left.
    """

    account_id: AccountId
    number: int


async def find_coin_inconsistencies(
    reader: Reader, ids: range, max_rows: int
) -> list[CoinInconsistency]:
    """Return up to `max_rows` inconsistencies of the accounts with these ids, in pieces.

    An account and its journal are on one machine, so each statement sees both of one moment.

    Args:
        reader: the store.
        ids: consecutive; there are as many rows in memory.
        max_rows: beyond it the rest is not checked.
    """
    found: list[CoinInconsistency] = []
    for first, last, count in await _split_by_entries(reader, ids):
        rows = await reader.fetch_all(FIND_INCONSISTENT_BALANCES, first, last, max_rows)
        begin = _BEFORE_FIRST
        while begin < _AFTER_LAST:
            end = _AFTER_LAST
            if count > MAX_ENTRIES_AT_ONCE:  # of one account
                later = await reader.fetch_one(FIND_LATER_ENTRY, first, begin, MAX_ENTRIES_AT_ONCE)
                end = _AFTER_LAST if later is None else int(later[0])
            rows += await reader.fetch_all(
                FIND_INCONSISTENT_ENTRIES, first, last, begin, end, max_rows
            )
            begin = end
        found += [CoinInconsistency(*row) for row in rows]
        if len(found) >= max_rows:
            break
    return found[:max_rows]


async def _split_by_entries(reader: Reader, ids: range) -> list[tuple[int, int, int]]:
    """Return parts of a range, each with its first and last id and its number of entries.

    A part has at most `MAX_ENTRIES_AT_ONCE` entries, or one account.
    """
    parts: list[tuple[int, int, int]] = []
    first, last, total = ids.start, ids.start - 1, 0
    for account, count in await reader.fetch_all(COUNT_ENTRIES_IN_RANGE, ids.start, ids.stop - 1):
        if total + count > MAX_ENTRIES_AT_ONCE and last >= first:
            parts.append((first, last, total))
            first, total = last + 1, 0
        if count > MAX_ENTRIES_AT_ONCE:
            if account > first:
                parts.append((first, account - 1, 0))
            parts.append((account, account, count))
            first, last, total = account + 1, account, 0
        else:
            last, total = account, total + count
    if first < ids.stop:
        parts.append((first, ids.stop - 1, total))
    return parts


FIND_NEWEST_BALANCE = (
    "SELECT after_cents FROM coin_entries WHERE account_id = ?1 ORDER BY number DESC LIMIT 1"
)


async def find_newest_balance(reader: Reader, account: AccountId) -> int:
    """Return the balance that the newest entry of an account left, 0 without entries."""
    row = await reader.fetch_one(FIND_NEWEST_BALANCE, account)
    return 0 if row is None else int(row[0])


INSERT_COIN_REFUSAL = """
INSERT INTO coin_refusals
  (account_id, key, cause, refused_at, change_cents, typ, reason, remark, actor)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
"""
FIND_COIN_REFUSAL = """
SELECT account_id, key, cause, refused_at, change_cents, typ, reason, remark, actor
FROM coin_refusals WHERE account_id = ?1 AND key = ?2
"""
PURGE_COIN_REFUSALS = """
DELETE FROM coin_refusals WHERE (account_id, key) IN
  (SELECT account_id, key FROM coin_refusals WHERE refused_at <= ?1 LIMIT ?2)
"""


class CoinRefusal(Struct, frozen=True):
    """A refused change of coins; `cause` names the error."""

    account_id: AccountId
    key: str
    cause: str
    refused_at: int
    change_cents: int
    typ: int
    reason: str
    remark: str
    actor: str


async def insert_coin_refusal(tx: Transaction, refusal: CoinRefusal) -> None:
    await tx.execute(
        INSERT_COIN_REFUSAL,
        refusal.account_id,
        refusal.key,
        refusal.cause,
        refusal.refused_at,
        refusal.change_cents,
        refusal.typ,
        refusal.reason,
        refusal.remark,
        refusal.actor,
    )


async def find_coin_refusal(reader: Reader, account: AccountId, key: str) -> CoinRefusal | None:
    """Return the refusal of the change with an idempotency key."""
    row = await reader.fetch_one(FIND_COIN_REFUSAL, account, key)
    return None if row is None else CoinRefusal(*row)


async def purge_coin_refusals(tx: Transaction, refused_until: int, max_rows: int) -> int:
    """Delete up to `max_rows` refusals up to a time; return their number."""
    return await tx.execute(PURGE_COIN_REFUSALS, refused_until, max_rows)
