"""`hupan medal define` and `hupan medal list`."""

from typing import Annotated

import typer

from hupan.cli.help import make_group
from hupan.cli.language import say
from hupan.cli.output import Column
from hupan.cli.run import AdminCommand, admin_command, admin_list_command

_MEDAL_COLUMNS = {
    "id": Column(say("编号", "Id")),
    "name": Column(say("名称", "Name")),
    "sort": Column(say("顺序", "Sort")),
    "description": Column(say("说明", "Description"), wraps=True),
    "imageUrl": Column(say("图片", "Image"), wraps=True, wide_only=True),
}
app = make_group(
    say(
        "定义勋章，可在服务器运行时使用；授予用 hupan account medal。",
        "Define medals; the server can be running. `hupan account medal` awards them to accounts.",
    ),
    say("管理勋章", "Manage medals"),
)


@app.command(
    "define",
    help=say(
        "定义勋章，或修改同名的勋章。", "Define a medal, or change the existing one of that name."
    ),
    short_help=say("定义勋章", "Define a medal"),
)
@admin_command
def define(
    command: AdminCommand,
    *,
    name: Annotated[str, typer.Argument(help=say("名称。", "Name."), show_default=False)],
    sort: Annotated[
        int | None,
        typer.Option(
            help=say("顺序；默认排在最后。", "Position. Default: the last."), show_default=False
        ),
    ] = None,
    description: Annotated[str, typer.Option(help=say("说明。", "Description."))] = "",
    image: Annotated[
        str, typer.Option(metavar="URL", help=say("图片地址。", "URL of the image."))
    ] = "",
) -> None:
    """Define a medal and print it."""
    row = command.run(
        lambda services: services.accounts.define_medal(name, sort, description, image),
        event="operator-medal-define",
        details={"medal": name, "sort": sort, "description": description, "image": image},
    )
    command.print_row(row, _MEDAL_COLUMNS)


@app.command(
    "list",
    help=say("按顺序列出全部勋章。", "List all medals in their order."),
    short_help=say("列出勋章", "List medals"),
)
@admin_list_command
def list_medals(command: AdminCommand) -> None:
    """Print all medals."""
    rows = command.run(lambda services: services.accounts.list_medals())
    command.print_rows(rows, _MEDAL_COLUMNS)
