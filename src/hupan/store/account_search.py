"""Accounts by the beginning of their nickname: a separate table, read by one statement.

Every change of that data updates it in the same transaction. A row has everything that a hit shows,
so that a search needs no row of an account, which may be stored on another machine.
"""

from hupan.model import AccountId, FoundAccount
from hupan.store.database import Reader, Row, Transaction
from hupan.store.discovery import normalize_search_text

CHOSE_TO_BE_FOUND, MADE_NO_CHOICE = 1, 2
_PREFIX_END = "\U0010ffff"

PUT_SEARCH_ROW = """
INSERT INTO account_search (initial, choice, folded, id, name, avatar_url, banned_until)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (initial, choice, folded, id) DO UPDATE SET
  name = excluded.name, avatar_url = excluded.avatar_url, banned_until = excluded.banned_until
"""
DELETE_SEARCH_ROW = """
DELETE FROM account_search WHERE initial = ?1 AND choice IN (1, 2) AND folded = ?2 AND id = ?3
"""
LOCK_NAME = "SELECT name FROM accounts WHERE id = ?1 /* FOR UPDATE */"
FIND_SEARCHED_ACCOUNT = """
SELECT a.id, a.name, a.avatar_url, a.banned_until, a.erase_at, p.shows_search
FROM accounts a LEFT JOIN profiles p ON p.account_id = a.id WHERE a.id = ?1
"""
SEARCH_ACCOUNTS = """
SELECT folded, id, name, avatar_url FROM account_search
WHERE initial = ?1 AND choice = ?2 AND folded >= ?3 AND folded < ?4 AND banned_until <= ?5
ORDER BY folded, id LIMIT ?6
"""
FIND_FILLED_ID = "SELECT value FROM counters WHERE name = 'search-filled'"
FIND_LAST_ID = "SELECT value FROM counters WHERE name = 'account'"
TAKE_FILL_RANGE = """
UPDATE counters SET value = value + ?1 WHERE name = 'search-filled' RETURNING value
"""
SKIP_EMPTY_IDS = "UPDATE counters SET value = ?1 WHERE name = 'search-filled' AND value < ?1"
LIST_IDS_IN_RANGE = "SELECT id FROM accounts WHERE id > ?1 AND id <= ?2 ORDER BY id"


async def put_new_search_row(
    tx: Transaction, account: AccountId, name: str, avatar_url: str
) -> None:
    """Make a new account searchable."""
    await tx.execute(PUT_SEARCH_ROW, *_key(MADE_NO_CHOICE, name), account, name, avatar_url, 0)


async def lock_name(tx: Transaction, account: AccountId) -> str:
    """Return the nickname of an account, locked until the transaction ends; "" for none."""
    row = await tx.fetch_one(LOCK_NAME, account)
    return "" if row is None else str(row[0])


async def update_search_row(tx: Transaction, account: AccountId, former_name: str = "") -> None:
    """Write what a search shows of an account, after any of that has changed.

    Args:
        tx: the change.
        account: the account.
        former_name: the nickname before the change, if that has changed.
    """
    row = await tx.fetch_one(FIND_SEARCHED_ACCOUNT, account)
    for name in {former_name, "" if row is None else str(row[1])} - {""}:
        folded = normalize_search_text(name)
        await tx.execute(DELETE_SEARCH_ROW, folded[:1], folded, account)
    if row is None or not _is_listed(row):
        return
    _, name, avatar_url, banned_until, _, shows = row
    choice = MADE_NO_CHOICE if shows is None else CHOSE_TO_BE_FOUND
    await tx.execute(PUT_SEARCH_ROW, *_key(choice, name), account, name, avatar_url, banned_until)


async def search_accounts(
    reader: Reader, folded: str, *, by_default: bool, now: int, max_rows: int
) -> list[FoundAccount]:
    """Return accounts whose folded nickname begins with a text, in the order of nickname and id.

    Args:
        reader: the store.
        folded: the text, folded and not empty.
        by_default: whether accounts that made no choice are found.
        now: no account that is banned then is found.
        max_rows: the maximum size of the result.
    """
    rows: list[Row] = []
    for choice in (CHOSE_TO_BE_FOUND, MADE_NO_CHOICE)[: 1 + by_default]:
        rows += await reader.fetch_all(
            SEARCH_ACCOUNTS, folded[:1], choice, folded, folded + _PREFIX_END, now, max_rows
        )
    rows.sort(key=lambda row: (str(row[0]), int(row[1])))
    return [FoundAccount(*row[1:]) for row in rows[:max_rows]]


async def find_searchable(
    reader: Reader, account: AccountId, *, by_default: bool, now: int
) -> FoundAccount | None:
    """Return the account with an id, None if a search must not find it."""
    row = await reader.fetch_one(FIND_SEARCHED_ACCOUNT, account)
    if row is None or not _is_listed(row) or row[3] > now or (row[5] is None and not by_default):
        return None
    return FoundAccount(*row[:3])


async def fill_search_rows(tx: Transaction, start: int, max_accounts: int) -> bool:
    """Make the next accounts that predate the table searchable; return whether any are left.

    Args:
        tx: the change.
        start: ids begin after this one.
        max_accounts: ids of one change.
    """
    last = await tx.fetch_one(FIND_LAST_ID) or (start,)
    filled = await tx.fetch_one(FIND_FILLED_ID) or (0,)
    if filled[0] >= last[0]:
        return False
    await tx.execute(SKIP_EMPTY_IDS, start)
    row = await tx.fetch_one(TAKE_FILL_RANGE, max_accounts) or (start,)
    end = int(row[0])
    for (account,) in await tx.fetch_all(LIST_IDS_IN_RANGE, end - max_accounts, end):
        await lock_name(tx, account)
        await update_search_row(tx, account)
    return end < int(last[0])


def _key(choice: int, name: str) -> tuple[str, int, str]:
    folded = normalize_search_text(name)
    return folded[:1], choice, folded


def _is_listed(row: Row) -> bool:
    """Return whether an account is neither cancelled nor hidden by its own choice."""
    return bool(row[4] == 0 and row[5] != 0)
