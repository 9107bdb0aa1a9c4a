"""Prints tables, and turns expected errors into one line and exit status 1."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import typer

from hupan.admin.views import sanitize_for_terminal
from hupan.opening import OperationRefused, StartRefused

_PIPE_WIDTH_COLUMNS = 240


def print_table(columns: Mapping[str, str], rows: Iterable[Mapping[str, object]]) -> None:
    """Writes rows as a table.

    Args:
        columns: the columns that are shown, by the names of their values, with their headings.
        rows: values by name.
    """
    # Here, because rich takes longer to import than every other command takes to run.
    from rich.console import Console  # noqa: PLC0415 # as said above
    from rich.table import Table  # noqa: PLC0415 # as said above

    table = Table()
    for heading in columns.values():
        # Folded where the terminal is narrow: half an id or a number serves nobody.
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(sanitize_for_terminal(str(row[name])) for name in columns))
    width = None if sys.stdout.isatty() else _PIPE_WIDTH_COLUMNS
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Says why on stderr.

    Raises:
        typer.Exit: with 1.
    """
    try:
        yield
    except (StartRefused, OperationRefused) as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error
