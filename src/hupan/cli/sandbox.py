"""`hupan sandbox`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from hupan.app.sandbox import SandboxOptions, sandbox_application
from hupan.app.storing import prepared_store
from hupan.cli.banner import say
from hupan.cli.listening import listen
from hupan.cli.refusing import refused_plainly
from hupan.cli.settings_or_exit import (
    ConfigOption,
    DatabaseOption,
    startable_settings_or_exit,
)

_HELP = """运行沙盒：真实的服务器，但数据用完即弃，“发出”的验证码可在 /sandbox/outbox 查看。

Run a sandbox: the real server on throw-away data; GET /sandbox/outbox shows each code it "sent".
"""
_LIMITS = "启用次数限制 Enforce limits on sends and tries"
_SEED = "用种子重现验证码与令牌 Repeat codes and tokens from a seed"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("sandbox", help=_HELP, short_help="运行沙盒 Run a sandbox")(sandbox)


def sandbox(
    *,
    host: Annotated[str | None, typer.Option(help="监听地址 Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="监听端口 Port to listen on")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="保留数据的目录 Folder to keep the data in")
    ] = None,
    database: DatabaseOption = None,
    limits: Annotated[bool, typer.Option("--limits", help=_LIMITS)] = False,
    seed: Annotated[str, typer.Option(help=_SEED)] = "",
    config: ConfigOption = None,
) -> None:
    """Serves; exits with 1 when it cannot start."""
    with _folder(data_dir) as folder:
        given = {
            "host": host or "127.0.0.1",
            "port": port,
            "data_dir": folder,
            "database": database or "",  # never the store of a server, whatever its settings say
            "secret_key_file": "",
            "workers": 1,
            "limits_enabled": limits,
            "email_profile": "lenient",
        }
        settings = startable_settings_or_exit(config, given, with_senders=False).settings

        def on_listening(urls: list[str]) -> None:
            say("sandbox", urls, settings, f"{urls[0]}/sandbox/outbox")

        factory = partial(sandbox_application, settings, SandboxOptions(seed))
        with refused_plainly(), prepared_store(settings):
            status = listen(factory, settings, on_listening)
    raise typer.Exit(status)


@contextmanager
def _folder(data_dir: Path | None) -> Iterator[Path]:
    """The folder that was asked for, or one that is gone afterwards."""
    if data_dir is not None:
        yield data_dir
    else:
        with tempfile.TemporaryDirectory(prefix="hupan-sandbox-") as folder:
            yield Path(folder)
