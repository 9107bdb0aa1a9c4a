"""`hupan limits show` and `hupan limits reset`."""

from typing import Annotated

import typer

from hupan.cli.desks import at_desk, show_row, show_rows
from hupan.cli.limit_tables import COUNTS, FORGOTTEN, show_limits
from hupan.cli.operating import DataDirOption, JsonOption
from hupan.cli.settings_or_exit import ConfigOption, settings_or_exit

_LIMITS = """查看与重置频率限制，可在服务器运行时使用。

Limits; also while the server runs.
"""
_SHOW = """列出全部限制：限制谁、什么、多少次、多久。每项都可在设置中修改。

List every limit: who, what, how many, how long. Each is a setting.

写出手机号、邮箱或账号编号，则显示它在数据库中的计数。

With a phone number, an e-mail or an account's id: how far that has come, as the store counts it.
"""
_RESET = """清除对一个手机号、邮箱、账号、IP 地址或网段的计数。

按 IP 与按账号的计数在各进程的内存中，一分钟内清除。

Forget what was counted of a phone number, an e-mail, an account, an IP address or a network. What
servers count in memory, by address and by account, they forget within a minute.
"""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    group.command("show", help=_SHOW, short_help="列出 List")(show)
    group.command("reset", help=_RESET, short_help="清除计数 Forget counts")(reset)
    app.add_typer(group, name="limits", help=_LIMITS, short_help="限制 Limits")


def show(
    *,
    target: Annotated[
        str | None,
        typer.Argument(
            help="手机号、邮箱或账号编号 Phone, e-mail or account's id", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes every limit, for which no store is needed; or the counts of a target."""
    if target is None:
        show_limits(settings_or_exit(config, {}).settings, as_json=as_json)
        return
    rows, settings = at_desk(config, data_dir, lambda desks: desks.limits.counted(target))
    show_rows(rows, COUNTS, settings, as_json=as_json)


def reset(
    *,
    target: Annotated[
        str,
        typer.Argument(
            help="手机号、邮箱、账号编号、IP 或网段 Phone, e-mail, account's id, IP or network",
            show_default=False,
        ),
    ],
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Forgets counts and tells how many there were."""
    row, settings = at_desk(
        config,
        data_dir,
        lambda desks: desks.limits.reset(target),
        event="operator-limits-reset",
        who=target,
    )
    show_row(row, FORGOTTEN, settings, as_json=as_json)
