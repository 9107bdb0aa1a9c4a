"""Runs admin operations for commands: loads settings, records the operation, prints the result."""

import asyncio
import inspect
import os
import pwd
import signal
import threading
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, wraps
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import typer

from hupan.admin.audit import Operator, OperatorAction, run_audited
from hupan.admin.config_check import find_problems
from hupan.admin.views import AdminRow
from hupan.cli.language import say, say_text
from hupan.cli.output import Column, exit_on_error, print_fields, print_json, print_table
from hupan.config import LoadedSettings, Settings, SettingsError, load_with_sources
from hupan.config.load import (
    InvalidSetting,
    UnusableSetting,
    format_value,
)
from hupan.config.settings import SETTINGS
from hupan.rules import MAX_UNIX_TIME
from hupan.wiring import AdminServices, open_admin_services

_MAX_NAME_CHARACTERS = 48


def current_operator_name() -> str:
    """Return the name of the system user of the process, or the number of a user without a name.

    Only the kernel is asked: the caller may set LOGNAME and the like to anything.
    """
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):  # a user without an entry, as containers have them
        name = ""
    return name if _is_valid_name(name) else str(uid)


def current_operator() -> Operator:
    """Return the operator, with the user that sudo names (which is not proof)."""
    claimed = os.environ.get("SUDO_USER", "")
    return Operator(current_operator_name(), claimed if _is_valid_name(claimed) else "")


def _is_valid_name(name: str) -> bool:
    return name.isprintable() and 0 < len(name) <= _MAX_NAME_CHARACTERS


ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help=say(
            "配置文件；默认为 HUPAN_CONFIG 所指的文件，或当前目录的 hupan.toml。",
            "Configuration file. Default: the one named by HUPAN_CONFIG, or hupan.toml in the "
            "current directory.",
        ),
        show_default=False,
    ),
]
DatabaseOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="PLACE",
        help=say(
            "SQLite 文件，或 postgresql://用户@主机/库名（密码请用 HUPAN_DATABASE_PASSWORD）。",
            "SQLite file, or postgresql://user@host/name (password: HUPAN_DATABASE_PASSWORD).",
        ),
        show_default=False,
    ),
]
DataDirOption: TypeAlias = Annotated[
    Path | None, typer.Option(help=say("数据目录。", "Data directory."), show_default=False)
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help=say("输出 JSON，供程序读取。", "Print JSON, for programs."))
]
WideOption: TypeAlias = Annotated[
    bool, typer.Option("--wide", help=say("显示所有列。", "Show all columns."))
]
AccountArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        help=say("编号、手机号或邮箱。", "Id, phone number or e-mail address."), show_default=False
    ),
]
Resource = TypeVar("Resource")
Result = TypeVar("Result")


def load_settings_or_exit(
    config: Path | None, options: Mapping[str, object] | None = None
) -> LoadedSettings:
    """Return the settings from all sources, or print their problems.

    Raises:
        typer.Exit: with 1, when a value cannot be used.
    """
    try:
        return load_with_sources(options or {}, os.environ, config)
    except SettingsError as error:
        _print_problems(error.problems)
        raise typer.Exit(1) from error


def load_startable_settings_or_exit(
    config: Path | None,
    options: Mapping[str, object] | None = None,
    *,
    with_senders: bool = True,
) -> LoadedSettings:
    """Return settings with which a server can start, or print their problems.

    Raises:
        typer.Exit: with 1, when none can.
    """
    loaded = load_settings_or_exit(config, options)
    problems = find_problems(loaded.settings, with_senders=with_senders)
    if not problems:
        return loaded
    _print_problems([_with_origin(loaded, problem) for problem in problems])
    raise typer.Exit(1)


def _print_problems(problems: Iterable[InvalidSetting]) -> None:
    typer.echo("\n".join(say_text(problem.message) for problem in problems), err=True)


