"""`hupan database`: status, migrate, create, check, copy, distribute, accept-writes, accept-key."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import typer

from hupan.admin.audit import OperatorAction
from hupan.admin.database import (
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
from hupan.cli.help import make_group
from hupan.cli.language import say, say_text
from hupan.cli.output import print_fields, print_json
from hupan.cli.run import (
    ConfigOption,
    DatabaseOption,
    DataDirOption,
    JsonOption,
    load_settings_or_exit,
    run_operation,
    with_shared_options,
)
from hupan.config import Settings
from hupan.config.load import masked_database
from hupan.opening import may_have_store

Result = TypeVar("Result")
_STATE_LABELS = {
    "current": say("已是最新", "up to date"),
    "behind": say("待升级", "to be migrated"),
    "newer": say("由更新的版本写入", "written by a newer version"),
    "unreachable": say("无法访问", "unreachable"),
}
_EVENTS_THAT_NEED_A_STORE = ("operator-database-accept-writes", "operator-database-accept-key")
StoreArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        help=say("SQLite 文件，或 postgresql:// 地址。", "SQLite file, or postgresql:// URL."),
        show_default=False,
    ),
]
app = make_group(
    say(
        "管理数据库：查看状态、升级、检查、复制、分布。",
        "Manage the database: status, migration, check, copy, distribution.",
    ),
    say("管理数据库", "Manage the database"),
)


@dataclass
class _StoreCommand:
    """One run of a command on the store itself."""

    database: str | None
    data_dir: Path | None
    config: Path | None
    as_json: bool = False

    def run(
        self,
        work: Callable[[Settings], Coroutine[Any, Any, Result]],
        event: str = "",
        describe_result: Callable[[Result], dict[str, object]] = lambda _: {},
    ) -> Result:
        settings = load_settings_or_exit(
            self.config, {"database": self.database, "data_dir": self.data_dir}
        ).settings
        aim = {"aim": masked_database(settings)}
        action = OperatorAction(event, "", aim, _audit_folder(settings))
        # Without a store, the operation reports that, and there is nothing to record.
        is_recorded = event and (event not in _EVENTS_THAT_NEED_A_STORE or may_have_store(settings))
        return run_operation(
            settings, lambda: work(settings), action if is_recorded else None, describe_result
        )


def _audit_folder(settings: Settings) -> Path:
    """Return where operations on a whole store are recorded: next to its file, or with the data."""
    return settings.data_dir if settings.is_postgres else settings.database_path.parent


_store_command = with_shared_options(
    _StoreCommand, database=DatabaseOption, data_dir=DataDirOption, config=ConfigOption
)
_store_json_command = with_shared_options(
    _StoreCommand,
    as_json=JsonOption,
    database=DatabaseOption,
    data_dir=DataDirOption,
    config=ConfigOption,
)


@app.command(
    "status",
    help=say("显示数据库的位置与版本。", "Show the location and the version of the database."),
    short_help=say("查看状态", "Show the status"),
)
@_store_json_command
def show_status(command: _StoreCommand) -> None:
    """Print the status; exit with 1 when the store cannot be reached."""
    status = command.run(get_status)
    if command.as_json:
        print_json(asdict(status) | {"trouble": say_text(status.trouble) if status.trouble else ""})
    else:
        _print_status(status)
    if status.state == "unreachable":
        raise typer.Exit(1)


def _print_status(status: StoreStatus) -> None:
    print_fields(
        [
            (say("引擎", "Engine"), status.engine),
            (say("位置", "Location"), status.place),
            (say("迁移", "Migrations"), f"{status.applied} / {status.known}"),
            (say("状态", "State"), _STATE_LABELS[status.state]),
            (say("问题", "Problem"), say_text(status.trouble) if status.trouble else "—"),
        ]
    )


@app.command(
    "migrate",
    help=say("升级数据库到本版本。", "Migrate the database to this version."),
    short_help=say("升级到本版本", "Migrate to this version"),
)
@_store_command
def migrate_store(command: _StoreCommand) -> None:
    """Apply the missing migrations."""
    count = command.run(
        migrate_database,
        "operator-database-migrate",
        lambda count: {"applied": count},
    )
    typer.echo(say(f"已应用 {count} 个迁移", f"{count} migrations applied"))


@app.command(
    "create",
    help=say(
        "新建空数据库；密钥已存在而数据库不存在时，须用此命令确认。",
        "Create an empty database. Needed if a key exists but its database does not.",
    ),
    short_help=say("新建空数据库", "Create an empty database"),
)
@_store_command
def create_store(command: _StoreCommand) -> None:
    """Create an empty store, even if a key exists already."""
    command.run(create_database, "operator-database-create")
    typer.echo(say("已新建空数据库", "an empty database was created"))


@app.command(
    "accept-writes",
    help=say(
        "接受其他 SQLite 程序写入文件的内容：结构完好时重算各页校验和；须先停止服务器。",
        "Accept what another SQLite program wrote into the file: if its structure is intact, the "
        "page checksums are computed again. Stop the server first.",
    ),
    short_help=say("接受其他程序的写入", "Accept the writes of another program"),
)
@_store_command
def accept_store_writes(command: _StoreCommand) -> None:
    """Accept the current contents of the file."""
    is_done = command.run(
        accept_writes,
        "operator-database-accept-writes",
        lambda is_done: {"accepted": str(is_done).lower()},
    )
    typer.echo(
        say("已接受文件现有内容", "the contents of the file were accepted")
        if is_done
        else say("无需处理", "there was nothing to accept")
    )


@app.command(
    "accept-key",
    help=say(
        "密钥文件丢失或更换后，让数据库使用现有密钥（没有则新建）；此前的登录与验证码将失效；"
        "须先停止服务器。",
        "After the key file was lost or replaced, make the database use the current one, or a new "
        "one; earlier sessions and codes end. Stop the server first.",
    ),
    short_help=say("接受现有密钥", "Accept the current key"),
)
@_store_command
def accept_store_key(command: _StoreCommand) -> None:
    """Make the current key that of the store."""
    command.run(adopt_key, "operator-database-accept-key")
    typer.echo(
        say(
            "密钥已记入数据库；此前的登录与验证码均已失效",
            "the database uses this key now; earlier sessions and codes have ended",
        )
    )


@app.command(
    "check",
    help=say(
        "检查数据库是否完好；有问题时退出状态为 1。",
        "Check the integrity of the database. The exit status is 1 if it is damaged.",
    ),
    short_help=say("检查是否完好", "Check the integrity"),
)
@_store_json_command
def check_store(command: _StoreCommand) -> None:
    """Print the faults of the store; exit with 1 when there are any."""
    faults = command.run(check_database)
    if command.as_json:
        print_json(faults)
    else:
        typer.echo("\n".join(faults) or say("完好", "intact"))
    if faults:
        raise typer.Exit(1)


@app.command(
    "copy",
    help=say(
        "复制整个数据库到空数据库，中断后可继续；期间须停止服务器。新服务器须使用同一个 secret.key"
        "。",
        "Copy a database into an empty one, or continue a copy that was interrupted. Stop the "
        "servers first. The new server needs the same secret.key.",
    ),
    short_help=say("复制到另一数据库", "Copy to another database"),
)
def copy_store(
    source: StoreArgument,
    target: StoreArgument,
    *,
    config: ConfigOption = None,
) -> None:
    """Copy a store and compare the two; exit with 1 when they differ."""
    settings = load_settings_or_exit(config, {"database": target}).settings
    source = load_settings_or_exit(config, {"database": source}).settings.database
    target = settings.database
    source_settings = replace(settings, database=source)
    target_settings = replace(settings, database=target)
    action = OperatorAction(
        "operator-database-copy",
        "",
        {"source": masked_database(source_settings), "aim": masked_database(target_settings)},
        _audit_folder(target_settings) if target else None,
    )
    with _progress(say("复制", "copying")) as on_progress:
        differing = run_operation(
            settings,
            lambda: copy_database(settings, source, target, on_progress),
            action,
            lambda differing: {"different": ",".join(differing)},
        )
    if differing:
        names = ", ".join(differing)
        typer.echo(
            say(
                f"复制后仍有不同：来源在中断后改变过，请清空目标后重新复制。不同的表：{names}",
                "the copies differ because the source changed after the copy began: drop the "
                f"target and copy again. Different tables: {names}",
            ),
            err=True,
        )
        raise typer.Exit(1)
    typer.echo(say("复制完成，行数与校验和一致", "copied; row counts and checksums are the same"))


@app.command(
    "distribute",
    help=say("在 Citus 协调节点上分布各表。", "Distribute the tables of a Citus coordinator."),
    short_help=say("分布到多台机器", "Distribute over several machines"),
)
@_store_command
def distribute_store(command: _StoreCommand) -> None:
    """Distribute the tables and print their names."""
    with _progress(say("分布", "distributing")) as on_progress:
        tables = command.run(
            lambda settings: distribute_database(settings, on_progress),
            "operator-database-distribute",
            lambda tables: {"tables": ",".join(tables)},
        )
    count, names = len(tables), ", ".join(tables) or "—"
    typer.echo(say(f"已分布 {count} 张表：{names}", f"{count} tables distributed: {names}"))


@contextmanager
def _progress(label: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on standard error, if that is a terminal."""
    # Here, because rich takes longer to import than every other command takes to run.
    from rich.console import Console  # noqa: PLC0415 # as said above
    from rich.progress import Progress  # noqa: PLC0415 # as said above

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=None)

        def on_progress(table: str, done: int, whole: int) -> None:
            progress.update(task, description=f"{label} {table}", completed=done, total=whole)

        yield on_progress
