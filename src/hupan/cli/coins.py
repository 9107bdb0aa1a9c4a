"""`hupan account coins` and `hupan coins check`."""

import uuid
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from hupan.admin.views import AdminRow
from hupan.cli.help import make_group
from hupan.cli.language import say
from hupan.cli.output import Column
from hupan.cli.run import (
    AccountArgument,
    AdminCommand,
    admin_command,
    admin_list_command,
    current_operator_name,
)
from hupan.wiring import AdminServices

_ENTRY_COLUMNS = {
    "number": Column(say("序号", "No.")),
    "change": Column(say("变动", "Change")),
    "after": Column(say("余额", "Balance")),
    "typ": Column(say("类型", "Type"), wide_only=True),
    "reason": Column(say("原因", "Reason"), wraps=True),
    "actor": Column(say("操作者", "By"), wide_only=True),
    "createdAt": Column(say("时间", "Time")),
}
account_commands = typer.Typer(rich_markup_mode=None)
"""The command of `hupan account`."""


@account_commands.command(
    "coins",
    help=say(
        "列出最近的金币记录，或发放、扣除金币。\n\n重试时请使用相同的 --key：同一个键只生效一次。",
        "List the latest coin entries of an account, or give or take coins.\n\n"
        "Repeat the same --key when you retry: a change with a given key is made once.",
    ),
    short_help=say("查看、发放或扣除金币", "List, give or take coins"),
)
@admin_list_command
def coins(
    command: AdminCommand,
    *,
    account: AccountArgument,
    give: Annotated[
        str | None,
        typer.Option(metavar="COINS", help=say("发放。", "Give coins."), show_default=False),
    ] = None,
    take: Annotated[
        str | None,
        typer.Option(metavar="COINS", help=say("扣除。", "Take coins."), show_default=False),
    ] = None,
    reason: Annotated[str, typer.Option(help=say("原因。", "Reason."))] = "",
    key: Annotated[
        str, typer.Option(help=say("此次变动的幂等键。", "Idempotency key of the change."))
    ] = "",
    limit: Annotated[
        int,
        typer.Option(min=1, max=100, help=say("列出的记录数上限。", "Maximum number of entries.")),
    ] = 20,
) -> None:
    """Print the entries of the journal, or the one that was made."""
    if give is not None and take is not None:
        raise typer.BadParameter(
            say("--give、--take 只能选一个", "--give and --take exclude each other")
        )
    if (give or take) and not reason:
        raise typer.BadParameter(say("请加上 --reason", "--reason is required"))

    async def change_or_list(services: AdminServices) -> AdminRow | list[AdminRow]:
        if give is None and take is None:
            return await services.coins.list_newest(account, limit)
        change_key = key or str(uuid.uuid4())
        actor = f"operator:{current_operator_name()}"
        if give is not None:
            return await services.coins.give(account, parse_amount(give), reason, change_key, actor)
        return await services.coins.take(
            account, parse_amount(take or ""), reason, change_key, actor
        )

    event = "" if give is None and take is None else "operator-coins"
    details = {"give": give, "take": take, "why": reason, "key": key}
    result = command.run(change_or_list, event=event, subject=account, details=details)
    if isinstance(result, list):
        command.print_rows(result, _ENTRY_COLUMNS)
    else:
        command.print_row(result, _ENTRY_COLUMNS)


def parse_amount(text: str) -> Decimal:
    """Return an exact number of coins.

    Raises:
        typer.BadParameter: it is not a number.
    """
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(say(f"{text!r} 不是数目", f"{text!r} is not a number")) from error


_FAULT_COLUMNS = {
    "account": Column(say("账号", "Account")),
    "entry": Column(say("记录", "Entry")),
    "fault": Column(say("差错", "Fault"), wraps=True),
}
_FAULT_LABELS = {
    "entry": say(
        "与前一条不衔接或计算不符", "does not follow the previous entry, or does not add up"
    ),
    "balance": say("余额与最新记录不符", "the balance differs from that of the latest entry"),
}
app = make_group(
    say(
        "核对金币流水，可在服务器运行时使用。",
        "Check the coin journal; the server can be running.",
    ),
    say("核对金币流水", "Check the coin journal"),
)


@app.callback()
def _coins() -> None:
    """Keep `coins` a group, though it has one command."""


@app.command(
    "check",
    help=say(
        "核对所有账号或一个账号的金币流水，列出差错；有差错时退出状态为 1。",
        "Check the journal of all accounts, or of one, and list its faults. The exit status is 1 "
        "if there are any.",
    ),
    short_help=say("核对金币流水", "Check the coin journal"),
)
@admin_command
def check(
    command: AdminCommand,
    *,
    account: Annotated[
        str | None,
        typer.Argument(
            help=say("编号、手机号或邮箱。", "Id, phone number or e-mail address."),
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print the faults.

    Raises:
        typer.Exit: with 1, when there are any.
    """
    rows = command.run(lambda services: services.coins.find_faults(account))
    if command.as_json:
        command.print_rows(rows, _FAULT_COLUMNS)
    elif rows:
        readable = [{**row, "fault": _FAULT_LABELS[str(row["fault"])]} for row in rows]
        command.print_rows(readable, _FAULT_COLUMNS)
    else:
        typer.echo(say("没有差错。", "No faults."))
    if rows:
        raise typer.Exit(1)
