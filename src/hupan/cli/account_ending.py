"""`hupan account delete|restore`."""

from typing import Annotated

import typer

from hupan.cli.account_tables import LABELS, WhoArgument, show_account
from hupan.cli.desks import at_desk, show_one
from hupan.cli.operating import DataDirOption, JsonOption
from hupan.cli.settings_or_exit import ConfigOption

_DELETE = """注销账号：会话立即结束，数据在期限之后清除，号码与邮箱随之释放。此前可用 restore 恢复。

Delete an account: its sessions end at once, its data is erased after a delay, and only then are
number and address free again. Until then `restore` brings it back.
"""
_RESTORE = """恢复已注销、尚未清除的账号，也包括本人注销的；会通知本人，需重新登录。

Bring back an account that was cancelled, by its owner too, and is not erased so far. The owner is
told and has to sign in again.
"""
_SURE = (
    "注销该账号？数据到期清除后无法恢复。 Delete this account? Once erased, it cannot be restored."
)
_HEADS = {
    "id": LABELS["id"],
    "nickname": LABELS["nickname"],
    "erasedAt": "清除时间\nErased",
}


def register(group: typer.Typer) -> None:
    """Adds the command to `hupan account`."""
    group.command("delete", help=_DELETE, short_help="注销 Delete")(delete)
    group.command("restore", help=_RESTORE, short_help="恢复 Restore")(restore)


def restore(
    *,
    who: WhoArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Takes a cancellation back and writes the account."""
    told = at_desk(
        config, data_dir, lambda d: d.endings.restore(who), event="operator-restore", who=who
    )
    show_account(told, as_json=as_json)


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
        typer.confirm(_SURE, abort=True, err=True)
    row, settings = at_desk(
        config, data_dir, lambda d: d.endings.delete(who), event="operator-delete", who=who
    )
    show_one(row, _HEADS, settings, as_json=as_json)
