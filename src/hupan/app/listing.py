"""What operators do with discovery: list, import, set the categories."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeAlias, TypeVar

from hupan.app.operating import OperationRefused
from hupan.app.row_files import Problem, Problems, Row
from hupan.domain.discovery import Discovery
from hupan.domain.group_draft import Draft, Progress, drafting
from hupan.domain.listed_rows import BOT_COLUMNS, GROUP_COLUMNS, Column, bot_of, group_of
from hupan.domain.listings import Listings
from hupan.domain.refusals import InvalidField
from hupan.model import Bot, Group, Overtaken
from hupan.store.engine import Engine

ROWS_AT_ONCE = 2_000
MOST_BOTS_OF_AN_IMPORT = 10_000
"""They are kept in one change, for which a server beside it waits."""
GROUP_COLUMN_NAMES = tuple(column.name for column in GROUP_COLUMNS)
BOT_COLUMN_NAMES = (*(column.name for column in BOT_COLUMNS), "chatType", "introductions")

Kept = TypeVar("Kept", Group, Bot)
Lines: TypeAlias = Iterable[Row | Problem]


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import: everything was kept, or nothing because of the problems.

    Attributes:
        rows: how many rows were kept.
        total: how many there are now.
        problems: what is wrong, each kind once.
    """

    rows: int
    total: int
    problems: list[Problem] = field(default_factory=list)


class Listing:
    """Works on an open store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._discovery = Discovery(engine)

    async def groups(
        self, category: str, keyword: str, *, page: int, size: int
    ) -> list[dict[str, object]]:
        """A page of groups, by the names of the columns of an import."""
        try:
            found = await self._discovery.groups(category, keyword, page=page, size=size)
        except InvalidField as error:
            raise OperationRefused(
                "关键词至多 32 个字符，不能含控制字符 / "
                "a keyword has at most 32 characters, none of them control characters"
            ) from error
        return [_shown(group, GROUP_COLUMN_NAMES) for group in found]

    async def bots(self) -> list[dict[str, object]]:
        """The recommended bots, likewise."""
        return [
            _shown(bot, BOT_COLUMN_NAMES[: len(BOT_COLUMNS)])
            for bot in await self._discovery.bots()
        ]

    async def categories(self) -> list[str]:
        """The categories in their order."""
        return await self._discovery.categories()

    async def set_categories(self, names: Sequence[str]) -> None:
        """Replaces the categories; none brings the first ones back.

        Raises:
            OperationRefused: a name cannot be.
        """
        try:
            await self._discovery.set_categories(names)
        except InvalidField as error:
            raise OperationRefused(
                "分区须为 1 到 16 个字符，不重复，至多 50 个 / "
                "a category has 1 to 16 characters, stands once, and there are at most 50"
            ) from error

    async def import_groups(
        self, lines: Lines, on_read: Callable[[], None], on_indexed: Progress
    ) -> Imported:
        """Adds groups or replaces those with the same ids.

        Args:
            lines: what was read.
            on_read: told now and then while reading.
            on_indexed: told how many of all groups are indexed.

        Raises:
            OperationRefused: another import began meanwhile.
        """
        categories = frozenset(await self._discovery.categories())
        reading = Reading(lines, GROUP_COLUMNS, lambda row: group_of(row.values, categories))
        try:
            async with drafting(self._engine) as draft:
                await _stage(reading, draft, on_read)
                if reading.problems:
                    return Imported(0, 0, reading.problems.all())
                return Imported(reading.rows, await draft.finish(on_indexed))
        except Overtaken as error:
            raise OperationRefused(
                "另一个导入已开始，本次未生效 / another import began; nothing of this one was kept"
            ) from error

    async def import_bots(self, lines: Lines, on_read: Callable[[], None]) -> Imported:
        """Adds bots or replaces those with the same ids, in one change."""
        reading = Reading(lines, BOT_COLUMNS, lambda row: bot_of(row.values))
        bots = list(islice(reading, MOST_BOTS_OF_AN_IMPORT + 1))
        on_read()
        if len(bots) > MOST_BOTS_OF_AN_IMPORT:
            raise OperationRefused(
                f"一次至多导入 {MOST_BOTS_OF_AN_IMPORT} 个 / "
                f"at most {MOST_BOTS_OF_AN_IMPORT} at once"
            )
        if reading.problems:
            return Imported(0, 0, reading.problems.all())
        return Imported(len(bots), await Listings(self._engine).put_bots(bots))


class Reading(Generic[Kept]):
    """Turns rows into what is kept, and gathers the problems of those that cannot be."""

    def __init__(
        self, lines: Lines, columns: Sequence[Column], read: Callable[[Row], Kept]
    ) -> None:
        self._lines = lines
        self._columns = {column.name: column for column in columns}
        self._read: Callable[[Row], Kept] = read
        self._ids: set[int] = set()
        self.problems = Problems()

    @property
    def rows(self) -> int:
        """How many rows could be read."""
        return len(self._ids)

    def __iter__(self) -> Iterator[Kept]:
        """The rows that are right."""
        for line in self._lines:
            if isinstance(line, Problem):
                self.problems.add(line)
                continue
            try:
                kept = self._read(line)
            except InvalidField as error:
                self.problems.add(self._problem(line, error.field))
                continue
            if kept.id in self._ids:
                self.problems.add(
                    Problem(line.line, "chatId", "与前面的一行重复", "stands in a line before, too")
                )
            self._ids.add(kept.id)
            yield kept

    def _problem(self, row: Row, name: str) -> Problem:
        column = self._columns.get(name)
        if column is None:
            return Problem(row.line, name, "没有此列", "no such column")
        return Problem(row.line, name, f"须为{column.zh}", f"must be {column.en}")


async def _stage(reading: Reading[Group], draft: Draft, on_read: Callable[[], None]) -> None:
    """Hands over what is right for as long as all is; then only looks for further problems."""
    groups = iter(reading)
    while some := list(islice(groups, ROWS_AT_ONCE)):
        if not reading.problems:
            await draft.add(some)
        on_read()


def _shown(record: Group | Bot, names: Sequence[str]) -> dict[str, object]:
    """A record by its columns; the id as text, as on the wire."""
    values = (getattr(record, name) for name in record.__struct_fields__)
    return {**dict(zip(names, values, strict=True)), "chatId": str(record.id)}
