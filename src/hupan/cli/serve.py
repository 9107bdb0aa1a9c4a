"""`hupan serve`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from hupan.app.serve import serve_application
from hupan.app.storing import prepared_store
from hupan.app.warnings import warning_lines
from hupan.cli.banner import codes_leave, say
from hupan.cli.listening import listen
from hupan.cli.refusing import refused_plainly
from hupan.cli.settings_or_exit import (
    ConfigOption,
    DatabaseOption,
    startable_settings_or_exit,
)

_HELP = """运行服务器，直到收到 SIGTERM 或 Ctrl-C；正在处理的请求会先完成。

Run the server until SIGTERM or Ctrl-C; requests in flight are finished first.
"""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("serve", help=_HELP, short_help="运行服务器 Run the server")(serve)


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="监听地址 Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="监听端口 Port to listen on")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="数据目录 Folder of the data")] = None,
    database: DatabaseOption = None,
    workers: Annotated[int | None, typer.Option(help="进程数 Number of processes")] = None,
    config: ConfigOption = None,
) -> None:
    """Serves; exits with 1 when it cannot start."""
    places = {"data_dir": data_dir, "database": database}
    given = {"host": host, "port": port, **places, "workers": workers}
    settings = startable_settings_or_exit(config, given).settings

    def on_listening(urls: list[str]) -> None:
        say("serve", urls, settings, codes_leave(settings), warning_lines(settings))

    with refused_plainly(), prepared_store(settings):
        status = listen(partial(serve_application, settings), settings, on_listening)
    raise typer.Exit(status)
