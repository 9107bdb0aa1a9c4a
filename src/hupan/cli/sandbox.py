"""`hupan sandbox`: runs the server on throw-away data."""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from hupan.addresses import is_loopback_host
from hupan.cli.language import ENGLISH, say
from hupan.cli.output import exit_on_error
from hupan.cli.run import ConfigOption, DatabaseOption, load_startable_settings_or_exit
from hupan.cli.sandbox_run import RUN_HELP, run
from hupan.cli.sandbox_start import Announcement, explain_taken_port, ready_file
from hupan.cli.sandbox_tls import open_tls_listener, tls_front
from hupan.cli.serve import PortOption, listen
from hupan.opening import prepared_store
from hupan.sandbox.seeding import PACK_NAMES
from hupan.sandbox_application import SandboxOptions, make_sandbox_application

FOLDER_PREFIX = "hupan-sandbox-"
_RUNNING_LOCK = "running.lock"
_STORE_LOCK = "hupan.db.lock"  # all that older versions held
_MAX_FOLDERS_CHECKED = 1000


@contextmanager
def temporary_data_folder() -> Iterator[Path]:
    """Create a temporary folder for the sandbox; remove those of killed sandboxes first."""
    remove_abandoned_folders(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # Renamed once it is locked: another sandbox that starts now may check it.
        with (folder / f"{_RUNNING_LOCK}.new").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / f"{_RUNNING_LOCK}.new").rename(folder / _RUNNING_LOCK)
            yield folder


def remove_abandoned_folders(parent: Path) -> None:
    """Remove the folders of this user's sandboxes that no longer run.

    One that runs holds a lock. A folder without a lock file may be about to get one.
    """
    for _, folder in zip(
        range(_MAX_FOLDERS_CHECKED), parent.glob(f"{FOLDER_PREFIX}*"), strict=False
    ):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
            return False
        locks = [path for name in (_RUNNING_LOCK, _STORE_LOCK) if (path := folder / name).is_file()]
        return bool(locks) and all(map(_is_unlocked, locks))
    except OSError:
        return False


def _is_unlocked(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


_HOST_NAME = re.compile(r"[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*\.?")
SandboxHostOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help=say(
            "监听地址；非本机地址会让网络中的任何人使用 /sandbox。",
            "Address to listen on; any but loopback opens /sandbox to the network.",
        ),
        show_default=False,
    ),
]
AllowHostOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help=say(
            "除 localhost 与 IP 地址外，允许访问 /sandbox 的主机名，可多次使用。",
            "Another host name at which /sandbox is available, in addition to localhost and IP "
            "addresses; repeatable.",
        ),
        show_default=False,
    ),
]
TlsOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--tls",
        help=say(
            "同时以本机证书提供 TLS 1.2 与 1.3（见 docs/connect.zh-CN.md）。",
            "Also serve TLS 1.2 and 1.3, with a certificate of this machine (docs/connect.md).",
        ),
    ),
]
TlsPortOption: TypeAlias = Annotated[
    int, typer.Option(help=say("--tls 的端口。", "Port of --tls."), min=0, max=65535)
]
TlsHostOption: TypeAlias = Annotated[
    str, typer.Option(help=say("--tls 的本机地址。", "Loopback address of --tls."))
]
OpenOption: TypeAlias = Annotated[
    bool, typer.Option("--open", help=say("在浏览器中打开页面。", "Open the pages in a browser."))
]
StartJsonOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json",
        help=say(
            "就绪后只输出一行 JSON，供程序读取；不打印验证码。",
            "Print one line of JSON for programs once the sandbox is ready; print no codes.",
        ),
    ),
]
ReadyFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--ready-file",
        help=say(
            "就绪后写入同样 JSON 的文件，停止时删除。",
            "File for the same JSON; it is written once the sandbox is ready, and deleted when it "
            "stops.",
        ),
        show_default=False,
    ),
]
SeedOption: TypeAlias = Annotated[
    str,
    typer.Option(
        help=say("用种子重现验证码与令牌。", "Seed that makes codes and tokens repeatable.")
    ),
]
QuietOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quiet", help=say("不在终端打印验证码。", "Do not print codes on the terminal.")
    ),
]
KeptDataOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help=say("保留数据的目录。", "Directory to keep the data in."), show_default=False
    ),
]
app = typer.Typer(add_completion=False, rich_markup_mode=None)
app.command(
    "run", help=RUN_HELP, short_help=say("运行程序并连接沙盒", "Run a program against a sandbox")
)(run)


