"""`hupan coins`: checks the journal; what one account has is `hupan account coins`."""

from typing import Annotated

import typer

from hupan.cli.desks import at_desk, show_rows
from hupan.cli.operating import DataDirOption, JsonOption
from hupan.cli.settings_or_exit import ConfigOption

_COINS = """检查金币账目，可在服务器运行时使用。

The journal of coins; also while the server runs.
"""
_CHECK = """检查所有账号或一个账号的金币账目，列出差错；有差错时状态码为 1。

Check the journal of all accounts, or of one, and list its faults; the status is 1 when it has any.
"""
_HEADS = {
    "account": "账号\nAccount",
    "entry": "记录\nEntry",
    "fault": "差错\nFault",
}
_IN_WORDS = {
    "entry": "与前一条不衔接或计算不符 does not follow or does not add up",
    "balance": "余额与最新记录不符 the balance is not what the newest entry left",
}
_NONE = "没有差错。 No faults."


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    group.command("check", help=_CHECK, short_help="检查账目 Check the journal")(check)
    app.add_typer(group, name="coins", help=_COINS, short_help="金币账目 Journal of coins")


def check(
    *,
    who: Annotated[
        str | None,
        typer.Argument(help="编号、手机号或邮箱 Id, phone number or e-mail", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes the faults.

    Raises:
        typer.Exit: with 1, when there are any.
    """
    rows, settings = at_desk(config, data_dir, lambda desks: desks.coins.faults(who))
    if as_json:
        show_rows(rows, _HEADS, settings, as_json=True)
    elif rows:
        told = [{**row, "fault": _IN_WORDS[str(row["fault"])]} for row in rows]
        show_rows(told, _HEADS, settings, as_json=False)
    else:
        typer.echo(_NONE)
    if rows:
        raise typer.Exit(1)
