"""`hupan database`: the store as a whole."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import typer

from hupan.app.database_desk import (
    OnCopied,
    Status,
    accept_writes,
    bring_up_to_date,
    check,
    copy,
    create,
    distribute,
    status,
    take_key,
)
from hupan.app.operator_events import Act, recorded
from hupan.cli.operating import DataDirOption, JsonOption, write_json
from hupan.cli.operator_name import operator
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
_NEED_A_STORE = ("operator-database-accept-writes", "operator-database-accept-key")
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
        commands.command(name, help=f"{zh}\n\n{en}", short_help=_SHORT[name])(command)


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
    count = _run(
        database, data_dir, config, bring_up_to_date, "operator-database-migrate", _migrations
    )
    typer.echo(f"已应用 {count} 个迁移 / {count} migrations applied")


def create_store(
    *,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Make an empty store, also where a key lies already."""
    _run(database, data_dir, config, create, "operator-database-create")
    typer.echo("已新建空数据库 / an empty store was made")


def accept_writes_of_others(
    *,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Take what another program wrote into the file as right."""
    is_done = _run(
        database,
        data_dir,
        config,
        accept_writes,
        "operator-database-accept-writes",
        lambda is_done: {"accepted": str(is_done).lower()},
    )
    typer.echo(
        "已接受文件现有内容 / what the file holds was accepted"
        if is_done
        else "无需处理 / there was nothing to accept"
    )


def accept_key_beside(
    *,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Make the key that lies there the store's own."""
    _run(database, data_dir, config, take_key, "operator-database-accept-key")
    typer.echo(
        "密钥已记入数据库；此前的登录与验证码均已失效 / "
        "the store has this key now; earlier sessions and codes have ended"
    )


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
    source = settings_or_exit(config, {"database": source}).settings.database
    target = settings.database
    origin, aim = replace(settings, database=source), replace(settings, database=target)
    details = {"source": origin.store_shown, "aim": aim.store_shown}
    act = Act("operator-database-copy", "", details, _folder(aim) if target else None)
    with _bar() as on_copied, refused_plainly():
        different = recorded(
            settings,
            operator(),
            act,
            lambda: asyncio.run(copy(settings, source, target, on_copied)),
            lambda different: {"different": ",".join(different)},
        )
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
    done = _run(database, data_dir, config, distribute, "operator-database-distribute", _tables)
    typer.echo(f"已分布 {len(done)} 个表 / {len(done)} tables spread: {', '.join(done) or '—'}")


def _run(
    database: str | None,
    data_dir: Path | None,
    config: Path | None,
    work: Callable[[Settings], Coroutine[Any, Any, T]],
    event: str = "",
    outcome: Callable[[T], dict[str, object]] = lambda _: {},
) -> T:
    settings = settings_or_exit(config, {"database": database, "data_dir": data_dir}).settings
    with refused_plainly():
        if not event or (event in _NEED_A_STORE and not _has_store(settings)):
            return asyncio.run(work(settings))  # which says what is missing, and does nothing
        act = Act(event, "", {"aim": settings.store_shown}, _folder(settings))
        return recorded(settings, operator(), act, lambda: asyncio.run(work(settings)), outcome)


def _folder(settings: Settings) -> Path:
    """Where what is done to a whole store is recorded: beside its file, or with the data."""
    return settings.data_dir if settings.is_postgres else settings.database_path.parent


def _has_store(settings: Settings) -> bool:
    """Whether there may be a store: a mistaken folder is not filled."""
    return settings.is_postgres or settings.database_path.exists()


def _migrations(count: int) -> dict[str, object]:
    return {"applied": count}


def _tables(done: list[str]) -> dict[str, object]:
    return {"tables": ",".join(done)}


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
_ACCEPT_WRITES_EN = (
    "Take what another SQLite program wrote into the file as right: if its structure is sound, "
    "its page checksums are made anew; stop the server first."
)
_ACCEPT_KEY_ZH = (
    "密钥文件丢失或更换后，让数据库使用现有密钥（没有则新建）；"
    "此前的登录与验证码将失效；须先停止服务器。"
)
_ACCEPT_KEY_EN = (
    "After the key file was lost or replaced, let the store use the one that lies there, or a "
    "new one; earlier sessions and codes end; stop the server first."
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
    "create": (
        create_store,
        "新建空数据库；密钥已存在而数据库不存在时，须用此命令确认。",
        "Make an empty store; where a key lies already, this confirms that it is meant.",
    ),
    "accept-writes": (
        accept_writes_of_others,
        "接受其他 SQLite 程序写入文件的内容：结构完好时重算各页校验和；须先停止服务器。",
        _ACCEPT_WRITES_EN,
    ),
    "accept-key": (
        accept_key_beside,
        _ACCEPT_KEY_ZH,
        _ACCEPT_KEY_EN,
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
# In the list of commands, which has one line for each.
_SHORT = {
    "status": "状态 Status",
    "migrate": "升级 Bring up to date",
    "create": "新建空数据库 Make an empty store",
    "accept-writes": "接受其他程序的写入 Accept what others wrote",
    "accept-key": "接受现有密钥 Accept the key",
    "check": "检查 Check",
    "copy": "复制 Copy",
    "distribute": "分布 Spread",
}
