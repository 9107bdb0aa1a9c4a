"""Tables for people."""

import sys
from collections.abc import Iterable, Mapping

from hupan.app.printing import printable

_PIPE_WIDTH = 240


def print_table(heads: Mapping[str, str], rows: Iterable[Mapping[str, object]]) -> None:
    """Writes rows as a table.

    Args:
        heads: the columns that are shown, by the names of their values, with their headings.
        rows: values by name.
    """
    # Here, because rich takes longer to import than every other command takes to run.
    from rich.console import Console  # noqa: PLC0415 # as said above
    from rich.table import Table  # noqa: PLC0415 # as said above

    table = Table()
    for head in heads.values():
        # Folded where the terminal is narrow: half an id or a number serves nobody.
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(printable(str(row[name])) for name in heads))
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)
