"""`hupan database`: status, migrate, create, check, copy, distribute, accept-writes, accept-key."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import typer

from hupan.admin.audit import OperatorAction, run_audited
from hupan.admin.database import (
    OnCopyProgress,
    StoreStatus,
    accept_writes,
    adopt_key,
    check_database,
    copy_database,
    create_database,
    distribute_database,
    get_status,
    migrate_database,
)
from hupan.cli.output import exit_on_error, print_table
from hupan.cli.run import (
    ConfigOption,
    DatabaseOption,
    DataDirOption,
    JsonOption,
    current_operator,
    load_settings_or_exit,
    print_json,
)
from hupan.config import Settings

StoreResult = TypeVar("StoreResult")
_COPY_DIFFERS = (
    "复制后仍有不同：来源在中断后改变过，请清空目标后重新复制 / they still differ, for the source "
    "changed since the copy began: drop the target and copy again"
)
_STATE_LABELS = {
    "current": "已是最新 up to date",
    "behind": "待升级 to be migrated",
    "newer": "由更新的版本写入 written by a newer version",
    "unreachable": "无法访问 unreachable",
}
_EVENTS_THAT_NEED_A_STORE = ("operator-database-accept-writes", "operator-database-accept-key")
StoreArgument: TypeAlias = Annotated[
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
        commands.command(name, help=f"{zh}\n\n{en}", short_help=_SHORT_HELP[name])(command)


def show_status(
    *,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Show where the store lies and which version it has."""
    status = _run_on_store(database, data_dir, config, get_status)
    if as_json:
        print_json(asdict(status))
    else:
        _print_status(status)
    if status.state == "unreachable":
        raise typer.Exit(1)


def _print_status(status: StoreStatus) -> None:
    lines = {
        "引擎\nEngine": status.engine,
        "位置\nPlace": status.place,
        "迁移\nMigrations": f"{status.applied} / {status.known}",
        "状态\nState": _STATE_LABELS[status.state],
        "问题\nTrouble": status.trouble or "—",
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
    count = _run_on_store(
        database, data_dir, config, migrate_database, "operator-database-migrate", _applied_field
    )
    typer.echo(f"已应用 {count} 个迁移 / {count} migrations applied")


def create_store(
    *,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Make an empty store, also where a key lies already."""
    _run_on_store(database, data_dir, config, create_database, "operator-database-create")
    typer.echo("已新建空数据库 / an empty store was made")


def accept_store_writes(
    *,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Take what another program wrote into the file as right."""
    is_done = _run_on_store(
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


def accept_store_key(
    *,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Make the key that lies there the store's own."""
    _run_on_store(database, data_dir, config, adopt_key, "operator-database-accept-key")
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
    faults = _run_on_store(database, data_dir, config, check_database)
    if as_json:
        print_json(faults)
    elif faults:
        typer.echo("\n".join(faults))
    else:
        typer.echo("完好 / sound")
    if faults:
        raise typer.Exit(1)


def copy_store(
    source: StoreArgument,
    target: StoreArgument,
    *,
    config: ConfigOption = None,
) -> None:
    """Copy a whole store into an empty one, or go on where a copy broke off."""
    settings = load_settings_or_exit(config, {"database": target}).settings
    source = load_settings_or_exit(config, {"database": source}).settings.database
    target = settings.database
    source_settings, target_settings = (
        replace(settings, database=source),
        replace(settings, database=target),
    )
    details = {"source": source_settings.masked_database, "aim": target_settings.masked_database}
    action = OperatorAction(
        "operator-database-copy", "", details, _audit_folder(target_settings) if target else None
    )
    with _copy_progress() as on_progress, exit_on_error():
        differing = run_audited(
            settings,
            current_operator(),
            action,
            lambda: asyncio.run(copy_database(settings, source, target, on_progress)),
            lambda differing: {"different": ",".join(differing)},
        )
    if differing:
        typer.echo(f"{_COPY_DIFFERS}: {', '.join(differing)}", err=True)
        raise typer.Exit(1)
    typer.echo("复制完成，行数与校验和一致 / copied; counts and sums are alike")


def distribute_store(
    *,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Spread the tables on a Citus coordinator."""
    tables = _run_on_store(
        database,
        data_dir,
        config,
        distribute_database,
        "operator-database-distribute",
        _tables_field,
    )
    typer.echo(
        f"已分布 {len(tables)} 个表 / {len(tables)} tables spread: {', '.join(tables) or '—'}"
    )


def _run_on_store(
    database: str | None,
    data_dir: Path | None,
    config: Path | None,
    work: Callable[[Settings], Coroutine[Any, Any, StoreResult]],
    event: str = "",
    describe_result: Callable[[StoreResult], dict[str, object]] = lambda _: {},
) -> StoreResult:
    settings = load_settings_or_exit(config, {"database": database, "data_dir": data_dir}).settings
    with exit_on_error():
        if not event or (event in _EVENTS_THAT_NEED_A_STORE and not _has_store(settings)):
            return asyncio.run(work(settings))  # which says what is missing, and does nothing
        action = OperatorAction(
            event, "", {"aim": settings.masked_database}, _audit_folder(settings)
        )
        return run_audited(
            settings,
            current_operator(),
            action,
            lambda: asyncio.run(work(settings)),
            describe_result,
        )


def _audit_folder(settings: Settings) -> Path:
    """Where what is done to a whole store is recorded: beside its file, or with the data."""
    return settings.data_dir if settings.is_postgres else settings.database_path.parent


def _has_store(settings: Settings) -> bool:
    """Whether there may be a store: a mistaken folder is not filled."""
    return settings.is_postgres or settings.database_path.exists()


def _applied_field(count: int) -> dict[str, object]:
    return {"applied": count}


def _tables_field(tables: list[str]) -> dict[str, object]:
    return {"tables": ",".join(tables)}


@contextmanager
def _copy_progress() -> Iterator[OnCopyProgress]:
    """A bar on standard error, if that is a terminal."""
    # Here, because rich takes longer to import than every other command takes to run.
    from rich.console import Console  # noqa: PLC0415 # as said above
    from rich.progress import Progress  # noqa: PLC0415 # as said above

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("复制 copying", total=None)

        def on_copied(table: str, done: int, whole: int) -> None:
            progress.update(task, description=f"复制 copying {table}", completed=done, total=whole)

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
        accept_store_writes,
        "接受其他 SQLite 程序写入文件的内容：结构完好时重算各页校验和；须先停止服务器。",
        _ACCEPT_WRITES_EN,
    ),
    "accept-key": (
        accept_store_key,
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
_SHORT_HELP = {
    "status": "状态 Status",
    "migrate": "升级 Bring up to date",
    "create": "新建空数据库 Make an empty store",
    "accept-writes": "接受其他程序的写入 Accept what others wrote",
    "accept-key": "接受现有密钥 Accept the key",
    "check": "检查 Check",
    "copy": "复制 Copy",
    "distribute": "分布 Spread",
}
