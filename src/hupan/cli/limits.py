"""`hupan limits`: show limits and counters, reset counters."""

import time
from typing import Annotated

import typer

from hupan.admin.limits import exemption_lines, exemption_rows, limit_rows
from hupan.cli.help import make_group
from hupan.cli.language import say, say_text
from hupan.cli.output import Column, print_json, print_table
from hupan.cli.run import AdminCommand, admin_command, admin_list_command, format_yes_no
from hupan.config import Settings
from hupan.localized import LocalizedText

_LIMIT_COLUMNS = {
    "setting": Column(say("设置", "Setting")),
    "whoText": Column(say("限制对象", "Who"), wraps=True),
    "whatText": Column(say("内容", "What"), wraps=True, wide_only=True),
    "mostText": Column(say("次数", "Maximum")),
    "timeText": Column(say("时间", "Time"), wraps=True),
    "keptText": Column(say("计数位置", "Counted in"), wide_only=True),
}
_COUNTER_COLUMNS = {
    "target": Column(say("对象", "Target")),
    "name": Column(say("限制", "Limit")),
    "count": Column(say("计数", "Count")),
    "most": Column(say("上限", "Maximum")),
    "full": Column(say("已满", "Full"), wide_only=True),
    "device": Column(say("本人设备", "Owner's device"), wide_only=True),
    "endsAt": Column(say("至", "Until")),
}
_EXEMPTION_COLUMNS = {
    "target": Column(say("豁免", "Exempt"), wraps=True),
    "until": Column(say("至", "Until")),
    "inForce": Column(say("有效", "In force")),
}
_RESET_COLUMNS = {
    "target": Column(say("对象", "Target")),
    "forgotten": Column(say("清除的计数", "Counters cleared in the store")),
}
app = make_group(
    say(
        "查看与重置频率限制，可在服务器运行时使用。",
        "Show and reset rate limits; the server can be running.",
    ),
    say("查看与重置频率限制", "Show and reset rate limits"),
)


def print_limits(settings: Settings, *, as_json: bool, wide: bool = False) -> None:
    """Print every limit, and the exempt targets, masked (security L1)."""
    rows, now = limit_rows(settings), time.time()
    if as_json:
        limits = [{k: v for k, v in row.items() if not k.endswith("Text")} for row in rows]
        print_json({"limits": limits, "exempt": exemption_rows(settings, now)})
        return
    print_table(_LIMIT_COLUMNS, [_say_values(row) for row in rows], wide=wide)
    for text in exemption_lines(settings, now):
        typer.echo(say_text(text))
    exempt = [
        {**row, "inForce": format_yes_no(value=bool(row["inForce"]))}
        for row in exemption_rows(settings, now)
    ]
    if exempt:
        print_table(_EXEMPTION_COLUMNS, exempt)


def _say_values(row: dict[str, object]) -> dict[str, object]:
    return {
        name: say_text(value) if isinstance(value, LocalizedText) else value
        for name, value in row.items()
    }


@app.command(
    "show",
    help=say(
        "列出全部限制：限制对象、计数内容、次数与时间窗口。每项都可在设置中修改。\n\n"
        "写出手机号、邮箱或账号编号，则显示它在数据库中的计数。",
        "List all limits: subject, event, maximum and window. Each is a setting.\n\n"
        "With a phone number, an e-mail address or an account id, show its counters in the "
        "database.",
    ),
    short_help=say("列出限制或查看计数", "List the limits, or show counters"),
)
@admin_list_command
def show(
    command: AdminCommand,
    *,
    target: Annotated[
        str | None,
        typer.Argument(
            help=say("手机号、邮箱或账号编号。", "Phone number, e-mail address or account id."),
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print every limit, for which no store is needed; or the counters of a target."""
    if target is None:
        print_limits(command.settings, as_json=command.as_json, wide=command.wide)
        return
    rows = command.run(lambda services: services.limits.list_counters(target))
    command.print_rows(rows, _COUNTER_COLUMNS)


@app.command(
    "reset",
    help=say(
        "清除对一个手机号、邮箱、账号、IP 地址或网段的计数。\n\n"
        "按 IP 与按账号的计数在各进程的内存中，一分钟内清除。",
        "Clear the counters of a phone number, an e-mail address, an account, an IP address or a "
        "network.\n\n"
        "Counters in the memory of servers, by IP and by account, are cleared within a minute.",
    ),
    short_help=say("清除计数", "Clear counters"),
)
@admin_command
def reset(
    command: AdminCommand,
    *,
    target: Annotated[
        str,
        typer.Argument(
            help=say(
                "手机号、邮箱、账号编号、IP 或网段。",
                "Phone number, e-mail address, account id, IP address or network.",
            ),
            show_default=False,
        ),
    ],
) -> None:
    """Clear counters and print how many there were."""
    row = command.run(
        lambda services: services.limits.reset(target),
        event="operator-limits-reset",
        subject=target,
    )
    command.print_row(row, _RESET_COLUMNS)