def _with_origin(loaded: LoadedSettings, problem: UnusableSetting) -> InvalidSetting:
    setting, origin = SETTINGS[problem.name], loaded.sources[problem.name]
    value = setting.masked_value(getattr(loaded.settings, problem.name))
    is_hidden = setting.secret or problem.name == "database"
    value_text = str(value) if is_hidden else format_value(value, secret=False)
    return InvalidSetting(problem.name, origin.description, problem.expected, value_text)


def run_operation(
    settings: Settings,
    work: Callable[[], Coroutine[Any, Any, Result]],
    action: OperatorAction | None,
    describe_result: Callable[[Result], Mapping[str, object]] = lambda _: {},
) -> Result:
    """Run an operation; with an action, record that it begins and how it ends.

    Raises:
        typer.Exit: with 1, when it is refused; the reason is printed on standard error.
    """
    with exit_on_error(), undone_by_signals():
        if action is None:
            return asyncio.run(work())
        return run_audited(
            settings, current_operator(), action, lambda: asyncio.run(work()), describe_result
        )


@contextmanager
def undone_by_signals() -> Iterator[None]:
    """End the command at SIGTERM and SIGHUP as at Ctrl-C: what it began is undone, drafts go.

    Raises:
        SystemExit: at a signal, with the status that a shell reports.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, _exit_by_signal)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) == signal.SIG_DFL  # nohup ignores SIGHUP
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_by_signal(number: int, _frame: FrameType | None) -> None:
    # A closed terminal sends several: the next ones must not end what undoes the command.
    for other in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(other) is _exit_by_signal:
            signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


@dataclass
class AdminCommand:
    """One run of a command of the admin services; a server may run at the same time.

    Attributes:
        as_json: whether to print JSON, for programs.
        data_dir: the data directory.
        config: the configuration file.
        wide: whether to print all columns.
    """

    as_json: bool
    data_dir: Path | None
    config: Path | None
    wide: bool = False

    @cached_property
    def settings(self) -> Settings:
        """Return the settings.

        Raises:
            typer.Exit: with 1, when a value cannot be used.
        """
        return load_settings_or_exit(self.config, {"data_dir": self.data_dir}).settings

    def run(
        self,
        work: Callable[[AdminServices], Awaitable[Result]],
        *,
        event: str = "",
        subject: str = "",
        details: Mapping[str, object] | None = None,
    ) -> Result:
        """Run an operation.

        Args:
            work: the operation.
            event: the name of the recorded event; "" for an operation that changes nothing.
            subject: the account it is about, as the operator named it.
            details: more to record of what was asked for.

        Raises:
            typer.Exit: with 1, when it is refused; the reason is printed on standard error.
        """
        action = OperatorAction(event, subject, details or {}) if event else None
        settings = self.settings

        async def run() -> Result:
            async with open_admin_services(settings) as services:
                return await work(services)

        return run_operation(settings, run, action)

    def print_rows(self, rows: Sequence[AdminRow], columns: Mapping[str, Column]) -> None:
        """Print a list: a table for people, a JSON array of all values for programs."""
        if self.as_json:
            print_json(rows)
        else:
            zone = ZoneInfo(self.settings.time_zone)
            print_table(columns, [_format_row(row, zone) for row in rows], wide=self.wide)

    def print_row(self, row: AdminRow, columns: Mapping[str, Column]) -> None:
        """Print one row: a line for each value, or a JSON object."""
        if self.as_json:
            print_json(row)
            return
        readable = _format_row(row, ZoneInfo(self.settings.time_zone))
        print_fields([(column.heading, readable[key]) for key, column in columns.items()])

    def print_account(self, row: AdminRow) -> None:
        """Print one account."""
        self.print_row(row, ACCOUNT_COLUMNS)


def with_shared_options(
    make_command: Callable[..., object], **shared: object
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds options to a command, in this order, behind its own.

    Args:
        make_command: returns the first argument of the command, from the values of the options.
        shared: the types of the options by parameter; without a value a flag is False, others None.
    """
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if option in (JsonOption, WideOption) else None,
            annotation=option,
        )
        for name, option in shared.items()
    ]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def command(**given: object) -> None:
            own = {name: value for name, value in given.items() if name not in shared}
            function(make_command(**{name: given[name] for name in shared}), **own)

        signature = inspect.signature(function)
        parameters = [*list(signature.parameters.values())[1:], *added]
        # The framework makes the options from these two.
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # PEP 362
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return decorate


