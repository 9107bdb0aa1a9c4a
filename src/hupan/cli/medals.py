"""`hupan medal define` and `hupan medal list`."""

from typing import Annotated

import typer

from hupan.cli.run import (
    ConfigOption,
    DataDirOption,
    JsonOption,
    print_rows,
    print_single_row,
    run_admin,
)

_MEDAL_HELP = """定义勋章，可在服务器运行时使用；授予用 hupan account medal。

Define medals; also while the server runs. `hupan account medal` gives them.
"""
_DEFINE_HELP = """定义勋章，或修改同名的勋章。

Define a medal, or change the one of that name.
"""
_LIST_HELP = """按顺序列出全部勋章。

List every medal in their order.
"""
_MEDAL_COLUMNS = {
    "id": "编号\nId",
    "name": "名称\nName",
    "sort": "顺序\nSort",
    "description": "说明\nDescription",
    "imageUrl": "图片\nImage",
}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True)
    group.command("define", help=_DEFINE_HELP, short_help="定义 Define")(define)
    group.command("list", help=_LIST_HELP, short_help="列出 List")(list_medals)
    app.add_typer(group, name="medal", help=_MEDAL_HELP, short_help="勋章 Medals")


def define(
    *,
    name: Annotated[str, typer.Argument(help="名称 Name", show_default=False)],
    sort: Annotated[
        int | None,
        typer.Option(help="顺序，默认排在最后 Place, by default the last", show_default=False),
    ] = None,
    description: Annotated[str, typer.Option(help="说明 Description")] = "",
    image: Annotated[str, typer.Option(metavar="URL", help="图片地址 Picture")] = "",
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Defines a medal and writes it."""
    row, settings = run_admin(
        config,
        data_dir,
        lambda d: d.medals.define(name, sort, description, image),
        event="operator-medal-define",
        details={"medal": name, "sort": sort, "description": description, "image": image},
    )
    print_single_row(row, _MEDAL_COLUMNS, settings, as_json=as_json)


def list_medals(
    *,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes every medal."""
    rows, settings = run_admin(config, data_dir, lambda d: d.medals.list_medals())
    print_rows(rows, _MEDAL_COLUMNS, settings, as_json=as_json)