@app.callback(
    invoke_without_command=True,
    help=say(
        "运行沙盒：真实的服务器，但数据用完即弃。其页面显示“发出”的验证码与每个请求。"
        f"POST /sandbox/seed 可载入数据包：{'、'.join(PACK_NAMES)}。",
        'Run a sandbox: the real server on throw-away data. Its pages show the codes it "sent" and '
        f"every request. POST /sandbox/seed loads packs of data: {', '.join(PACK_NAMES)}.",
    ),
    short_help=say("运行沙盒", "Run a sandbox"),
)
def sandbox(  # noqa: PLR0913 - an option each
    context: typer.Context,
    *,
    host: SandboxHostOption = None,
    port: PortOption = None,
    data_dir: KeptDataOption = None,
    database: DatabaseOption = None,
    limits: Annotated[
        bool, typer.Option("--limits", help=say("启用频率限制。", "Enforce the rate limits."))
    ] = False,
    seed: SeedOption = "",
    allow_host: AllowHostOption = None,
    quiet: QuietOption = False,
    tls: TlsOption = False,
    tls_host: TlsHostOption = "127.0.0.1",
    tls_port: TlsPortOption = 8443,
    open_page: OpenOption = False,
    json_output: StartJsonOption = False,
    ready: ReadyFileOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve; exit with 1 when the sandbox cannot start."""
    if context.invoked_subcommand is not None:
        return
    for name in allow_host or []:
        _check_host_name(name)
    listeners = [open_tls_listener(tls_host, tls_port)] if tls else []
    announcement = Announcement(as_json=json_output, ready_file=ready, opens_page=open_page)
    with ready_file(ready), _choose_data_folder(data_dir) as folder:
        given = {
            "host": host or "127.0.0.1",
            "port": port,
            "data_dir": folder,
            "database": database or "",  # never the store of a server, regardless of its settings
            "secret_key_file": "",
            "workers": 1,
            "limits_enabled": limits,
            "email_profile": "lenient",
        }
        settings = load_startable_settings_or_exit(config, given, with_senders=False).settings

        def on_listening(urls: list[str]) -> None:
            announcement.make(urls, settings, seed)
            _warn_if_exposed(settings.host)
            for listener in listeners:
                typer.echo(f"  TLS {stack.enter_context(tls_front(listener, urls[0]))}", err=True)

        names = _normalize_host_names(settings.host, allow_host or [])
        options = SandboxOptions(seed, names, not (quiet or json_output), ENGLISH)
        factory = partial(make_sandbox_application, settings, options)
        with ExitStack() as stack, exit_on_error(), prepared_store(settings, is_sandbox=True):
            explain = partial(explain_taken_port, settings.port)
            status = listen(factory, settings, on_listening, explain)
    raise typer.Exit(status)


def _choose_data_folder(data_dir: Path | None) -> AbstractContextManager[Path]:
    """Return the given folder, or one that is removed afterwards."""
    return temporary_data_folder() if data_dir is None else nullcontext(data_dir)


def _normalize_host_names(host: str, allowed: list[str]) -> tuple[str, ...]:
    """Return the host names of the sandbox in lower case; addresses are always allowed."""
    return tuple(name.strip().rstrip(".").lower() for name in (host, *allowed) if name.strip())


def _check_host_name(name: str) -> None:
    """Refuse what no `Host` header contains, such as a name with its port."""
    if not _HOST_NAME.fullmatch(name.strip()):
        raise typer.BadParameter(
            say(
                f"--allow-host 须为不带端口的主机名：{name!a}",
                f"--allow-host needs a host name without a port: {name!a}",
            )
        )


def _warn_if_exposed(host: str) -> None:
    """Warn about what an address other than loopback exposes to the network."""
    if not is_loopback_host(host):
        typer.echo(
            say(
                "⚠ 沙盒没有监听在本机地址上：能连到它的任何人都可读取全部验证码、清空数据、调整时"
                "钟。"
                "请勿存放真实数据；只在可信的网络中这样使用。",
                "⚠ The sandbox does not listen on loopback: everyone who can reach it can read all "
                "codes, wipe the data and move the clock. Keep no real data in it, and use it like "
                "this only in trusted networks.",
            ),
            err=True,
        )
