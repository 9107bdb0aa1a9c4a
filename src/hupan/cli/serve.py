"""`hupan serve`: runs the server and prints its start-up banner."""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, TypeAlias

import typer

from hupan import __version__
from hupan.admin.config_check import find_warnings
from hupan.admin.limits import exemption_lines
from hupan.application import ASGIApp, make_server_application
from hupan.cli.language import ENGLISH, cell_width, pad_cells, say, say_text
from hupan.cli.output import exit_on_error
from hupan.cli.run import (
    ConfigOption,
    DatabaseOption,
    DataDirOption,
    load_startable_settings_or_exit,
)
from hupan.config import Settings
from hupan.config.load import masked_database
from hupan.localized import LocalizedText
from hupan.opening import prepared_store
from hupan.server.connection import ServerLimits
from hupan.server.serve import BindError
from hupan.server.workers import run_server

HostOption: TypeAlias = Annotated[
    str | None, typer.Option(help=say("监听地址。", "Address to listen on."), show_default=False)
]
PortOption: TypeAlias = Annotated[
    int | None, typer.Option(help=say("监听端口。", "Port to listen on."), show_default=False)
]
app = typer.Typer(add_completion=False, rich_markup_mode=None)


def print_banner(
    mode: str, urls: list[str], settings: Settings, codes: str, warnings: Sequence[str] = ()
) -> None:
    """Print what is served; flushed at once, even into a file or a pipe."""
    fields = [
        *((say("监听地址", "listening"), url) for url in urls),
        (say("数据库", "data"), masked_database(settings)),
        (say("验证码", "codes"), codes),
    ]
    width = max(cell_width(name) for name, _ in fields)
    lines = [
        f"{say('湖畔', 'Hupan')} {__version__} · {mode}",
        *(f"  {pad_cells(name, width)}  {value}" for name, value in fields),
        *(f"  {say_text(line)}" for line in exemption_lines(settings, time.time())),
        *(f"  {line}" for line in warnings),
    ]
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def format_warnings(settings: Settings) -> list[str]:
    """Return a line for each warning about the settings."""
    return [
        say(f"⚠ 警告：{warning.zh}", f"⚠ warning: {warning.en}")
        for warning in find_warnings(settings)
    ]


def _picture_notes(settings: Settings) -> list[str]:
    """Return what an unknown address of this server means for pictures."""
    if settings.public_url:
        return []
    return [
        say(
            "提示：设置 public_url 后，没有头像的账号才有默认图片，上传的头像才对所有客户端可见",
            "note: set public_url to show default pictures, and uploads to clients without "
            "redirected host names",
        )
    ]


def describe_code_delivery(settings: Settings) -> str:
    """Return how codes reach users, with a warning if they do not."""
    console = say(
        "终端（⚠ 仅打印在此处，不会发给用户）", "console (⚠ printed here, not sent to users)"
    )
    sms = {
        "console": console,
        "http": say("HTTP 网关", "HTTP gateway"),
        "aliyun": say("阿里云", "Aliyun"),
        "tencent": say("腾讯云", "Tencent Cloud"),
    }[settings.sms_sender]
    email = console if settings.email_sender == "console" else f"SMTP {settings.smtp_host}"
    return (
        sms
        if sms == email
        else say(f"短信：{sms} · 邮件：{email}", f"SMS: {sms} · e-mail: {email}")
    )


def listen(
    factory: Callable[[], ASGIApp],
    settings: Settings,
    on_listening: Callable[[list[str]], None],
    explain: Callable[[BindError], LocalizedText] = lambda error: error.localized,
) -> int:
    """Serve until stopped; return the exit status."""
    return run_server(
        factory,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        limits=ServerLimits(idle_timeout_seconds=settings.connection_idle_seconds),
        on_listening=on_listening,
        english=ENGLISH,
        explain=explain,
    )


@app.command(
    help=say(
        "运行服务器，直到收到 SIGTERM 或 Ctrl-C；正在处理的请求会先完成。",
        "Run the server until SIGTERM or Ctrl-C; requests in flight are finished first.",
    ),
    short_help=say("运行服务器", "Run the server"),
)
def serve(
    *,
    host: HostOption = None,
    port: PortOption = None,
    data_dir: DataDirOption = None,
    database: DatabaseOption = None,
    workers: Annotated[
        int | None, typer.Option(help=say("进程数。", "Number of processes."), show_default=False)
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Serve; exit with 1 when the server cannot start."""
    store_options = {"data_dir": data_dir, "database": database}
    given = {"host": host, "port": port, **store_options, "workers": workers}
    settings = load_startable_settings_or_exit(config, given).settings

    def on_listening(urls: list[str]) -> None:
        codes = describe_code_delivery(settings)
        notes = [*_picture_notes(settings), *format_warnings(settings)]
        print_banner(say("服务器", "server"), urls, settings, codes, notes)

    factory = partial(make_server_application, settings, english=ENGLISH)
    with exit_on_error(), prepared_store(settings):
        status = listen(factory, settings, on_listening)
    raise typer.Exit(status)
