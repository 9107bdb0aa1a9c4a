"""`hupan backup`: create, list, verify, new-key; and `hupan restore`."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo

import typer

from hupan.admin.audit import OperatorAction
from hupan.admin.backups import (
    BackupSummary,
    choose_opener,
    create_backup,
    create_key,
    list_backups,
    opened_backup,
    verify_backup,
)
from hupan.admin.restores import RestoreOptions, prepare_restore, restore_backup
from hupan.cli.help import make_group
from hupan.cli.language import say
from hupan.cli.output import (
    Column,
    exit_on_error,
    print_faults,
    print_fields,
    print_json,
    print_table,
)
from hupan.cli.run import (
    ConfigOption,
    DatabaseOption,
    DataDirOption,
    JsonOption,
    load_settings_or_exit,
    run_operation,
    undone_by_signals,
)
from hupan.config import Settings

BackupArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help=say(
            "备份文件的路径，或 hupan backup list 显示的名称。",
            "Path of a backup, or a name that hupan backup list shows.",
        ),
        show_default=False,
    ),
]
KeyFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        help=say(
            "私钥文件；用口令加密的备份则设置 HUPAN_BACKUP_PASSPHRASE。",
            "File of the private key. For a backup with a passphrase, set HUPAN_BACKUP_PASSPHRASE "
            "instead.",
        ),
        show_default=False,
    ),
]
app = make_group(
    say("创建、列出、校验备份。", "Create, list and verify backups."),
    say("备份数据", "Back up the data"),
)
restore_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help=say(
        "备份数据库、密钥与图片；服务器可同时运行。备份会加密并回读校验。",
        "Back up the database, key and pictures; the server can be running. The backup is "
        "encrypted, then checked by reading it back.",
    ),
    short_help=say("创建备份", "Create a backup"),
)
def create(
    *,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help=say(
                "要写入的文件；不写则存放于 backup_dir 或存储桶。",
                "File to write. Default: a new name in backup_dir or the bucket.",
            ),
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a backup."""
    settings = load_settings_or_exit(config, {"data_dir": data_dir, "database": database}).settings
    summary = run_operation(
        settings,
        lambda: create_backup(settings, file),
        OperatorAction("operator-backup-create"),
        lambda summary: {"bytes": summary.size, "accounts": summary.accounts},
    )
    _print_summary(summary, settings, as_json=as_json)
    _warn_about(summary)


@app.command(
    "list",
    help=say("列出备份，最新的在前。", "List the backups, the newest first."),
    short_help=say("列出备份", "List the backups"),
)
def list_all(
    *, as_json: JsonOption = False, data_dir: DataDirOption = None, config: ConfigOption = None
) -> None:
    """Print a table of the backups."""
    settings = load_settings_or_exit(config, {"data_dir": data_dir}).settings
    with exit_on_error():
        found = list_backups(settings)
    rows = [{"name": one.name, "bytes": one.size, "createdAt": one.created_at} for one in found]
    if as_json:
        print_json(rows)
        return
    columns = {
        "createdAt": Column(say("时间", "Made at")),
        "bytes": Column(say("大小", "Size")),
        "name": Column(say("名称", "Name")),
    }
    shown = [
        {
            "createdAt": _format_time(one.created_at, settings),
            "bytes": _format_size(one.size),
            "name": one.name,
        }
        for one in found
    ]
    print_table(columns, shown)


