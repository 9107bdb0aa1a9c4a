"""`hupan account`: contacts, undo, delete, restore, set-phone, set-email, password, sessions."""

from typing import Annotated, TypeAlias

import typer

from hupan.cli.run import (
    ACCOUNT_LABELS,
    ConfigOption,
    DataDirOption,
    JsonOption,
    WhoArgument,
    print_account,
    print_rows,
    print_single_row,
    run_admin,
)

_CONTACTS_HELP = """列出手机号与邮箱的绑定与更换，最新的在前；超过可撤销期限的不再保留。

List how phone number and address were bound and changed, newest first; none is kept for longer
than it can be undone.
"""
_UNDO_HELP = """撤销一次绑定或更换，以及同一种之后的更换。所有会话结束，密码作废，有关各方会收到通知。

Undo a binding or a change, and the later ones of the same kind. All sessions end, the password is
forgotten, and whoever is or was bound is told.
"""
_CONTACT_COLUMNS = {
    "number": "序号\nNo.",
    "contact": "种类\nContact",
    "old": "原\nBefore",
    "new": "新\nAfter",
    "proven": "已验证\nProven",
    "changedAt": "时间\nTime",
    "undoneAt": "撤销时间\nUndone",
}


def register_contact_commands(group: typer.Typer) -> None:
    """Adds the commands to `hupan account`."""
    group.command("contacts", help=_CONTACTS_HELP, short_help="换绑记录 Changes of contacts")(
        contacts
    )
    group.command("undo", help=_UNDO_HELP, short_help="撤销换绑 Undo a change of contacts")(undo)


