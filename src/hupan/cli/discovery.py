"""`hupan group`, `hupan bot` and `hupan category`: list and import for discovery."""

import sys
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, BinaryIO, TypeAlias

import typer

from hupan.admin.discovery import (
    BOT_COLUMN_NAMES,
    GROUP_COLUMN_NAMES,
    DiscoveryAdmin,
    Encoding,
    FileFormat,
    ImportProblem,
    ImportResult,
    InputRows,
    read_rows,
)
from hupan.admin.views import AdminRow, sanitize_for_terminal
from hupan.cli.help import make_group
from hupan.cli.language import say
from hupan.cli.output import Column, print_json, print_table
from hupan.cli.run import AdminCommand, admin_command, admin_list_command
from hupan.library_errors import localize_reason
from hupan.wiring import AdminServices

FileArgument: TypeAlias = Annotated[
    Path,
    typer.Argument(
        help=say(
            "CSV 或 JSON Lines 文件，- 为标准输入。",
            "CSV or JSON Lines file; - for standard input.",
        )
    ),
]
FormatOption: TypeAlias = Annotated[
    FileFormat | None,
    typer.Option(
        "--format",
        help=say("文件格式；默认由扩展名决定。", "Format of the file. Default: by its suffix."),
    ),
]
EncodingOption: TypeAlias = Annotated[
    Encoding, typer.Option("--encoding", help=say("文件的文字编码。", "Text encoding of the file."))
]
OnRead: TypeAlias = Callable[[], None]
OnIndexed: TypeAlias = Callable[[int, int], None]
ImportFunction: TypeAlias = Callable[
    [DiscoveryAdmin, InputRows, OnRead, OnIndexed], Awaitable[ImportResult]
]
_FORMAT_BY_SUFFIX: dict[str, FileFormat] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def make_import_command(
    columns: Collection[str], import_function: ImportFunction, event: str
) -> Callable[..., None]:
    """Return the command that imports rows with these columns."""

    @admin_command
    def import_rows(
        command: AdminCommand,
        *,
        file: FileArgument,
        form: FormatOption = None,
        encoding: EncodingOption = "utf-8",
    ) -> None:
        """Import all rows of a file, or none, and print the result."""
        known = choose_format_or_exit(file, form)
        with (
            open_input(file) as source,
            show_progress(source, find_file_size(file)) as (on_read, on_indexed),
        ):
            lines = read_rows(source, known, columns, encoding)

            imported = command.run(
                lambda services: import_function(services.discovery, lines, on_read, on_indexed),
                event=event,
                details={"file": file.name},
            )
        print_import_result(imported, as_json=command.as_json)

    return import_rows


def choose_format_or_exit(path: Path, file_format: FileFormat | None) -> FileFormat:
    """Return the format of a file: the given one, or that of its suffix.

    Raises:
        typer.BadParameter: it is neither given nor known.
    """
    known = file_format or _FORMAT_BY_SUFFIX.get(path.suffix.lower())
    if known is None:
        raise typer.BadParameter(
            say("请用 --format 指明格式", "set the format: --format csv or --format jsonl")
        )
    return known


def find_file_size(path: Path) -> int | None:
    """Return the bytes of a file; None for what has no size, such as a pipe."""
    return path.stat().st_size if path.is_file() else None


