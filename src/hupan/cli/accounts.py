"""`hupan account`: show, list, create, ban, unban, vip, medal, privacy."""

import sys
from typing import Annotated, TypeAlias

import typer

from hupan.admin.accounts import AccountRowPage, VisibilityChoice
from hupan.cli.coins import register_account_coins
from hupan.cli.recovery import (
    register_contact_commands,
    register_deletion_commands,
    register_recovery_commands,
)
from hupan.cli.run import (
    ACCOUNT_COLUMNS,
    ACCOUNT_LABELS,
    ConfigOption,
    DataDirOption,
    JsonOption,
    WhoArgument,
    print_account,
    print_fields,
    print_rows,
    run_admin,
)
from hupan.store.accounts import AccountFilter

_BAN_HELP = """封禁账号，立即生效；不指明期限则为永久。

Ban an account, at once; for good when no end is given.
"""
_UNBAN_HELP = """解除封禁。

End a ban.
"""
_VIP_HELP = """延长会员，或设置到期时间，或立即结束。

Add days of VIP, or set when it ends, or end it now.
"""
_MEDAL_HELP = """授予或收回已定义的勋章。

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


def register_status_commands(group: typer.Typer) -> None:
    """Adds the commands to `hupan account`."""
    group.command("ban", help=_BAN_HELP, short_help="封禁 Ban")(ban)
    group.command("unban", help=_UNBAN_HELP, short_help="解封 End a ban")(unban)
    group.command("vip", help=_VIP_HELP, short_help="会员 VIP")(vip)
    group.command("medal", help=_MEDAL_HELP, short_help="勋章 Give or take a medal")(medal)


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
    result = run_admin(
        config,
        data_dir,
        lambda d: d.accounts.ban(who, reason, days, until),
        event="operator-ban",
        subject=who,
        details={"why": reason, "days": days, "until": until},
    )
    print_account(result, as_json=as_json)


def unban(
    *,
    who: WhoArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Ends a ban and writes the account."""
    result = run_admin(
        config, data_dir, lambda d: d.accounts.unban(who), event="operator-unban", subject=who
    )
    print_account(result, as_json=as_json)


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
    result = run_admin(
        config,
        data_dir,
        lambda d: d.accounts.set_vip(who, days, until),
        event="operator-vip",
        subject=who,
        details={"days": days, "until": "now" if end else until},
    )
    print_account(result, as_json=as_json)


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
    result = run_admin(
        config,
        data_dir,
        lambda d: d.accounts.set_medal(who, name, take=take),
        event="operator-medal",
        subject=who,
        details={"medal": name, "do": "take" if take else "give"},
    )
    print_account(result, as_json=as_json)


def _at_most_one(*given: bool) -> bool:
    """Whether one of the options that exclude each other was given."""
    if sum(given) > 1:
        raise typer.BadParameter("--days、--until、--end 只能选一个 / give one of them")
    return any(given)


_PRIVACY_HELP = """显示或设置他人能看到该账号的哪些资料；不写选项则只显示。

Show, or set, what others see of an account; without options it is only shown.

show 显示，hide 隐藏，default 跟随服务器设置。本人始终可见。

show, hide, or default, which follows the server's settings. The owner always sees everything.
"""
_PRIVACY_LABELS = {
    "id": ACCOUNT_LABELS["id"],
    "nickname": ACCOUNT_LABELS["nickname"],
    "birthday": "生日\nBirthday",
    "address": "地区\nAddress",
    "lastActive": ACCOUNT_LABELS["lastActiveAt"],
    "country": ACCOUNT_LABELS["country"],
    "shown": "他人可见\nOthers see",
}
ChoiceOption: TypeAlias = Annotated[VisibilityChoice | None, typer.Option(show_default=False)]


def register_privacy_command(group: typer.Typer) -> None:
    """Adds the command to `hupan account`."""
    group.command("privacy", help=_PRIVACY_HELP, short_help="隐私 Privacy")(privacy)