@app.command(
    help=say(
        "完整读取备份：解密、核对行数与校验和，并确认本版本可以恢复。",
        "Read a whole backup: decrypt it, compare rows and sums, and check that this version can "
        "restore it.",
    ),
    short_help=say("校验备份", "Check a backup"),
)
def verify(
    file: BackupArgument,
    *,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Check a backup; exit with 1 when it cannot be restored."""
    settings = load_settings_or_exit(config, {"data_dir": data_dir}).settings
    with exit_on_error(), undone_by_signals():
        opener = choose_opener(settings, key_file)
        with opened_backup(settings, file) as opened:
            summary = asyncio.run(verify_backup(opened, opener))
    _print_summary(summary, settings, as_json=as_json)
    _warn_about(summary)


@app.command(
    "new-key",
    help=say(
        "生成一对密钥：私钥写入文件，公钥打印出来，填入 backup_public_key。"
        "私钥请存放在服务器以外，丢失后备份无法解密。",
        "Create a key pair: the private key is written to a file, the public one is printed, for "
        "backup_public_key. Store the private one elsewhere; without it no backup can be read.",
    ),
    short_help=say("生成密钥", "Create a key pair"),
)
def new_key(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help=say("私钥文件，必须尚不存在。", "File of the private key, which must not exist."),
            show_default=False,
        ),
    ],
) -> None:
    """Write a private key and print its public key."""
    with exit_on_error():
        typer.echo(create_key(file))


@restore_app.command(
    help=say(
        "将备份恢复到空目录或空数据库，不覆盖任何内容。默认所有用户须重新登录。",
        "Restore a backup into an empty folder or database; nothing is overwritten. By default all "
        "users must sign in again.",
    ),
    short_help=say("恢复备份", "Restore a backup"),
)
def restore(
    file: BackupArgument,
    *,
    data_dir: DataDirOption = None,
    database: DatabaseOption = None,
    key_file: KeyFileOption = None,
    keep_sessions: Annotated[
        bool,
        typer.Option(
            help=say(
                "保留登录状态；备份之后退出的会话也会恢复。",
                "Keep users signed in, including those that signed out after the backup.",
            )
        ),
    ] = False,
    accept_faults: Annotated[
        bool,
        typer.Option(help=say("备份中有损坏的行时也恢复。", "Restore damaged rows too.")),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Restore a backup; on failure, exit with 1 and leave nothing behind."""
    settings = load_settings_or_exit(config, {"data_dir": data_dir, "database": database}).settings
    options = RestoreOptions(keep_sessions=keep_sessions, accept_faults=accept_faults)
    with exit_on_error(), undone_by_signals():
        opener = choose_opener(settings, key_file)
        with opened_backup(settings, file) as opened:
            summary = asyncio.run(prepare_restore(settings, opened, opener))
            faults = run_operation(
                settings,
                lambda: restore_backup(settings, opened, opener, options),
                OperatorAction("operator-backup-restore", folder=settings.data_dir),
                lambda _: {"accounts": summary.accounts},
            )
    _print_summary(summary, settings, as_json=False)
    print_faults(faults)
    _print_next_steps(settings, options)


def _print_next_steps(settings: Settings, options: RestoreOptions) -> None:
    if options.keep_sessions:
        typer.echo(say("已恢复，会话保留。", "Restored; sessions were kept."))
    else:
        typer.echo(say("已恢复；所有用户须重新登录。", "Restored; all users must sign in again."))
    folder = settings.data_dir
    typer.echo(
        say(
            f"下一步：运行 hupan database check --data-dir {folder}，然后启动服务器："
            f"hupan serve --data-dir {folder}",
            f"Next: run hupan database check --data-dir {folder}, then start the server: "
            f"hupan serve --data-dir {folder}",
        )
    )


def _print_summary(summary: BackupSummary, settings: Settings, *, as_json: bool) -> None:
    manifest, end = summary.manifest, summary.end
    if as_json:
        print_json(
            {
                "place": summary.place,
                "bytes": summary.size,
                "createdAt": manifest.created_at,
                "hupan": manifest.hupan,
                "engine": manifest.engine,
                "migration": max(manifest.migrations),
                "accounts": summary.accounts,
                "pictures": end.pictures,
                "missingPictures": end.missing_pictures,
                "faults": list(end.faults),
                "tables": {name: totals.rows for name, totals in end.tables.items()},
            }
        )
        return
    print_fields(
        [
            (say("备份", "Backup"), summary.place),
            (say("时间", "Made at"), _format_time(manifest.created_at, settings)),
            (say("大小", "Size"), _format_size(summary.size)),
            (say("版本", "Version"), f"{manifest.hupan} ({manifest.engine})"),
            (say("账号", "Accounts"), summary.accounts),
            (say("图片", "Pictures"), end.pictures),
        ]
    )


def _warn_about(summary: BackupSummary) -> None:
    missing, faults = summary.end.missing_pictures, summary.end.faults
    if missing:
        typer.echo(
            say(f"⚠ {missing} 张图片的文件缺失", f"⚠ files of {missing} pictures are missing"),
            err=True,
        )
    print_faults(faults)


def _format_time(time: int, settings: Settings) -> str:
    return f"{datetime.fromtimestamp(time, ZoneInfo(settings.time_zone)):%Y-%m-%d %H:%M:%S}"


def _format_size(size: int) -> str:
    return f"{size / 2**20:.1f} MB"
