"""Recommended bots, categories, and the versioned search index of groups (docs/decisions/0007).

Chinese words are mostly two characters long and not separated, and the databases' own indexes need
three (FTS5 trigram, pg_trgm).

A bitmap is an integer whose bit at a position says whether the position is in the set, so `&`
intersects 65,536 positions in some microseconds. Packed bytes begin with their format: few
positions are listed, many are bits.

A build is written in many small changes, so that a server in another process never waits long for
one. The build started last wins: every change of an older one is refused.

A search goes through the blocks of the index, each of 65,536 ranks, and intersects the postings of
its n-grams. The n-grams of a keyword of three or more characters may be apart in a text, so the
texts of the candidates are checked in order, up to a maximum: later matches are not found. Up to
there, and always for shorter keywords, every page is exact.
"""

import asyncio
import struct
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise, repeat
from typing import TypeVar

from msgspec import Struct

from hupan.model import Bot, BotId, Group, GroupId, Overtaken
from hupan.store.database import Reader, Transaction

LIST_BOTS = """
SELECT id, name, introduction, avatar_url, headcount, may_add, applies, always_agrees
FROM listed_bots ORDER BY headcount DESC, id LIMIT ?1
"""
FIND_BOT = """
SELECT id, name, introduction, avatar_url, headcount, may_add, applies, always_agrees
FROM listed_bots WHERE id = ?1
"""
COUNT_BOTS = "SELECT count(*) FROM listed_bots"
PUT_BOT = """
INSERT INTO listed_bots
  (id, name, introduction, avatar_url, headcount, may_add, applies, always_agrees)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (id) DO UPDATE SET
  name = excluded.name, introduction = excluded.introduction, avatar_url = excluded.avatar_url,
  headcount = excluded.headcount, may_add = excluded.may_add, applies = excluded.applies,
  always_agrees = excluded.always_agrees
"""


async def list_bots(reader: Reader, max_rows: int) -> list[Bot]:
    """Return bots by headcount, then id."""
    return [Bot(*row) for row in await reader.fetch_all(LIST_BOTS, max_rows)]


async def find_bot(reader: Reader, bot: BotId) -> Bot | None:
    row = await reader.fetch_one(FIND_BOT, bot)
    return None if row is None else Bot(*row)


async def count_bots(reader: Reader) -> int:
    row = await reader.fetch_one(COUNT_BOTS)
    return 0 if row is None else int(row[0])


async def put_bot(tx: Transaction, bot: Bot) -> None:
    """Insert or replace a bot."""
    await tx.execute(
        PUT_BOT,
        bot.id,
        bot.name,
        bot.introduction,
        bot.avatar_url,
        bot.headcount,
        bot.may_add,
        bot.applies,
        bot.always_agrees,
    )


LIST_CATEGORIES = "SELECT name FROM categories ORDER BY position, name"
DELETE_CATEGORIES = "DELETE FROM categories"
INSERT_CATEGORY = "INSERT INTO categories (name, position) VALUES (?1, ?2)"


async def list_categories(reader: Reader) -> list[str]:
    """Return the names, none if none were ever set."""
    return [str(row[0]) for row in await reader.fetch_all(LIST_CATEGORIES)]


async def set_categories(tx: Transaction, names: Sequence[str]) -> None:
    await tx.execute(DELETE_CATEGORIES)
    for position, name in enumerate(names):
        await tx.execute(INSERT_CATEGORY, name, position)


MAX_QUERY_NGRAMS = 6
"""N-grams of a long keyword that are looked up; the texts found are compared with all of it."""
FEATURED_TAG = "\0f"


def normalize_search_text(text: str) -> str:
    """Normalize a text for comparison: compatible forms, case and white space do not count."""
    once = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", once).split())


def make_search_text(name: str, introduction: str) -> str:
    """Return a group's searched text, a line per field: normalized text has no line break."""
    return f"{normalize_search_text(name)}\n{normalize_search_text(introduction)}"


def make_ngrams(text: str) -> set[str]:
    """Return the one- and two-character n-grams of a normalized text."""
    return {*text, *map("".join, pairwise(text))}


def make_query_ngrams(keyword: str) -> list[str]:
    """Return n-grams that every text with the keyword has, the least overlapping first."""
    pairs = ["".join(pair) for pair in pairwise(keyword)]
    found = [*pairs[::2], *pairs[1::2]] or [keyword]
    return list(dict.fromkeys(found))[:MAX_QUERY_NGRAMS]


