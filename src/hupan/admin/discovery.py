"""Admin operations on discovery: list groups and bots, import CSV or JSON Lines, set categories.

An unreadable line is reported with its number, and reading continues after it; a text in another
encoding is one problem, and ends it.
"""

import csv
import io
import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import BinaryIO, Generic, Literal, NoReturn, TypeAlias, TypeVar

from hupan.domain.discovery import (
    BOT_COLUMNS,
    GROUP_COLUMNS,
    Discovery,
    DiscoveryImporter,
    GroupIndexBuild,
    ImportColumn,
    ProgressCallback,
    build_group_index,
    parse_bot,
    parse_group,
)
from hupan.errors import InvalidField
from hupan.library_errors import localize_reason
from hupan.model import Bot, Group, Overtaken
from hupan.opening import OperationRefused
from hupan.store.database import Database

FileFormat: TypeAlias = Literal["csv", "jsonl"]
Encoding: TypeAlias = Literal["utf-8", "gbk", "utf-16"]
_CODEC_NAMES: Mapping[Encoding, str] = {"utf-8": "utf-8", "gbk": "gb18030", "utf-16": "utf-16"}
"""GB18030 is GBK with the characters that GBK lacks; files with them are called GBK, too."""
MAX_PROBLEM_KINDS, MAX_LINES_PER_PROBLEM = 100, 5
MAX_LINE_BYTES = 4 * 1024 * 1024
MAX_FILE_BYTES = 2 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """A problem of one line, or the same one of several.

    Attributes:
        line: its number, starting with 1; the first one if a row has several lines.
        column: the name of the column, "" for the whole line.
        zh: what would be valid, in Chinese.
        en: the same in English.
        lines: the first of the lines that have it; () for `line` alone.
        count: how many lines have it.
    """

    line: int
    column: str
    zh: str
    en: str
    lines: tuple[int, ...] = ()
    count: int = 1


