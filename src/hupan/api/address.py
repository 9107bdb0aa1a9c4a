"""The address of a client (security I10)."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from hupan.api.call import Call, Headers
from hupan.domain.origins import Origin, origin_of
from hupan.places.protocol import Address

MOST_HOPS = 32
MOST_CHARACTERS = 80
MOST_REMEMBERED = 4096
"""Clients whose address need not be read again; reading one takes longer than finding it."""
_LONGEST_REMEMBERED = 128
_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


class ClientAddresses:
    """Tells where requests come from.

    Args:
        proxies: the networks of the reverse proxies that are trusted; what others say is not heard.
        header: the one header in which those tell whom they speak for, "" for none.
    """

    def __init__(self, proxies: Sequence[IPv4Network | IPv6Network], header: str) -> None:
        self._proxies = proxies
        self._header = header.encode()
        self._remembered = lru_cache(MOST_REMEMBERED)(self._read)

    def of(self, call: Call) -> Address | None:
        """Likewise, the address alone; None where the socket has none."""
        return self.origin(call).address

    def origin(self, call: Call) -> Origin:
        """The rightmost hop that is no trusted proxy, else the other end of the socket.

        Hops are read from the right, for what stands left of an untrusted one is its own word. One
        that cannot be read, or a list of proxies alone, leaves the socket's address.
        """
        said = _said(call.headers, self._header) if self._header else b""
        is_short = len(said) + len(call.peer) <= _LONGEST_REMEMBERED
        return (self._remembered if is_short else self._read)(call.peer, said)

    def _read(self, peer: str, said: bytes) -> Origin:
        return origin_of(self._client(peer, said))

    def _client(self, peer: str, said: bytes) -> Address | None:
        socket = read_address(peer)
        if socket is None or not self._header or not self._is_proxy(socket):
            return socket
        for text in _hops(said):
            hop = read_address(text)
            if hop is None:
                break
            if not self._is_proxy(hop):
                return hop
        return socket

    def _is_proxy(self, address: Address) -> bool:
        return any(address in network for network in self._proxies)


def read_address(text: str) -> Address | None:
    """An address in its one form: without port, brackets and zone, IPv4 never as ::ffff:….

    Returns:
        None for what is no address.
    """
    if len(text) > MOST_CHARACTERS:
        return None
    with_port = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address(with_port[1] or with_port[2] if with_port else text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))
    return address


def _said(headers: Headers, name: bytes) -> bytes:
    """What a header says; one that comes twice was not overwritten, so it says nothing."""
    said = [value for header, value in headers if header == name]
    return said[0] if len(said) == 1 else b""


def _hops(said: bytes) -> list[str]:
    """The last hops that are named, from the right."""
    hops = said.decode("latin-1").rsplit(",", MOST_HOPS)[-MOST_HOPS:]
    return [hop.strip(" \t") for hop in reversed(hops)]
