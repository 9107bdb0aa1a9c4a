"""`hupan database`: the store as a whole."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import typer

from hupan.app.database_desk import (
    OnCopied,
    Status,
    bring_up_to_date,
    check,
    copy,
    distribute,
    status,
)
from hupan.cli.operating import DataDirOption, JsonOption, write_json
from hupan.cli.refusing import refused_plainly
from hupan.cli.settings_or_exit import ConfigOption, DatabaseOption, settings_or_exit
from hupan.cli.tables import print_table
from hupan.config import Settings

T = TypeVar("T")
_DIFFERENT = (
    "复制后仍有不同：来源在中断后改变过，请清空目标后重新复制 / they still differ, for the source "
    "changed since the copy began: drop the target and copy again"
)
_STATES = {
    "current": "已是最新 up to date",
    "behind": "待升级 to be migrated",
    "newer": "由更新的版本写入 written by a newer version",
    "unreachable": "无法访问 unreachable",
}
PlaceArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        help="SQLite 文件，或 postgresql:// 地址 A SQLite file, or a URL of PostgreSQL",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    commands = typer.Typer(
        help="整个数据库：状态、升级、检查、复制、分布。\n\n"
        "The whole store: status, migration, check, copy, distribution.",
        short_help="数据库 The store as a whole",
        no_args_is_help=True,
    )
    app.add_typer(commands, name="database")
    for name, (command, zh, en) in _COMMANDS.items():
        commands.command(name, help=f"{zh}\n\n{en}")(command)


def show_status(
    *,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Show where the store lies and which version it has."""
    told = _run(database, data_dir, config, status)
    if as_json:
        write_json(asdict(told))
    else:
        _print_status(told)
    if told.state == "unreachable":
        raise typer.Exit(1)


def _print_status(told: Status) -> None:
    lines = {
        "引擎\nEngine": told.engine,
        "位置\nPlace": told.place,
        "迁移\nMigrations": f"{told.applied} / {told.known}",
        "状态\nState": _STATES[told.state],
        "问题\nTrouble": told.trouble or "—",
    }
    rows = [{"what": what, "value": value} for what, value in lines.items()]
    print_table({"what": "项目\nWhat", "value": "值\nValue"}, rows)


def migrate_store(
    *,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Bring the store up to date for this version."""
    count = _run(database, data_dir, config, bring_up_to_date)
    typer.echo(f"已应用 {count} 个迁移 / {count} migrations applied")


def check_store(
    *,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Check that the store is sound; the exit status is 1 where it is not."""
    faults = _run(database, data_dir, config, check)
    if as_json:
        write_json(faults)
    elif faults:
        typer.echo("\n".join(faults))
    else:
        typer.echo("完好 / sound")
    if faults:
        raise typer.Exit(1)


def copy_store(
    source: PlaceArgument,
    target: PlaceArgument,
    *,
    config: ConfigOption = None,
) -> None:
    """Copy a whole store into an empty one, or go on where a copy broke off."""
    settings = settings_or_exit(config, {"database": target}).settings
    origin = settings_or_exit(config, {"database": source}).settings
    with _bar() as on_copied, refused_plainly():
        different = asyncio.run(copy(settings, origin.database, settings.database, on_copied))
    if different:
        typer.echo(f"{_DIFFERENT}: {', '.join(different)}", err=True)
        raise typer.Exit(1)
    typer.echo("复制完成，行数与校验和一致 / copied; counts and sums are alike")


def distribute_store(
    *,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Spread the tables on a Citus coordinator."""
    done = _run(database, data_dir, config, distribute)
    typer.echo(f"已分布 {len(done)} 个表 / {len(done)} tables spread: {', '.join(done) or '—'}")


def _run(
    database: str | None,
    data_dir: Path | None,
    config: Path | None,
    act: Callable[[Settings], Coroutine[Any, Any, T]],
) -> T:
    settings = settings_or_exit(config, {"database": database, "data_dir": data_dir}).settings
    with refused_plainly():
        return asyncio.run(act(settings))


@contextmanager
def _bar() -> Iterator[OnCopied]:
    """A bar on standard error, if that is a terminal."""
    # Here, because rich takes longer to import than every other command takes to run.
    from rich.console import Console  # noqa: PLC0415 # as said above
    from rich.progress import Progress  # noqa: PLC0415 # as said above

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as shown:
        bar = shown.add_task("复制 copying", total=None)

        def on_copied(table: str, done: int, whole: int) -> None:
            shown.update(bar, description=f"复制 copying {table}", completed=done, total=whole)

        yield on_copied


_COPY_ZH = (
    "复制整个数据库到空数据库，中断后可继续；期间须停止服务器。新服务器须使用同一个 secret.key。"
)
_COPY_EN = (
    "Copy a whole store into an empty one, or go on where a copy broke off; stop the servers "
    "first. The new server needs the same secret.key."
)
_COMMANDS: dict[str, tuple[Callable[..., None], str, str]] = {
    "status": (
        show_status,
        "显示数据库的位置与版本。",
        "Show where the store lies and which version it has.",
    ),
    "migrate": (
        migrate_store,
        "升级数据库到本版本。",
        "Bring the store up to date for this version.",
    ),
    "check": (
        check_store,
        "检查数据库是否完好；有问题时退出码为 1。",
        "Check that the store is sound; the exit status is 1 where it is not.",
    ),
    "copy": (
        copy_store,
        _COPY_ZH,
        _COPY_EN,
    ),
    "distribute": (
        distribute_store,
        "在 Citus 协调节点上分布各表。",
        "Spread the tables on a Citus coordinator.",
    ),
}
