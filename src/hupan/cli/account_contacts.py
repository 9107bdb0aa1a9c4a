"""`hupan account contacts|undo`."""

from typing import Annotated

import typer

from hupan.cli.account_tables import WhoArgument, show_account
from hupan.cli.desks import at_desk, show_rows
from hupan.cli.operating import DataDirOption, JsonOption
from hupan.cli.settings_or_exit import ConfigOption

_CONTACTS = """列出手机号与邮箱的绑定与更换，最新的在前；超过可撤销期限的不再保留。

List how phone number and address were bound and changed, newest first; none is kept for longer
than it can be undone.
"""
_UNDO = """撤销一次绑定或更换，以及同一种之后的更换。所有会话结束，密码作废，有关各方会收到通知。

Undo a binding or a change, and the later ones of the same kind. All sessions end, the password is
forgotten, and whoever is or was bound is told.
"""
_HEADS = {
    "number": "序号\nNo.",
    "contact": "种类\nContact",
    "old": "原\nBefore",
    "new": "新\nAfter",
    "proven": "已验证\nProven",
    "changedAt": "时间\nTime",
    "undoneAt": "撤销时间\nUndone",
}


def register(group: typer.Typer) -> None:
    """Adds the commands to `hupan account`."""
    group.command("contacts", help=_CONTACTS, short_help="换绑记录 Changes of contacts")(contacts)
    group.command("undo", help=_UNDO, short_help="撤销换绑 Undo a change of contacts")(undo)


def contacts(
    *,
    who: WhoArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes the changes of an account."""
    rows, settings = at_desk(config, data_dir, lambda desks: desks.contacts.changes(who))
    show_rows(rows, _HEADS, settings, as_json=as_json)


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
    told = at_desk(
        config,
        data_dir,
        lambda d: d.contacts.undo(who, number),
        event="operator-undo",
        who=who,
        details={"change": number},
    )
    show_account(told, as_json=as_json)
