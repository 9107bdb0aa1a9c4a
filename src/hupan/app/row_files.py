"""Rows of a file that somebody wrote: CSV with a head, or one JSON object on each line.

A line that cannot be read is told with its number, and the reading goes on behind it; a text in
another encoding is one problem, and ends it.
"""

import csv
import io
import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal, NoReturn, TypeAlias

from hupan.app.operating import OperationRefused

Form: TypeAlias = Literal["csv", "jsonl"]
Encoding: TypeAlias = Literal["utf-8", "gbk", "utf-16"]
_CODECS: Mapping[Encoding, str] = {"utf-8": "utf-8", "gbk": "gb18030", "utf-16": "utf-16"}
"""GB18030 is GBK with the characters that GBK lacks; files with them are called GBK, too."""
MOST_KINDS, MOST_LINES_NAMED = 100, 5
MOST_LINE_BYTES = 4 * 1024 * 1024
MOST_FILE_BYTES = 2 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line, or alike with several.

    Attributes:
        line: its number, 1 for the first; that of its first line where a row has several.
        column: the column it is about, "" for the whole line.
        zh: what would be right, for people.
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


class Problems:
    """Gathers problems, each kind once with the lines that have it; bounded, however many."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], Problem] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._kinds)

    def add(self, problem: Problem) -> None:
        """Counts one among its kind."""
        key = (problem.column, problem.zh)
        if key not in self._kinds and len(self._kinds) >= MOST_KINDS:
            problem = Problem(problem.line, "", "还有其他错误", "there are others")
            key = ("", problem.zh)
        known = self._kinds.get(key, replace(problem, count=0))
        lines = known.lines
        if len(lines) < MOST_LINES_NAMED:
            lines = (*lines, problem.line)
        self._kinds[key] = replace(known, lines=lines, count=known.count + 1)

    def all(self) -> list[Problem]:
        """One of each kind, in the order in which they were met."""
        return list(self._kinds.values())


@dataclass(frozen=True, slots=True)
class Row:
    """A row by the names of its columns."""

    line: int
    values: Mapping[str, object]


def read_rows(
    file: BinaryIO, form: Form, columns: Collection[str], encoding: Encoding = "utf-8"
) -> Iterator[Row | Problem]:
    """The rows of a file, at least one; blank lines and rows of empty cells are passed over.

    Args:
        file: what is read; it is not closed.
        form: how its rows are written.
        columns: those that a CSV may have; JSON objects are looked at by whoever reads the row.
        encoding: of its text. Where the file has another one, that is one problem, and its name.

    Raises:
        OperationRefused: the file cannot be read on, or is too large.
    """
    count = 0
    lines = _lines(file, encoding)
    try:
        for row in _read_csv(lines, columns) if form == "csv" else _read_jsonl(lines):
            count += 1
            yield row
    except _Unreadable as error:
        yield error.problem
        return
    except OSError as error:
        reason = error.strerror or str(error)
        raise OperationRefused(f"无法读取文件 / cannot read the file: {reason}") from error
    if not count:
        yield Problem(1, "", "没有可导入的行", "there is no row to import")


class _Unreadable(Exception):  # noqa: N818 - it names what was found
    """What follows is no text that can be read; one problem says why."""

    def __init__(self, line: int, zh: str, en: str) -> None:
        super().__init__(en)
        self.problem = Problem(line, "", zh, en)


def _lines(file: BinaryIO, encoding: Encoding) -> Iterator[str]:
    """The lines of a text with their ends, each of a bounded length; without a mark of its order.

    Raises:
        _Unreadable: it is no text in this encoding, or a line is too long.
        OperationRefused: there is too much of it.
    """
    size = 0
    for number, line in enumerate(_raw_lines(file, encoding), start=1):
        size += len(line)
        if size > MOST_FILE_BYTES:
            raise OperationRefused(
                "文件过大，请分批导入 / the file is too large: import it in parts"
            )
        if len(line) > MOST_LINE_BYTES:
            raise _Unreadable(number, "此行过长", "the line is too long")
        if number == 1 and line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise _other_encoding(number, "UTF-16", "utf-16")
        if number == 1 and b"\0" in line:
            raise _no_utf8(number)  # UTF-16 without its mark, UTF-32, or no text at all
        try:
            yield line.removeprefix(BOM_UTF8 if number == 1 else b"").decode()
        except UnicodeDecodeError as error:
            raise _not_utf8(number, line) from error


def _raw_lines(file: BinaryIO, encoding: Encoding) -> Iterator[bytes]:
    """The lines in UTF-8, whatever the encoding of the file; cut where they are too long."""
    if encoding == "utf-8":
        while line := file.readline(MOST_LINE_BYTES + 1):
            yield line
        return
    text = io.TextIOWrapper(file, _CODECS[encoding], newline="\n")
    number = 0
    try:
        while shown := text.readline(MOST_LINE_BYTES + 1):
            number += 1
            yield shown.encode("utf-8", "surrogatepass")
    except UnicodeError as error:
        name = encoding.upper()
        raise _Unreadable(number + 1, f"不是 {name} 文本", f"is no text in {name}") from error
    finally:
        text.detach()  # or its end would close the file, which is the caller's


def _not_utf8(number: int, line: bytes) -> _Unreadable:
    """What a line is that is not UTF-8: most likely GBK, as spreadsheets of China write it."""
    try:
        line.decode("gb18030")
    except UnicodeDecodeError:
        return _no_utf8(number)
    return _other_encoding(number, "GBK", "gbk")


def _no_utf8(number: int) -> _Unreadable:
    return _Unreadable(
        number, "不是 UTF-8 文本，请另存为 UTF-8", "is no text in UTF-8: save it as UTF-8"
    )


def _other_encoding(number: int, name: str, option: str) -> _Unreadable:
    return _Unreadable(
        number,
        f"文件编码是 {name}：请另存为 UTF-8，或加上 --encoding {option}",
        f"the file is in {name}: save it as UTF-8, or give --encoding {option}",
    )


class _Twice(ValueError):  # noqa: N818 - it names what was found
    """An object has a key twice; the key is the text."""


def _read_jsonl(lines: Iterable[str]) -> Iterator[Row | Problem]:
    for line, written in enumerate(lines, start=1):
        if not written.strip():
            continue
        try:
            given = _object(written)
            yield Row(line, {name: value for name, value in given.items() if value is not None})
        except _Twice as error:
            yield Problem(line, str(error), "此列出现两次", "the column stands twice")
        except (ValueError, RecursionError):
            yield Problem(
                line, "", "须为一个 JSON 对象（UTF-8）", "must be one JSON object in UTF-8"
            )


def _object(written: str) -> dict[str, object]:
    """An object of JSON.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(written, object_pairs_hook=_each_once, parse_constant=_no_such_number)
    if not isinstance(value, dict):
        raise ValueError("no object")  # noqa: TRY004 - it is the value that is wrong, not a type
    return value


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return found


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _read_csv(lines: Iterable[str], columns: Collection[str]) -> Iterator[Row | Problem]:
    # Old spreadsheets end their lines with a carriage return alone.
    parts = (part for line in lines for part in io.StringIO(line, newline=""))
    yield from _read_cells(parts, columns)


