"""`hupan account`: contacts, undo, delete, restore, set-phone, set-email, password, sessions."""

from typing import Annotated, TypeAlias

import typer

from hupan.admin.views import AdminRow
from hupan.cli.language import say
from hupan.cli.output import Column
from hupan.cli.run import (
    ACCOUNT_COLUMNS,
    AccountArgument,
    AdminCommand,
    admin_command,
    admin_list_command,
)
from hupan.model import Channel

_CONTACT_COLUMNS = {
    "number": Column(say("序号", "No.")),
    "contact": Column(say("种类", "Kind")),
    "old": Column(say("原", "Before"), wraps=True),
    "new": Column(say("新", "After"), wraps=True),
    "proven": Column(say("已验证", "Verified")),
    "changedAt": Column(say("时间", "Time")),
    "undoneAt": Column(say("撤销时间", "Undone"), wide_only=True),
}
_DELETION_COLUMNS = {
    "id": ACCOUNT_COLUMNS["id"],
    "nickname": ACCOUNT_COLUMNS["nickname"],
    "erasedAt": Column(say("清除时间", "Erased at")),
}
_SESSION_COLUMNS = {
    "number": Column(say("序号", "No.")),
    "platform": Column(say("平台", "Platform"), wraps=True),
    "device": Column(say("设备", "Device"), wraps=True),
    "country": Column(say("归属地", "Country"), wraps=True),
    "signedInAt": Column(say("登录时间", "Signed in"), wide_only=True),
    "lastUsedAt": Column(say("最近使用", "Last used")),
}
_RESET_COLUMNS = {
    "id": ACCOUNT_COLUMNS["id"],
    "nickname": ACCOUNT_COLUMNS["nickname"],
    "email": ACCOUNT_COLUMNS["email"],
    "removed": Column(say("原密码已清除", "Old password removed")),
    "sent": Column(say("验证码已发送", "Code sent")),
}
_SIGNED_OUT_COLUMNS = {
    "id": ACCOUNT_COLUMNS["id"],
    "nickname": ACCOUNT_COLUMNS["nickname"],
    "ended": Column(say("下线设备", "Devices signed out")),
}
RemoveOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--remove", help=say("解除绑定，不换新的。", "Unbind the contact and bind no new one.")
    ),
]
contact_commands = typer.Typer(rich_markup_mode=None)
"""The commands of `hupan account` about changes of contacts."""
recovery_commands = typer.Typer(rich_markup_mode=None)
"""The commands for contacts, passwords and sessions."""
deletion_commands = typer.Typer(rich_markup_mode=None)
"""The commands for deletion."""


@contact_commands.command(
    "contacts",
    help=say(
        "列出手机号与邮箱的绑定与更换，最新的在前；超过可撤销期限的不再保留。",
        "List the changes of phone number and e-mail address, newest first. A change is kept as "
        "long as it can be undone.",
    ),
    short_help=say("查看换绑记录", "List contact changes"),
)
@admin_list_command
def contacts(command: AdminCommand, *, account: AccountArgument) -> None:
    """Print the changes of an account."""
    rows = command.run(lambda services: services.recovery.list_contact_changes(account))
    command.print_rows(rows, _CONTACT_COLUMNS)


@contact_commands.command(
    "undo",
    help=say(
        "撤销一次绑定或更换，以及同一种之后的更换。所有会话结束，密码作废，有关各方会收到通知。",
        "Undo a change of a contact and the later ones of the same kind. All sessions end, the "
        "password is removed, and the former and current contacts are notified.",
    ),
    short_help=say("撤销换绑", "Undo a contact change"),
)
@admin_command
def undo(
    command: AdminCommand,
    *,
    account: AccountArgument,
    number: Annotated[
        int,
        typer.Argument(
            min=1,
            max=2**63 - 1,
            help=say("contacts 列出的序号。", "Number in the list of `contacts`."),
            show_default=False,
        ),
    ],
) -> None:
    """Undo a change and print the account."""
    row = command.run(
        lambda services: services.recovery.undo_contact_change(account, number),
        event="operator-undo",
        subject=account,
        details={"change": number},
    )
    command.print_account(row)


@recovery_commands.command(
    "set-phone",
    help=say(
        "绑定或更换手机号，无需验证码；新旧号码都会收到通知，所有会话结束。可用 undo 撤销。",
        "Bind or change the phone number without a code. The old and the new number are notified, "
        "and all sessions end. `undo` reverts it.",
    ),
    short_help=say("换绑手机号", "Set the phone number"),
)
@admin_command
def set_phone(
    command: AdminCommand,
    *,
    account: AccountArgument,
    number: Annotated[
        str | None, typer.Argument(help=say("新手机号。", "New phone number."), show_default=False)
    ] = None,
    remove: RemoveOption = False,
) -> None:
    """Bind a number and print the account."""
    _check_new_or_remove(number, remove=remove)
    row = _set_contact(command, account, "sms", number)
    command.print_account(row)


