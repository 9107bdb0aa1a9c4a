"""Discovery of groups and bots: search, categories, import and the group index (decision 0007).

A new version of the group index is built while the published one stays in use. It is written in
small transactions, each followed by a pause of the same length, so that servers in other processes
can use the store (security R14). The last transaction publishes it; a build that fails before
leaves nothing visible.

Import columns have the names of the wire, so that server responses can be imported. A number may
be a number or text: CSV has only text, and wire.md 4 has headcounts of bots as strings.
"""

import asyncio
import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from hupan.domain.profiles import parse_avatar_url
from hupan.domain.text import is_clean, normalize, parse_short_line, visible_length
from hupan.errors import InvalidField
from hupan.model import Bot, BotId, Group, GroupId
from hupan.rules import MAX_UNIX_TIME
from hupan.store.database import Database, Result, Transaction
from hupan.store.discovery import (
    FEATURED_TAG,
    MAX_GROUPS_PER_PAGE,
    POSITIONS_PER_BLOCK,
    GroupQuery,
    begin_build,
    check_build_current,
    copy_groups,
    count_bots,
    delete_version_rows,
    find_bot,
    find_group,
    get_published_version,
    insert_groups,
    insert_postings,
    insert_ranks,
    insert_texts,
    list_bots,
    list_categories,
    list_groups_by_rank,
    list_headcounts,
    make_category_tag,
    make_ngrams,
    make_search_text,
    normalize_search_text,
    pack_positions,
    publish_version,
    put_bot,
    search_groups,
    set_categories,
)

ROWS_PER_TRANSACTION = 2_000
MAX_PAUSE_SECONDS = 0.1
MAX_HEADCOUNT = 2**53
GROUP_ID_END = 10**9
"""Group ids are smaller (wire.md 5)."""

ProgressCallback: TypeAlias = Callable[[int, int], None]
"""Called with the number of groups done and the total."""
Item = TypeVar("Item")