def privacy(
    *,
    who: WhoArgument,
    birthday: ChoiceOption = None,
    address: ChoiceOption = None,
    last_active: ChoiceOption = None,
    country: ChoiceOption = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes what holds, after what is set was set."""
    given = {
        "birthday": birthday,
        "address": address,
        "last_active": last_active,
        "country": country,
    }
    choices = {part: choice for part, choice in given.items() if choice is not None}
    event = "operator-privacy" if choices else ""
    row, settings = run_admin(
        config,
        data_dir,
        lambda d: d.privacy.set_visibility(who, choices),
        event=event,
        subject=who,
        details={part.replace("_", ""): choice for part, choice in choices.items()},
    )
    print_fields(row, _PRIVACY_LABELS, settings, as_json=as_json)


_ACCOUNT_HELP = """管理账号，可在服务器运行时使用。账号用编号、手机号或邮箱指明。

Accounts; also while the server runs. One is named by its id, its phone number or its e-mail.
"""
_SHOW_HELP = """显示一个账号。

Show an account.
"""
_LIST_HELP = """列出账号，最新注册的在前；尚未清除的已注销账号也在其中。

List accounts, the newest first; cancelled ones are among them until they are erased.

--find 查找昵称、手机号或邮箱的开头，或编号。

--find takes the beginning of a nickname, a number or an address, or an id.
"""
_CREATE_HELP = """新建账号，不登录。

Make an account, without signing it in.
"""
_MAX_ACCOUNT_ID = 9_999_999_999
_PASSWORD_OPTION_HELP = (
    "设置密码：在终端中询问，否则读取标准输入的第一行。 "
    "Set a password: asked for on a terminal, else the first line of standard input."
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    group.command("show", help=_SHOW_HELP, short_help="显示 Show")(show)
    group.command("list", help=_LIST_HELP, short_help="列出 List")(list_accounts)
    group.command("create", help=_CREATE_HELP, short_help="新建 Make")(create)
    register_status_commands(group)
    register_account_coins(group)
    register_contact_commands(group)
    register_recovery_commands(group)
    register_privacy_command(group)
    register_deletion_commands(group)
    app.add_typer(group, name="account", help=_ACCOUNT_HELP, short_help="账号 Accounts")


def show(
    *,
    who: WhoArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes one account."""
    print_account(run_admin(config, data_dir, lambda d: d.accounts.show(who)), as_json=as_json)


def list_accounts(
    *,
    find: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="昵称、手机号、邮箱的开头，或编号 Start of a name, number or address; or an id",
        ),
    ] = "",
    banned: Annotated[bool, typer.Option("--banned", help="仅封禁中 Only banned ones")] = False,
    vip: Annotated[bool, typer.Option("--vip", help="仅会员 Only those with VIP")] = False,
    cancelled: Annotated[
        bool, typer.Option("--cancelled", help="仅已注销 Only cancelled ones")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="此时起注册 Registered at this time or later", show_default=False
        ),
    ] = None,
    after: Annotated[
        int,
        typer.Option(
            min=0,
            max=_MAX_ACCOUNT_ID,
            help="接在此编号之后，即更早的账号 Go on after this id, with older accounts",
        ),
    ] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="最多列出 At most")] = 100,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes a page of accounts; how many there are goes to standard error."""
    selected: dict[AccountFilter, bool] = {"banned": banned, "vip": vip, "cancelled": cancelled}
    chosen = [name for name, is_wanted in selected.items() if is_wanted]
    if len(chosen) > 1:
        raise typer.BadParameter(
            "--banned、--vip、--cancelled 只能选一个 / give one of --banned, --vip, --cancelled"
        )
    standing: AccountFilter = chosen[0] if chosen else "any"
    page, settings = run_admin(
        config, data_dir, lambda d: d.accounts.list_page(find, standing, since, after, limit)
    )
    print_rows(page.rows, ACCOUNT_COLUMNS, settings, as_json=as_json)
    _print_page_summary(page)


def _print_page_summary(page: AccountRowPage) -> None:
    shown = len(page.rows)
    zh, en = f"共 {page.total} 个，列出 {shown} 个", f"{page.total} in all, {shown} shown"
    if page.is_truncated:
        zh, en = (
            f"匹配过多，仅查找了一部分：至少 {page.total} 个，列出 {shown} 个",
            f"Too many match, only some were looked at: at least {page.total}, {shown} shown",
        )
    if page.has_more:
        last = page.rows[-1]["id"]
        zh, en = f"{zh}；其余用 --after {last}", f"{en}; go on with --after {last}"
    typer.echo(f"{zh}\n{en}", err=True)


def create(
    *,
    phone: Annotated[str, typer.Option(help="手机号 Phone number")] = "",
    email: Annotated[str, typer.Option(help="邮箱 E-mail address")] = "",
    nickname: Annotated[str, typer.Option(help="昵称 Nickname")] = "",
    password: Annotated[bool, typer.Option("--password", help=_PASSWORD_OPTION_HELP)] = False,
    vip_days: Annotated[int, typer.Option(help="会员天数 Days of VIP")] = 0,
    invited_by: Annotated[str, typer.Option(help="邀请人的邀请码 Code of who invited")] = "",
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Makes an account and writes it."""
    new_password = _read_password() if password else ""
    result = run_admin(
        config,
        data_dir,
        lambda desks: desks.accounts.create(
            phone=phone,
            email=email,
            password=new_password,
            nickname=nickname,
            vip_days=vip_days,
            invited_by=invited_by,
        ),
        event="operator-create",
        subject=phone or email,
        details={"nickname": nickname, "days": vip_days or None, "inviter": invited_by},
    )
    print_account(result, as_json=as_json)


def _read_password() -> str:
    """Never from the command line, where every process could read it (security L3)."""
    if sys.stdin.isatty():
        text: str = typer.prompt("密码 Password", hide_input=True, confirmation_prompt=True)
        return text
    try:
        line = sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise typer.BadParameter("标准输入不是 UTF-8 / standard input is not UTF-8") from error
    if not line:
        raise typer.BadParameter("标准输入没有密码 / no password on standard input")
    return line
