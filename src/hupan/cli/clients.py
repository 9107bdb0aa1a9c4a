"""`hupan client create`, `hupan client list` and `hupan client revoke`."""

from typing import Annotated

import typer

from hupan.cli.help import make_group
from hupan.cli.language import say
from hupan.cli.output import Column
from hupan.cli.run import AdminCommand, admin_command

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
        "Manage servers that may ask about tokens (RFC 7662), even while Hupan runs.",
    ),
    say("管理可查询令牌的服务器", "Manage servers that ask about tokens"),
)


@app.command(
    "create",
    help=say(
        "登记一台服务器，并显示其密钥；密钥只显示这一次。",
        "Register a server and show its secret, which is not shown again.",
    ),
    short_help=say("登记服务器", "Register a server"),
)
@admin_command
def create(command: AdminCommand, *, name: NameArgument) -> None:
    """Create a client and print its secret."""
    row = command.run(
        lambda services: services.clients.create(name),
        event="operator-client-create",
        details={"client": name},
    )
    command.print_row(row, _COLUMNS)


@app.command(
    "list",
    help=say("列出已登记的服务器。", "List the registered servers."),
    short_help=say("列出服务器", "List servers"),
)
@admin_command
def list_clients(command: AdminCommand) -> None:
    """Print all clients."""
    rows = command.run(lambda services: services.clients.list_all())
    command.print_rows(rows, _COLUMNS)


@app.command(
    "revoke",
    help=say("撤销一台服务器的登记，立即生效。", "Revoke a server, at once."),
    short_help=say("撤销登记", "Revoke a server"),
)
@admin_command
def revoke(command: AdminCommand, *, name: NameArgument) -> None:
    """Revoke a client."""
    row = command.run(
        lambda services: services.clients.revoke(name),
        event="operator-client-revoke",
        details={"client": name},
    )
    command.print_row(row, _COLUMNS)
