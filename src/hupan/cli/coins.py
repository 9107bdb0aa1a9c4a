"""`hupan account coins` and `hupan coins check`."""

import uuid
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from hupan.admin.views import AdminRow
from hupan.cli.run import (
    ConfigOption,
    DataDirOption,
    JsonOption,
    WhoArgument,
    current_operator_name,
    print_rows,
    print_single_row,
    run_admin,
)
from hupan.wiring import AdminServices

_ACCOUNT_COINS_HELP = """列出最近的金币记录，或发放、扣除金币。

List the newest changes of an account's coins, or give or take some.

重试时请用同一个 --key：同一个编号只生效一次。

Give the same --key when you try again: what one key names happens once.
"""
_ENTRY_COLUMNS = {
    "number": "序号\nNo.",
    "change": "变动\nChange",
    "after": "余额\nAfter",
    "typ": "类型\nType",
    "reason": "原因\nReason",
    "actor": "操作者\nBy",
    "createdAt": "时间\nTime",
}


def register_account_coins(group: typer.Typer) -> None:
    """Adds the command to `hupan account`."""
    group.command("coins", help=_ACCOUNT_COINS_HELP, short_help="金币 Coins")(coins)


def coins(
    *,
    who: WhoArgument,
    give: Annotated[
        str | None, typer.Option(metavar="COINS", help="发放 Give", show_default=False)
    ] = None,
    take: Annotated[
        str | None, typer.Option(metavar="COINS", help="扣除 Take", show_default=False)
    ] = None,
    reason: Annotated[str, typer.Option(help="原因 Why")] = "",
    key: Annotated[str, typer.Option(help="此次变动的编号 Names the change")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100, help="最多列出 At most")] = 20,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes the entries of the journal, or the one that was made."""
    if give is not None and take is not None:
        raise typer.BadParameter("--give、--take 只能选一个 / give one of them")
    if (give or take) and not reason:
        raise typer.BadParameter("--reason")

    async def change_or_list(services: AdminServices) -> AdminRow | list[AdminRow]:
        change_key = key or str(uuid.uuid4())
        if give is not None:
            return await services.coins.give(
                who, parse_amount(give), reason, change_key, _current_actor()
            )
        if take is not None:
            return await services.coins.take(
                who, parse_amount(take), reason, change_key, _current_actor()
            )
        return await services.coins.list_newest(who, limit)

    event = "" if give is None and take is None else "operator-coins"
    details = {"give": give, "take": take, "why": reason, "key": key}
    result, settings = run_admin(
        config, data_dir, change_or_list, event=event, subject=who, details=details
    )
    if isinstance(result, list):
        print_rows(result, _ENTRY_COLUMNS, settings, as_json=as_json)
    else:
        print_single_row(result, _ENTRY_COLUMNS, settings, as_json=as_json)


def _current_actor() -> str:
    """Return the operator as the journal names them."""
    return f"operator:{current_operator_name()}"


def parse_amount(text: str) -> Decimal:
    """Coins from the command line, exactly.

    Raises:
        typer.BadParameter: it is no number.
    """
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(f"{text!r} 不是数目 / is no number") from error


_COINS_HELP = """检查金币账目，可在服务器运行时使用。

The journal of coins; also while the server runs.
"""
_CHECK_HELP = """检查所有账号或一个账号的金币账目，列出差错；有差错时状态码为 1。

Check the journal of all accounts, or of one, and list its faults; the status is 1 when it has any.
"""
_FAULT_COLUMNS = {
    "account": "账号\nAccount",
    "entry": "记录\nEntry",
    "fault": "差错\nFault",
}
_FAULT_LABELS = {
    "entry": "与前一条不衔接或计算不符 does not follow or does not add up",
    "balance": "余额与最新记录不符 the balance is not what the newest entry left",
}
_NO_FAULTS = "没有差错。 No faults."


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    group.command("check", help=_CHECK_HELP, short_help="检查账目 Check the journal")(check)
    app.add_typer(group, name="coins", help=_COINS_HELP, short_help="金币账目 Journal of coins")


def check(
    *,
    who: Annotated[
        str | None,
        typer.Argument(help="编号、手机号或邮箱 Id, phone number or e-mail", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes the faults.

    Raises:
        typer.Exit: with 1, when there are any.
    """
    rows, settings = run_admin(config, data_dir, lambda desks: desks.coins.find_faults(who))
    if as_json:
        print_rows(rows, _FAULT_COLUMNS, settings, as_json=True)
    elif rows:
        readable = [{**row, "fault": _FAULT_LABELS[str(row["fault"])]} for row in rows]
        print_rows(readable, _FAULT_COLUMNS, settings, as_json=False)
    else:
        typer.echo(_NO_FAULTS)
    if rows:
        raise typer.Exit(1)
