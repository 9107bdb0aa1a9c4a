"""`hupan account privacy`."""

from typing import Annotated, TypeAlias

import typer

from hupan.app.privacy_desk import Choice
from hupan.cli.account_tables import LABELS, WhoArgument
from hupan.cli.desks import at_desk, show_row
from hupan.cli.operating import DataDirOption, JsonOption
from hupan.cli.settings_or_exit import ConfigOption

_PRIVACY = """显示或设置他人能看到该账号的哪些资料；不写选项则只显示。

Show, or set, what others see of an account; without options it is only shown.

show 显示，hide 隐藏，default 跟随服务器设置。本人始终可见。

show, hide, or default, which follows the server's settings. The owner always sees everything.
"""
_LABELS = {
    "id": LABELS["id"],
    "nickname": LABELS["nickname"],
    "birthday": "生日\nBirthday",
    "address": "地区\nAddress",
    "lastActive": LABELS["lastActiveAt"],
    "country": LABELS["country"],
    "shown": "他人可见\nOthers see",
}
ChoiceOption: TypeAlias = Annotated[Choice | None, typer.Option(show_default=False)]


def register(group: typer.Typer) -> None:
    """Adds the command to `hupan account`."""
    group.command("privacy", help=_PRIVACY, short_help="隐私 Privacy")(privacy)


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
    parts = {part: choice for part, choice in given.items() if choice is not None}
    event = "operator-privacy" if parts else ""
    row, settings = at_desk(
        config,
        data_dir,
        lambda d: d.privacy.choose(who, parts),
        event=event,
        who=who,
        details={part.replace("_", ""): choice for part, choice in parts.items()},
    )
    show_row(row, _LABELS, settings, as_json=as_json)
