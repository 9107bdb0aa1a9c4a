"""Reading many accounts: for operators, never on the path of a request.

Accounts that were cancelled are among them until they are erased; each comes with its `erase_at`.
"""

from typing import Literal, TypeAlias

from msgspec import Struct

from hupan.model import Account, AccountId
from hupan.store.accounts import ACCOUNT_COLUMNS
from hupan.store.engine import Reader, Row

Standing: TypeAlias = Literal["any", "banned", "vip", "cancelled"]

_COLUMNS = f"{ACCOUNT_COLUMNS}, a.erase_at"
FIND_ANY = f"SELECT {_COLUMNS} FROM accounts a WHERE a.id = ?1"
_PAGE = f"SELECT {_COLUMNS} FROM accounts a WHERE a.id < ?1 AND a.id >= ?2"
_NEWEST = "ORDER BY a.id DESC LIMIT ?3"
PAGES: dict[Standing, str] = {
    "any": f"{_PAGE} {_NEWEST}",
    "banned": f"{_PAGE} AND a.banned_until > 0 AND a.banned_until > ?4 {_NEWEST}",
    "vip": f"{_PAGE} AND a.vip_until > 0 AND a.vip_until > ?4 {_NEWEST}",
    "cancelled": f"{_PAGE} AND a.erase_at > 0 {_NEWEST}",
}
COUNTS: dict[Standing, str] = {
    "any": "SELECT count(*) FROM accounts WHERE registered_at >= ?1",
    "banned": "SELECT count(*) FROM accounts "
    "WHERE banned_until > 0 AND banned_until > ?2 AND id >= ?1",
    "vip": "SELECT count(*) FROM accounts WHERE vip_until > 0 AND vip_until > ?2 AND id >= ?1",
    "cancelled": "SELECT count(*) FROM accounts WHERE erase_at > 0 AND id >= ?1",
}
FIRST_SINCE = """
SELECT a.id FROM accounts a WHERE a.registered_at >= ?1
ORDER BY a.registered_at, a.id LIMIT 1
"""
BY_NAME = """
SELECT a.id FROM accounts a WHERE a.name >= ?1 AND a.name < ?2 ORDER BY a.name LIMIT ?3
"""
BY_CONTACT = """
SELECT account_id FROM identities
WHERE value >= ?1 AND value < ?2 AND kind <> 'invitation' ORDER BY value LIMIT ?3
"""
_AFTER_ALL = "\U0010ffff"


class ListedAccount(Struct, frozen=True):
    """An account; `erase_at` is 0 unless it was cancelled."""

    account: Account
    erase_at: int


async def find_any(reader: Reader, account: AccountId) -> ListedAccount | None:
    """The account with an id, also one that was cancelled."""
    row = await reader.one(FIND_ANY, account)
    return None if row is None else _listed(row)


async def list_accounts(
    reader: Reader, standing: Standing, *, below: int, lowest: int, most: int, now: int
) -> list[ListedAccount]:
    """Accounts of a kind with ids from `lowest` to one below `below`, the newest first."""
    times = (now,) if standing in ("banned", "vip") else ()
    rows = await reader.all(PAGES[standing], below, lowest, most, *times)
    return [_listed(row) for row in rows]


async def count_accounts(
    reader: Reader, standing: Standing, *, since: int, lowest: int, now: int
) -> int:
    """How many accounts of a kind there are, from a time and so from an id on."""
    times = (now,) if standing in ("banned", "vip") else ()
    start = since if standing == "any" else lowest
    row = await reader.one(COUNTS[standing], start, *times)
    return 0 if row is None else int(row[0])


async def first_since(reader: Reader, since: int) -> AccountId | None:
    """The first account that registered at a time or later; None when none did."""
    row = await reader.one(FIRST_SINCE, since)
    return None if row is None else AccountId(row[0])


async def ids_by_name(reader: Reader, start: str, most: int) -> list[AccountId]:
    """Accounts whose nickname begins like this."""
    return [AccountId(row[0]) for row in await reader.all(BY_NAME, start, start + _AFTER_ALL, most)]


async def ids_by_contact(reader: Reader, start: str, most: int) -> list[AccountId]:
    """Accounts whose number or address begins like this; in its normal form."""
    rows = await reader.all(BY_CONTACT, start, start + _AFTER_ALL, most)
    return [AccountId(row[0]) for row in rows]


def _listed(row: Row) -> ListedAccount:
    return ListedAccount(Account(*row[:-1]), row[-1])
