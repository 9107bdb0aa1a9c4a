"""`hupan account`: show, list, create, ban, unban, vip, medal, privacy."""

import sys
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

import typer

from hupan.admin.accounts import AccountRowPage, VisibilityChoice
from hupan.cli.coins import account_commands as coin_commands
from hupan.cli.help import make_group
from hupan.cli.language import say
from hupan.cli.output import Column
from hupan.cli.recovery import contact_commands, deletion_commands, recovery_commands
from hupan.cli.run import (
    ACCOUNT_COLUMNS,
    AccountArgument,
    AdminCommand,
    admin_command,
    admin_list_command,
)

_LIST_COLUMNS: Mapping[str, Column] = {
    **{key: ACCOUNT_COLUMNS[key] for key in ("id", "nickname", "phone", "email", "coins")},
    "status": Column(say("状态", "Status")),
    **{key: ACCOUNT_COLUMNS[key] for key in ("vip", "banned", "registeredAt", "erasedAt")},
}
_PRIVACY_COLUMNS: Mapping[str, Column] = {
    "id": ACCOUNT_COLUMNS["id"],
    "nickname": ACCOUNT_COLUMNS["nickname"],
    "birthday": Column(say("生日", "Birthday")),
    "address": Column(say("地区", "Address")),
    "lastActive": ACCOUNT_COLUMNS["lastActiveAt"],
    "country": ACCOUNT_COLUMNS["country"],
    "search": Column(say("搜索", "Search")),
    "shown": Column(say("他人可见", "Others see")),
}
_MAX_ACCOUNT_ID = 9_999_999_999
DaysOption: TypeAlias = Annotated[
    int | None, typer.Option(help=say("天数。", "Number of days."), show_default=False)
]
UntilOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help=say(
            "结束时间，如 2026-12-31 或 '2026-12-31 18:00'，按服务器时区。",
            "End, such as 2026-12-31 or '2026-12-31 18:00', in the server's time zone.",
        ),
        show_default=False,
    ),
]
BirthdayOption: TypeAlias = Annotated[
    VisibilityChoice | None, typer.Option(show_default=False, help=say("生日。", "Birthday."))
]
AddressOption: TypeAlias = Annotated[
    VisibilityChoice | None,
    typer.Option(show_default=False, help=say("省、市、区。", "Province, city and district.")),
]
LastActiveOption: TypeAlias = Annotated[
    VisibilityChoice | None,
    typer.Option(show_default=False, help=say("最近活跃时间。", "Time of the last activity.")),
]
CountryOption: TypeAlias = Annotated[
    VisibilityChoice | None,
    typer.Option(
        show_default=False,
        help=say("最近登录的国家或地区。", "Country of the last sign-in."),
    ),
]
SearchOption: TypeAlias = Annotated[
    VisibilityChoice | None,
    typer.Option(
        show_default=False,
        help=say("能否被搜索到。", "Whether searches find the account."),
    ),
]
FindOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help=say(
            "昵称、手机号、邮箱的开头，或编号。",
            "Beginning of a nickname, phone number or e-mail address; or an id.",
        ),
    ),
]
SinceOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help=say("仅此时及之后注册的账号。", "Registered at this time or later."),
        show_default=False,
    ),
]
AfterOption: TypeAlias = Annotated[
    int,
    typer.Option(
        min=0,
        max=_MAX_ACCOUNT_ID,
        help=say(
            "从此编号之后继续，列出更早的账号。", "Continue after this id, with older accounts."
        ),
    ),
]
app = make_group(
    say(
        "管理账号，可在服务器运行时使用。账号用编号、手机号或邮箱指明。",
        "Manage accounts, even while the server runs. Identify an account by its id, phone "
        "number or e-mail address.",
    ),
    say("管理账号", "Manage accounts"),
)
status_commands = typer.Typer(rich_markup_mode=None)
privacy_commands = typer.Typer(rich_markup_mode=None)


@app.command(
    "show",
    help=say(
        "显示一个账号。",
        "Show an account.",
    ),
    short_help=say("查看账号", "Show an account"),
)
@admin_command
def show(command: AdminCommand, *, account: AccountArgument) -> None:
    """Print one account."""
    command.print_account(command.run(lambda services: services.accounts.show(account)))