admin_command = with_shared_options(
    AdminCommand, as_json=JsonOption, data_dir=DataDirOption, config=ConfigOption
)
"""Adds the options that all commands of the admin services share."""
admin_list_command = with_shared_options(
    AdminCommand,
    as_json=JsonOption,
    wide=WideOption,
    data_dir=DataDirOption,
    config=ConfigOption,
)
"""Adds the same options, and `--wide`."""


_TIME_KEYS = (
    *("vipUntil", "bannedUntil", "registeredAt", "lastActiveAt", "createdAt", "erasedAt"),
    *("changedAt", "undoneAt", "endsAt", "signedInAt", "lastUsedAt"),
)
_EMPTY_CELL = "—"


def format_yes_no(*, value: bool) -> str:
    """Return a flag as text for display."""
    return say("是", "yes") if value else say("否", "no")


def _format_row(row: AdminRow, zone: ZoneInfo) -> AdminRow:
    """Return the values as text for display: times in the server's zone, a dash for none."""
    return {key: _format_cell(key, value, zone) for key, value in row.items()} | _format_status(
        row, zone
    )


def _format_status(row: AdminRow, zone: ZoneInfo) -> AdminRow:
    """Return VIP and ban in words, if the row is an account."""
    if "banned" not in row:
        return {}
    vip = _format_cell("vipUntil", row["vipUntil"], zone)
    ban = _format_cell("bannedUntil", row["bannedUntil"], zone)
    expired = say(f"已过期 {vip}", f"expired {vip}") if row["vipUntil"] else _EMPTY_CELL
    banned = say(f"至 {ban}", f"until {ban}") if row["bannedUntil"] else say("永久", "permanent")
    flags = {
        say("会员", "VIP"): row["vip"],
        say("封禁", "banned"): row["banned"],
        say("已注销", "cancelled"): row["erasedAt"],
    }
    return {
        "vip": say(f"至 {vip}", f"until {vip}") if row["vip"] else expired,
        "banned": banned if row["banned"] else _EMPTY_CELL,
        "status": say("、", ", ").join(name for name, is_set in flags.items() if is_set)
        or _EMPTY_CELL,
    }


def _format_cell(key: str, value: object, zone: ZoneInfo) -> str:
    if key in _TIME_KEYS and isinstance(value, int) and 0 < value <= MAX_UNIX_TIME:
        return f"{datetime.fromtimestamp(value, zone):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return format_yes_no(value=value)
    if isinstance(value, list):
        return say("、", ", ").join(map(str, value)) or _EMPTY_CELL
    return _EMPTY_CELL if value in (None, "") else str(value)


ACCOUNT_COLUMNS: Mapping[str, Column] = {
    "id": Column(say("编号", "Id")),
    "nickname": Column(say("昵称", "Nickname"), wraps=True),
    "phone": Column(say("手机号", "Phone")),
    "email": Column(say("邮箱", "E-mail"), wraps=True),
    "coins": Column(say("金币", "Coins"), wide_only=True),
    "vip": Column(say("会员", "VIP"), wide_only=True),
    "banned": Column(say("封禁", "Banned"), wide_only=True),
    "banReason": Column(say("封禁原因", "Ban reason"), wraps=True),
    "medals": Column(say("勋章", "Medals"), wraps=True),
    "invitationCode": Column(say("邀请码", "Invitation code")),
    "invitedBy": Column(say("邀请人", "Invited by")),
    "onlineDays": Column(say("在线天数", "Days online")),
    "country": Column(say("归属地", "Country")),
    "registeredAt": Column(say("注册时间", "Registered"), wide_only=True),
    "lastActiveAt": Column(say("最近活跃", "Last active")),
    "erasedAt": Column(say("已注销，清除时间", "Cancelled, erased at"), wide_only=True),
}