class ImportProblems:
    """Collects problems, each kind once with the lines that have it; bounded in size."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], ImportProblem] = {}

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def add(self, problem: ImportProblem) -> None:
        """Count a problem with its kind."""
        key = (problem.column, problem.zh)
        if key not in self._kinds and len(self._kinds) >= MAX_PROBLEM_KINDS:
            problem = ImportProblem(problem.line, "", "还有其他错误", "there are others")
            key = ("", problem.zh)
        known = self._kinds.get(key, replace(problem, count=0))
        lines = known.lines
        if len(lines) < MAX_LINES_PER_PROBLEM:
            lines = (*lines, problem.line)
        self._kinds[key] = replace(known, lines=lines, count=known.count + 1)

    def all(self) -> list[ImportProblem]:
        """Return one of each kind, in the order of their first occurrence."""
        return list(self._kinds.values())


@dataclass(frozen=True, slots=True)
class InputRow:
    """A row by the names of its columns."""

    line: int
    values: Mapping[str, object]


def read_rows(
    file: BinaryIO, file_format: FileFormat, columns: Collection[str], encoding: Encoding = "utf-8"
) -> Iterator[InputRow | ImportProblem]:
    """Yield the rows of a file; skip blank lines and rows of empty cells.

    No row at all is a problem.

    Args:
        file: is read, but not closed.
        file_format: CSV or JSON Lines.
        columns: the allowed columns of a CSV; the caller checks the keys of JSON objects.
        encoding: the encoding of the text. If the file has another one, that is the only problem.

    Raises:
        OperationRefused: the file cannot be read, or is too large.
    """
    count = 0
    lines = _decode_lines(file, encoding)
    try:
        for row in _read_csv(lines, columns) if file_format == "csv" else _read_jsonl(lines):
            count += 1
            yield row
    except _UnreadableText as error:
        yield error.problem
        return
    except OSError as error:
        reason = localize_reason(error)
        raise OperationRefused(
            f"无法读取文件：{reason.zh}", f"cannot read the file: {reason.en}"
        ) from error
    if not count:
        yield ImportProblem(1, "", "没有可导入的行", "there is no row to import")


class _UnreadableText(Exception):
    """The rest of the text cannot be read; carries the problem."""

    def __init__(self, line: int, zh: str, en: str) -> None:
        super().__init__(en)
        self.problem = ImportProblem(line, "", zh, en)


def _decode_lines(file: BinaryIO, encoding: Encoding) -> Iterator[str]:
    """Yield the lines of a text with their ends, each of bounded length, without a byte order mark.

    Raises:
        _UnreadableText: it is not in this encoding, or a line is too long.
        OperationRefused: it is too large.
    """
    size = 0
    for number, line in enumerate(_read_utf8_lines(file, encoding), start=1):
        size += len(line)
        if size > MAX_FILE_BYTES:
            raise OperationRefused(
                "文件过大，请分批导入", "the file is too large: import it in parts"
            )
        if len(line) > MAX_LINE_BYTES:
            raise _UnreadableText(number, "此行过长", "the line is too long")
        if number == 1 and line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise _wrong_encoding_error(number, "UTF-16", "utf-16")
        if number == 1 and b"\0" in line:
            raise _not_utf8_error(number)  # UTF-16 without a byte order mark, UTF-32, or not text
        try:
            yield line.removeprefix(BOM_UTF8 if number == 1 else b"").decode()
        except UnicodeDecodeError as error:
            raise _encoding_error(number, line) from error


def _read_utf8_lines(file: BinaryIO, encoding: Encoding) -> Iterator[bytes]:
    """Yield the lines in UTF-8, from any encoding of the file; truncated if too long."""
    if encoding == "utf-8":
        while line := file.readline(MAX_LINE_BYTES + 1):
            yield line
        return
    text = io.TextIOWrapper(file, _CODEC_NAMES[encoding], newline="\n")
    number = 0
    try:
        while shown := text.readline(MAX_LINE_BYTES + 1):
            number += 1
            yield shown.encode("utf-8", "surrogatepass")
    except UnicodeError as error:
        name = encoding.upper()
        raise _UnreadableText(number + 1, f"不是 {name} 文本", f"is not text in {name}") from error
    finally:
        text.detach()  # or it would close the caller's file


def _encoding_error(number: int, line: bytes) -> _UnreadableText:
    """Return the error for a line that is not UTF-8: Chinese spreadsheets often write GBK."""
    try:
        line.decode("gb18030")
    except UnicodeDecodeError:
        return _not_utf8_error(number)
    return _wrong_encoding_error(number, "GBK", "gbk")


def _not_utf8_error(number: int) -> _UnreadableText:
    return _UnreadableText(
        number, "不是 UTF-8 文本，请另存为 UTF-8", "is not UTF-8 text: save it as UTF-8"
    )


def _wrong_encoding_error(number: int, name: str, option: str) -> _UnreadableText:
    return _UnreadableText(
        number,
        f"文件编码是 {name}：请另存为 UTF-8，或加上 --encoding {option}",
        f"the file is in {name}: save it as UTF-8, or use --encoding {option}",
    )


class _DuplicateKey(ValueError):
    """An object has a key twice; the key is the text."""


def _read_jsonl(lines: Iterable[str]) -> Iterator[InputRow | ImportProblem]:
    for line, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            values = _parse_object(text)
            yield InputRow(
                line, {name: value for name, value in values.items() if value is not None}
            )
        except _DuplicateKey as error:
            yield ImportProblem(line, str(error), "此列出现两次", "the column occurs twice")
        except (ValueError, RecursionError):
            yield ImportProblem(
                line, "", "须为一个 JSON 对象（UTF-8）", "must be one JSON object in UTF-8"
            )


def _parse_object(text: str) -> dict[str, object]:
    """Return an object of JSON.

    Raises:
        ValueError: it is not one.
    """
    value = json.loads(
        text, object_pairs_hook=_reject_duplicate_keys, parse_constant=_reject_constant
    )
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - it is the value that is wrong, not a type
    return value


def _reject_duplicate_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKey(next(name for name in names if names.count(name) > 1))
    return found


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_csv(lines: Iterable[str], columns: Collection[str]) -> Iterator[InputRow | ImportProblem]:
    # Old spreadsheets end their lines with only a carriage return.
    parts = (part for line in lines for part in io.StringIO(line, newline=""))
    yield from _read_cells(parts, columns)


def _read_cells(
    text: Iterable[str], columns: Collection[str]
) -> Iterator[InputRow | ImportProblem]:
    reader = csv.reader(text, strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield ImportProblem(line, "", "不是有效的 CSV", "is not valid CSV")
            continue
        if not any(map(str.strip, cells)):
            continue  # a blank line, or an empty row of a spreadsheet
        if header is None:
            header = cells
            header_problems = list(_check_header(line, header, columns))
            yield from header_problems
            if header_problems:
                return
        else:
            yield _make_row(line, header, cells)


def _make_row(line: int, header: list[str], cells: list[str]) -> InputRow | ImportProblem:
    if len(cells) != len(header):
        counts = (len(cells), len(header))
        return ImportProblem(
            line, "", "有 {} 列，应为 {} 列".format(*counts), "has {} cells, not {}".format(*counts)
        )
    return InputRow(line, dict(zip(header, cells, strict=True)))


def _check_header(
    line: int, header: list[str], columns: Collection[str]
) -> Iterator[ImportProblem]:
    known = ", ".join(columns)
    for name in dict.fromkeys(header):
        if name not in columns:
            yield ImportProblem(
                line, name, f"没有此列，可用的列：{known}", f"no such column; there are {known}"
            )
        elif header.count(name) > 1:
            yield ImportProblem(line, name, "此列出现两次", "the column occurs twice")


BATCH_ROWS = 2_000
MAX_BOTS_PER_IMPORT = 10_000
"""The maximum of one import: one transaction, for which a running server waits."""
GROUP_COLUMN_NAMES = tuple(column.name for column in GROUP_COLUMNS)
BOT_COLUMN_NAMES = (*(column.name for column in BOT_COLUMNS), "chatType", "introductions")

Record = TypeVar("Record", Group, Bot)
InputRows: TypeAlias = Iterable[InputRow | ImportProblem]


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of an import: all rows were stored, or none because of the problems.

    Attributes:
        rows: how many rows were stored.
        total: how many there are now.
        problems: each kind once.
    """

    rows: int
    total: int
    problems: list[ImportProblem] = field(default_factory=list)


