"""Medals and who wears them."""

from hupan.model import AccountId, Medal
from hupan.store.engine import Reader, Transaction

OF_ACCOUNT = """
SELECT m.id, m.name, m.sort FROM account_medals am JOIN medals m ON m.id = am.medal_id
WHERE am.account_id = ?1 ORDER BY m.sort, m.id
"""
FIND_BY_NAME = "SELECT id, name, sort FROM medals WHERE name = ?1"
DEFINE = """
INSERT INTO medals (id, name, sort) SELECT COALESCE(max(id), 0) + 1, ?1, COALESCE(max(id), 0) + 1
FROM medals
RETURNING id, name, sort
"""
GIVE = """
INSERT INTO account_medals (account_id, medal_id) VALUES (?1, ?2)
ON CONFLICT DO NOTHING
"""


async def list_medals(reader: Reader, account: AccountId) -> list[Medal]:
    """The medals of an account, in their order."""
    return [Medal(*row) for row in await reader.all(OF_ACCOUNT, account)]


async def get_or_define_medal(tx: Transaction, name: str) -> Medal:
    """The medal of a name; made, behind all others, when there is none."""
    row = await tx.one(FIND_BY_NAME, name) or await tx.one(DEFINE, name)
    if row is None:
        raise LookupError("a medal was neither found nor made")
    return Medal(*row)


async def give_medal(tx: Transaction, account: AccountId, medal: Medal) -> None:
    """Gives a medal; giving it twice changes nothing."""
    await tx.run(GIVE, account, medal.id)