class GroupIndexBuild:
    """An unpublished version of the group index; see `build_group_index`."""

    def __init__(self, database: Database, version: int, source_version: int) -> None:
        self._database = database
        self._version = version
        self._source_version = source_version

    async def add(self, groups: Sequence[Group]) -> None:
        """Add groups; none may occur twice."""
        for batch in _chunks(iter(groups), ROWS_PER_TRANSACTION):
            await self._change(partial(insert_groups, index_version=self._version, groups=batch))

    async def finish(self, on_progress: ProgressCallback) -> int:
        """Copy all other groups, build the index and publish it; return the number of groups."""
        await self._copy_other_groups()
        ordered = await self._ids_by_headcount()
        await self._write_ranks(ordered)
        await self._write_postings(len(ordered), on_progress)
        await self._change(partial(publish_version, index_version=self._version))
        return len(ordered)

    async def _copy_other_groups(self) -> None:
        after = 0
        while batch := await list_headcounts(
            self._database, self._source_version, after, ROWS_PER_TRANSACTION
        ):
            last = batch[-1][0]
            await self._change(
                partial(
                    copy_groups,
                    source_version=self._source_version,
                    index_version=self._version,
                    after_id=after,
                    last_id=last,
                )
            )
            after = last

    async def _ids_by_headcount(self) -> "array[int]":
        keys: list[int] = []
        after = 0
        while batch := await list_headcounts(
            self._database, self._version, after, ROWS_PER_TRANSACTION
        ):
            # A number takes a third of the time and memory of a pair to sort.
            keys += [
                (MAX_HEADCOUNT - headcount) * GROUP_ID_END + group for group, headcount in batch
            ]
            after = batch[-1][0]
            await asyncio.sleep(0)
        keys.sort()
        return array("q", (key % GROUP_ID_END for key in keys))

    async def _write_ranks(self, ordered: "array[int]") -> None:
        for first in range(0, len(ordered), ROWS_PER_TRANSACTION):
            batch = ordered[first : first + ROWS_PER_TRANSACTION]
            await self._change(
                partial(insert_ranks, index_version=self._version, first_rank=first, groups=batch)
            )

    async def _write_postings(self, count: int, on_progress: ProgressCallback) -> None:
        for block in range(-(-count // POSITIONS_PER_BLOCK)):
            first, past = block * POSITIONS_PER_BLOCK, min(count, (block + 1) * POSITIONS_PER_BLOCK)
            positions: defaultdict[str, array[int]] = defaultdict(partial(array, "H"))
            for rank in range(first, past, ROWS_PER_TRANSACTION):
                end = min(past, rank + ROWS_PER_TRANSACTION)
                await self._write_texts(positions, rank, end, first)
                on_progress(end, count)
            postings = (
                (ngram.encode(), pack_positions(positions[ngram])) for ngram in sorted(positions)
            )
            for batch in _chunks(postings, ROWS_PER_TRANSACTION):
                await self._change(
                    partial(
                        insert_postings, index_version=self._version, block=block, postings=batch
                    )
                )

    async def _write_texts(
        self, positions: "defaultdict[str, array[int]]", rank: int, end: int, first: int
    ) -> None:
        texts: list[str] = []
        for start in range(rank, end, MAX_GROUPS_PER_PAGE):
            ranks = range(start, min(end, start + MAX_GROUPS_PER_PAGE))
            for group in await list_groups_by_rank(self._database, self._version, ranks):
                text = make_search_text(group.name, group.introduction)
                for ngram in _group_ngrams(group, text):
                    positions[ngram].append(rank + len(texts) - first)
                texts.append(text)
            await asyncio.sleep(0)  # let other tasks run
        await self._change(
            partial(insert_texts, index_version=self._version, first_rank=rank, texts=texts)
        )

    async def _change(self, work: Callable[[Transaction], Awaitable[None]]) -> None:
        async def checked(tx: Transaction) -> None:
            await check_build_current(tx, self._version)
            await work(tx)

        await _change_with_pause(self._database, checked)


@asynccontextmanager
async def build_group_index(database: Database) -> AsyncIterator[GroupIndexBuild]:
    """Start a new version based on the published one; unless it is finished, it is deleted.

    Raises:
        Overtaken: a later build has started.
    """
    version = await database.run_transaction(begin_build)
    source_version = await get_published_version(database)
    try:
        await _delete_versions(database, source_version + 1, version)  # left by a killed import
        yield GroupIndexBuild(database, version, source_version)
    finally:
        published_version = await get_published_version(database)
        await _delete_versions(database, 0, published_version)
        await _delete_versions(database, published_version + 1, version + 1)


async def _delete_versions(database: Database, first: int, past: int) -> None:
    deleted = 1
    while deleted:
        deleted = await _change_with_pause(
            database,
            partial(
                delete_version_rows,
                first_version=first,
                end_version=past,
                max_rows=ROWS_PER_TRANSACTION,
            ),
        )


async def _change_with_pause(
    database: Database, work: Callable[[Transaction], Awaitable[Result]]
) -> Result:
    # The pause after a transaction lets other processes use the store (security R14).
    loop = asyncio.get_running_loop()
    started = loop.time()
    result = await database.run_transaction(work)
    await asyncio.sleep(min(loop.time() - started, MAX_PAUSE_SECONDS))
    return result


def _group_ngrams(group: Group, text: str) -> set[str]:
    ngrams = set().union(*map(make_ngrams, text.split("\n")))
    if group.category:
        ngrams.add(make_category_tag(group.category))
    if group.is_featured:
        ngrams.add(FEATURED_TAG)
    return ngrams


def _chunks(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while batch := list(islice(items, size)):
        yield batch


def _ignore_progress(_done: int, _count: int) -> None:
    """Default callback."""


class DiscoveryImporter:
    """Imports groups and bots; rows with a known id are replaced."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def import_groups(
        self, groups: Sequence[Group], on_progress: ProgressCallback = _ignore_progress
    ) -> int:
        """Add groups, each occurring once, and publish them; return the new number of groups.

        Raises:
            Overtaken: a later import has started.
        """
        async with build_group_index(self._database) as build:
            await build.add(groups)
            return await build.finish(on_progress)

    async def import_bots(self, bots: Sequence[Bot]) -> int:
        """Add bots in one transaction; return the new number of bots."""

        async def change(tx: Transaction) -> int:
            for bot in bots:
                await put_bot(tx, bot)
            return await count_bots(tx)

        return await self._database.run_transaction(change)


FEATURED_CATEGORY = "精选"
"""The category of all featured groups, in addition to their own."""
DEFAULT_CATEGORIES = (FEATURED_CATEGORY, "粉丝群", "地区", "IT/互联网", "玩机", "游戏", "资讯订阅")
"""The categories of the reference, used until others are set."""
MAX_CATEGORIES = 50
MAX_CATEGORY_CHARACTERS = 16
MAX_REQUESTED_CATEGORY_CHARACTERS = 64
"""The maximum in requests; more than `MAX_CATEGORY_CHARACTERS` finds nothing."""
MAX_KEYWORD_CHARACTERS = 32
"""The maximum, as on the wire (security I8)."""
MAX_BOTS = 100
"""The list of bots has no pages."""
_GROUP_ID = re.compile("[1-9][0-9]{8}")
_BOT_ID = re.compile("[1-9][0-9]{7}")


class Discovery:
    """Lists and searches groups and bots."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def categories(self) -> list[str]:
        """Return the categories in their order; those of the reference if none were set."""
        return await list_categories(self._database) or list(DEFAULT_CATEGORIES)

    async def set_categories(self, names: Sequence[str]) -> None:
        """Replace the categories; an empty list restores those of the reference.

        Raises:
            InvalidField: a name is empty, too long, not clean or repeated, or there are too many.
        """
        normalized = [
            parse_short_line(
                name, "category", min_characters=1, max_characters=MAX_CATEGORY_CHARACTERS
            )
            for name in names
        ]
        if not len(set(normalized)) == len(normalized) <= MAX_CATEGORIES:
            raise InvalidField("category")

        async def change(tx: Transaction) -> None:
            await set_categories(tx, normalized)

        await self._database.run_transaction(change)

    async def groups(self, category: str, keyword: str, *, page: int, size: int) -> list[Group]:
        """Return a page of groups by category ("" for all) and keyword in name or introduction.

        A keyword that is a group id also finds that group. Sorted by headcount, then id.

        Raises:
            InvalidField: the keyword is too long or contains control characters.
        """
        if len(keyword) > MAX_KEYWORD_CHARACTERS:
            raise InvalidField("keyword")
        folded = normalize_search_text(keyword)
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in folded):
            raise InvalidField("keyword")
        query = GroupQuery(
            tag=_category_ngram(category),
            keyword=folded,
            id=GroupId(int(folded)) if _GROUP_ID.fullmatch(folded) else None,
            offset=(page - 1) * size,
            size=size,
        )
        return await search_groups(self._database, query)

    async def bots(self) -> list[Bot]:
        """Return the bots with the most users."""
        return await list_bots(self._database, MAX_BOTS)

    async def find_group(self, group_id: str) -> Group | None:
        """Return the group with an id as clients write it; None for an unknown one.

        Raises:
            InvalidField: the id contains control characters.
        """
        if not is_clean(group_id):
            raise InvalidField("groupId")
        if not _GROUP_ID.fullmatch(group_id):
            return None
        version = await get_published_version(self._database)
        return await find_group(self._database, version, GroupId(int(group_id)))

    async def find_bot(self, bot_id: str) -> Bot | None:
        """Return the bot with an id as clients write it; None for an unknown one.

        Raises:
            InvalidField: the id contains control characters.
        """
        if not is_clean(bot_id):
            raise InvalidField("botId")
        if not _BOT_ID.fullmatch(bot_id):
            return None
        return await find_bot(self._database, BotId(int(bot_id)))


def _category_ngram(category: str) -> str:
    name = normalize(category, "category", max_characters=MAX_REQUESTED_CATEGORY_CHARACTERS)
    if name == FEATURED_CATEGORY:
        return FEATURED_TAG
    return make_category_tag(name) if name else ""


MAX_INTEGER = 2**53 - 1
MAX_LISTED_NAME_CHARACTERS = 64
MAX_LISTED_INTRODUCTION_CHARACTERS = 500
_DIGITS = re.compile("[0-9]{1,16}")

ImportRow: TypeAlias = Mapping[str, object]
ValueParser: TypeAlias = Callable[[object, str], Any]
"""Parses a value of the named column; raises InvalidField."""


@dataclass(frozen=True, slots=True)
class ImportColumn:
    """A column of an import.

    Attributes:
        default: the value of an absent or empty cell; None if the column is required.
        zh: what the value must be, in Chinese.
        en: the same in English.
    """

    name: str
    parse: ValueParser
    default: object
    zh: str
    en: str


def integer_parser(minimum: int, maximum: int) -> ValueParser:
    """Return a parser of whole numbers within bounds."""

    def read(value: object, column: str) -> int:
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise InvalidField(column)
        return value

    return read


def _parse_name(value: object, column: str) -> str:
    name = normalize(
        _require_text(value, column), column, max_characters=MAX_LISTED_NAME_CHARACTERS
    )
    if not is_clean(name) or not 1 <= visible_length(name) <= MAX_LISTED_NAME_CHARACTERS:
        raise InvalidField(column)
    return name


def _parse_introduction(value: object, column: str) -> str:
    text = normalize(
        _require_text(value, column), column, max_characters=MAX_LISTED_INTRODUCTION_CHARACTERS
    )
    has_control_characters = any(
        unicodedata.category(character) in ("Cc", "Cs") and character not in "\r\n\t"
        for character in text
    )
    if has_control_characters or len(text) > MAX_LISTED_INTRODUCTION_CHARACTERS:
        raise InvalidField(column)
    return text


def _parse_avatar(value: object, column: str) -> str:
    text = _require_text(value, column)
    return parse_avatar_url(text, column) if text else ""


def _parse_category(value: object, column: str) -> str:
    return normalize(
        _require_text(value, column), column, max_characters=MAX_LISTED_NAME_CHARACTERS
    )


def _require_text(value: object, column: str) -> str:
    if not isinstance(value, str):
        raise InvalidField(column)
    return value


_COUNT_HELP_ZH, _COUNT_HELP_EN = "从 0 到 2^53-1 的整数", "a whole number from 0 to 2^53-1"
_FLAG_HELP_ZH, _FLAG_HELP_EN = "0 或 1", "0 or 1"
_NAME_HELP = ("1 到 64 个可见字符", "1 to 64 visible characters")
_INTRODUCTION_HELP = (
    "至多 500 个字符，不含控制字符",
    "at most 500 characters, no control characters",
)
_AVATAR_HELP = (
    "http 或 https 地址，至多 512 个字符",
    "an http(s) address of at most 512 characters",
)
_parse_flag = integer_parser(0, 1)
_parse_count = integer_parser(0, MAX_INTEGER)

GROUP_COLUMNS = (
    ImportColumn(
        "chatId",
        integer_parser(10**8, 10**9 - 1),
        None,
        "九位数字，首位不为 0",
        "nine digits, the first not 0",
    ),
    ImportColumn("banId", _parse_count, 0, _COUNT_HELP_ZH, _COUNT_HELP_EN),
    ImportColumn("nickname", _parse_name, None, *_NAME_HELP),
    ImportColumn("introduction", _parse_introduction, "", *_INTRODUCTION_HELP),
    ImportColumn("avatarUrl", _parse_avatar, "", *_AVATAR_HELP),
    ImportColumn("headcount", _parse_count, 0, _COUNT_HELP_ZH, _COUNT_HELP_EN),
    ImportColumn("createTime", integer_parser(0, MAX_UNIX_TIME), 0, "Unix 秒", "unix seconds"),
    ImportColumn(
        "category",
        _parse_category,
        "",
        "已设置的分区之一，精选除外（用 featured）",
        "one of the categories that are set, but not 精选 (that is what featured is for)",
    ),
    ImportColumn("featured", _parse_flag, 0, _FLAG_HELP_ZH, _FLAG_HELP_EN),
)
"""The columns in the order of the record."""

BOT_COLUMNS = (
    ImportColumn(
        "chatId",
        integer_parser(10**7, 10**8 - 1),
        None,
        "八位数字，首位不为 0",
        "eight digits, the first not 0",
    ),
    ImportColumn("nickname", _parse_name, None, *_NAME_HELP),
    ImportColumn("introduction", _parse_introduction, "", *_INTRODUCTION_HELP),
    ImportColumn("avatarUrl", _parse_avatar, "", *_AVATAR_HELP),
    ImportColumn("headcount", _parse_count, 0, _COUNT_HELP_ZH, _COUNT_HELP_EN),
    ImportColumn("isAdd", _parse_flag, 1, _FLAG_HELP_ZH, _FLAG_HELP_EN),
    ImportColumn("isApply", _parse_flag, 0, _FLAG_HELP_ZH, _FLAG_HELP_EN),
    ImportColumn("alwaysAgree", _parse_flag, 0, _FLAG_HELP_ZH, _FLAG_HELP_EN),
)
_IGNORED_BOT_COLUMNS = frozenset({"chatType", "introductions"})
"""Columns that bots have on the wire and that carry no information."""


def parse_group(row: ImportRow, categories: Collection[str]) -> Group:
    """Parse a row into a group.

    Raises:
        InvalidField: a value is invalid, or the row has an unknown column.
    """
    group = Group(*_parse_values(row, GROUP_COLUMNS, frozenset()))
    if group.category == FEATURED_CATEGORY or group.category not in ("", *categories):
        raise InvalidField("category")
    return group


def parse_bot(row: ImportRow) -> Bot:
    """Parse a row into a bot.

    Raises:
        InvalidField: a value is invalid, or the row has an unknown column.
    """
    return Bot(*_parse_values(row, BOT_COLUMNS, _IGNORED_BOT_COLUMNS))


def _parse_values(
    row: ImportRow, columns: tuple[ImportColumn, ...], ignored: frozenset[str]
) -> list[Any]:
    for name in row.keys() - {column.name for column in columns} - ignored:
        raise InvalidField(name)
    return [_parse_value(row, column) for column in columns]


def _parse_value(row: ImportRow, column: ImportColumn) -> object:
    value = row.get(column.name, "")
    if value == "" and column.default is not None:
        return column.default
    return column.parse(value, column.name)
