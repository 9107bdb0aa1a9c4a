"""`hupan group`, `hupan bot` and `hupan category`: list and import for discovery."""

import sys
from collections.abc import Awaitable, Callable, Collection, Iterator
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
from hupan.admin.views import sanitize_for_terminal
from hupan.cli.run import (
    ConfigOption,
    DataDirOption,
    JsonOption,
    print_json,
    print_raw_rows,
    run_on_database,
)
from hupan.store.database import Database

FileArgument: TypeAlias = Annotated[
    Path,
    typer.Argument(help="CSV 或 JSON Lines 文件，- 为标准输入 CSV or JSON Lines, - for stdin"),
]
FormatOption: TypeAlias = Annotated[
    FileFormat | None,
    typer.Option("--format", help="文件格式，默认由扩展名决定 By default the file's suffix tells"),
]
EncodingOption: TypeAlias = Annotated[
    Encoding, typer.Option("--encoding", help="文件的文字编码 Encoding of the file's text")
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
    """The command that imports rows with these columns."""

    def import_rows(
        *,
        file: FileArgument,
        form: FormatOption = None,
        encoding: EncodingOption = "utf-8",
        as_json: JsonOption = False,
        data_dir: DataDirOption = None,
        config: ConfigOption = None,
    ) -> None:
        """Imports all rows of a file, or none; says what came of it."""
        known = choose_format_or_exit(file, form)
        with (
            open_input(file) as source,
            show_progress(source, find_file_size(file)) as (on_read, on_indexed),
        ):
            lines = read_rows(source, known, columns, encoding)

            async def act(database: Database) -> ImportResult:
                return await import_function(DiscoveryAdmin(database), lines, on_read, on_indexed)

            imported = run_on_database(
                config, data_dir, act, event=event, details={"file": file.name}
            )
        print_import_result(imported, as_json=as_json)

    return import_rows


def choose_format_or_exit(path: Path, file_format: FileFormat | None) -> FileFormat:
    """The form of a file, as told or by its suffix.

    Raises:
        typer.BadParameter: it is neither told nor known.
    """
    known = file_format or _FORMAT_BY_SUFFIX.get(path.suffix.lower())
    if known is None:
        raise typer.BadParameter(
            "请用 --format 指明格式 / tell the form with --format csv or jsonl"
        )
    return known


def find_file_size(path: Path) -> int | None:
    """How many bytes a file has; None for what has no size, like a pipe."""
    return path.stat().st_size if path.is_file() else None


@contextmanager
def open_input(path: Path) -> Iterator[BinaryIO]:
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
def show_progress(file: BinaryIO, size: int | None) -> Iterator[tuple[OnRead, OnIndexed]]:
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


def print_import_result(result: ImportResult, *, as_json: bool) -> None:
    """Says what came of an import.

    Raises:
        typer.Exit: with 1, when there were problems and nothing was kept.
    """
    if as_json:
        print_json(asdict(result))
    elif result.problems:
        for problem in result.problems:
            told = f"{_format_position(problem)}: {problem.zh} / {problem.en}"
            typer.echo(
                sanitize_for_terminal(told), err=True
            )  # a column of the file's may be anything
        count = sum(problem.count for problem in result.problems)
        typer.echo(
            f"有 {count} 处错误，未导入任何内容 / {count} problems: nothing was kept", err=True
        )
    else:
        typer.echo(
            f"已导入 {result.rows}，现共 {result.total} / "
            f"{result.rows} imported, {result.total} in all"
        )
    if result.problems:
        raise typer.Exit(1)


def _format_position(problem: ImportProblem) -> str:
    """The lines that a problem is about, the first ones of many, and its column."""
    numbers = [str(line) for line in problem.lines or (problem.line,)]
    zh, en = "、".join(numbers), ", ".join(numbers)
    if problem.count > len(numbers):
        zh, en = f"{zh} 等 {problem.count}", f"{en} … ({problem.count} in all)"
    return f"第 {zh} 行 line {en} {problem.column}".rstrip()


_BOT_HELP = """管理“发现”中推荐的机器人，可在服务器运行时使用。

Recommended bots; also while the server runs.
"""
_IMPORT_BOTS_HELP = f"""导入机器人，号码相同者被替换；任何一行有误则全部不导入。

Import bots; those with the same ids are replaced. When a line is wrong, nothing is kept.

列 Columns: {", ".join(BOT_COLUMN_NAMES)}
"""
_LIST_BOTS_HELP = """按使用人数列出推荐的机器人。

List the recommended bots by headcount.
"""
_BOT_COLUMNS = {
    "chatId": "号码\nId",
    "nickname": "名称\nName",
    "headcount": "使用人数\nHeadcount",
    "isAdd": "可添加\nisAdd",
    "isApply": "需申请\nisApply",
    "alwaysAgree": "总是同意\nalwaysAgree",
    "introduction": "简介\nIntroduction",
}


def register_bot_commands(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    import_rows = make_import_command(
        BOT_COLUMN_NAMES,
        lambda listing, lines, on_read, _: listing.import_bots(lines, on_read),
        "operator-bot-import",
    )
    group.command("import", help=_IMPORT_BOTS_HELP, short_help="导入 Import")(import_rows)
    group.command("list", help=_LIST_BOTS_HELP, short_help="列出 List")(list_bots)
    app.add_typer(group, name="bot", help=_BOT_HELP, short_help="机器人 Recommended bots")


def list_bots(
    *, as_json: JsonOption = False, data_dir: DataDirOption = None, config: ConfigOption = None
) -> None:
    """Writes the bots as a table, or as a JSON array."""

    async def read_bots(database: Database) -> list[dict[str, object]]:
        return await DiscoveryAdmin(database).list_bots()

    bots = run_on_database(config, data_dir, read_bots)
    print_raw_rows(_BOT_COLUMNS, bots, as_json=as_json)


_GROUP_HELP = """管理“发现”中的群聊，可在服务器运行时使用。

Groups in discovery; also while the server runs.
"""
_IMPORT_GROUPS_HELP = f"""导入群聊，群号相同者被替换；任何一行有误则全部不导入。

Import groups; those with the same ids are replaced. When a line is wrong, nothing is kept.

列 Columns: {", ".join(GROUP_COLUMN_NAMES)}
"""
_LIST_GROUPS_HELP = """按人数列出群聊。

List groups by headcount.
"""
_GROUP_COLUMNS = {
    "chatId": "群号\nId",
    "nickname": "名称\nName",
    "headcount": "人数\nHeadcount",
    "category": "分区\nCategory",
    "featured": "精选\nFeatured",
    "introduction": "简介\nIntroduction",
}


def register_group_commands(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    import_rows = make_import_command(
        GROUP_COLUMN_NAMES, DiscoveryAdmin.import_groups, "operator-group-import"
    )
    group.command("import", help=_IMPORT_GROUPS_HELP, short_help="导入 Import")(import_rows)
    group.command("list", help=_LIST_GROUPS_HELP, short_help="列出 List")(list_groups)
    app.add_typer(group, name="group", help=_GROUP_HELP, short_help="群聊 Groups in discovery")


def list_groups(
    *,
    category: Annotated[str, typer.Option(help="分区 Category")] = "",
    keyword: Annotated[str, typer.Option(help="关键词或群号 Keyword or id")] = "",
    page: Annotated[int, typer.Option(min=1, max=10_000, help="页码 Page")] = 1,
    size: Annotated[int, typer.Option(min=1, max=100, help="每页数量 Groups on a page")] = 30,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes one page as a table, or as a JSON array."""

    async def read_groups(database: Database) -> list[dict[str, object]]:
        return await DiscoveryAdmin(database).list_groups(category, keyword, page=page, size=size)

    groups = run_on_database(config, data_dir, read_groups)
    print_raw_rows(_GROUP_COLUMNS, groups, as_json=as_json)


_CATEGORY_HELP = """管理“发现”中的分区，可在服务器运行时使用。

Categories in discovery; also while the server runs.
"""
_SET_CATEGORIES_HELP = """设置全部分区及其顺序；“精选”列出所有 featured 群聊。不带参数则恢复默认分区。

Set all categories in their order; 精选 shows the groups that are featured. None restores the first.
"""


def register_category_commands(app: typer.Typer) -> None:
    """Adds the command."""
    group = typer.Typer(no_args_is_help=True)
    group.command("set", help=_SET_CATEGORIES_HELP, short_help="设置 Set")(set_categories)
    app.add_typer(
        group, name="category", help=_CATEGORY_HELP, short_help="分区 Categories in discovery"
    )


def set_categories(
    *,
    names: Annotated[list[str] | None, typer.Argument(help="分区名称 Names")] = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Replaces the categories and writes those that hold now."""

    async def replace_categories(database: Database) -> list[str]:
        discovery = DiscoveryAdmin(database)
        await discovery.set_categories(names or [])
        return await discovery.list_categories()

    named = ", ".join(names or []) or "default"
    categories = run_on_database(
        config, data_dir, replace_categories, event="operator-categories", details={"names": named}
    )
    if as_json:
        print_json(categories)
    else:
        typer.echo("\n".join(categories))
