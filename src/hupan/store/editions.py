"""Editions of the list of groups: one is shown, the next is drafted beside it.

A draft is written in many small changes, so that a server in another process waits for none of them
for long. Whoever opens a draft last has it: every change of an older one is refused.
"""

from collections.abc import Iterable

from hupan.model import Group, GroupId, Overtaken
from hupan.store.engine import Reader, Transaction

SHOWN = "SELECT value FROM counters WHERE name = 'groups-shown'"
DRAFT = "SELECT value FROM counters WHERE name = 'groups-draft'"
# Nobody opens a later one before the change that goes on with this one has ended.
HOLD_DRAFT = f"{DRAFT} /* FOR UPDATE */"
OPEN = "UPDATE counters SET value = value + 1 WHERE name = 'groups-draft' RETURNING value"
PUBLISH = "UPDATE counters SET value = ?1 WHERE name = 'groups-shown'"
PUT = """
INSERT INTO listed_groups
  (edition, id, ban_id, name, introduction, avatar_url, headcount, created_at, category,
   is_featured)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
"""
COPY = """
INSERT INTO listed_groups
  (edition, id, ban_id, name, introduction, avatar_url, headcount, created_at, category,
   is_featured)
SELECT ?1, id, ban_id, name, introduction, avatar_url, headcount, created_at, category, is_featured
FROM listed_groups WHERE edition = ?2 AND id > ?3 AND id <= ?4
ON CONFLICT DO NOTHING
"""
IDS_AFTER = """
SELECT id, headcount FROM listed_groups WHERE edition = ?1 AND id > ?2 ORDER BY id LIMIT ?3
"""
PUT_RANK = "INSERT INTO group_ranks (edition, rank, group_id) VALUES (?1, ?2, ?3)"
PUT_TEXT = "INSERT INTO group_texts (edition, rank, text) VALUES (?1, ?2, ?3)"
PUT_POSTING = """
INSERT INTO group_postings (edition, block, gram, members) VALUES (?1, ?2, ?3, ?4)
"""
FORGET = (
    """
DELETE FROM listed_groups WHERE (edition, id) IN (
  SELECT edition, id FROM listed_groups WHERE edition >= ?1 AND edition < ?2 LIMIT ?3)
""",
    """
DELETE FROM group_ranks WHERE (edition, rank) IN (
  SELECT edition, rank FROM group_ranks WHERE edition >= ?1 AND edition < ?2 LIMIT ?3)
""",
    """
DELETE FROM group_texts WHERE (edition, rank) IN (
  SELECT edition, rank FROM group_texts WHERE edition >= ?1 AND edition < ?2 LIMIT ?3)
""",
    """
DELETE FROM group_postings WHERE (edition, block, gram) IN (
  SELECT edition, block, gram FROM group_postings WHERE edition >= ?1 AND edition < ?2 LIMIT ?3)
""",
)


async def shown_edition(reader: Reader) -> int:
    """The edition that readers see; 0 before the first."""
    return await _value(reader, SHOWN)


async def open_draft(tx: Transaction) -> int:
    """The number of a new draft; all older ones are given up."""
    return await _value(tx, OPEN)


async def check_draft(tx: Transaction, edition: int) -> None:
    """Goes on only with the newest draft.

    Raises:
        Overtaken: another was opened since.
    """
    if await _value(tx, HOLD_DRAFT) != edition:
        raise Overtaken


async def publish(tx: Transaction, edition: int) -> None:
    """Shows a draft that is complete."""
    await tx.run(PUBLISH, edition)


async def put_groups(tx: Transaction, edition: int, groups: Iterable[Group]) -> None:
    """Adds groups that the edition has not."""
    for group in groups:
        await tx.run(
            PUT,
            edition,
            group.id,
            group.ban_id,
            group.name,
            group.introduction,
            group.avatar_url,
            group.headcount,
            group.created_at,
            group.category,
            group.is_featured,
        )


async def copy_groups(tx: Transaction, source: int, edition: int, after: int, last: int) -> None:
    """Copies the groups of a range of ids that the edition does not have yet."""
    await tx.run(COPY, edition, source, after, last)


async def list_headcounts(
    reader: Reader, edition: int, after: int, most: int
) -> list[tuple[GroupId, int]]:
    """Id and headcount of the groups with higher ids, in the order of the ids."""
    return [
        (GroupId(row[0]), int(row[1])) for row in await reader.all(IDS_AFTER, edition, after, most)
    ]


async def put_ranks(tx: Transaction, edition: int, first: int, groups: Iterable[int]) -> None:
    """Gives groups their ranks, from a first one on."""
    for rank, group in enumerate(groups, start=first):
        await tx.run(PUT_RANK, edition, rank, group)


async def put_texts(tx: Transaction, edition: int, first: int, texts: Iterable[str]) -> None:
    """Keeps what is searched of groups, from a first rank on."""
    for rank, text in enumerate(texts, start=first):
        await tx.run(PUT_TEXT, edition, rank, text)


async def put_postings(
    tx: Transaction, edition: int, block: int, postings: Iterable[tuple[bytes, bytes]]
) -> None:
    """Adds what grams hold of a block: gram and packed places."""
    for gram, members in postings:
        await tx.run(PUT_POSTING, edition, block, gram, members)


async def forget_some(tx: Transaction, first: int, past: int, most: int) -> int:
    """Deletes rows of the editions in a range, at most so many of each kind; gives how many."""
    return sum([await tx.run(sql, first, past, most) for sql in FORGET])


async def _value(reader: Reader, sql: str) -> int:
    row = await reader.one(sql)
    if row is None:
        raise LookupError("the counters of the editions are missing")
    return int(row[0])
