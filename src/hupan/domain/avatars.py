"""Addresses of avatars (security U1). The server never fetches them; every client does."""

import re
from collections.abc import Collection
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote, unquote

from hupan.domain.refusals import InvalidField
from hupan.domain.text import is_clean

MOST_CHARACTERS = 512
HIGHEST_PORT = 65_535
DEFAULT_PORTS = {"http": 80, "https": 443}

# No fragment and no user name can match.
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE | re.ASCII,
)
_DISTURBING = re.compile(r"[\s\\<>\"`]|%(?![0-9A-Fa-f]{2})")
_LABEL = re.compile("(?!-)[0-9a-z_-]{1,63}(?<!-)")
_LOOKS_NUMERIC = re.compile("[0-9]+|0x[0-9a-f]*")
_MOST_HOST_CHARACTERS = 253
_PATH = "/:@!$&()*+,;=~%"
_QUERY = _PATH + "?[]|"


def avatar_url(text: str, field: str, hosts: Collection[str] = ()) -> str:
    """An http or https address of at most 512 characters, written anew from its parts.

    The scheme and the host come out in small letters, the port only where it is not the scheme's
    own, and other than ASCII characters as escapes; the query stays.

    Args:
        text: the address as it came.
        field: its name on the wire.
        hosts: the hosts that are taken, `*.` before a name for all below it; none for any host.

    Raises:
        InvalidField: it is no such address, or carries what could mislead or disturb.
    """
    parts = _ADDRESS.fullmatch(text) if len(text) <= MOST_CHARACTERS else None
    if parts is None or not _is_harmless(text):
        raise InvalidField(field)
    scheme = parts["scheme"].lower()
    host = _host(parts["host"].lower())
    if host is None or not _is_allowed(host, hosts):
        raise InvalidField(field)
    port = int(parts["port"] or DEFAULT_PORTS[scheme])
    shown_port = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
    path = quote(parts["path"] or "/", _PATH)
    query = f"?{quote(parts['query'], _QUERY)}" if parts["query"] else ""
    url = f"{scheme}://{host}{shown_port}{path}{query}"
    if not 0 < port <= HIGHEST_PORT or len(url) > MOST_CHARACTERS:
        raise InvalidField(field)
    return url


def _is_harmless(text: str) -> bool:
    """Whether neither the text nor what its escapes stand for hides or disturbs."""
    if not is_clean(text) or _DISTURBING.search(text):
        return False
    return is_clean(unquote(text, errors="ignore"))  # escapes may be of another encoding


def _host(host: str) -> str | None:
    """A host in its one form; None for one that could pass for another.

    Names with `xn--` stand for other scripts, where letters of one look like those of another.
    Numbers are addresses only in the one form with four parts.
    """
    if host.startswith("["):
        return _ipv6(host[1:-1])
    labels = host.split(".")
    if _LOOKS_NUMERIC.fullmatch(labels[-1]):
        return _ipv4(host)
    well_formed = all(_LABEL.fullmatch(label) and label[:4] != "xn--" for label in labels)
    return host if well_formed and len(host) <= _MOST_HOST_CHARACTERS else None


def _ipv4(text: str) -> str | None:
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        return None


def _ipv6(text: str) -> str | None:
    try:
        return f"[{IPv6Address(text)}]"
    except AddressValueError:
        return None


def _is_allowed(host: str, hosts: Collection[str]) -> bool:
    if not hosts:
        return True
    return any(
        host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed
        for allowed in hosts
    )
