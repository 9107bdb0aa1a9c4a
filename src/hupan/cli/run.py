"""Runs admin operations for commands: loads settings, records the operation, prints the result."""

import asyncio
import json
import os
import pwd
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import typer

from hupan.admin.audit import Operator, OperatorAction, run_audited
from hupan.admin.config_check import find_problems
from hupan.admin.views import AdminRow
from hupan.cli.output import exit_on_error, print_table
from hupan.config import LoadedSettings, Settings, SettingsError, load_with_sources
from hupan.config.load import SETTINGS, InvalidSetting, UnusableSetting, format_value
from hupan.opening import open_for_admin
from hupan.store.database import Database
from hupan.wiring import AdminServices, open_admin_services

_MAX_NAME_CHARACTERS = 48


def current_operator_name() -> str:
    """Return the name of the system's user who runs the process, or its number without a name.

    The kernel's word alone counts: LOGNAME and its like are whatever the caller sets them to.
    """
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):  # a user without an entry, as containers have them
        name = ""
    return name if _is_valid_name(name) else str(uid)


def current_operator() -> Operator:
    """Return the operator, with what sudo says of who called it (which is no proof)."""
    claimed = os.environ.get("SUDO_USER", "")
    return Operator(current_operator_name(), claimed if _is_valid_name(claimed) else "")


def _is_valid_name(name: str) -> bool:
    return name.isprintable() and 0 < len(name) <= _MAX_NAME_CHARACTERS


ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="配置文件，默认为环境变量 HUPAN_CONFIG 所指，或当前目录下的 hupan.toml。 "
        "The file of settings; by default that of HUPAN_CONFIG, or hupan.toml in this directory.",
        show_default=False,
    ),
]
DatabaseOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="PLACE",
        help="SQLite 文件，或 postgresql://用户@主机/库名（密码请用 HUPAN_DATABASE_PASSWORD）。 "
        "A SQLite file, or postgresql://user@host/name (its password: HUPAN_DATABASE_PASSWORD).",
        show_default=False,
    ),
]


def load_settings_or_exit(
    config: Path | None, options: Mapping[str, object] | None = None
) -> LoadedSettings:
    """The settings from all sources; the problems go to standard error.

    Raises:
        typer.Exit: with 1, when values cannot be used.
    """
    try:
        return load_with_sources(options or {}, os.environ, config)
    except SettingsError as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from error


def load_startable_settings_or_exit(
    config: Path | None,
    options: Mapping[str, object] | None = None,
    *,
    with_senders: bool = True,
) -> LoadedSettings:
    """The settings, with which a server can start; the problems go to standard error.

    Raises:
        typer.Exit: with 1, when it cannot.
    """
    loaded = load_settings_or_exit(config, options)
    found = find_problems(loaded.settings, with_senders=with_senders)
    if not found:
        return loaded
    lines = [_with_origin(loaded, problem) for problem in found]
    typer.echo("\n".join(map(str, lines)), err=True)
    raise typer.Exit(1)


def _with_origin(loaded: LoadedSettings, problem: UnusableSetting) -> InvalidSetting:
    """The problem with the source and the value of its setting."""
    setting, origin = SETTINGS[problem.name], loaded.sources[problem.name]
    value = setting.masked_value(getattr(loaded.settings, problem.name))
    is_hidden = setting.secret or problem.name == "database"
    value_text = str(value) if is_hidden else format_value(value, secret=False)
    return InvalidSetting(problem.name, origin.description, problem.expected, value_text)


DataDirOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="数据目录 Folder of the data", show_default=False)
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="输出 JSON。 Write JSON, for programs.")
]
DatabaseResult = TypeVar("DatabaseResult")


def run_on_database(
    config: Path | None,
    data_dir: Path | None,
    work: Callable[[Database], Awaitable[DatabaseResult]],
    *,
    event: str = "",
    details: Mapping[str, object] | None = None,
) -> DatabaseResult:
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
    settings = load_settings_or_exit(config, {"data_dir": data_dir}).settings

    async def run() -> DatabaseResult:
        async with open_for_admin(settings) as database:
            return await work(database)

    with exit_on_error():
        if not event:
            return asyncio.run(run())
        action = OperatorAction(event, "", details or {})
        return run_audited(settings, current_operator(), action, lambda: asyncio.run(run()))


def print_raw_rows(
    columns: Mapping[str, str], rows: Sequence[Mapping[str, object]], *, as_json: bool
) -> None:
    """Writes rows: a table for people, a JSON array of all their values for programs."""
    if as_json:
        print_json(rows)
    else:
        print_table(columns, rows)


