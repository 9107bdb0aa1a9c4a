"""Rows of a file that somebody wrote: CSV with a head, or one JSON object on each line.

A line that cannot be read is told with its number, and the reading goes on behind it.
"""

import csv
import io
import json
from codecs import BOM_UTF8
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal, NoReturn, TypeAlias

from hupan.app.operating import OperationRefused

Form: TypeAlias = Literal["csv", "jsonl"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line.

    Attributes:
        line: its number, 1 for the first; that of its first line where a row has several.
        column: the column it is about, "" for the whole line.
        zh: what would be right, for people.
        en: the same in English.
    """

    line: int
    column: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row by the names of its columns."""

    line: int
    values: Mapping[str, object]


def read_rows(file: BinaryIO, form: Form, columns: Collection[str]) -> Iterator[Row | Problem]:
    """The rows of a file in UTF-8, at least one; blank lines are passed over.

    Args:
        file: what is read; it is not closed.
        form: how its rows are written.
        columns: those that a CSV may have; JSON objects are looked at by whoever reads the row.

    Raises:
        OperationRefused: the file cannot be read on.
    """
    count = 0
    try:
        for row in _read_csv(file, columns) if form == "csv" else _read_jsonl(file):
            count += 1
            yield row
    except OSError as error:
        reason = error.strerror or str(error)
        raise OperationRefused(f"无法读取文件 / cannot read the file: {reason}") from error
    if not count:
        yield Problem(1, "", "没有可导入的行", "there is no row to import")


class _Twice(ValueError):  # noqa: N818 - it names what was found
    """An object has a key twice; the key is the text."""


def _read_jsonl(file: BinaryIO) -> Iterator[Row | Problem]:
    for line, text in enumerate(file, start=1):
        written = text.removeprefix(BOM_UTF8) if line == 1 else text
        if not written.strip():
            continue
        try:
            yield Row(line, _object(written))
        except _Twice as error:
            yield Problem(line, str(error), "此列出现两次", "the column stands twice")
        except (ValueError, RecursionError):
            yield Problem(
                line, "", "须为一个 JSON 对象（UTF-8）", "must be one JSON object in UTF-8"
            )


def _object(written: bytes) -> dict[str, object]:
    """An object of JSON.

    Raises:
        ValueError: it is none.
    """
    value = json.loads(
        written.decode(), object_pairs_hook=_each_once, parse_constant=_no_such_number
    )
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


def _read_csv(file: BinaryIO, columns: Collection[str]) -> Iterator[Row | Problem]:
    # What is not UTF-8 becomes lone surrogates, which no column takes: so its line can be named.
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _read_cells(text, columns)
    finally:
        text.detach()  # or its end would close the file, which is the caller's


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
        if head is None:
            head = cells
            wrong = list(_wrong_head(line, head, columns))
            yield from wrong
            if wrong:
                return
        elif cells:
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
        shown = name.encode("utf-8", "replace").decode()
        if name not in columns:
            yield Problem(
                line, shown, f"没有此列，可用的列：{known}", f"no such column; there are {known}"
            )
        elif head.count(name) > 1:
            yield Problem(line, shown, "此列出现两次", "the column stands twice")
