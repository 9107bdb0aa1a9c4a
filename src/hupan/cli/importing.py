"""What the commands that import have in common: the file, the bar, and the problems told."""

import sys
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, BinaryIO, TypeAlias

import typer

from hupan.app.listing import Imported, Lines, Listing
from hupan.app.printing import printable
from hupan.app.row_files import Encoding, Form, Problem, read_rows
from hupan.cli.operating import DataDirOption, JsonOption, operate, write_json
from hupan.cli.settings_or_exit import ConfigOption
from hupan.store.engine import Engine

FileArgument: TypeAlias = Annotated[
    Path,
    typer.Argument(help="CSV 或 JSON Lines 文件，- 为标准输入 CSV or JSON Lines, - for stdin"),
]
FormOption: TypeAlias = Annotated[
    Form | None,
    typer.Option("--format", help="文件格式，默认由扩展名决定 By default the file's suffix tells"),
]
EncodingOption: TypeAlias = Annotated[
    Encoding, typer.Option("--encoding", help="文件的文字编码 Encoding of the file's text")
]
OnRead: TypeAlias = Callable[[], None]
OnIndexed: TypeAlias = Callable[[int, int], None]
Importing: TypeAlias = Callable[[Listing, Lines, OnRead, OnIndexed], Awaitable[Imported]]
_FORMS: dict[str, Form] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def import_command(columns: Collection[str], keep: Importing, event: str) -> Callable[..., None]:
    """The command that imports rows with these columns."""

    def import_rows(
        *,
        file: FileArgument,
        form: FormOption = None,
        encoding: EncodingOption = "utf-8",
        as_json: JsonOption = False,
        data_dir: DataDirOption = None,
        config: ConfigOption = None,
    ) -> None:
        """Imports all rows of a file, or none; says what came of it."""
        known = form_or_exit(file, form)
        with opened(file) as source, bars(source, size_of(file)) as (on_read, on_indexed):
            lines = read_rows(source, known, columns, encoding)

            async def act(engine: Engine) -> Imported:
                return await keep(Listing(engine), lines, on_read, on_indexed)

            imported = operate(config, data_dir, act, event=event, details={"file": file.name})
        tell(imported, as_json=as_json)

    return import_rows


def form_or_exit(path: Path, form: Form | None) -> Form:
    """The form of a file, as told or by its suffix.

    Raises:
        typer.BadParameter: it is neither told nor known.
    """
    known = form or _FORMS.get(path.suffix.lower())
    if known is None:
        raise typer.BadParameter(
            "请用 --format 指明格式 / tell the form with --format csv or jsonl"
        )
    return known


def size_of(path: Path) -> int | None:
    """How many bytes a file has; None for what has no size, like a pipe."""
    return path.stat().st_size if path.is_file() else None


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read, or standard input.

    Raises:
        typer.Exit: with 1, when it cannot be opened.
    """
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        typer.echo(f"无法读取文件 / cannot read {path}: {error.strerror}", err=True)
        raise typer.Exit(1) from error
    with file:
        yield file


@contextmanager
def bars(file: BinaryIO, size: int | None) -> Iterator[tuple[OnRead, OnIndexed]]:
    """Two bars on standard error, if that is a terminal: bytes that are read, groups indexed."""
    # Here, because rich takes longer to import than every other command takes to run.
    from rich.console import Console  # noqa: PLC0415 # as said above
    from rich.progress import Progress  # noqa: PLC0415 # as said above

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as shown:
        reading = shown.add_task("读取 reading", total=size)
        indexing = shown.add_task("索引 indexing", total=None, visible=False)

        def on_read() -> None:
            shown.update(reading, completed=file.tell() if size else None)

        def on_indexed(done: int, count: int) -> None:
            shown.update(reading, completed=size)
            shown.update(indexing, completed=done, total=count, visible=True)

        yield on_read, on_indexed


def tell(imported: Imported, *, as_json: bool) -> None:
    """Says what came of an import.

    Raises:
        typer.Exit: with 1, when there were problems and nothing was kept.
    """
    if as_json:
        write_json(asdict(imported))
    elif imported.problems:
        for problem in imported.problems:
            told = f"{_where(problem)}: {problem.zh} / {problem.en}"
            typer.echo(printable(told), err=True)  # a column of the file's may be anything
        count = sum(problem.count for problem in imported.problems)
        typer.echo(
            f"有 {count} 处错误，未导入任何内容 / {count} problems: nothing was kept", err=True
        )
    else:
        typer.echo(
            f"已导入 {imported.rows}，现共 {imported.total} / "
            f"{imported.rows} imported, {imported.total} in all"
        )
    if imported.problems:
        raise typer.Exit(1)


def _where(problem: Problem) -> str:
    """The lines that a problem is about, the first ones of many, and its column."""
    numbers = [str(line) for line in problem.lines or (problem.line,)]
    zh, en = "、".join(numbers), ", ".join(numbers)
    if problem.count > len(numbers):
        zh, en = f"{zh} 等 {problem.count}", f"{en} … ({problem.count} in all)"
    return f"第 {zh} 行 line {en} {problem.column}".rstrip()