def contacts(
    *,
    who: WhoArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes the changes of an account."""
    rows, settings = run_admin(config, data_dir, lambda desks: desks.contacts.list_changes(who))
    print_rows(rows, _CONTACT_COLUMNS, settings, as_json=as_json)


def undo(
    *,
    who: WhoArgument,
    number: Annotated[
        int,
        typer.Argument(
            min=1, max=2**63 - 1, help="contacts 列出的序号 Number in contacts", show_default=False
        ),
    ],
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Undoes a change and writes the account."""
    result = run_admin(
        config,
        data_dir,
        lambda d: d.contacts.undo(who, number),
        event="operator-undo",
        subject=who,
        details={"change": number},
    )
    print_account(result, as_json=as_json)


_DELETE_HELP = """注销账号：会话立即结束，数据在期限之后清除，号码与邮箱随之释放。此前可用 restore 恢复。

Delete an account: its sessions end at once, its data is erased after a delay, and only then are
number and address free again. Until then `restore` brings it back.
"""
_RESTORE_HELP = """恢复已注销、尚未清除的账号，也包括本人注销的；会通知本人，需重新登录。

Bring back an account that was cancelled, by its owner too, and is not erased so far. The owner is
told and has to sign in again.
"""
_CONFIRM_DELETION = (
    "注销该账号？数据到期清除后无法恢复。 Delete this account? Once erased, it cannot be restored."
)
_DELETION_COLUMNS = {
    "id": ACCOUNT_LABELS["id"],
    "nickname": ACCOUNT_LABELS["nickname"],
    "erasedAt": "清除时间\nErased",
}


def register_deletion_commands(group: typer.Typer) -> None:
    """Adds the command to `hupan account`."""
    group.command("delete", help=_DELETE_HELP, short_help="注销 Delete")(delete)
    group.command("restore", help=_RESTORE_HELP, short_help="恢复 Restore")(restore)


def restore(
    *,
    who: WhoArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Takes a cancellation back and writes the account."""
    result = run_admin(
        config,
        data_dir,
        lambda d: d.account_deletion.restore(who),
        event="operator-restore",
        subject=who,
    )
    print_account(result, as_json=as_json)


def delete(
    *,
    who: WhoArgument,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 Do not ask")] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Ends an account and writes when it is erased."""
    if not yes:
        typer.confirm(_CONFIRM_DELETION, abort=True, err=True)
    row, settings = run_admin(
        config,
        data_dir,
        lambda d: d.account_deletion.delete(who),
        event="operator-delete",
        subject=who,
    )
    print_single_row(row, _DELETION_COLUMNS, settings, as_json=as_json)


_SET_PHONE_HELP = """绑定或更换手机号，无需验证码；新旧号码都会收到通知，所有会话结束。可用 undo 撤销。

Bind or change the phone number, without a code. The old and the new one are told, all sessions end.
`undo` takes it back.
"""
_SET_EMAIL_HELP = """绑定或更换邮箱，无需验证码；新旧邮箱都会收到通知，所有会话结束。可用 undo 撤销。

Bind or change the e-mail address, without a code. The old and the new one are told, all sessions
end. `undo` takes it back.
"""
_PASSWORD_HELP = """发起密码重设：向绑定的邮箱发送验证码，由本人在客户端设置新密码。管理员看不到密码。

Start a reset of the password: a code goes to the bound e-mail, with which the owner sets a new one
in their client. Operators never see or set a password.
"""
_SESSIONS_HELP = """列出登录中的设备：平台、归属地、登录与最近使用的时间；不显示令牌。

List the devices that are signed in: platform, place, sign-in and last use. No token is shown.
"""
_SIGN_OUT_HELP = """让全部设备下线；用 --number 则只让 sessions 列出的一台下线。

Sign all devices out; with --number only one of those that `sessions` lists.
"""
_SESSION_COLUMNS = {
    "number": "序号\nNo.",
    "platform": "平台\nPlatform",
    "device": "设备\nDevice",
    "country": ACCOUNT_LABELS["country"],
    "signedInAt": "登录时间\nSigned in",
    "lastUsedAt": "最近使用\nLast used",
}
_RESET_COLUMNS = {
    "id": ACCOUNT_LABELS["id"],
    "nickname": ACCOUNT_LABELS["nickname"],
    "email": ACCOUNT_LABELS["email"],
    "removed": "原密码已清除\nOld one removed",
    "sent": "验证码已发送\nCode sent",
}
_SIGNED_OUT_COLUMNS = {
    "id": ACCOUNT_LABELS["id"],
    "nickname": ACCOUNT_LABELS["nickname"],
    "ended": "下线设备\nSigned out",
}
RemoveOption: TypeAlias = Annotated[
    bool, typer.Option("--remove", help="解除绑定，不换新的 Take it away, without a new one")
]


def register_recovery_commands(group: typer.Typer) -> None:
    """Adds the commands to `hupan account`."""
    group.command("set-phone", help=_SET_PHONE_HELP, short_help="换绑手机号 Set the number")(
        set_phone
    )
    group.command("set-email", help=_SET_EMAIL_HELP, short_help="换绑邮箱 Set the address")(
        set_email
    )
    group.command("password", help=_PASSWORD_HELP, short_help="重设密码 Start a reset")(password)
    group.command("sessions", help=_SESSIONS_HELP, short_help="登录设备 Devices signed in")(
        sessions
    )
    group.command("sign-out", help=_SIGN_OUT_HELP, short_help="下线 Sign devices out")(sign_out)


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
    _check_new_or_remove(number, remove=remove)
    result = run_admin(
        config,
        data_dir,
        lambda d: d.recovery.set_contact(who, "sms", number),
        event="operator-set-phone",
        subject=who,
        details={"to": number, "do": "remove" if remove else ""},
    )
    print_account(result, as_json=as_json)


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
    _check_new_or_remove(address, remove=remove)
    result = run_admin(
        config,
        data_dir,
        lambda d: d.recovery.set_contact(who, "email", address),
        event="operator-set-email",
        subject=who,
        details={"to": address, "do": "remove" if remove else ""},
    )
    print_account(result, as_json=as_json)


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
    row, settings = run_admin(
        config,
        data_dir,
        lambda d: d.recovery.start_password_reset(who, remove=remove),
        event="operator-password",
        subject=who,
        details={"do": "remove" if remove else ""},
    )
    print_single_row(row, _RESET_COLUMNS, settings, as_json=as_json)


def sessions(
    *,
    who: WhoArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes the sessions of an account."""
    rows, settings = run_admin(config, data_dir, lambda d: d.recovery.list_sessions(who))
    print_rows(rows, _SESSION_COLUMNS, settings, as_json=as_json)


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
    row, settings = run_admin(
        config,
        data_dir,
        lambda d: d.recovery.sign_out(who, number),
        event="operator-sign-out",
        subject=who,
        details={"number": number},
    )
    print_single_row(row, _SIGNED_OUT_COLUMNS, settings, as_json=as_json)


def _check_new_or_remove(contact: str | None, *, remove: bool) -> None:
    if (contact is None) != remove:
        raise typer.BadParameter("请给出新的，或用 --remove / give a new one, or --remove")
