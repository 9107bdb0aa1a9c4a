"""`hupan category set`."""

from typing import Annotated

import typer

from hupan.app.listing import Listing
from hupan.cli.operating import DataDirOption, JsonOption, operate, write_json
from hupan.cli.settings_or_exit import ConfigOption
from hupan.store.engine import Engine

_CATEGORY = """管理“发现”中的分区，可在服务器运行时使用。

Categories in discovery; also while the server runs.
"""
_SET = """设置全部分区及其顺序；“精选”列出所有 featured 群聊。不带参数则恢复默认分区。

Set all categories in their order; 精选 shows the groups that are featured. None restores the first.
"""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    group = typer.Typer(no_args_is_help=True)
    group.command("set", help=_SET, short_help="设置 Set")(set_categories)
    app.add_typer(group, name="category", help=_CATEGORY, short_help="分区 Categories in discovery")


def set_categories(
    *,
    names: Annotated[list[str] | None, typer.Argument(help="分区名称 Names")] = None,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Replaces the categories and writes those that hold now."""

    async def act(engine: Engine) -> list[str]:
        listing = Listing(engine)
        await listing.set_categories(names or [])
        return await listing.categories()

    named = ", ".join(names or []) or "default"
    categories = operate(
        config, data_dir, act, event="operator-categories", details={"names": named}
    )
    if as_json:
        write_json(categories)
    else:
        typer.echo("\n".join(categories))