def is_single_ngram(keyword: str) -> bool:
    """Return whether a keyword is an n-gram itself, so that its postings are exact."""
    return len(keyword) <= 2  # noqa: PLR2004 - a pair is two


def make_category_tag(category: str) -> str:
    """Return the tag of a category; NUL keeps it apart from normalized text."""
    return f"\0c{category}"


POSITIONS_PER_BLOCK = 65_536
MAX_LISTED_POSITIONS = 256
_LIST_FORMAT, _BITMAP_FORMAT = b"\0", b"\1"


def pack_positions(positions: Sequence[int]) -> bytes:
    """Pack ascending positions into bytes."""
    if len(positions) <= MAX_LISTED_POSITIONS:
        return _LIST_FORMAT + struct.pack(f"<{len(positions)}H", *positions)
    return _BITMAP_FORMAT + _to_bitmap(positions, positions[-1] // 8 + 1)


def unpack_bitmap(packed: bytes) -> int:
    """Unpack bytes into a bitmap."""
    if packed.startswith(_BITMAP_FORMAT):
        return int.from_bytes(packed[1:], "little")
    positions = struct.unpack(f"<{len(packed) // 2}H", packed[1:])
    return int.from_bytes(
        _to_bitmap(positions, positions[-1] // 8 + 1 if positions else 0), "little"
    )


def list_positions(bitmap: int, skip: int, max_positions: int) -> list[int]:
    """Return up to `max_positions` ascending positions of a bitmap, after `skip` of them."""
    start = _skip_position(bitmap, skip)
    return [
        start + position for position in islice(iterate_positions(bitmap >> start), max_positions)
    ]


def iterate_positions(bitmap: int) -> Iterator[int]:
    """Yield the positions of a bitmap in ascending order, each found on demand."""
    bits = f"{bitmap:b}"[::-1]
    position = bits.find("1")
    while position >= 0:
        yield position
        position = bits.find("1", position + 1)


def _to_bitmap(positions: Sequence[int], length: int) -> bytes:
    bits = bytearray(length)
    for position in positions:
        bits[position >> 3] |= 1 << (position & 7)
    return bytes(bits)


def _skip_position(bitmap: int, count: int) -> int:
    """Return the lowest position with `count` members below it, by bisection."""
    low, high = 0, bitmap.bit_length()
    while count and low < high:
        middle = (low + high) // 2
        if (bitmap & ((1 << middle) - 1)).bit_count() < count:
            low = middle + 1
        else:
            high = middle
    return low


Parameter = TypeVar("Parameter", int, bytes)

MAX_GROUPS_PER_PAGE = 100
"""Groups of one statement, and of a page."""
TEXTS_PER_QUERY = 250
"""Texts of one statement."""

GROUP_COLUMNS = """
  g.id, g.ban_id, g.name, g.introduction, g.avatar_url, g.headcount, g.created_at, g.category,
  g.is_featured
"""


def _numbered_parameters(first: int, count: int) -> str:
    return ", ".join(f"?{number}" for number in range(first, first + count))


LIST_GROUPS_BY_RANK = f"""
SELECT {GROUP_COLUMNS} FROM group_ranks r
JOIN listed_groups g ON g.edition = r.edition AND g.id = r.group_id
WHERE r.edition = ?1 AND r.rank IN ({_numbered_parameters(2, MAX_GROUPS_PER_PAGE)}) ORDER BY r.rank
"""
FIND_GROUP = f"SELECT {GROUP_COLUMNS} FROM listed_groups g WHERE g.edition = ?1 AND g.id = ?2"
FIND_RANKS_WITH_TEXT = f"""
SELECT rank FROM group_texts
WHERE edition = ?1 AND text LIKE ?2 ESCAPE '\\'
  AND rank IN ({_numbered_parameters(3, TEXTS_PER_QUERY)})
"""
FIND_POSTINGS = f"""
SELECT gram, members FROM group_postings
WHERE edition = ?1 AND block = ?2 AND gram IN ({_numbered_parameters(3, MAX_QUERY_NGRAMS + 1)})
"""
FIND_LAST_RANK = "SELECT rank FROM group_ranks WHERE edition = ?1 ORDER BY rank DESC LIMIT 1"
FIND_RANK = "SELECT rank FROM group_ranks WHERE edition = ?1 AND group_id = ?2"
_LIKE_ESCAPES = str.maketrans({sign: f"\\{sign}" for sign in "\\%_"})


async def list_groups_by_rank(
    reader: Reader, index_version: int, ranks: Sequence[int]
) -> list[Group]:
    """Return the groups at up to a hundred ranks, in the order of the ranks."""
    if not ranks:
        return []
    padded = _pad_parameters(ranks, MAX_GROUPS_PER_PAGE)
    return [
        Group(*row) for row in await reader.fetch_all(LIST_GROUPS_BY_RANK, index_version, *padded)
    ]


async def find_group(reader: Reader, index_version: int, group: GroupId) -> Group | None:
    row = await reader.fetch_one(FIND_GROUP, index_version, group)
    return None if row is None else Group(*row)


async def find_ranks_with_text(
    reader: Reader, index_version: int, ranks: Sequence[int], keyword: str
) -> set[int]:
    """Return those of up to `TEXTS_PER_QUERY` ranks whose text contains a keyword."""
    pattern = f"%{keyword.translate(_LIKE_ESCAPES)}%"  # LIKE knows no case if both are folded
    padded = _pad_parameters(ranks, TEXTS_PER_QUERY)
    return {
        int(row[0])
        for row in await reader.fetch_all(FIND_RANKS_WITH_TEXT, index_version, pattern, *padded)
    }


async def find_postings(
    reader: Reader, index_version: int, block: int, ngrams: Sequence[bytes]
) -> dict[bytes, bytes]:
    """Return the packed positions of n-grams in a block, up to `MAX_QUERY_NGRAMS` and a tag."""
    padded = _pad_parameters(ngrams, MAX_QUERY_NGRAMS + 1)
    return dict(await reader.fetch_all(FIND_POSTINGS, index_version, block, *padded))


async def find_last_rank(reader: Reader, index_version: int) -> int | None:
    """Return the rank of the last group, or None."""
    row = await reader.fetch_one(FIND_LAST_RANK, index_version)
    return None if row is None else int(row[0])


async def find_rank(reader: Reader, index_version: int, group: GroupId) -> int | None:
    """Return the rank of a group, or None."""
    row = await reader.fetch_one(FIND_RANK, index_version, group)
    return None if row is None else int(row[0])


def _pad_parameters(values: Sequence[Parameter], length: int) -> list[Parameter]:
    return list(islice(chain(values, repeat(values[-1])), length))


FIND_PUBLISHED_VERSION = "SELECT value FROM counters WHERE name = 'groups-shown'"
FIND_BUILD_VERSION = "SELECT value FROM counters WHERE name = 'groups-draft'"
# No later build starts before the change that continues this one has ended.
LOCK_BUILD_VERSION = f"{FIND_BUILD_VERSION} /* FOR UPDATE */"
BEGIN_BUILD = "UPDATE counters SET value = value + 1 WHERE name = 'groups-draft' RETURNING value"
PUBLISH_VERSION = "UPDATE counters SET value = ?1 WHERE name = 'groups-shown'"
INSERT_GROUP = """
INSERT INTO listed_groups
  (edition, id, ban_id, name, introduction, avatar_url, headcount, created_at, category,
   is_featured)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
"""
COPY_GROUPS = """
INSERT INTO listed_groups
  (edition, id, ban_id, name, introduction, avatar_url, headcount, created_at, category,
   is_featured)
SELECT ?1, id, ban_id, name, introduction, avatar_url, headcount, created_at, category, is_featured
FROM listed_groups WHERE edition = ?2 AND id > ?3 AND id <= ?4
ON CONFLICT DO NOTHING
"""
LIST_HEADCOUNTS = """
SELECT id, headcount FROM listed_groups WHERE edition = ?1 AND id > ?2 ORDER BY id LIMIT ?3
"""
INSERT_RANK = "INSERT INTO group_ranks (edition, rank, group_id) VALUES (?1, ?2, ?3)"
INSERT_TEXT = "INSERT INTO group_texts (edition, rank, text) VALUES (?1, ?2, ?3)"
INSERT_POSTING = """
INSERT INTO group_postings (edition, block, gram, members) VALUES (?1, ?2, ?3, ?4)
"""
DELETE_VERSION_ROWS = (
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


async def get_published_version(reader: Reader) -> int:
    """Return the published index version; 0 before the first."""
    return await _get_version(reader, FIND_PUBLISHED_VERSION)


async def begin_build(tx: Transaction) -> int:
    """Return the version of a new build; it supersedes all older ones."""
    return await _get_version(tx, BEGIN_BUILD)


async def check_build_current(tx: Transaction, index_version: int) -> None:
    """Raise unless a build is the newest.

    Raises:
        Overtaken: another was opened since.
    """
    if await _get_version(tx, LOCK_BUILD_VERSION) != index_version:
        raise Overtaken


async def publish_version(tx: Transaction, index_version: int) -> None:
    """Publish a complete build."""
    await tx.execute(PUBLISH_VERSION, index_version)


async def insert_groups(tx: Transaction, index_version: int, groups: Iterable[Group]) -> None:
    """Insert groups that the index version does not have."""
    for group in groups:
        await tx.execute(
            INSERT_GROUP,
            index_version,
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


async def copy_groups(
    tx: Transaction, source_version: int, index_version: int, after_id: int, last_id: int
) -> None:
    """Copy the groups in a range of ids that the index version does not have yet."""
    await tx.execute(COPY_GROUPS, index_version, source_version, after_id, last_id)


async def list_headcounts(
    reader: Reader, index_version: int, after_id: int, max_rows: int
) -> list[tuple[GroupId, int]]:
    """Return id and headcount of the groups with higher ids, by id."""
    return [
        (GroupId(row[0]), int(row[1]))
        for row in await reader.fetch_all(LIST_HEADCOUNTS, index_version, after_id, max_rows)
    ]


async def insert_ranks(
    tx: Transaction, index_version: int, first_rank: int, groups: Iterable[int]
) -> None:
    """Rank groups from a first rank on."""
    for rank, group in enumerate(groups, start=first_rank):
        await tx.execute(INSERT_RANK, index_version, rank, group)


async def insert_texts(
    tx: Transaction, index_version: int, first_rank: int, texts: Iterable[str]
) -> None:
    """Insert the searched texts of groups from a first rank on."""
    for rank, text in enumerate(texts, start=first_rank):
        await tx.execute(INSERT_TEXT, index_version, rank, text)


async def insert_postings(
    tx: Transaction, index_version: int, block: int, postings: Iterable[tuple[bytes, bytes]]
) -> None:
    """Insert postings of a block: n-gram and packed positions."""
    for ngram, members in postings:
        await tx.execute(INSERT_POSTING, index_version, block, ngram, members)


async def delete_version_rows(
    tx: Transaction, first_version: int, end_version: int, max_rows: int
) -> int:
    """Delete up to `max_rows` rows of each kind in a range of index versions; return the number."""
    return sum(
        [await tx.execute(sql, first_version, end_version, max_rows) for sql in DELETE_VERSION_ROWS]
    )


async def _get_version(reader: Reader, sql: str) -> int:
    row = await reader.fetch_one(sql)
    if row is None:
        raise LookupError("the counters of the index versions are missing")
    return int(row[0])


MAX_TEXTS_PER_SEARCH = 4_000
"""Texts that are checked for one search: some milliseconds."""
_MAX_SEARCH_ATTEMPTS = 3


class GroupQuery(Struct, frozen=True, kw_only=True):
    """A search for groups.

    Attributes:
        tag: the tag that the groups must have, "" for all groups.
        keyword: what name or introduction must hold, folded; "" for all groups.
        id: the id that the keyword is, if it is one.
        offset: groups that are passed over.
        size: groups that are wanted, at most 100.
    """

    tag: str = ""
    keyword: str = ""
    id: GroupId | None = None
    offset: int = 0
    size: int = MAX_GROUPS_PER_PAGE


async def search_groups(reader: Reader, query: GroupQuery) -> list[Group]:
    """Return a page of the published groups, by headcount, then id."""
    found: list[Group] = []
    for _ in range(
        _MAX_SEARCH_ATTEMPTS
    ):  # an import may publish the next version while this one is read
        index_version = await get_published_version(reader)
        found = await list_groups_by_rank(
            reader, index_version, await _find_ranks(reader, index_version, query)
        )
        if await get_published_version(reader) == index_version:
            break
    return found


async def _find_ranks(reader: Reader, index_version: int, query: GroupQuery) -> list[int]:
    if not query.tag and not query.keyword:
        return list(range(query.offset, query.offset + query.size))
    last = await find_last_rank(reader, index_version)
    rank_of_id = None if query.id is None else await find_rank(reader, index_version, query.id)
    search = _GroupSearch(reader, index_version, query, rank_of_id)
    return await search.run(0 if last is None else last // POSITIONS_PER_BLOCK + 1)


class _GroupSearch:
    """One search, block by block."""

    def __init__(
        self, reader: Reader, index_version: int, query: GroupQuery, rank_of_id: int | None
    ) -> None:
        self._reader = reader
        self._index_version = index_version
        self._query = query
        self._rank_of_id = rank_of_id
        self._ngrams = make_query_ngrams(query.keyword) if query.keyword else []
        self._page: list[int] = []
        self._skip = query.offset
        self._remaining = query.size
        self._remaining_texts = MAX_TEXTS_PER_SEARCH
        self._last_checked_rank = -1

    async def run(self, blocks: int) -> list[int]:
        """Search until the page is full, the blocks end or enough texts were checked."""
        is_exact = is_single_ngram(self._query.keyword)
        for block in range(blocks):
            if not self._remaining or not self._remaining_texts:
                break
            bitmap = await self._find_candidates(block)
            if is_exact:
                self._take_exact(block, bitmap)
            else:
                await self._take_verified(block, bitmap)
        if not self._remaining_texts:
            await self._take_id_beyond_checked()
        return self._page

    async def _find_candidates(self, block: int) -> int:
        """Return the positions of a block that have all n-grams, or the id, and the tag."""
        ngrams = [ngram.encode() for ngram in (*self._ngrams, self._query.tag) if ngram]
        packed = await find_postings(self._reader, self._index_version, block, ngrams)
        bitmap = (1 << POSITIONS_PER_BLOCK) - 1
        for ngram in self._ngrams:
            bitmap = bitmap and bitmap & unpack_bitmap(packed.get(ngram.encode(), b"\0"))
        if self._rank_of_id is not None and self._rank_of_id // POSITIONS_PER_BLOCK == block:
            bitmap |= 1 << self._rank_of_id % POSITIONS_PER_BLOCK
        if self._query.tag and bitmap:
            bitmap &= unpack_bitmap(packed.get(self._query.tag.encode(), b"\0"))
        return bitmap

    def _take_exact(self, block: int, bitmap: int) -> None:
        """Skip and take members without checking their texts."""
        count = bitmap.bit_count()
        if count > self._skip:
            found = list_positions(bitmap, self._skip, self._remaining)
            self._page += [block * POSITIONS_PER_BLOCK + position for position in found]
            self._remaining -= len(found)
        self._skip = max(0, self._skip - count)

    async def _take_verified(self, block: int, bitmap: int) -> None:
        """Check the members' texts until the page is full or enough were checked."""
        candidates = iterate_positions(bitmap)
        while self._remaining and (
            batch := list(islice(candidates, min(TEXTS_PER_QUERY, self._remaining_texts)))
        ):
            ranks = [block * POSITIONS_PER_BLOCK + position for position in batch]
            self._remaining_texts -= len(ranks)
            self._last_checked_rank = ranks[-1]
            found = await find_ranks_with_text(
                self._reader, self._index_version, ranks, self._query.keyword
            )
            await asyncio.sleep(0)  # others' requests need not wait for all of it
            self._append_to_page(
                [rank for rank in ranks if rank in found or rank == self._rank_of_id]
            )

    async def _take_id_beyond_checked(self) -> None:
        """Find a group by its id at any rank."""
        if self._rank_of_id is not None and self._rank_of_id > self._last_checked_rank:
            block, position = divmod(self._rank_of_id, POSITIONS_PER_BLOCK)
            if await self._find_candidates(block) >> position & 1:
                self._append_to_page([self._rank_of_id])

    def _append_to_page(self, matching: list[int]) -> None:
        page = matching[self._skip : self._skip + self._remaining]
        self._skip = max(0, self._skip - len(matching))
        self._remaining -= len(page)
        self._page += page
