"""`hupan serve`: runs the server and prints its start-up banner."""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from hupan import __version__
from hupan.admin.config_check import warning_lines
from hupan.admin.limits import exemption_lines
from hupan.application import ASGIApp, make_server_application
from hupan.cli.output import exit_on_error
from hupan.cli.run import ConfigOption, DatabaseOption, load_startable_settings_or_exit
from hupan.config import Settings
from hupan.opening import prepared_store
from hupan.server.connection import ServerLimits
from hupan.server.workers import run_server

_CONSOLE_DELIVERY = "终端 console（⚠ 仅打印在此处，不会发给用户 printed here, not sent to users）"


def print_banner(
    mode: str, urls: list[str], settings: Settings, codes: str, warnings: Sequence[str] = ()
) -> None:
    """Writes the lines and sends them off at once, also into a file or a pipe."""
    lines = [
        f"湖畔 Hupan {__version__} · {mode}",
        *(f"  监听 listening  {url}" for url in urls),
        f"  数据 data       {settings.masked_database}",
        f"  验证码 codes    {codes}",
        *(f"  {line}" for line in exemption_lines(settings, time.time())),
        *(f"  {line}" for line in warnings),
    ]
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def describe_code_delivery(settings: Settings) -> str:
    """How codes leave, with a plain warning where they do not."""
    sms = _CONSOLE_DELIVERY if settings.sms_sender == "console" else "HTTP 网关 gateway"
    email = (
        _CONSOLE_DELIVERY if settings.email_sender == "console" else f"SMTP {settings.smtp_host}"
    )
    return sms if sms == email else f"短信 SMS: {sms} · 邮件 e-mail: {email}"


def listen(
    factory: Callable[[], ASGIApp], settings: Settings, on_listening: Callable[[list[str]], None]
) -> int:
    """Serves until it is told to stop; gives the exit status."""
    return run_server(
        factory,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        limits=ServerLimits(idle_timeout_seconds=settings.connection_idle_seconds),
        on_listening=on_listening,
    )


_SERVE_HELP = """运行服务器，直到收到 SIGTERM 或 Ctrl-C；正在处理的请求会先完成。

Run the server until SIGTERM or Ctrl-C; requests in flight are finished first.
"""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("serve", help=_SERVE_HELP, short_help="运行服务器 Run the server")(serve)


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
    store_options = {"data_dir": data_dir, "database": database}
    given = {"host": host, "port": port, **store_options, "workers": workers}
    settings = load_startable_settings_or_exit(config, given).settings

    def on_listening(urls: list[str]) -> None:
        print_banner(
            "serve", urls, settings, describe_code_delivery(settings), warning_lines(settings)
        )

    with exit_on_error(), prepared_store(settings):
        status = listen(partial(make_server_application, settings), settings, on_listening)
    raise typer.Exit(status)
