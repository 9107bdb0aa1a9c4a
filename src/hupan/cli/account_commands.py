"""`hupan account`: looks at accounts and makes them; the rest of its commands are beside it."""

import sys
from typing import Annotated

import typer

from hupan.app.account_desk import AccountPage
from hupan.cli import (
    account_coins,
    account_contacts,
    account_ending,
    account_help,
    account_privacy,
    account_standing,
)
from hupan.cli.account_tables import HEADS, WhoArgument, show_account
from hupan.cli.desks import at_desk, show_rows
from hupan.cli.operating import DataDirOption, JsonOption
from hupan.cli.settings_or_exit import ConfigOption
from hupan.store.roster import Standing

_ACCOUNT = """管理账号，可在服务器运行时使用。账号用编号、手机号或邮箱指明。

Accounts; also while the server runs. One is named by its id, its phone number or its e-mail.
"""
_SHOW = """显示一个账号。

Show an account.
"""
_LIST = """列出账号，最新注册的在前；尚未清除的已注销账号也在其中。

List accounts, the newest first; cancelled ones are among them until they are erased.

--find 查找昵称、手机号或邮箱的开头，或编号。

--find takes the beginning of a nickname, a number or an address, or an id.
"""
_CREATE = """新建账号，不登录。

Make an account, without signing it in.
"""
_HIGHEST_ID = 9_999_999_999
_ASKED_FOR = (
    "设置密码：在终端中询问，否则读取标准输入的第一行。 "
    "Set a password: asked for on a terminal, else the first line of standard input."
)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    group.command("show", help=_SHOW, short_help="显示 Show")(show)
    group.command("list", help=_LIST, short_help="列出 List")(list_accounts)
    group.command("create", help=_CREATE, short_help="新建 Make")(create)
    account_standing.register(group)
    account_coins.register(group)
    account_contacts.register(group)
    account_help.register(group)
    account_privacy.register(group)
    account_ending.register(group)
    app.add_typer(group, name="account", help=_ACCOUNT, short_help="账号 Accounts")


def show(
    *,
    who: WhoArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes one account."""
    show_account(at_desk(config, data_dir, lambda d: d.accounts.show(who)), as_json=as_json)


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
            max=_HIGHEST_ID,
            help="接在此编号之后，即更早的账号 Go on after this id, with older accounts",
        ),
    ] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="最多列出 At most")] = 100,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes a page of accounts; how many there are goes to standard error."""
    wanted: dict[Standing, bool] = {"banned": banned, "vip": vip, "cancelled": cancelled}
    chosen = [name for name, is_wanted in wanted.items() if is_wanted]
    if len(chosen) > 1:
        raise typer.BadParameter(
            "--banned、--vip、--cancelled 只能选一个 / give one of --banned, --vip, --cancelled"
        )
    standing: Standing = chosen[0] if chosen else "any"
    page, settings = at_desk(
        config, data_dir, lambda d: d.accounts.page(find, standing, since, after, limit)
    )
    show_rows(page.rows, HEADS, settings, as_json=as_json)
    _tell_rest(page)


def _tell_rest(page: AccountPage) -> None:
    shown = len(page.rows)
    zh, en = f"共 {page.total} 个，列出 {shown} 个", f"{page.total} in all, {shown} shown"
    if page.is_cut:
        zh, en = (
            f"匹配过多，仅查找了一部分：至少 {page.total} 个，列出 {shown} 个",
            f"Too many match, only some were looked at: at least {page.total}, {shown} shown",
        )
    if page.follow:
        last = page.rows[-1]["id"]
        zh, en = f"{zh}；其余用 --after {last}", f"{en}; go on with --after {last}"
    typer.echo(f"{zh}\n{en}", err=True)


def create(
    *,
    phone: Annotated[str, typer.Option(help="手机号 Phone number")] = "",
    email: Annotated[str, typer.Option(help="邮箱 E-mail address")] = "",
    nickname: Annotated[str, typer.Option(help="昵称 Nickname")] = "",
    password: Annotated[bool, typer.Option("--password", help=_ASKED_FOR)] = False,
    vip_days: Annotated[int, typer.Option(help="会员天数 Days of VIP")] = 0,
    invited_by: Annotated[str, typer.Option(help="邀请人的邀请码 Code of who invited")] = "",
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Makes an account and writes it."""
    chosen = _read_password() if password else ""
    told = at_desk(
        config,
        data_dir,
        lambda desks: desks.accounts.create(
            phone=phone,
            email=email,
            password=chosen,
            nickname=nickname,
            vip_days=vip_days,
            invited_by=invited_by,
        ),
        event="operator-create",
        who=phone or email,
        details={"nickname": nickname, "days": vip_days or None, "inviter": invited_by},
    )
    show_account(told, as_json=as_json)


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
