"""`hupan limits`: show limits and counters, reset counters."""

import time
from typing import Annotated

import typer

from hupan.admin.limits import exemption_lines, exemption_rows, limit_rows
from hupan.cli.output import print_table
from hupan.cli.run import (
    ConfigOption,
    DataDirOption,
    JsonOption,
    load_settings_or_exit,
    print_fields,
    print_json,
    print_rows,
    run_admin,
)
from hupan.config import Settings

_LIMIT_COLUMNS = {
    "setting": "设置\nSetting",
    "whoText": "限制谁\nWho",
    "whatText": "内容\nWhat",
    "mostText": "次数\nHow many",
    "timeText": "时间\nHow long",
    "keptText": "计数于\nCounted",
}
COUNTER_COLUMNS = {
    "target": "对象\nTarget",
    "name": "限制\nLimit",
    "count": "已计\nCounted",
    "most": "上限\nOf",
    "full": "已满\nFull",
    "device": "本人设备\nOwner's device",
    "endsAt": "至\nUntil",
}
_EXEMPTION_COLUMNS = {"target": "免限\nExempt", "until": "至\nUntil", "inForce": "有效\nIn force"}
_YES_NO = {True: "是 yes", False: "否 no"}
RESET_COLUMNS = {"target": "对象\nTarget", "forgotten": "清除的计数\nCounts forgotten in the store"}


def print_limits(settings: Settings, *, as_json: bool) -> None:
    """Writes every limit, and the targets that are exempt, masked (security L1)."""
    rows, now = limit_rows(settings), time.time()
    if as_json:
        limits = [{k: v for k, v in row.items() if not k.endswith("Text")} for row in rows]
        print_json({"limits": limits, "exempt": exemption_rows(settings, now)})
        return
    print_table(_LIMIT_COLUMNS, rows)
    for line in exemption_lines(settings, now):
        typer.echo(line)
    exempt = [
        {**one, "inForce": _YES_NO[bool(one["inForce"])]} for one in exemption_rows(settings, now)
    ]
    if exempt:
        print_table(_EXEMPTION_COLUMNS, exempt)


_LIMITS_HELP = """查看与重置频率限制，可在服务器运行时使用。

Limits; also while the server runs.
"""
_SHOW_HELP = """列出全部限制：限制谁、什么、多少次、多久。每项都可在设置中修改。

List every limit: who, what, how many, how long. Each is a setting.

写出手机号、邮箱或账号编号，则显示它在数据库中的计数。

With a phone number, an e-mail or an account's id: how far that has come, as the store counts it.
"""
_RESET_HELP = """清除对一个手机号、邮箱、账号、IP 地址或网段的计数。

按 IP 与按账号的计数在各进程的内存中，一分钟内清除。

Forget what was counted of a phone number, an e-mail, an account, an IP address or a network. What
servers count in memory, by address and by account, they forget within a minute.
"""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    group.command("show", help=_SHOW_HELP, short_help="列出 List")(show)
    group.command("reset", help=_RESET_HELP, short_help="清除计数 Forget counts")(reset)
    app.add_typer(group, name="limits", help=_LIMITS_HELP, short_help="限制 Limits")


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
        print_limits(load_settings_or_exit(config, {}).settings, as_json=as_json)
        return
    rows, settings = run_admin(config, data_dir, lambda desks: desks.limits.list_counters(target))
    print_rows(rows, COUNTER_COLUMNS, settings, as_json=as_json)


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
    row, settings = run_admin(
        config,
        data_dir,
        lambda desks: desks.limits.reset(target),
        event="operator-limits-reset",
        subject=target,
    )
    print_fields(row, RESET_COLUMNS, settings, as_json=as_json)
