"""Prints tables and fields that fit the terminal, and turns expected errors into exit status 1."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import typer

from hupan.admin.views import sanitize_for_terminal
from hupan.cli.language import cell_width, pad_cells, say, say_text, wrap_cells
from hupan.opening import OperationRefused, StartRefused

_PIPE_SIZE = (240, 24)
_GAP = "  "
_MIN_WRAPPED_WIDTH = 8


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        heading: its heading, in the language of the terminal.
        wraps: whether a long value continues in the next line; ids, numbers and times stay whole.
        wide_only: whether only `--wide` shows it.
    """

    heading: str
    wraps: bool = False
    wide_only: bool = False


def print_table(
    columns: Mapping[str, Column], rows: Iterable[Mapping[str, object]], *, wide: bool = False
) -> None:
    """Print rows as a table no wider than the terminal, or as a list of fields if none fits.

    Args:
        columns: the columns by the names of their values.
        rows: values by name.
        wide: whether to print all columns.
    """
    shown = {name: column for name, column in columns.items() if wide or not column.wide_only}
    cells = [[sanitize_for_terminal(str(row[name])) for name in shown] for row in rows]
    headings = [column.heading for column in shown.values()]
    widths = _fit_widths([*shown.values()], [headings, *cells])
    if widths is None:
        typer.echo("\n\n".join(_format_fields([*zip(headings, row, strict=True)]) for row in cells))
        return
    rule = _GAP.join("─" * width for width in widths)
    lines = [_format_row(headings, widths), rule, *(_format_row(row, widths) for row in cells)]
    typer.echo("\n".join(lines))


def print_fields(fields: Sequence[tuple[str, object]]) -> None:
    """Print a line for each name and value."""
    typer.echo(
        _format_fields([(name, sanitize_for_terminal(str(value))) for name, value in fields])
    )


def print_faults(faults: Iterable[str]) -> None:
    """Print a line for each fault on standard error."""
    for fault in map(sanitize_for_terminal, faults):
        typer.echo(say(f"⚠ 数据有误：{fault}", f"⚠ fault: {fault}"), err=True)


def print_json(value: object) -> None:
    """Print a value for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _terminal_width() -> int:
    return shutil.get_terminal_size(_PIPE_SIZE).columns


def _fit_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int] | None:
    """Return the width of each column; None if the terminal is too narrow for a table."""
    widths = [max(map(cell_width, values)) for values in zip(*rows, strict=True)]
    fixed = sum(w for w, column in zip(widths, columns, strict=True) if not column.wraps)
    room = _terminal_width() - fixed - len(_GAP) * (len(columns) - 1)
    wrapped = [index for index, column in enumerate(columns) if column.wraps]
    if room < sum(min(widths[index], _MIN_WRAPPED_WIDTH) for index in wrapped):
        return None
    # The shortest first: what it leaves of its share goes to the longer ones.
    for done, index in enumerate(sorted(wrapped, key=lambda index: widths[index])):
        widths[index] = min(widths[index], room // (len(wrapped) - done))
        room -= widths[index]
    return widths


def _format_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    wrapped = [wrap_cells(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(map(len, wrapped))
    columns = [[*lines, *[""] * (height - len(lines))] for lines in wrapped]
    return "\n".join(
        _GAP.join(map(pad_cells, line, widths)).rstrip() for line in zip(*columns, strict=True)
    )


def _format_fields(fields: Sequence[tuple[str, str]]) -> str:
    width = max(cell_width(name) for name, _ in fields)
    room = max(_terminal_width() - width - len(_GAP), _MIN_WRAPPED_WIDTH)
    lines = []
    for name, value in fields:
        first, *more = wrap_cells(value, room)
        lines.append(f"{pad_cells(name, width)}{_GAP}{first}".rstrip())
        lines.extend(f"{'':{width}}{_GAP}{line}" for line in more)
    return "\n".join(lines)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print why an operation or a start was refused.

    Raises:
        typer.Exit: with 1.
    """
    try:
        yield
    except (StartRefused, OperationRefused) as error:
        typer.echo(say_text(error.localized), err=True)
        raise typer.Exit(1) from error