@app.command(
    "list",
    help=say(
        "列出账号，最新注册的在前；尚未清除的已注销账号也在其中。\n\n"
        "--find 查找昵称、手机号或邮箱的开头，或编号。",
        "List accounts, the most recently registered first; cancelled ones are listed until they "
        "are erased.\n\n"
        "--find matches the beginning of a nickname, a phone number or an e-mail address, or an "
        "id.",
    ),
    short_help=say("列出账号", "List accounts"),
)
@admin_list_command
def list_accounts(
    command: AdminCommand,
    *,
    find: FindOption = "",
    banned: Annotated[
        bool, typer.Option("--banned", help=say("仅封禁中的账号。", "Only banned accounts."))
    ] = False,
    vip: Annotated[
        bool, typer.Option("--vip", help=say("仅会员账号。", "Only accounts with VIP."))
    ] = False,
    cancelled: Annotated[
        bool, typer.Option("--cancelled", help=say("仅已注销的账号。", "Only cancelled accounts."))
    ] = False,
    since: SinceOption = None,
    after: AfterOption = 0,
    limit: Annotated[
        int,
        typer.Option(
            min=1, max=10_000, help=say("列出的账号数上限。", "Maximum number of accounts.")
        ),
    ] = 100,
) -> None:
    """Print a page of accounts; their number goes to standard error."""
    selected: dict[Literal["banned", "vip", "cancelled"], bool] = {
        "banned": banned,
        "vip": vip,
        "cancelled": cancelled,
    }
    chosen = [name for name, is_wanted in selected.items() if is_wanted]
    if len(chosen) > 1:
        raise typer.BadParameter(
            say(
                "--banned、--vip、--cancelled 只能选一个",
                "--banned, --vip and --cancelled exclude each other",
            )
        )
    standing: Literal["any", "banned", "vip", "cancelled"] = chosen[0] if chosen else "any"
    page = command.run(
        lambda services: services.accounts.list_page(find, standing, since, after, limit),
    )
    command.print_rows(page.rows, _LIST_COLUMNS)
    _print_page_summary(page)


def _print_page_summary(page: AccountRowPage) -> None:
    shown = len(page.rows)
    zh, en = f"共 {page.total} 个，列出 {shown} 个", f"{page.total} in total, {shown} shown"
    if page.is_truncated:
        zh, en = (
            f"匹配过多，仅查找了一部分：至少 {page.total} 个，列出 {shown} 个",
            f"Too many matches, only some were searched: at least {page.total}, {shown} shown",
        )
    if page.has_more:
        last = page.rows[-1]["id"]
        zh, en = f"{zh}；其余用 --after {last}", f"{en}; continue with --after {last}"
    typer.echo(say(zh, en), err=True)


