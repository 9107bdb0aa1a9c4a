"""Medals and the accounts that have them."""

from hupan.model import AccountId, Medal
from hupan.store.database import Reader, Transaction

MEDAL_COLUMNS = "m.id, m.name, m.sort, m.description, m.image_url"

LIST_ACCOUNT_MEDALS = f"""
SELECT {MEDAL_COLUMNS} FROM account_medals am JOIN medals m ON m.id = am.medal_id
WHERE am.account_id = ?1 ORDER BY m.sort, m.id
"""
LIST_ALL_MEDALS = f"SELECT {MEDAL_COLUMNS} FROM medals m ORDER BY m.sort, m.id"
FIND_MEDAL = f"SELECT {MEDAL_COLUMNS} FROM medals m WHERE m.name = ?1"
FIND_LAST_SORT = "SELECT COALESCE(max(sort), 0) FROM medals"
DEFINE_MEDAL = """
INSERT INTO medals (id, name, sort, description, image_url)
SELECT COALESCE(max(id), 0) + 1, ?1, ?2, ?3, ?4 FROM medals WHERE true
ON CONFLICT (name) DO UPDATE SET
  sort = excluded.sort, description = excluded.description, image_url = excluded.image_url
RETURNING id, name, sort, description, image_url
"""
GRANT_MEDAL = """
INSERT INTO account_medals (account_id, medal_id) VALUES (?1, ?2)
ON CONFLICT DO NOTHING
"""
REVOKE_MEDAL = "DELETE FROM account_medals WHERE account_id = ?1 AND medal_id = ?2"


async def list_account_medals(reader: Reader, account: AccountId) -> list[Medal]:
    """Return the medals of an account in their order."""
    return [Medal(*row) for row in await reader.fetch_all(LIST_ACCOUNT_MEDALS, account)]


async def list_all_medals(reader: Reader) -> list[Medal]:
    """Return all medals in their order."""
    return [Medal(*row) for row in await reader.fetch_all(LIST_ALL_MEDALS)]


async def find_medal(reader: Reader, name: str) -> Medal | None:
    """Return the medal with a name."""
    row = await reader.fetch_one(FIND_MEDAL, name)
    return None if row is None else Medal(*row)


async def get_last_sort(reader: Reader) -> int:
    """Return the highest sort position, 0 if there are no medals."""
    row = await reader.fetch_one(FIND_LAST_SORT)
    return 0 if row is None else int(row[0])


async def define_medal(
    tx: Transaction, name: str, sort: int, description: str, image_url: str
) -> Medal:
    """Create a medal, or change the one with that name."""
    row = await tx.fetch_one(DEFINE_MEDAL, name, sort, description, image_url)
    if row is None:
        raise LookupError("a medal was neither made nor changed")
    return Medal(*row)


async def get_or_define_medal(tx: Transaction, name: str) -> Medal:
    """Return the medal with a name; create it last in order if there is none."""
    return await find_medal(tx, name) or await define_medal(
        tx, name, await get_last_sort(tx) + 1, "", ""
    )


async def grant_medal(tx: Transaction, account: AccountId, medal: Medal) -> bool:
    """Grant a medal; False if it was granted before."""
    return await tx.execute(GRANT_MEDAL, account, medal.id) == 1


async def revoke_medal(tx: Transaction, account: AccountId, medal: Medal) -> bool:
    """Revoke a medal; False if the account did not have it."""
    return await tx.execute(REVOKE_MEDAL, account, medal.id) == 1