def _read_cells(text: Iterable[str], columns: Collection[str]) -> Iterator[Row | Problem]:
    reader = csv.reader(text, strict=True)
    head: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Problem(line, "", "不是有效的 CSV", "is not valid CSV")
            continue
        if not any(map(str.strip, cells)):
            continue  # a blank line, or a row that a spreadsheet left empty
        if head is None:
            head = cells
            wrong = list(_wrong_head(line, head, columns))
            yield from wrong
            if wrong:
                return
        else:
            yield _row(line, head, cells)


def _row(line: int, head: list[str], cells: list[str]) -> Row | Problem:
    if len(cells) != len(head):
        counts = (len(cells), len(head))
        return Problem(
            line, "", "有 {} 列，应为 {} 列".format(*counts), "has {} cells, not {}".format(*counts)
        )
    return Row(line, dict(zip(head, cells, strict=True)))


def _wrong_head(line: int, head: list[str], columns: Collection[str]) -> Iterator[Problem]:
    known = ", ".join(columns)
    for name in dict.fromkeys(head):
        if name not in columns:
            yield Problem(
                line, name, f"没有此列，可用的列：{known}", f"no such column; there are {known}"
            )
        elif head.count(name) > 1:
            yield Problem(line, name, "此列出现两次", "the column stands twice")