class DiscoveryAdmin:
    """Lists and imports what discovery shows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._discovery = Discovery(database)

    async def list_groups(
        self, category: str, keyword: str, *, page: int, size: int
    ) -> list[dict[str, object]]:
        """Return a page of groups, with the column names of an import."""
        try:
            found = await self._discovery.groups(category, keyword, page=page, size=size)
        except InvalidField as error:
            raise OperationRefused(
                "关键词至多 32 个字符，不能含控制字符",
                "a keyword has at most 32 characters, none of them control characters",
            ) from error
        return [_record_row(group, GROUP_COLUMN_NAMES) for group in found]

    async def list_bots(self) -> list[dict[str, object]]:
        """Return the recommended bots, with the column names of an import."""
        return [
            _record_row(bot, BOT_COLUMN_NAMES[: len(BOT_COLUMNS)])
            for bot in await self._discovery.bots()
        ]

    async def list_categories(self) -> list[str]:
        return await self._discovery.categories()

    async def set_categories(self, names: Sequence[str]) -> None:
        """Replace the categories; none restores the defaults.

        Raises:
            OperationRefused: a name is not valid.
        """
        try:
            await self._discovery.set_categories(names)
        except InvalidField as error:
            raise OperationRefused(
                "分区须为 1 到 16 个字符，不重复，至多 50 个",
                "categories have 1 to 16 characters each, differ from each other, and are at most "
                "50",
            ) from error

    async def import_groups(
        self, rows: InputRows, on_read: Callable[[], None], on_indexed: ProgressCallback
    ) -> ImportResult:
        """Add groups, or replace those with the same ids.

        Args:
            rows: the rows of the file.
            on_read: is called now and then while reading.
            on_indexed: is called with the progress of indexing.

        Raises:
            OperationRefused: another import began meanwhile.
        """
        categories = frozenset(await self._discovery.categories())
        reader = RecordReader(rows, GROUP_COLUMNS, lambda row: parse_group(row.values, categories))
        try:
            async with build_group_index(self._database) as build:
                await _stage_groups(reader, build, on_read)
                if reader.problems:
                    return ImportResult(0, 0, reader.problems.all())
                return ImportResult(reader.row_count, await build.finish(on_indexed))
        except Overtaken as error:
            raise OperationRefused(
                "另一个导入已开始，本次未生效",
                "another import has started; nothing of this one was saved",
            ) from error

    async def import_bots(self, rows: InputRows, on_read: Callable[[], None]) -> ImportResult:
        """Add bots, or replace those with the same ids, in one transaction."""
        reader = RecordReader(rows, BOT_COLUMNS, lambda row: parse_bot(row.values))
        bots = list(islice(reader, MAX_BOTS_PER_IMPORT + 1))
        on_read()
        if len(bots) > MAX_BOTS_PER_IMPORT:
            raise OperationRefused(
                f"一次至多导入 {MAX_BOTS_PER_IMPORT} 个",
                f"at most {MAX_BOTS_PER_IMPORT} at once",
            )
        if reader.problems:
            return ImportResult(0, 0, reader.problems.all())
        return ImportResult(len(bots), await DiscoveryImporter(self._database).import_bots(bots))


class RecordReader(Generic[Record]):
    """Parses rows into records, and collects the problems of the others."""

    def __init__(
        self, rows: InputRows, columns: Sequence[ImportColumn], parse: Callable[[InputRow], Record]
    ) -> None:
        self._rows = rows
        self._columns = {column.name: column for column in columns}
        self._parse: Callable[[InputRow], Record] = parse
        self._ids: set[int] = set()
        self.problems = ImportProblems()

    @property
    def row_count(self) -> int:
        """The number of valid rows."""
        return len(self._ids)

    def __iter__(self) -> Iterator[Record]:
        """Yield the valid records."""
        for row in self._rows:
            if isinstance(row, ImportProblem):
                self.problems.add(row)
                continue
            try:
                record = self._parse(row)
            except InvalidField as error:
                self.problems.add(self._column_problem(row, error.field))
                continue
            if record.id in self._ids:
                self.problems.add(
                    ImportProblem(
                        row.line, "chatId", "与前面的某行重复", "occurs on an earlier line too"
                    )
                )
            self._ids.add(record.id)
            yield record

    def _column_problem(self, row: InputRow, name: str) -> ImportProblem:
        column = self._columns.get(name)
        if column is None:
            return ImportProblem(row.line, name, "没有此列", "no such column")
        return ImportProblem(row.line, name, f"须为{column.zh}", f"must be {column.en}")


async def _stage_groups(
    reader: RecordReader[Group], build: GroupIndexBuild, on_read: Callable[[], None]
) -> None:
    """Store the records; after the first problem, only collect further problems."""
    groups = iter(reader)
    while batch := list(islice(groups, BATCH_ROWS)):
        if not reader.problems:
            await build.add(batch)
        on_read()


def _record_row(record: Group | Bot, names: Sequence[str]) -> dict[str, object]:
    """Return a record by its columns; the id as text, as on the wire."""
    values = (getattr(record, name) for name in record.__struct_fields__)
    return {**dict(zip(names, values, strict=True)), "chatId": str(record.id)}
