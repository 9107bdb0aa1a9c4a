"""`hupan group import` and `hupan group list`."""

from typing import Annotated

import typer

from hupan.app.listing import GROUP_COLUMN_NAMES, Listing
from hupan.cli.importing import import_command
from hupan.cli.operating import DataDirOption, JsonOption, operate, show_table
from hupan.cli.settings_or_exit import ConfigOption
from hupan.store.engine import Engine

_GROUP = """管理“发现”中的群聊，可在服务器运行时使用。

Groups in discovery; also while the server runs.
"""
_IMPORT = f"""导入群聊，群号相同者被替换；任何一行有误则全部不导入。

Import groups; those with the same ids are replaced. When a line is wrong, nothing is kept.

列 Columns: {", ".join(GROUP_COLUMN_NAMES)}
"""
_LIST = """按人数列出群聊。

List groups by headcount.
"""
_HEADS = {
    "chatId": "群号\nId",
    "nickname": "名称\nName",
    "headcount": "人数\nHeadcount",
    "category": "分区\nCategory",
    "featured": "精选\nFeatured",
    "introduction": "简介\nIntroduction",
}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    import_rows = import_command(GROUP_COLUMN_NAMES, Listing.import_groups, "operator-group-import")
    group.command("import", help=_IMPORT, short_help="导入 Import")(import_rows)
    group.command("list", help=_LIST, short_help="列出 List")(list_groups)
    app.add_typer(group, name="group", help=_GROUP, short_help="群聊 Groups in discovery")


def list_groups(
    *,
    category: Annotated[str, typer.Option(help="分区 Category")] = "",
    keyword: Annotated[str, typer.Option(help="关键词或群号 Keyword or id")] = "",
    page: Annotated[int, typer.Option(min=1, max=10_000, help="页码 Page")] = 1,
    size: Annotated[int, typer.Option(min=1, max=100, help="每页数量 Groups on a page")] = 30,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes one page as a table, or as a JSON array."""

    async def act(engine: Engine) -> list[dict[str, object]]:
        return await Listing(engine).groups(category, keyword, page=page, size=size)

    groups = operate(config, data_dir, act)
    show_table(_HEADS, groups, as_json=as_json)
