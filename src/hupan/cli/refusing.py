"""Ends a command with one sentence where the store or the key cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from hupan.app.operating import OperationRefused
from hupan.app.storing import StartRefused


@contextmanager
def refused_plainly() -> Iterator[None]:
    """Says why on stderr.

    Raises:
        typer.Exit: with 1.
    """
    try:
        yield
    except (StartRefused, OperationRefused) as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error
