"""`hupan client create`, `hupan client list` and `hupan client revoke`."""

from typing import Annotated

import typer

from hupan.cli.help import make_group
from hupan.cli.language import say
from hupan.cli.output import Column
from hupan.cli.run import (
    ConfigOption,
    DataDirOption,
    JsonOption,
    print_row,
    print_rows,
    run_admin,
)

_COLUMNS = {
    "name": Column(say("名称", "Name")),
    "createdAt": Column(say("创建时间", "Created")),
    "secret": Column(say("密钥（只显示这一次）", "Secret (shown this once)"), wraps=True),
}
NameArgument = Annotated[
    str,
    typer.Argument(
        help=say("名称，即 client_id。", "Name, which is the client_id."), show_default=False
    ),
]
app = make_group(
    say(
        "管理可以查询令牌的服务器（RFC 7662），可在湖畔运行时使用。",
        "Manage servers that may ask about tokens (RFC 7662), also while Hupan runs.",
    ),
    say("管理可查询令牌的服务器", "Manage servers that ask about tokens"),
)


@app.command(
    "create",
    help=say(
        "登记一个服务器，并显示其密钥；密钥只显示这一次。",
        "Register a server and show its secret, which is not shown again.",
    ),
    short_help=say("登记服务器", "Register a server"),
)
def create(
    *,
    name: NameArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Create a client and print its secret."""
    row, settings = run_admin(
        config,
        data_dir,
        lambda services: services.clients.create(name),
        event="operator-client-create",
        details={"client": name},
    )
    print_row(row, _COLUMNS, settings, as_json=as_json)


@app.command(
    "list",
    help=say("列出已登记的服务器。", "List the registered servers."),
    short_help=say("列出服务器", "List servers"),
)
def list_clients(
    *,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Print all clients."""
    rows, settings = run_admin(config, data_dir, lambda services: services.clients.list_all())
    print_rows(rows, _COLUMNS, settings, as_json=as_json)


@app.command(
    "revoke",
    help=say("撤销一个服务器的登记，立即生效。", "Revoke a server, at once."),
    short_help=say("撤销登记", "Revoke a server"),
)
def revoke(
    *,
    name: NameArgument,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Revoke a client."""
    row, settings = run_admin(
        config,
        data_dir,
        lambda services: services.clients.revoke(name),
        event="operator-client-revoke",
        details={"client": name},
    )
    print_row(row, _COLUMNS, settings, as_json=as_json)
