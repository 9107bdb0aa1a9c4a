"""Medals and who wears them."""

from hupan.model import AccountId, Medal
from hupan.store.engine import Reader, Transaction

COLUMNS = "m.id, m.name, m.sort, m.description, m.image_url"

OF_ACCOUNT = f"""
SELECT {COLUMNS} FROM account_medals am JOIN medals m ON m.id = am.medal_id
WHERE am.account_id = ?1 ORDER BY m.sort, m.id
"""
ALL = f"SELECT {COLUMNS} FROM medals m ORDER BY m.sort, m.id"
FIND_BY_NAME = f"SELECT {COLUMNS} FROM medals m WHERE m.name = ?1"
LAST_SORT = "SELECT COALESCE(max(sort), 0) FROM medals"
DEFINE = """
INSERT INTO medals (id, name, sort, description, image_url)
SELECT COALESCE(max(id), 0) + 1, ?1, ?2, ?3, ?4 FROM medals WHERE true
ON CONFLICT (name) DO UPDATE SET
  sort = excluded.sort, description = excluded.description, image_url = excluded.image_url
RETURNING id, name, sort, description, image_url
"""
GIVE = """
INSERT INTO account_medals (account_id, medal_id) VALUES (?1, ?2)
ON CONFLICT DO NOTHING
"""
TAKE = "DELETE FROM account_medals WHERE account_id = ?1 AND medal_id = ?2"


async def list_medals(reader: Reader, account: AccountId) -> list[Medal]:
    """The medals of an account, in their order."""
    return [Medal(*row) for row in await reader.all(OF_ACCOUNT, account)]


async def list_all_medals(reader: Reader) -> list[Medal]:
    """Every medal that there is, in their order."""
    return [Medal(*row) for row in await reader.all(ALL)]


async def find_medal(reader: Reader, name: str) -> Medal | None:
    """The medal of a name."""
    row = await reader.one(FIND_BY_NAME, name)
    return None if row is None else Medal(*row)


async def last_sort(reader: Reader) -> int:
    """The place of the last medal, 0 when there is none."""
    row = await reader.one(LAST_SORT)
    return 0 if row is None else int(row[0])


async def define_medal(
    tx: Transaction, name: str, sort: int, description: str, image_url: str
) -> Medal:
    """Makes a medal, or changes the one of that name."""
    row = await tx.one(DEFINE, name, sort, description, image_url)
    if row is None:
        raise LookupError("a medal was neither made nor changed")
    return Medal(*row)


async def get_or_define_medal(tx: Transaction, name: str) -> Medal:
    """The medal of a name; made, behind all others, when there is none."""
    return await find_medal(tx, name) or await define_medal(
        tx, name, await last_sort(tx) + 1, "", ""
    )


async def give_medal(tx: Transaction, account: AccountId, medal: Medal) -> bool:
    """Gives a medal; False when it was given before."""
    return await tx.run(GIVE, account, medal.id) == 1


async def take_medal(tx: Transaction, account: AccountId, medal: Medal) -> bool:
    """Takes a medal away; False when it was not worn."""
    return await tx.run(TAKE, account, medal.id) == 1
