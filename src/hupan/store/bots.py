"""Bots that are recommended."""

from hupan.model import Bot
from hupan.store.engine import Reader, Transaction

LIST = """
SELECT id, name, introduction, avatar_url, headcount, may_add, applies, always_agrees
FROM listed_bots ORDER BY headcount DESC, id LIMIT ?1
"""
COUNT = "SELECT count(*) FROM listed_bots"
PUT = """
INSERT INTO listed_bots
  (id, name, introduction, avatar_url, headcount, may_add, applies, always_agrees)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (id) DO UPDATE SET
  name = excluded.name, introduction = excluded.introduction, avatar_url = excluded.avatar_url,
  headcount = excluded.headcount, may_add = excluded.may_add, applies = excluded.applies,
  always_agrees = excluded.always_agrees
"""


async def list_bots(reader: Reader, most: int) -> list[Bot]:
    """So many at most, by headcount, equal ones by id."""
    return [Bot(*row) for row in await reader.all(LIST, most)]


async def count_bots(reader: Reader) -> int:
    """How many there are."""
    row = await reader.one(COUNT)
    return 0 if row is None else int(row[0])


async def put_bot(tx: Transaction, bot: Bot) -> None:
    """Adds a bot, or replaces what was known of it."""
    await tx.run(
        PUT,
        bot.id,
        bot.name,
        bot.introduction,
        bot.avatar_url,
        bot.headcount,
        bot.may_add,
        bot.applies,
        bot.always_agrees,
    )