@recovery_commands.command(
    "set-email",
    help=say(
        "绑定或更换邮箱，无需验证码；新旧邮箱都会收到通知，所有会话结束。可用 undo 撤销。",
        "Bind or change the e-mail address without a code. The old and the new address are "
        "notified, and all sessions end. `undo` reverts it.",
    ),
    short_help=say("换绑邮箱", "Set the e-mail address"),
)
@admin_command
def set_email(
    command: AdminCommand,
    *,
    account: AccountArgument,
    address: Annotated[
        str | None, typer.Argument(help=say("新邮箱。", "New e-mail address."), show_default=False)
    ] = None,
    remove: RemoveOption = False,
) -> None:
    """Bind an address and print the account."""
    _check_new_or_remove(address, remove=remove)
    row = _set_contact(command, account, "email", address)
    command.print_account(row)


def _set_contact(
    command: AdminCommand, account: str, channel: Channel, new: str | None
) -> AdminRow:
    return command.run(
        lambda services: services.recovery.set_contact(account, channel, new),
        event="operator-set-phone" if channel == "sms" else "operator-set-email",
        subject=account,
        details={"to": new, "do": "remove" if new is None else ""},
    )


def _check_new_or_remove(contact: str | None, *, remove: bool) -> None:
    if (contact is None) != remove:
        raise typer.BadParameter(
            say("请指定新的号码或邮箱，或用 --remove", "Specify a new one, or use --remove")
        )


@recovery_commands.command(
    "password",
    help=say(
        "发起密码重设：向绑定的邮箱发送验证码，由本人在客户端设置新密码。管理员看不到密码。",
        "Start a password reset: a code is sent to the bound e-mail address, and the user sets a "
        "new password in the client. Operators never see a password.",
    ),
    short_help=say("重设密码", "Start a password reset"),
)
@admin_command
def password(
    command: AdminCommand,
    *,
    account: AccountArgument,
    remove: Annotated[
        bool,
        typer.Option(
            "--remove",
            help=say(
                "同时清除现有密码，所有会话结束。",
                "Also remove the current password; all sessions end.",
            ),
        ),
    ] = False,
) -> None:
    """Send a code for a new password and print what was done."""
    row = command.run(
        lambda services: services.recovery.start_password_reset(account, remove=remove),
        event="operator-password",
        subject=account,
        details={"do": "remove" if remove else ""},
    )
    command.print_row(row, _RESET_COLUMNS)


@recovery_commands.command(
    "sessions",
    help=say(
        "列出登录中的设备：平台、归属地、登录与最近使用的时间；不显示令牌。",
        "List the signed-in devices: platform, country, times of sign-in and last use. Tokens are "
        "not shown.",
    ),
    short_help=say("列出登录中的设备", "List signed-in devices"),
)
@admin_list_command
def sessions(command: AdminCommand, *, account: AccountArgument) -> None:
    """Print the sessions of an account."""
    rows = command.run(lambda services: services.recovery.list_sessions(account))
    command.print_rows(rows, _SESSION_COLUMNS)


@recovery_commands.command(
    "sign-out",
    help=say(
        "让全部设备下线；用 --number 则只让 sessions 列出的一台下线。",
        "Sign out all devices, or with --number one of those that `sessions` lists.",
    ),
    short_help=say("让设备下线", "Sign out devices"),
)
@admin_command
def sign_out(
    command: AdminCommand,
    *,
    account: AccountArgument,
    number: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=2**63 - 1,
            help=say("sessions 列出的序号。", "Number in the list of `sessions`."),
            show_default=False,
        ),
    ] = None,
) -> None:
    """End sessions and print how many."""
    row = command.run(
        lambda services: services.recovery.sign_out(account, number),
        event="operator-sign-out",
        subject=account,
        details={"number": number},
    )
    command.print_row(row, _SIGNED_OUT_COLUMNS)


@deletion_commands.command(
    "delete",
    help=say(
        "注销账号：会话立即结束，数据在期限之后清除，号码与邮箱随之释放。此前可用 restore 恢复。",
        "Delete an account. Its sessions end at once; its data is erased and its contacts are "
        "released after a delay. Until then `restore` brings it back.",
    ),
    short_help=say("注销账号", "Delete an account"),
)
@admin_command
def delete(
    command: AdminCommand,
    *,
    account: AccountArgument,
    yes: Annotated[bool, typer.Option("--yes", help=say("不再询问。", "Do not ask."))] = False,
) -> None:
    """Delete an account and print when it is erased."""
    if not yes:
        typer.confirm(
            say(
                "注销该账号？数据到期清除后无法恢复。",
                "Delete this account? Once erased, it cannot be restored.",
            ),
            abort=True,
            err=True,
        )
    row = command.run(
        lambda services: services.accounts.delete(account),
        event="operator-delete",
        subject=account,
    )
    command.print_row(row, _DELETION_COLUMNS)


@deletion_commands.command(
    "restore",
    help=say(
        "恢复已注销、尚未清除的账号，也包括本人注销的；会通知本人，需重新登录。",
        "Restore a deleted account that is not erased yet, even one deleted by its user. The user "
        "is notified and has to sign in again.",
    ),
    short_help=say("恢复账号", "Restore an account"),
)
@admin_command
def restore(command: AdminCommand, *, account: AccountArgument) -> None:
    """Restore an account and print it."""
    row = command.run(
        lambda services: services.accounts.restore(account),
        event="operator-restore",
        subject=account,
    )
    command.print_account(row)
