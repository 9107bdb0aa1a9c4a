"""`hupan bot import` and `hupan bot list`."""

import typer

from hupan.app.listing import BOT_COLUMN_NAMES, Listing
from hupan.cli.importing import import_command
from hupan.cli.operating import DataDirOption, JsonOption, operate, show_table
from hupan.cli.settings_or_exit import ConfigOption
from hupan.store.engine import Engine

_BOT = """管理“发现”中推荐的机器人，可在服务器运行时使用。

Recommended bots; also while the server runs.
"""
_IMPORT = f"""导入机器人，号码相同者被替换；任何一行有误则全部不导入。

Import bots; those with the same ids are replaced. When a line is wrong, nothing is kept.

列 Columns: {", ".join(BOT_COLUMN_NAMES)}
"""
_LIST = """按使用人数列出推荐的机器人。

List the recommended bots by headcount.
"""
_HEADS = {
    "chatId": "号码\nId",
    "nickname": "名称\nName",
    "headcount": "使用人数\nHeadcount",
    "isAdd": "可添加\nisAdd",
    "isApply": "需申请\nisApply",
    "alwaysAgree": "总是同意\nalwaysAgree",
    "introduction": "简介\nIntroduction",
}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    import_rows = import_command(
        BOT_COLUMN_NAMES,
        lambda listing, lines, on_read, _: listing.import_bots(lines, on_read),
        "operator-bot-import",
    )
    group.command("import", help=_IMPORT, short_help="导入 Import")(import_rows)
    group.command("list", help=_LIST, short_help="列出 List")(list_bots)
    app.add_typer(group, name="bot", help=_BOT, short_help="机器人 Recommended bots")


def list_bots(
    *, as_json: JsonOption = False, data_dir: DataDirOption = None, config: ConfigOption = None
) -> None:
    """Writes the bots as a table, or as a JSON array."""

    async def act(engine: Engine) -> list[dict[str, object]]:
        return await Listing(engine).bots()

    bots = operate(config, data_dir, act)
    show_table(_HEADS, bots, as_json=as_json)
