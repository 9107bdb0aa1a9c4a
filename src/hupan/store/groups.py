"""Groups that are listed, found by category and keyword, by headcount (docs/decisions/0007).

A search walks the blocks of the index, each of 65,536 ranks, and intersects what its grams hold.
It is exact; the one thing that is bounded is how far a keyword of three or more characters, whose
grams may stand apart in a text, is followed with every row looked at: behind `MOST_CHECKED` rows a
page is counted in candidates, so it may come out shorter than asked, but holds no wrong group,
none twice, and leaves none out.
"""

from msgspec import Struct

from hupan.model import Group, GroupId
from hupan.store.bitmaps import PLACES, places_of, unpack, without_up_to
from hupan.store.editions import shown_edition
from hupan.store.engine import Reader
from hupan.store.grams import MOST_GRAMS, fold, grams_to_find, is_one_gram

MOST_AT_ONCE = 100
"""Rows of one statement, and of a page."""
MOST_CHECKED = 300
_TRIES = 3

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
POSTINGS = f"""
SELECT gram, members FROM group_postings
WHERE edition = ?1 AND block = ?2 AND gram IN ({_numbered(3, MOST_GRAMS + 1)})
"""
LAST_RANK = "SELECT rank FROM group_ranks WHERE edition = ?1 ORDER BY rank DESC LIMIT 1"
RANK_OF = "SELECT rank FROM group_ranks WHERE edition = ?1 AND group_id = ?2"


class GroupQuery(Struct, frozen=True, kw_only=True):
    """What is looked for.

    Attributes:
        mark: the mark that the groups must bear, "" for all groups.
        keyword: what name or introduction must hold, folded; "" for all groups.
        id: the id that the keyword is, if it is one.
        offset: groups that are passed over.
        size: groups that are wanted, at most 100.
    """

    mark: str = ""
    keyword: str = ""
    id: GroupId | None = None
    offset: int = 0
    size: int = MOST_AT_ONCE

    def accepts(self, group: Group) -> bool:
        """Whether a candidate is what is looked for."""
        return (
            is_one_gram(self.keyword)
            or group.id == self.id
            or self.keyword in fold(group.name)
            or self.keyword in fold(group.introduction)
        )


async def search_groups(reader: Reader, query: GroupQuery) -> list[Group]:
    """A page of the groups of the edition that is shown, by headcount, equal ones by id."""
    found: list[Group] = []
    for _ in range(_TRIES):  # an import may show the next edition while this one is read
        edition = await shown_edition(reader)
        found = await _search(reader, edition, query)
        if await shown_edition(reader) == edition:
            break
    return found


async def _search(reader: Reader, edition: int, query: GroupQuery) -> list[Group]:
    if not query.mark and not query.keyword:
        ranks = range(query.offset, query.offset + query.size)
        return await list_by_rank(reader, edition, list(ranks))
    last = await reader.one(LAST_RANK, edition)
    blocks = 0 if last is None else last[0] // PLACES + 1
    return await _Search(reader, edition, query, await _rank_of_id(reader, edition, query)).run(
        blocks
    )


async def _rank_of_id(reader: Reader, edition: int, query: GroupQuery) -> int | None:
    row = None if query.id is None else await reader.one(RANK_OF, edition, query.id)
    return None if row is None else int(row[0])


async def list_by_rank(reader: Reader, edition: int, ranks: list[int]) -> list[Group]:
    """The groups at ranks of an edition, at most a hundred, in the order of the ranks."""
    if not ranks:
        return []
    padded = ranks + ranks[-1:] * (MOST_AT_ONCE - len(ranks))
    return [Group(*row) for row in await reader.all(AT_RANKS, edition, *padded)]


class _Search:
    """One walk over the blocks."""

    def __init__(
        self, reader: Reader, edition: int, query: GroupQuery, rank_of_id: int | None
    ) -> None:
        self._reader = reader
        self._edition = edition
        self._query = query
        self._rank_of_id = rank_of_id
        self._grams = grams_to_find(query.keyword) if query.keyword else []
        self._found: list[Group] = []
        self._skip = query.offset
        self._left = query.size
        self._unchecked = 0 if is_one_gram(query.keyword) else MOST_CHECKED

    async def run(self, blocks: int) -> list[Group]:
        """Walks until the page is full or the blocks are done."""
        block = 0
        while block < blocks and self._left:
            members = await self._members(block)
            while members and self._left and self._unchecked > 0:
                members = await self._check(block, members)
            if self._left:
                await self._take(block, members)
            block += 1
        return self._found

    async def _members(self, block: int) -> int:
        """The places of a block that have all grams, or the id, and the mark."""
        wanted = [gram.encode() for gram in (*self._grams, self._query.mark) if gram]
        padded = wanted + wanted[-1:] * (MOST_GRAMS + 1 - len(wanted))
        rows = await self._reader.all(POSTINGS, self._edition, block, *padded)
        packed: dict[bytes, bytes] = dict(rows)
        members = (1 << PLACES) - 1
        for gram in self._grams:
            members = members and members & unpack(packed.get(gram.encode(), b"\0"))
        if self._rank_of_id is not None and self._rank_of_id // PLACES == block:
            members |= 1 << self._rank_of_id % PLACES
        if self._query.mark and members:
            members &= unpack(packed.get(self._query.mark.encode(), b"\0"))
        return members

    async def _check(self, block: int, members: int) -> int:
        """Looks at the first members, counts those that match; gives the members behind them."""
        places = places_of(members, 0, MOST_AT_ONCE)
        matching = await self._accepted(block, places)
        page = matching[self._skip : self._skip + self._left]
        self._skip = max(0, self._skip - len(matching))
        self._left -= len(page)
        self._found += page
        self._unchecked -= len(places)
        return without_up_to(members, places[-1])

    async def _take(self, block: int, members: int) -> None:
        """Counts the members, and looks at no more of them than the page holds."""
        count = members.bit_count()
        if count > self._skip:
            places = places_of(members, self._skip, self._left)
            self._left -= len(places)
            self._found += await self._accepted(block, places)
        self._skip = max(0, self._skip - count)

    async def _accepted(self, block: int, places: list[int]) -> list[Group]:
        ranks = [block * PLACES + place for place in places]
        groups = await list_by_rank(self._reader, self._edition, ranks)
        return [group for group in groups if self._query.accepts(group)]
