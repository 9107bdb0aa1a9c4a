"""Where the server listens: sockets that are bound before anything else starts."""

import contextlib
import errno
import socket

BACKLOG = 2048
"""Connections that wait to be let in, as far as the system allows (`net.core.somaxconn`)."""
_PORT_MAX = 65535
# A name such as localhost stands for IPv4 and IPv6, of which a machine may have just one.
_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class BindRefusedError(Exception):
    """The address cannot be had; its text is one sentence in Chinese and in English."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Listens on every address that a host name stands for.

    Args:
        host: A name, an IPv4 or IPv6 address; "" is every address of the machine.
        port: 0 lets the system choose; all addresses then share the port of the first.

    Returns:
        At least one socket; peers may connect from now on.

    Raises:
        BindRefusedError: Nobody can listen there, and why.
    """
    with contextlib.ExitStack() as opened:
        sockets: list[socket.socket] = []
        try:
            for family, address in _addresses(host, port):
                shared_port = sockets[0].getsockname()[1] if sockets else port
                listener = _listen_at(family, address, shared_port)
                if listener is not None:
                    sockets.append(opened.enter_context(listener))
        except (OSError, OverflowError, UnicodeError) as error:
            raise BindRefusedError(_why(error, host, port)) from error
        if not sockets:
            raise BindRefusedError(_why(OSError(errno.EADDRNOTAVAIL, ""), host, port))
        opened.pop_all()
    return sockets


def urls(sockets: list[socket.socket]) -> list[str]:
    """The addresses of listening sockets, as a person would type them."""
    names = [listener.getsockname()[:2] for listener in sockets]
    return [f"http://{f'[{host}]' if ':' in host else host}:{port}" for host, port in names]


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _listen_at(family: socket.AddressFamily, address: str, port: int) -> socket.socket | None:
    try:
        # Its own IPv6 socket beside IPv4's, so that an IPv4 caller never looks like ::ffff:….
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return None
        raise


def _why(error: Exception, host: str, port: int) -> str:
    if isinstance(error, OverflowError):
        return f"端口 {port} 超出 0 到 {_PORT_MAX} / port {port} is not within 0 to {_PORT_MAX}"
    if not isinstance(error, OSError) or isinstance(error, socket.gaierror):
        return f"无法识别监听地址 {host} / {host} is no host name or address"
    reasons = {
        errno.EADDRINUSE: f"端口 {port} 已被占用 / port {port} is already in use",
        errno.EACCES: f"没有权限监听端口 {port} / no permission to listen on port {port}",
        errno.EADDRNOTAVAIL: f"{host} 不是本机的地址 / {host} is no address of this machine",
    }
    plain = f"无法监听 {host} 端口 {port} / cannot listen on {host} port {port}: {error.strerror}"
    return reasons.get(error.errno or 0, plain)
