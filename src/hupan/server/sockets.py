"""Listening sockets of a host and port."""

import contextlib
import errno
import socket
from collections.abc import Mapping
from typing import TypeAlias

from hupan.localized import LocalizedError

BACKLOG = 2048
"""Connections that wait to be let in, as far as the system allows (`net.core.somaxconn`)."""
_MAX_PORT = 65535
# The family and the address, without the port.
_SocketAddress: TypeAlias = tuple[socket.AddressFamily, tuple[str | int, ...]]
# A name such as localhost stands for IPv4 and IPv6, of which a machine may have just one.
_UNAVAILABLE_ERRORS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class BindError(LocalizedError):
    """The address cannot be had; its text is one sentence in Chinese and in English."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Listens on every address that a host name stands for.

    Args:
        host: A name, an IPv4 or IPv6 address, or several with commas between; "*" is every address
            of the machine, of both families.
        port: 0 lets the system choose; all addresses then share the port of the first.

    Returns:
        At least one socket; peers may connect from now on.

    Raises:
        BindRefusedError: Nobody can listen there, and why.
    """
    with contextlib.ExitStack() as opened:
        sockets: dict[_SocketAddress, socket.socket] = {}
        for name in host.split(","):
            for socket_address, listener in _listen_on_host(name, port, sockets).items():
                sockets[socket_address] = opened.enter_context(listener)
        opened.pop_all()
    return list(sockets.values())


def socket_urls(sockets: list[socket.socket]) -> list[str]:
    """The addresses of listening sockets, as a person would type them."""
    return [_url(*listener.getsockname()) for listener in sockets]


def _url(address: str, port: int, _flow: int = 0, zone: int = 0) -> str:
    if ":" in address:  # RFC 6874: the interface, behind a % that is written as in any URL
        address = f"[{address}%25{socket.if_indextoname(zone)}]" if zone else f"[{address}]"
    return f"http://{address}:{port}"


def _listen_on_host(
    host: str, port: int, existing: Mapping[_SocketAddress, socket.socket]
) -> dict[_SocketAddress, socket.socket]:
    """Listens on every address of one host that is not listened on yet."""
    sockets: dict[_SocketAddress, socket.socket] = {}
    with contextlib.ExitStack() as opened:
        try:
            socket_addresses = _resolve_host(host, port)
            for socket_address in socket_addresses:
                if socket_address in existing:
                    continue
                shared_port = _port_of({**existing, **sockets}) or port
                listener = _listen_on_address(socket_address, shared_port)
                if listener is not None:
                    sockets[socket_address] = opened.enter_context(listener)
        except (OSError, OverflowError, UnicodeError) as error:
            raise _bind_error(error, host, port) from error
        if not sockets and not existing.keys() & set(socket_addresses):
            raise _bind_error(OSError(errno.EADDRNOTAVAIL, ""), host, port)
        opened.pop_all()
    return sockets


def _port_of(sockets: Mapping[_SocketAddress, socket.socket]) -> int:
    return next((int(listener.getsockname()[1]) for listener in sockets.values()), 0)


def _resolve_host(host: str, port: int) -> list[_SocketAddress]:
    """What a host stands for; of IPv6 the number of its interface is a part."""
    every = host in ("", "*")
    found = socket.getaddrinfo(
        None if every else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return list(
        dict.fromkeys((family, (address[0], *address[2:])) for family, _, _, _, address in found)
    )


def _listen_on_address(socket_address: _SocketAddress, port: int) -> socket.socket | None:
    family, (address, *rest) = socket_address
    try:
        # Its own IPv6 socket beside IPv4's, so that an IPv4 caller never looks like ::ffff:….
        return socket.create_server((address, port, *rest), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno in _UNAVAILABLE_ERRORS:
            return None
        raise


def _bind_error(error: Exception, host: str, port: int) -> BindError:
    if isinstance(error, OverflowError):
        return BindError(
            f"端口 {port} 超出 0 到 {_MAX_PORT}", f"port {port} is not within 0 to {_MAX_PORT}"
        )
    if not isinstance(error, OSError) or isinstance(error, socket.gaierror):
        return BindError(f"无法识别监听地址 {host}", f"{host} is not a host name or an address")
    reasons = {
        errno.EADDRINUSE: (f"端口 {port} 已被占用", f"port {port} is already in use"),
        errno.EACCES: (f"没有权限监听端口 {port}", f"no permission to listen on port {port}"),
        errno.EADDRNOTAVAIL: (
            f"{host} 不是本机的地址",
            f"{host} is not an address of this machine",
        ),
    }
    other = (
        f"无法监听 {host} 端口 {port}：{error.strerror}",
        f"cannot listen on {host} port {port}: {error.strerror}",
    )
    return BindError(*reasons.get(error.errno or 0, other))
