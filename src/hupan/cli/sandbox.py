"""`hupan sandbox`."""

import os
import re
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from hupan.app.sandbox import SandboxOptions, sandbox_application
from hupan.app.storing import prepared_store
from hupan.cli.banner import say
from hupan.cli.listening import listen
from hupan.cli.refusing import refused_plainly
from hupan.cli.sandbox_folder import passing_folder
from hupan.cli.settings_or_exit import (
    ConfigOption,
    DatabaseOption,
    startable_settings_or_exit,
)

_HELP = """运行沙盒：真实的服务器，但数据用完即弃，“发出”的验证码可在 /sandbox/outbox 查看。

Run a sandbox: the real server on throw-away data; GET /sandbox/outbox shows each code it "sent".
"""
_LIMITS = "启用次数限制 Enforce limits on sends and tries"
_ALLOW_HOST = (
    "除 localhost 与 IP 地址外，允许访问 /sandbox 的主机名，可多次 "
    "A host name, besides localhost and IP addresses, by which /sandbox may be used; repeatable"
)
_HOST = "监听地址；非本机地址会让网络中的任何人使用 /sandbox Address; not loopback opens /sandbox"
_QUIET = "不在终端打印验证码 Do not print codes on the terminal"
_NAME = re.compile(r"[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*\.?")
_OPEN_ZH = (
    "⚠ 沙盒没有监听在本机地址上：能连到它的任何人都可读取全部验证码、清空数据、调整时钟。"
    "请勿存放真实数据；只在可信的网络中这样使用。"
)
_OPEN_EN = (
    "⚠ The sandbox does not listen on loopback: everybody who can reach it reads all codes, wipes "
    "the data and moves the clock. Keep no real data in it, and do this in trusted networks only."
)
_SEED = "用种子重现验证码与令牌 Repeat codes and tokens from a seed"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("sandbox", help=_HELP, short_help="运行沙盒 Run a sandbox")(sandbox)


def sandbox(
    *,
    host: Annotated[str | None, typer.Option(help=_HOST)] = None,
    port: Annotated[int | None, typer.Option(help="监听端口 Port to listen on")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="保留数据的目录 Folder to keep the data in")
    ] = None,
    database: DatabaseOption = None,
    limits: Annotated[bool, typer.Option("--limits", help=_LIMITS)] = False,
    seed: Annotated[str, typer.Option(help=_SEED)] = "",
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help=_ALLOW_HOST, show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help=_QUIET)] = False,
    config: ConfigOption = None,
) -> None:
    """Serves; exits with 1 when it cannot start."""
    for name in allow_host or []:
        _refuse_no_name(name)
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
            _warn(settings.host)

        names = _names(settings.host, allow_host or [])
        options = SandboxOptions(seed, names, not quiet, _is_english())
        factory = partial(sandbox_application, settings, options)
        with refused_plainly(), prepared_store(settings, is_sandbox=True):
            status = listen(factory, settings, on_listening)
    raise typer.Exit(status)


def _folder(data_dir: Path | None) -> AbstractContextManager[Path]:
    """The folder that was asked for, or one that is gone afterwards."""
    return passing_folder() if data_dir is None else nullcontext(data_dir)


def _is_english() -> bool:
    """Whether the terminal's language is set, and is not Chinese."""
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    language = next(filter(None, names), "").partition(".")[0].lower()
    return language not in ("", "c", "posix") and not language.startswith("zh")


def _names(host: str, allowed: list[str]) -> tuple[str, ...]:
    """The host names that lead here, in lower case; addresses always do."""
    return tuple(name.strip().rstrip(".").lower() for name in (host, *allowed) if name.strip())


def _refuse_no_name(name: str) -> None:
    """Refuses what no `Host` will ever say, such as a name with its port."""
    if not _NAME.fullmatch(name.strip()):
        raise typer.BadParameter(
            f"--allow-host needs a host name without a port: {name!a}"
            if _is_english()
            else f"--allow-host 须为不带端口的主机名：{name!a}"
        )


def _warn(host: str) -> None:
    """Tells what an address that is not this machine's own opens to everybody there."""
    if not _is_loopback(host):
        typer.echo(_OPEN_EN if _is_english() else _OPEN_ZH, err=True)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