@app.command(
    "create",
    help=say(
        "新建账号，不登录。",
        "Create an account without signing in.",
    ),
    short_help=say("新建账号", "Create an account"),
)
@admin_command
def create(
    command: AdminCommand,
    *,
    phone: Annotated[str, typer.Option(help=say("手机号。", "Phone number."))] = "",
    email: Annotated[str, typer.Option(help=say("邮箱。", "E-mail address."))] = "",
    nickname: Annotated[str, typer.Option(help=say("昵称。", "Nickname."))] = "",
    password: Annotated[
        bool,
        typer.Option(
            "--password",
            help=say(
                "设置密码：在终端中询问，否则读取标准输入的第一行。",
                "Set a password: prompted for on a terminal, else read from the first line of "
                "standard input.",
            ),
        ),
    ] = False,
    vip_days: Annotated[int, typer.Option(help=say("会员天数。", "Days of VIP."))] = 0,
    invited_by: Annotated[
        str, typer.Option(help=say("邀请人的邀请码。", "Invitation code of the inviter."))
    ] = "",
) -> None:
    """Create an account and print it."""
    new_password = _read_password() if password else ""
    row = command.run(
        lambda services: services.accounts.create(
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
    command.print_account(row)


def _read_password() -> str:
    """Read a password: never from the command line, which every process can read (security L3)."""
    if sys.stdin.isatty():
        text: str = typer.prompt(
            say("密码", "Password"),
            hide_input=True,
            confirmation_prompt=say("再次输入密码", "Repeat the password"),
        )
        return text
    try:
        line = sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(
            say("标准输入不是 UTF-8", "standard input is not UTF-8")
        ) from error
    if not line:
        raise typer.BadParameter(say("标准输入没有密码", "no password on standard input"))
    return line


@status_commands.command(
    "ban",
    help=say(
        "封禁账号，立即生效；未指定期限则永久封禁。",
        "Ban an account at once; permanently unless --days or --until is given.",
    ),
    short_help=say("封禁账号", "Ban an account"),
)
@admin_command
def ban(
    command: AdminCommand,
    *,
    account: AccountArgument,
    reason: Annotated[str, typer.Option(help=say("原因。", "Reason."), show_default=False)],
    days: DaysOption = None,
    until: UntilOption = None,
) -> None:
    """Ban an account and print it."""
    _at_most_one(days is not None, until is not None)
    row = command.run(
        lambda services: services.accounts.ban(account, reason, days, until),
        event="operator-ban",
        subject=account,
        details={"why": reason, "days": days, "until": until},
    )
    command.print_account(row)


@status_commands.command(
    "unban",
    help=say(
        "解除封禁。",
        "Lift a ban.",
    ),
    short_help=say("解除封禁", "Lift a ban"),
)
@admin_command
def unban(command: AdminCommand, *, account: AccountArgument) -> None:
    """Lift a ban and print the account."""
    row = command.run(
        lambda services: services.accounts.unban(account),
        event="operator-unban",
        subject=account,
    )
    command.print_account(row)


@status_commands.command(
    "vip",
    help=say(
        "延长会员，或设置到期时间，或立即结束。",
        "Extend VIP, set when it ends, or end it now.",
    ),
    short_help=say("延长、设置或结束会员", "Extend, set or end VIP"),
)
@admin_command
def vip(
    command: AdminCommand,
    *,
    account: AccountArgument,
    days: DaysOption = None,
    until: UntilOption = None,
    end: Annotated[bool, typer.Option("--end", help=say("立即结束。", "End it now."))] = False,
) -> None:
    """Set or end VIP and print the account."""
    if not _at_most_one(days is not None, until is not None, end):
        raise typer.BadParameter("--days | --until | --end")
    row = command.run(
        lambda services: services.accounts.set_vip(account, days, until),
        event="operator-vip",
        subject=account,
        details={"days": days, "until": "now" if end else until},
    )
    command.print_account(row)


@status_commands.command(
    "medal",
    help=say(
        "授予或收回已定义的勋章。",
        "Award or revoke a defined medal.",
    ),
    short_help=say("授予或收回勋章", "Award or revoke a medal"),
)
@admin_command
def medal(
    command: AdminCommand,
    *,
    account: AccountArgument,
    name: Annotated[
        str, typer.Argument(help=say("勋章名称。", "Name of the medal."), show_default=False)
    ],
    take: Annotated[bool, typer.Option("--take", help=say("收回。", "Revoke it."))] = False,
) -> None:
    """Grant or remove a medal and print the account."""
    row = command.run(
        lambda services: services.accounts.set_medal(account, name, take=take),
        event="operator-medal",
        subject=account,
        details={"medal": name, "do": "take" if take else "give"},
    )
    command.print_account(row)


def _at_most_one(*given: bool) -> bool:
    """Return whether one of the options that exclude each other was given."""
    if sum(given) > 1:
        raise typer.BadParameter(
            say("--days、--until、--end 只能选一个", "--days, --until and --end exclude each other")
        )
    return any(given)


@privacy_commands.command(
    "privacy",
    help=say(
        "显示或设置他人能看到该账号的哪些资料；不写选项则只显示。\n\n"
        "show 显示，hide 隐藏，default 跟随服务器设置。本人始终可见。",
        "Show or set what others see of an account; without options, only show it.\n\n"
        "show, hide, or default, which follows the server's settings. The user always sees "
        "everything.",
    ),
    short_help=say("查看或设置隐私", "Show or set privacy"),
)
@admin_command
def privacy(
    command: AdminCommand,
    *,
    account: AccountArgument,
    birthday: BirthdayOption = None,
    address: AddressOption = None,
    last_active: LastActiveOption = None,
    country: CountryOption = None,
    search: SearchOption = None,
) -> None:
    """Print what others see, after the choices are set."""
    given = {
        "birthday": birthday,
        "address": address,
        "last_active": last_active,
        "country": country,
        "search": search,
    }
    choices = {part: choice for part, choice in given.items() if choice is not None}
    event = "operator-privacy" if choices else ""
    row = command.run(
        lambda services: services.accounts.set_visibility(account, choices),
        event=event,
        subject=account,
        details={part.replace("_", ""): choice for part, choice in choices.items()},
    )
    command.print_row(row, _PRIVACY_COLUMNS)


for _commands in (
    status_commands,
    coin_commands,
    contact_commands,
    recovery_commands,
    privacy_commands,
    deletion_commands,
):
    app.add_typer(_commands)
