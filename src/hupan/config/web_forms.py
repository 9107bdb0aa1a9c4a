"""Forms of what the web is made of: hosts, origins, addresses, headers, networks."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

from hupan.config.forms import Form, T, as_text, lower, matching
from hupan.config.wording import Wording

Network: TypeAlias = IPv4Network | IPv6Network

_HEADER_NAME = "[A-Za-z0-9!#$%&'*+.^_`|~-]+"

HOST = matching("[A-Za-z0-9._:%-]{1,255}", "主机名或 IP 地址", "a host name or an IP address")
_HOSTS_MAX = 8
HOST_PREFIX = lower(
    matching("[a-z0-9.-]{1,200}", "主机名的开头部分", "the beginning of a host name")
)
_HOST_RULE = lower(
    matching(
        r"(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,20}|\[[0-9a-f:.]{2,45}\]",
        "主机名",
        "a host name",
    )
)
HEADER = matching(_HEADER_NAME, "请求头的名称", "the name of a header")
CONTENT_TYPE = matching(
    "[a-z0-9.+-]+/[a-z0-9.+-]+(?:; ?[a-z]+=[A-Za-z0-9-]+)?",
    "内容类型，如 application/json",
    "a content type such as application/json",
)
SENDER = matching(
    r"[^\s<>@,;]+@[^\s<>@,;]+|[^<>@,;]+ <[^\s<>@,;]+@[^\s<>@,;]+>",
    "邮箱地址，或 名称 <邮箱地址>",
    "an address, or Name <address>",
)
_ORIGIN = lower(
    matching(
        r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?", "来源", "an origin"
    )
)


def many(raw: object, form: Form[T]) -> tuple[T, ...]:
    """Reads a TOML array, or text with commas between."""
    if isinstance(raw, str):
        raw = [part.strip() for part in raw.split(",")] if raw.strip() else []
    if not isinstance(raw, list | tuple):
        raise ValueError  # noqa: TRY004 # one exception says "not of this form", whatever is wrong
    return tuple(form.read(part) for part in raw)


def _read_places(raw: object) -> str:
    """Reads a host, or a few; an address may stand in brackets, as in a URL."""
    if raw == "*":
        return "*"
    given = as_text(raw) if isinstance(raw, str) else raw
    hosts = [host.removeprefix("[").removesuffix("]") for host in many(given, _PLACE)]
    if not 1 <= len(hosts) <= _HOSTS_MAX:
        raise ValueError
    return ",".join(HOST.read(host) for host in hosts)


def _read_origins(raw: object) -> tuple[str, ...]:
    return ("*",) if raw in ("*", ["*"], ("*",)) else many(raw, _ORIGIN)


def _read_network(raw: object) -> Network:
    if isinstance(raw, IPv4Network | IPv6Network):
        return raw
    value = as_text(raw)
    if "%" in value:  # ip_network drops the zone, which would trust more than was written
        raise ValueError
    return ip_network(value)


def _read_url(raw: object) -> str:
    """Takes no user name: a key belongs into a header, where it reaches no log of addresses."""
    value = as_text(raw)
    parts = urlsplit(value)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.username is not None
        or parts.port == 0  # reading the port is what refuses one that is no number
        or any(character.isspace() for character in value)
    ):
        raise ValueError
    return value


def _read_headers(raw: object) -> Mapping[str, str]:
    """Reads a TOML table, or the text of a JSON object."""
    try:
        table = json.loads(raw) if isinstance(raw, str) else raw
    except RecursionError as error:
        raise ValueError from error
    if not isinstance(table, Mapping):
        raise ValueError  # noqa: TRY004 # one exception says "not of this form", whatever is wrong
    return {HEADER.read(name): as_text(table[name]) for name in table}


_PLACE = matching(r"[A-Za-z0-9._:%-]{1,255}|\[[A-Za-z0-9._:%-]{1,253}\]", "主机", "a host")
LISTENS_ON = Form(
    Wording(
        "* 即 IPv4 与 IPv6 的所有地址，或主机名与 IP 地址（至多 8 个，以逗号分隔）",
        "* for every address, IPv4 and IPv6, or up to 8 host names and IP addresses",
    ),
    _read_places,
)
_NETWORK: Form[Network] = Form(Wording("网段", "a network"), _read_network)

ORIGINS = Form(
    Wording(
        "来源列表，每项为 scheme://host[:port]（末尾无斜杠），或仅一个 *",
        "origins, each scheme://host[:port] without a slash behind, or a single *",
    ),
    _read_origins,
)
HOSTS: Form[tuple[str, ...]] = Form(
    Wording(
        "主机名列表，前加 *. 为其所有子域名",
        "host names, one with *. in front for all names below it",
    ),
    lambda raw: many(raw, _HOST_RULE),
)
NETWORKS: Form[tuple[Network, ...]] = Form(
    Wording(
        "IP 网段列表，如 127.0.0.1/32, 10.0.0.0/8",
        "IP networks such as 127.0.0.1/32, 10.0.0.0/8",
    ),
    lambda raw: many(raw, _NETWORK),
)
URL = Form(
    Wording("http 或 https 地址，不含用户名", "an http or https address without a user name in it"),
    _read_url,
)
HEADERS = Form(
    Wording(
        "请求头的表，名称与值均为文本（环境变量中为 JSON 对象）",
        "a table of headers, names and values text (a JSON object in the environment)",
    ),
    _read_headers,
)
