"""Searching the groups that are listed, by category and keyword (docs/decisions/0007).

A search walks the blocks of the index, each of 65,536 ranks, and intersects what its grams hold.
The grams of a keyword of three or more characters may stand apart in a text, so there the texts of
the candidates are looked at, from the first on, and at most `MOST_CHECKED` of them: what lies
behind is not found. Up to there, and always for shorter keywords, every page is exact.
"""

import asyncio
from itertools import islice

from msgspec import Struct

from hupan.model import Group, GroupId
from hupan.store.bitmaps import PLACES, each_place, places_of, unpack
from hupan.store.editions import shown_edition
from hupan.store.engine import Reader
from hupan.store.grams import grams_to_find, is_one_gram
from hupan.store.groups import (
    CHECKED_AT_ONCE,
    MOST_AT_ONCE,
    find_last_rank,
    find_postings,
    find_rank,
    list_by_rank,
    ranks_with,
)

MOST_CHECKED = 4_000
"""Texts that are looked at for one search: some milliseconds."""
_TRIES = 3


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


async def search_groups(reader: Reader, query: GroupQuery) -> list[Group]:
    """A page of the groups of the edition that is shown, by headcount, equal ones by id."""
    found: list[Group] = []
    for _ in range(_TRIES):  # an import may show the next edition while this one is read
        edition = await shown_edition(reader)
        found = await list_by_rank(reader, edition, await _ranks(reader, edition, query))
        if await shown_edition(reader) == edition:
            break
    return found


async def _ranks(reader: Reader, edition: int, query: GroupQuery) -> list[int]:
    """The ranks on the page."""
    if not query.mark and not query.keyword:
        return list(range(query.offset, query.offset + query.size))
    last = await find_last_rank(reader, edition)
    rank_of_id = None if query.id is None else await find_rank(reader, edition, query.id)
    walk = _Walk(reader, edition, query, rank_of_id)
    return await walk.run(0 if last is None else last // PLACES + 1)


class _Walk:
    """One search, from block to block."""

    def __init__(
        self, reader: Reader, edition: int, query: GroupQuery, rank_of_id: int | None
    ) -> None:
        self._reader = reader
        self._edition = edition
        self._query = query
        self._rank_of_id = rank_of_id
        self._grams = grams_to_find(query.keyword) if query.keyword else []
        self._page: list[int] = []
        self._skip = query.offset
        self._left = query.size
        self._unchecked = MOST_CHECKED
        self._last_checked = -1

    async def run(self, blocks: int) -> list[int]:
        """Walks until the page is full, the blocks are done or enough was looked at."""
        is_exact = is_one_gram(self._query.keyword)
        for block in range(blocks):
            if not self._left or not self._unchecked:
                break
            members = await self._members(block)
            if is_exact:
                self._count(block, members)
            else:
                await self._check(block, members)
        if not self._unchecked:
            await self._take_id_behind()
        return self._page

    async def _members(self, block: int) -> int:
        """The places of a block that have all grams, or the id, and the mark."""
        wanted = [gram.encode() for gram in (*self._grams, self._query.mark) if gram]
        packed = await find_postings(self._reader, self._edition, block, wanted)
        members = (1 << PLACES) - 1
        for gram in self._grams:
            members = members and members & unpack(packed.get(gram.encode(), b"\0"))
        if self._rank_of_id is not None and self._rank_of_id // PLACES == block:
            members |= 1 << self._rank_of_id % PLACES
        if self._query.mark and members:
            members &= unpack(packed.get(self._query.mark.encode(), b"\0"))
        return members

    def _count(self, block: int, members: int) -> None:
        """Passes over as many members as are skipped, without looking at them, and takes others."""
        count = members.bit_count()
        if count > self._skip:
            places = places_of(members, self._skip, self._left)
            self._page += [block * PLACES + place for place in places]
            self._left -= len(places)
        self._skip = max(0, self._skip - count)

    async def _check(self, block: int, members: int) -> None:
        """Looks at the members' texts until the page is full or enough were looked at."""
        places = each_place(members)
        while self._left and (some := list(islice(places, min(CHECKED_AT_ONCE, self._unchecked)))):
            ranks = [block * PLACES + place for place in some]
            self._unchecked -= len(ranks)
            self._last_checked = ranks[-1]
            found = await ranks_with(self._reader, self._edition, ranks, self._query.keyword)
            await asyncio.sleep(0)  # others' requests need not wait for all of it
            self._take([rank for rank in ranks if rank in found or rank == self._rank_of_id])

    async def _take_id_behind(self) -> None:
        """A group that is asked for by its id is found wherever it stands."""
        if self._rank_of_id is not None and self._rank_of_id > self._last_checked:
            block, place = divmod(self._rank_of_id, PLACES)
            if await self._members(block) >> place & 1:
                self._take([self._rank_of_id])

    def _take(self, matching: list[int]) -> None:
        """Puts those on the page that are neither skipped nor too many."""
        page = matching[self._skip : self._skip + self._left]
        self._skip = max(0, self._skip - len(matching))
        self._left -= len(page)
        self._page += page
