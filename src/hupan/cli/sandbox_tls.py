"""TLS of a sandbox: which certificate it presents, and where it listens."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from hupan.cli.language import say
from hupan.cli.sandbox_start import find_listener
from hupan.connect.authority import Authority, prepare_authority
from hupan.connect.front import LOOPBACK, MAX_CONNECTIONS, Front
from hupan.connect.names import is_loopback_address
from hupan.connect.user import default_folder, find_user
from hupan.library_errors import localize_reason


def own_authority(folder: Path | None) -> Authority:
    """Return the authority of the user, even if root runs this for them."""
    user = find_user(os.environ)
    with user.rights():
        return prepare_authority(folder or default_folder(user, os.environ))


def open_tls_listener(host: str, port: int) -> socket.socket:
    """Listen for TLS on loopback.

    Raises:
        typer.BadParameter: the address is not a loopback address.
        typer.Exit: with 1, when the port is not available; prints why, and what to do.
    """
    if not is_loopback_address(host):
        raise typer.BadParameter(
            say(
                f"应为本机地址，如 127.0.0.1：{host!a}",
                f"expected a loopback address such as 127.0.0.1: {host!a}",
            ),
            param_hint="--tls-host",
        )
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except PermissionError as error:
        text = say(
            f"没有权限监听 {host}:{port}。运行 sudo sysctl net.ipv4.ip_unprivileged_port_start="
            f"{port}（到重启为止），或以 root 运行；详见 docs/connect.zh-CN.md",
            f"no right to listen on {host}:{port}. Run sudo sysctl "
            f"net.ipv4.ip_unprivileged_port_start={port} (until the next boot), or run this as "
            "root; see docs/connect.md",
        )
        cause: OSError = error
    except OSError as error:
        reason = localize_reason(error)
        number, name = find_listener(port) or (0, "")
        holder = say(f"（进程 {number} {name}）", f" (process {number} {name})") if number else ""
        text = say(
            f"无法监听 {host}:{port}{holder}：{reason.zh}；用 --tls-port 选择其他端口",
            f"cannot listen on {host}:{port}{holder}: {reason.en}; choose another with --tls-port",
        )
        cause = error
    typer.echo(text, err=True)
    raise typer.Exit(1) from cause


@contextmanager
def tls_front(listener: socket.socket, sandbox_url: str) -> Iterator[str]:
    """Serve TLS before a sandbox; return its address."""
    context = own_authority(None).server_context()
    sandbox_port = int(sandbox_url.rpartition(":")[2])
    address = listener.getsockname()[0]
    host = {LOOPBACK: "localhost", "::1": "[::1]"}.get(address, address)
    with Front(sandbox_port, context, proxy=False, listener=listener) as front:
        yield f"https://{host}:{front.port}"
