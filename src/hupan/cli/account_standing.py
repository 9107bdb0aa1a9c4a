"""`hupan account ban|unban|vip|medal`."""

from typing import Annotated

import typer

from hupan.cli.account_tables import WhoArgument, show_account
from hupan.cli.desks import at_desk
from hupan.cli.operating import DataDirOption, JsonOption
from hupan.cli.settings_or_exit import ConfigOption

_BAN = """封禁账号，立即生效；不指明期限则为永久。

Ban an account, at once; for good when no end is given.
"""
_UNBAN = """解除封禁。

End a ban.
"""
_VIP = """延长会员，或设置到期时间，或立即结束。

Add days of VIP, or set when it ends, or end it now.
"""
_MEDAL = """授予或收回已定义的勋章。

Give a medal that was defined, or take it away.
"""
DaysOption = Annotated[int | None, typer.Option(help="天数 Days", show_default=False)]
UntilOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="到何时，如 2026-12-31 或 '2026-12-31 18:00'，为服务器时区。 "
        "Until when, in the server's zone.",
        show_default=False,
    ),
]


def register(group: typer.Typer) -> None:
    """Adds the commands to `hupan account`."""
    group.command("ban", help=_BAN, short_help="封禁 Ban")(ban)
    group.command("unban", help=_UNBAN, short_help="解封 End a ban")(unban)
    group.command("vip", help=_VIP, short_help="会员 VIP")(vip)
    group.command("medal", help=_MEDAL, short_help="勋章 Give or take a medal")(medal)


def ban(
    *,
    who: WhoArgument,
    reason: Annotated[str, typer.Option(help="原因 Why", show_default=False)],
    days: DaysOption = None,
    until: UntilOption = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Bans an account and writes it."""
    _at_most_one(days is not None, until is not None)
    told = at_desk(
        config,
        data_dir,
        lambda d: d.accounts.ban(who, reason, days, until),
        event="operator-ban",
        who=who,
        details={"why": reason, "days": days, "until": until},
    )
    show_account(told, as_json=as_json)


def unban(
    *,
    who: WhoArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Ends a ban and writes the account."""
    told = at_desk(
        config, data_dir, lambda d: d.accounts.unban(who), event="operator-unban", who=who
    )
    show_account(told, as_json=as_json)


def vip(
    *,
    who: WhoArgument,
    days: DaysOption = None,
    until: UntilOption = None,
    end: Annotated[bool, typer.Option("--end", help="立即结束 End it now")] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Gives or ends VIP and writes the account."""
    if not _at_most_one(days is not None, until is not None, end):
        raise typer.BadParameter("--days | --until | --end")
    told = at_desk(
        config,
        data_dir,
        lambda d: d.accounts.vip(who, days, until),
        event="operator-vip",
        who=who,
        details={"days": days, "until": "now" if end else until},
    )
    show_account(told, as_json=as_json)


def medal(
    *,
    who: WhoArgument,
    name: Annotated[str, typer.Argument(help="勋章名称 Name of the medal", show_default=False)],
    take: Annotated[bool, typer.Option("--take", help="收回 Take it away")] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Gives or takes a medal and writes the account."""
    told = at_desk(
        config,
        data_dir,
        lambda d: d.accounts.medal(who, name, take=take),
        event="operator-medal",
        who=who,
        details={"medal": name, "do": "take" if take else "give"},
    )
    show_account(told, as_json=as_json)


def _at_most_one(*given: bool) -> bool:
    """Whether one of the options that exclude each other was given."""
    if sum(given) > 1:
        raise typer.BadParameter("--days、--until、--end 只能选一个 / give one of them")
    return any(given)
