"""`hupan account coins`."""

import uuid
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from hupan.app.account_rows import Row
from hupan.app.desks import Desks
from hupan.cli.account_tables import WhoArgument
from hupan.cli.desks import at_desk, show_one, show_rows
from hupan.cli.operating import DataDirOption, JsonOption
from hupan.cli.operator_name import operator_name
from hupan.cli.settings_or_exit import ConfigOption

_COINS = """列出最近的金币记录，或发放、扣除金币。

List the newest changes of an account's coins, or give or take some.

重试时请用同一个 --key：同一个编号只生效一次。

Give the same --key when you try again: what one key names happens once.
"""
_HEADS = {
    "number": "序号\nNo.",
    "change": "变动\nChange",
    "after": "余额\nAfter",
    "typ": "类型\nType",
    "reason": "原因\nReason",
    "actor": "操作者\nBy",
    "createdAt": "时间\nTime",
}


def register(group: typer.Typer) -> None:
    """Adds the command to `hupan account`."""
    group.command("coins", help=_COINS, short_help="金币 Coins")(coins)


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

    async def act(desks: Desks) -> Row | list[Row]:
        name = key or str(uuid.uuid4())
        if give is not None:
            return await desks.coins.give(who, amount(give), reason, name, _operator())
        if take is not None:
            return await desks.coins.take(who, amount(take), reason, name, _operator())
        return await desks.coins.newest(who, limit)

    event = "" if give is None and take is None else "operator-coins"
    details = {"give": give, "take": take, "why": reason, "key": key}
    told, settings = at_desk(config, data_dir, act, event=event, who=who, details=details)
    if isinstance(told, list):
        show_rows(told, _HEADS, settings, as_json=as_json)
    else:
        show_one(told, _HEADS, settings, as_json=as_json)


def _operator() -> str:
    """Return the operator as the journal names them."""
    return f"operator:{operator_name()}"


def amount(text: str) -> Decimal:
    """Coins from the command line, exactly.

    Raises:
        typer.BadParameter: it is no number.
    """
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(f"{text!r} 不是数目 / is no number") from error
