"""Runs an operator's command on the open store, or ends it with one sentence."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import typer

from hupan.app.operating import operating
from hupan.app.operator_events import Act, recorded
from hupan.cli.operator_name import operator
from hupan.cli.refusing import refused_plainly
from hupan.cli.settings_or_exit import settings_or_exit
from hupan.cli.tables import print_table
from hupan.store.engine import Engine

DataDirOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="数据目录 Folder of the data", show_default=False)
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="输出 JSON。 Write JSON, for programs.")
]
Result = TypeVar("Result")


def operate(
    config: Path | None,
    data_dir: Path | None,
    work: Callable[[Engine], Awaitable[Result]],
    *,
    event: str = "",
    details: Mapping[str, object] | None = None,
) -> Result:
    """Does something with the store that the settings name; a server may run beside it.

    Args:
        config: the file of the settings.
        data_dir: where the data lie.
        work: does it.
        event: the name of the event that is recorded, "" for an act that changes nothing.
        details: what else was asked for, to be recorded.

    Raises:
        typer.Exit: with 1, when it cannot be done; the reason stands on standard error.
    """
    settings = settings_or_exit(config, {"data_dir": data_dir}).settings

    async def run() -> Result:
        async with operating(settings) as engine:
            return await work(engine)

    with refused_plainly():
        if not event:
            return asyncio.run(run())
        act = Act(event, "", details or {})
        return recorded(settings, operator(), act, lambda: asyncio.run(run()))


def show_table(
    heads: Mapping[str, str], rows: Sequence[Mapping[str, object]], *, as_json: bool
) -> None:
    """Writes rows: a table for people, a JSON array of all their values for programs."""
    if as_json:
        write_json(rows)
    else:
        print_table(heads, rows)


def write_json(value: object) -> None:
    """Writes a value for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
