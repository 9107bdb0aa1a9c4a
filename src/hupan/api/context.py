"""The request context: id, token, language, headers, and the client's address and platform."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from msgspec import Struct

from hupan.addresses import ClientOrigin, origin_from_address
from hupan.geoip import IPAddress

Headers = list[tuple[bytes, bytes]]


class RequestContext(Struct, frozen=True):
    """One request of a known endpoint.

    Attributes:
        request_id: its id, also in the log line and in `x-request-id` (wire.md 1.8).
        token: the token that the client sent, "" for none.
        english: whether the client prefers messages in English (wire.md 2).
        headers: as received, names in lower case.
        peer: the address of the socket's peer, "" for none; `ClientResolver` finds the client's.
    """

    request_id: int
    token: str
    english: bool
    headers: Headers
    peer: str


def read_token(headers: Headers, header_map: Mapping[bytes, bytes]) -> str:
    """Return the token of a request (wire.md 1.2): header `token`, else `Authorization: Bearer`.

    Two token headers are joined, which is never a valid token (security T2).

    Args:
        headers: all headers, names in lower case.
        header_map: the same as a mapping.
    """
    token = header_map.get(b"token", b"")
    if len(header_map) != len(headers):
        token = b",".join(value for name, value in headers if name == b"token")
    if not token:
        scheme, _, bearer = header_map.get(b"authorization", b"").partition(b" ")
        token = bearer if scheme.lower() == b"bearer" else b""
    return token.decode("latin-1")


def wants_english(header_map: Mapping[bytes, bytes]) -> bool:
    """Whether English is the first language in Accept-Language."""
    return header_map.get(b"accept-language", b"")[:2].lower() == b"en"


MAX_HOPS = 32
MAX_ADDRESS_CHARACTERS = 80
MAX_CACHED_CLIENTS = 4096
"""Clients whose parsed address is cached; parsing takes longer than the look-up."""
_MAX_CACHED_CHARACTERS = 128
_ADDRESS_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")


class ClientResolver:
    """Resolves the address of clients, also behind reverse proxies.

    Args:
        proxies: the networks of trusted proxies; the header of any other peer is ignored.
        header: the one header in which trusted proxies send the client's address, "" for none.
    """

    def __init__(self, proxies: Sequence[IPv4Network | IPv6Network], header: str) -> None:
        self._proxies = proxies
        self._header = header.encode()
        self._resolve_cached = lru_cache(MAX_CACHED_CLIENTS)(self._resolve_uncached)

    def resolve_address(self, context: RequestContext) -> IPAddress | None:
        """Return the address of the client; None where the socket has none."""
        return self.resolve_origin(context).address

    def resolve_origin(self, context: RequestContext) -> ClientOrigin:
        """Return the rightmost hop that is not a trusted proxy, else the socket's peer.

        Hops are read from the right, because an untrusted hop can forge all hops on its left. An
        unreadable hop, or a list of trusted proxies only, leaves the socket's peer.
        """
        forwarded = _single_header(context.headers, self._header) if self._header else b""
        is_short = len(forwarded) + len(context.peer) <= _MAX_CACHED_CHARACTERS
        return (self._resolve_cached if is_short else self._resolve_uncached)(
            context.peer, forwarded
        )

    def _resolve_uncached(self, peer: str, forwarded: bytes) -> ClientOrigin:
        return origin_from_address(self._client_address(peer, forwarded))

    def _client_address(self, peer: str, forwarded: bytes) -> IPAddress | None:
        socket = parse_client_address(peer)
        if socket is None or not self._header or not self._is_proxy(socket):
            return socket
        for text in _last_hops(forwarded):
            hop = parse_client_address(text)
            if hop is None:
                break
            if not self._is_proxy(hop):
                return hop
        return socket

    def _is_proxy(self, address: IPAddress) -> bool:
        return any(address in network for network in self._proxies)


def parse_client_address(text: str) -> IPAddress | None:
    """Parse an address into one form: without port, brackets and zone, IPv4 never as ::ffff:….

    Returns:
        None for anything else.
    """
    if len(text) > MAX_ADDRESS_CHARACTERS:
        return None
    with_port = _ADDRESS_WITH_PORT.fullmatch(text)
    try:
        address = ip_address(with_port[1] or with_port[2] if with_port else text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))
    return address


def _single_header(headers: Headers, name: bytes) -> bytes:
    """Return the value of a header; b"" for a repeated one, which the proxy did not overwrite."""
    values = [value for header, value in headers if header == name]
    return values[0] if len(values) == 1 else b""


def _last_hops(forwarded: bytes) -> list[str]:
    hops = forwarded.decode("latin-1").rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    return [hop.strip(" \t") for hop in reversed(hops)]


_MAX_PLATFORM_CHARACTERS = 32
_PLATFORM_BY_AGENT_PREFIX = ((b"okhttp", "android"), (b"dart", "flutter"), (b"mozilla", "web"))


def detect_platform(headers: Headers) -> str:
    """Return a word of User-Agent: a known platform, else the agent's own name, "" without one.

    The most active client never sends its platform, and its users must recognise the device.
    """
    agent = next((value for name, value in headers if name == b"user-agent"), b"")[:256].strip()
    start = agent.lower()
    known = next((word for mark, word in _PLATFORM_BY_AGENT_PREFIX if start.startswith(mark)), "")
    return known or _agent_name(agent)


def _agent_name(agent: bytes) -> str:
    name = (agent.split() or [b""])[0].partition(b"/")[0]
    plain = "".join(chr(byte) for byte in name if 0x21 <= byte <= 0x7E)  # noqa: PLR2004 - visible ASCII
    return plain[:_MAX_PLATFORM_CHARACTERS]
