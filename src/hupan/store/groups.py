"""The rows of the list of groups: by their ranks, their texts, and what grams hold of a block."""

from collections.abc import Sequence
from itertools import chain, islice, repeat
from typing import TypeVar

from hupan.model import Group, GroupId
from hupan.store.engine import Reader
from hupan.store.grams import MOST_GRAMS

Part = TypeVar("Part", int, bytes)

MOST_AT_ONCE = 100
"""Groups of one statement, and of a page."""
CHECKED_AT_ONCE = 250
"""Texts of one statement."""

GROUP_COLUMNS = """
  g.id, g.ban_id, g.name, g.introduction, g.avatar_url, g.headcount, g.created_at, g.category,
  g.is_featured
"""


def _numbered(first: int, count: int) -> str:
    return ", ".join(f"?{number}" for number in range(first, first + count))


AT_RANKS = f"""
SELECT {GROUP_COLUMNS} FROM group_ranks r
JOIN listed_groups g ON g.edition = r.edition AND g.id = r.group_id
WHERE r.edition = ?1 AND r.rank IN ({_numbered(2, MOST_AT_ONCE)}) ORDER BY r.rank
"""
WITH_TEXT = f"""
SELECT rank FROM group_texts
WHERE edition = ?1 AND text LIKE ?2 ESCAPE '\\' AND rank IN ({_numbered(3, CHECKED_AT_ONCE)})
"""
POSTINGS = f"""
SELECT gram, members FROM group_postings
WHERE edition = ?1 AND block = ?2 AND gram IN ({_numbered(3, MOST_GRAMS + 1)})
"""
LAST_RANK = "SELECT rank FROM group_ranks WHERE edition = ?1 ORDER BY rank DESC LIMIT 1"
RANK_OF = "SELECT rank FROM group_ranks WHERE edition = ?1 AND group_id = ?2"
_ESCAPED = str.maketrans({sign: f"\\{sign}" for sign in "\\%_"})


async def list_by_rank(reader: Reader, edition: int, ranks: Sequence[int]) -> list[Group]:
    """The groups at ranks of an edition, at most a hundred, in the order of the ranks."""
    if not ranks:
        return []
    padded = _padded(ranks, MOST_AT_ONCE)
    return [Group(*row) for row in await reader.all(AT_RANKS, edition, *padded)]


async def ranks_with(reader: Reader, edition: int, ranks: Sequence[int], keyword: str) -> set[int]:
    """Those of some ranks, one to `CHECKED_AT_ONCE`, whose folded text holds a folded keyword."""
    pattern = f"%{keyword.translate(_ESCAPED)}%"  # LIKE knows no case where both are folded
    padded = _padded(ranks, CHECKED_AT_ONCE)
    return {int(row[0]) for row in await reader.all(WITH_TEXT, edition, pattern, *padded)}


async def find_postings(
    reader: Reader, edition: int, block: int, grams: Sequence[bytes]
) -> dict[bytes, bytes]:
    """What a block holds of grams, one to `MOST_GRAMS` and a mark; packed, none for none."""
    padded = _padded(grams, MOST_GRAMS + 1)
    return dict(await reader.all(POSTINGS, edition, block, *padded))


async def find_last_rank(reader: Reader, edition: int) -> int | None:
    """The rank of the last group; None where there are no groups."""
    row = await reader.one(LAST_RANK, edition)
    return None if row is None else int(row[0])


async def find_rank(reader: Reader, edition: int, group: GroupId) -> int | None:
    """The rank of a group; None where it is not listed."""
    row = await reader.one(RANK_OF, edition, group)
    return None if row is None else int(row[0])


def _padded(values: Sequence[Part], length: int) -> list[Part]:
    """As many values as a statement has parameters: the last again and again."""
    return list(islice(chain(values, repeat(values[-1])), length))