def print_json(value: object) -> None:
    """Writes a value for programs."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


Result = TypeVar("Result")
_TIME_KEYS = (
    *("vipUntil", "bannedUntil", "registeredAt", "lastActiveAt", "createdAt", "erasedAt"),
    *("changedAt", "undoneAt", "endsAt", "signedInAt", "lastUsedAt"),
)
_MAX_UNIX_TIME = 253_402_300_799
_EMPTY_CELL = "—"


def run_admin(
    config: Path | None,
    data_dir: Path | None,
    work: Callable[[AdminServices], Awaitable[Result]],
    *,
    event: str = "",
    subject: str = "",
    details: Mapping[str, object] | None = None,
) -> tuple[Result, Settings]:
    """Does something at a desk; a server may run beside it. Gives the settings too.

    Args:
        config: the file of the settings.
        data_dir: where the data lie.
        work: does it.
        event: the name of the event that is recorded, "" for an act that changes nothing.
        subject: the account that it is about, as the operator named it.
        details: what else was asked for, to be recorded.

    Raises:
        typer.Exit: with 1, when it cannot be done; the reason stands on standard error.
    """
    settings = load_settings_or_exit(config, {"data_dir": data_dir}).settings

    async def run() -> Result:
        async with open_admin_services(settings) as services:
            return await work(services)

    with exit_on_error():
        if not event:
            return asyncio.run(run()), settings
        action = OperatorAction(event, subject, details or {})
        return run_audited(
            settings, current_operator(), action, lambda: asyncio.run(run())
        ), settings


def print_rows(
    rows: Sequence[AdminRow], columns: dict[str, str], settings: Settings, *, as_json: bool
) -> None:
    """Writes a list."""
    if as_json:
        print_json(rows)
    else:
        zone = ZoneInfo(settings.time_zone)
        print_table(columns, [_format_row(row, zone) for row in rows])


def print_single_row(
    row: AdminRow, columns: dict[str, str], settings: Settings, *, as_json: bool
) -> None:
    """Writes one thing of which there are lists: a table of one line."""
    if as_json:
        print_json(row)
    else:
        print_rows([row], columns, settings, as_json=False)


def print_fields(
    row: AdminRow, labels: dict[str, str], settings: Settings, *, as_json: bool
) -> None:
    """Writes one thing: a line for each of its values."""
    if as_json:
        print_json(row)
        return
    readable = _format_row(row, ZoneInfo(settings.time_zone))
    lines = [
        {"name": label.replace("\n", " "), "value": readable[key]} for key, label in labels.items()
    ]
    print_table({"name": "项目\nWhat", "value": "值\nValue"}, lines)


def _format_row(row: AdminRow, zone: ZoneInfo) -> AdminRow:
    """The values as people read them: times in the server's zone, a dash for none."""
    return {key: _format_cell(key, value, zone) for key, value in row.items()} | _format_status(
        row, zone
    )


def _format_status(row: AdminRow, zone: ZoneInfo) -> AdminRow:
    """VIP and ban in words, where the row is an account."""
    if "banned" not in row:
        return {}
    vip, ban = (
        _format_cell("vipUntil", row["vipUntil"], zone),
        _format_cell("bannedUntil", row["bannedUntil"], zone),
    )
    expired = f"已过期 expired {vip}" if row["vipUntil"] else _EMPTY_CELL
    banned = f"至 until {ban}" if row["bannedUntil"] else "永久 for good"
    return {
        "vip": f"至 until {vip}" if row["vip"] else expired,
        "banned": banned if row["banned"] else _EMPTY_CELL,
    }


def _format_cell(key: str, value: object, zone: ZoneInfo) -> str:
    if key in _TIME_KEYS and isinstance(value, int) and 0 < value <= _MAX_UNIX_TIME:
        return f"{datetime.fromtimestamp(value, zone):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    if isinstance(value, list):
        return "、".join(map(str, value)) or _EMPTY_CELL
    return _EMPTY_CELL if value in (None, "") else str(value)


WhoArgument: TypeAlias = Annotated[
    str, typer.Argument(help="编号、手机号或邮箱 Id, phone number or e-mail", show_default=False)
]
ACCOUNT_LABELS = {
    "id": "编号\nId",
    "nickname": "昵称\nNickname",
    "phone": "手机号\nPhone",
    "email": "邮箱\nE-mail",
    "coins": "金币\nCoins",
    "vip": "会员\nVIP",
    "banned": "封禁\nBanned",
    "banReason": "封禁原因\nReason of the ban",
    "medals": "勋章\nMedals",
    "invitationCode": "邀请码\nInvitation code",
    "invitedBy": "邀请人\nInvited by",
    "onlineDays": "在线天数\nDays online",
    "country": "归属地\nCountry",
    "registeredAt": "注册时间\nRegistered",
    "lastActiveAt": "最近活跃\nLast active",
    "erasedAt": "已注销，清除时间\nCancelled, erased",
}
_LIST_KEYS = (
    *("id", "nickname", "phone", "email", "coins", "vip", "banned", "registeredAt", "erasedAt"),
)
ACCOUNT_COLUMNS = {key: ACCOUNT_LABELS[key] for key in _LIST_KEYS}


def print_account(result: tuple[AdminRow, Settings], *, as_json: bool) -> None:
    """Writes one account."""
    row, settings = result
    print_fields(row, ACCOUNT_LABELS, settings, as_json=as_json)
