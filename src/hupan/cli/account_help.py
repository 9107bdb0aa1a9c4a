"""`hupan account set-phone|set-email|password|sessions|sign-out`: for owners who lost something."""

from typing import Annotated, TypeAlias

import typer

from hupan.cli.account_tables import LABELS, WhoArgument, show_account
from hupan.cli.desks import at_desk, show_one, show_rows
from hupan.cli.operating import DataDirOption, JsonOption
from hupan.cli.settings_or_exit import ConfigOption

_SET_PHONE = """绑定或更换手机号，无需验证码；新旧号码都会收到通知，所有会话结束。可用 undo 撤销。

Bind or change the phone number, without a code. The old and the new one are told, all sessions end.
`undo` takes it back.
"""
_SET_EMAIL = """绑定或更换邮箱，无需验证码；新旧邮箱都会收到通知，所有会话结束。可用 undo 撤销。

Bind or change the e-mail address, without a code. The old and the new one are told, all sessions
end. `undo` takes it back.
"""
_START_RESET = """发起密码重设：向绑定的邮箱发送验证码，由本人在客户端设置新密码。管理员看不到密码。

Start a reset of the password: a code goes to the bound e-mail, with which the owner sets a new one
in their client. Operators never see or set a password.
"""
_SESSIONS = """列出登录中的设备：平台、归属地、登录与最近使用的时间；不显示令牌。

List the devices that are signed in: platform, place, sign-in and last use. No token is shown.
"""
_SIGN_OUT = """让全部设备下线；用 --number 则只让 sessions 列出的一台下线。

Sign all devices out; with --number only one of those that `sessions` lists.
"""
_SESSION_HEADS = {
    "number": "序号\nNo.",
    "platform": "平台\nPlatform",
    "device": "设备\nDevice",
    "country": LABELS["country"],
    "signedInAt": "登录时间\nSigned in",
    "lastUsedAt": "最近使用\nLast used",
}
_RESET_HEADS = {
    "id": LABELS["id"],
    "nickname": LABELS["nickname"],
    "email": LABELS["email"],
    "removed": "原密码已清除\nOld one removed",
    "sent": "验证码已发送\nCode sent",
}
_ENDED_HEADS = {
    "id": LABELS["id"],
    "nickname": LABELS["nickname"],
    "ended": "下线设备\nSigned out",
}
RemoveOption: TypeAlias = Annotated[
    bool, typer.Option("--remove", help="解除绑定，不换新的 Take it away, without a new one")
]


def register(group: typer.Typer) -> None:
    """Adds the commands to `hupan account`."""
    group.command("set-phone", help=_SET_PHONE, short_help="换绑手机号 Set the number")(set_phone)
    group.command("set-email", help=_SET_EMAIL, short_help="换绑邮箱 Set the address")(set_email)
    group.command("password", help=_START_RESET, short_help="重设密码 Start a reset")(password)
    group.command("sessions", help=_SESSIONS, short_help="登录设备 Devices signed in")(sessions)
    group.command("sign-out", help=_SIGN_OUT, short_help="下线 Sign devices out")(sign_out)


def set_phone(
    *,
    who: WhoArgument,
    number: Annotated[
        str | None, typer.Argument(help="新手机号 New number", show_default=False)
    ] = None,
    remove: RemoveOption = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Binds a number and writes the account."""
    _one_of(number, remove=remove)
    told = at_desk(
        config,
        data_dir,
        lambda d: d.help.set_contact(who, "sms", number),
        event="operator-set-phone",
        who=who,
        details={"to": number, "do": "remove" if remove else ""},
    )
    show_account(told, as_json=as_json)


def set_email(
    *,
    who: WhoArgument,
    address: Annotated[
        str | None, typer.Argument(help="新邮箱 New address", show_default=False)
    ] = None,
    remove: RemoveOption = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Binds an address and writes the account."""
    _one_of(address, remove=remove)
    told = at_desk(
        config,
        data_dir,
        lambda d: d.help.set_contact(who, "email", address),
        event="operator-set-email",
        who=who,
        details={"to": address, "do": "remove" if remove else ""},
    )
    show_account(told, as_json=as_json)


def password(
    *,
    who: WhoArgument,
    remove: Annotated[
        bool,
        typer.Option(
            "--remove",
            help="同时清除现有密码，所有会话结束 Remove the present one, too; all sessions end",
        ),
    ] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Sends a code to set a new password and writes what was done."""
    row, settings = at_desk(
        config,
        data_dir,
        lambda d: d.help.start_reset(who, remove=remove),
        event="operator-password",
        who=who,
        details={"do": "remove" if remove else ""},
    )
    show_one(row, _RESET_HEADS, settings, as_json=as_json)


def sessions(
    *,
    who: WhoArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes the sessions of an account."""
    rows, settings = at_desk(config, data_dir, lambda d: d.help.sessions(who))
    show_rows(rows, _SESSION_HEADS, settings, as_json=as_json)


def sign_out(
    *,
    who: WhoArgument,
    number: Annotated[
        int | None,
        typer.Option(
            min=1, max=2**63 - 1, help="sessions 列出的序号 Number in sessions", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Ends sessions and writes how many."""
    row, settings = at_desk(
        config,
        data_dir,
        lambda d: d.help.sign_out(who, number),
        event="operator-sign-out",
        who=who,
        details={"number": number},
    )
    show_one(row, _ENDED_HEADS, settings, as_json=as_json)


def _one_of(new: str | None, *, remove: bool) -> None:
    if (new is None) != remove:
        raise typer.BadParameter("请给出新的，或用 --remove / give a new one, or --remove")
