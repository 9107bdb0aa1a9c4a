"""Listening sockets of a host and port."""

import contextlib
import errno
import socket
from collections.abc import Mapping
from typing import TypeAlias

from hupan.localized import LocalizedError

BACKLOG = 2048
"""Connections that wait to be accepted, limited by the system (`net.core.somaxconn`)."""
_MAX_PORT = 65535
# The family and the address, without the port.
_SocketAddress: TypeAlias = tuple[socket.AddressFamily, tuple[str | int, ...]]
# A name such as localhost means IPv4 and IPv6; a machine may have only one of them.
_UNAVAILABLE_ERRORS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class BindError(LocalizedError):
    """The address cannot be used; the text says why."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of a host name.

    Args:
        host: a name, an IPv4 or IPv6 address, or several with commas between; "*" is every address
            of the machine, of both families.
        port: 0 lets the system choose; all addresses then share the port of the first.

    Returns:
        At least one socket; peers may connect from now on.

    Raises:
        BindError: the address cannot be used.
    """
    with contextlib.ExitStack() as opened:
        sockets: dict[_SocketAddress, socket.socket] = {}
        for name in host.split(","):
            for socket_address, listener in _listen_on_host(name, port, sockets).items():
                sockets[socket_address] = opened.enter_context(listener)
        opened.pop_all()
    return list(sockets.values())


def socket_urls(sockets: list[socket.socket]) -> list[str]:
    """Return the URLs of listening sockets."""
    return [_url(*listener.getsockname()) for listener in sockets]


def _url(address: str, port: int, _flow: int = 0, zone: int = 0) -> str:
    if ":" in address:  # RFC 6874: the interface follows a percent-encoded %
        address = f"[{address}%25{socket.if_indextoname(zone)}]" if zone else f"[{address}]"
    return f"http://{address}:{port}"


def _listen_on_host(
    host: str, port: int, existing: Mapping[_SocketAddress, socket.socket]
) -> dict[_SocketAddress, socket.socket]:
    """Listen on every address of one host that has no socket yet."""
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
    """Return the addresses of a host; IPv6 addresses include the interface's number."""
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
        # A separate IPv6 socket, so that an IPv4 client never appears as ::ffff:….
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