@contextmanager
def open_input(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read, or standard input.

    Raises:
        typer.Exit: with 1, when it cannot be opened.
    """
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        reason = localize_reason(error)
        typer.echo(
            say(
                f"无法读取 {path}：{reason.zh}",
                f"cannot read {path}: {reason.en}",
            ),
            err=True,
        )
        raise typer.Exit(1) from error
    with file:
        yield file


@contextmanager
def show_progress(file: BinaryIO, size: int | None) -> Iterator[tuple[OnRead, OnIndexed]]:
    """Show two bars on standard error, if that is a terminal: bytes read, groups indexed."""
    # Here, because rich takes longer to import than every other command takes to run.
    from rich.console import Console  # noqa: PLC0415 # as said above
    from rich.progress import Progress  # noqa: PLC0415 # as said above

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as shown:
        reading = shown.add_task(say("读取", "reading"), total=size)
        indexing = shown.add_task(say("索引", "indexing"), total=None, visible=False)

        def on_read() -> None:
            shown.update(reading, completed=file.tell() if size else None)

        def on_indexed(done: int, count: int) -> None:
            shown.update(reading, completed=size)
            shown.update(indexing, completed=done, total=count, visible=True)

        yield on_read, on_indexed


def print_import_result(result: ImportResult, *, as_json: bool) -> None:
    """Print the result of an import.

    Raises:
        typer.Exit: with 1, when there were problems and nothing was imported.
    """
    if as_json:
        print_json(asdict(result))
    elif result.problems:
        for problem in result.problems:
            # A column of the file may have any name.
            typer.echo(sanitize_for_terminal(_format_problem(problem)), err=True)
        count = sum(problem.count for problem in result.problems)
        typer.echo(
            say(f"有 {count} 处错误，未导入任何内容", f"{count} problems: nothing was imported"),
            err=True,
        )
    else:
        typer.echo(
            say(
                f"已导入 {result.rows} 个，现共 {result.total} 个",
                f"{result.rows} imported, {result.total} in total",
            )
        )
    if result.problems:
        raise typer.Exit(1)


def _format_problem(problem: ImportProblem) -> str:
    """Return the lines of a problem, its column and what would be right."""
    numbers = [str(line) for line in problem.lines or (problem.line,)]
    zh, en = "、".join(numbers), ", ".join(numbers)
    if problem.count > len(numbers):
        zh, en = f"{zh} 等 {problem.count}", f"{en} … ({problem.count} in total)"
    column = f" {problem.column}" if problem.column else ""
    return say(f"第 {zh} 行{column}：{problem.zh}", f"line {en}{column}: {problem.en}")


_BOT_COLUMNS = {
    "chatId": Column(say("号码", "Id")),
    "nickname": Column(say("名称", "Name"), wraps=True),
    "headcount": Column(say("使用人数", "Headcount")),
    "isAdd": Column(say("可添加", "isAdd"), wide_only=True),
    "isApply": Column(say("需申请", "isApply"), wide_only=True),
    "alwaysAgree": Column(say("总是同意", "alwaysAgree"), wide_only=True),
    "introduction": Column(say("简介", "Introduction"), wraps=True),
}
_GROUP_COLUMNS = {
    "chatId": Column(say("群号", "Id")),
    "nickname": Column(say("名称", "Name"), wraps=True),
    "headcount": Column(say("人数", "Headcount")),
    "category": Column(say("分区", "Category"), wraps=True),
    "featured": Column(say("精选", "Featured")),
    "introduction": Column(say("简介", "Introduction"), wraps=True, wide_only=True),
}
bots_app = make_group(
    say(
        "管理“发现”中推荐的机器人，可在服务器运行时使用。",
        "Manage the recommended bots; the server can be running.",
    ),
    say("管理推荐的机器人", "Manage the recommended bots"),
)
groups_app = make_group(
    say(
        "管理“发现”中的群聊，可在服务器运行时使用。",
        "Manage the groups in discovery; the server can be running.",
    ),
    say("管理发现页的群聊", "Manage the groups in discovery"),
)
categories_app = make_group(
    say(
        "管理“发现”中的分区，可在服务器运行时使用。",
        "Manage the categories in discovery; the server can be running.",
    ),
    say("管理发现页的分区", "Manage the categories in discovery"),
)


def _import_help(zh: str, en: str, column_names: Collection[str]) -> str:
    columns = ", ".join(column_names)
    return say(
        f"导入{zh}相同者被替换；任何一行有误则全部不导入。\n\n列：{columns}",
        f"Import {en}; those with the same id are replaced. If a line is wrong, nothing is "
        f"imported.\n\nColumns: {columns}",
    )


bots_app.command(
    "import",
    help=_import_help("机器人，号码", "bots", BOT_COLUMN_NAMES),
    short_help=say("导入机器人", "Import bots"),
)(
    make_import_command(
        BOT_COLUMN_NAMES,
        lambda discovery, rows, on_read, _: discovery.import_bots(rows, on_read),
        "operator-bot-import",
    )
)
groups_app.command(
    "import",
    help=_import_help("群聊，群号", "groups", GROUP_COLUMN_NAMES),
    short_help=say("导入群聊", "Import groups"),
)(make_import_command(GROUP_COLUMN_NAMES, DiscoveryAdmin.import_groups, "operator-group-import"))


@bots_app.command(
    "list",
    help=say("按使用人数列出推荐的机器人。", "List the recommended bots by headcount."),
    short_help=say("列出机器人", "List bots"),
)
@admin_list_command
def list_bots(command: AdminCommand) -> None:
    """Print the bots as a table, or as a JSON array."""
    bots = command.run(lambda services: services.discovery.list_bots())
    _print_list(command, bots, _BOT_COLUMNS)


@groups_app.command(
    "list",
    help=say("按人数列出群聊。", "List groups by headcount."),
    short_help=say("列出群聊", "List groups"),
)
@admin_list_command
def list_groups(
    command: AdminCommand,
    *,
    category: Annotated[str, typer.Option(help=say("分区。", "Category."))] = "",
    keyword: Annotated[str, typer.Option(help=say("关键词或群号。", "Keyword or id."))] = "",
    page: Annotated[int, typer.Option(min=1, max=10_000, help=say("页码。", "Page."))] = 1,
    size: Annotated[
        int, typer.Option(min=1, max=100, help=say("每页数量。", "Groups per page."))
    ] = 30,
) -> None:
    """Print one page as a table, or as a JSON array."""
    groups = command.run(
        lambda services: services.discovery.list_groups(category, keyword, page=page, size=size),
    )
    _print_list(command, groups, _GROUP_COLUMNS)


def _print_list(
    command: AdminCommand, rows: Sequence[AdminRow], columns: Mapping[str, Column]
) -> None:
    if command.as_json:
        print_json(rows)
    else:
        print_table(columns, rows, wide=command.wide)


@categories_app.callback()
def _category() -> None:
    """Keep `category` a group, though it has one command."""


@categories_app.command(
    "set",
    help=say(
        "设置全部分区及其顺序；“精选”列出所有 featured 群聊。不带参数则恢复默认分区。",
        "Set all categories in their order; the category 精选 lists the groups that are featured. "
        "Without names, restore the defaults.",
    ),
    short_help=say("设置分区", "Set the categories"),
)
@admin_command
def set_categories(
    command: AdminCommand,
    *,
    names: Annotated[
        list[str] | None, typer.Argument(help=say("分区名称。", "Names of categories."))
    ] = None,
) -> None:
    """Replace the categories and print the current ones."""

    async def replace_categories(services: AdminServices) -> list[str]:
        await services.discovery.set_categories(names or [])
        return await services.discovery.list_categories()

    named = ", ".join(names or []) or "default"
    categories = command.run(
        replace_categories, event="operator-categories", details={"names": named}
    )
    if command.as_json:
        print_json(categories)
    else:
        typer.echo("\n".join(categories))
