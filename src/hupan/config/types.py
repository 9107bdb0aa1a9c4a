"""Types of settings: what each accepts, and how a raw value is parsed.

A raw value is what TOML parsed, or text from the environment or the command line.
"""

import json
import os
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, Generic, NoReturn, TypeAlias, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from hupan.localized import LocalizedText

SECRET_MASK: Final = "••••"  # noqa: S105 # what is shown in place of a secret

_PATH_START = re.compile(r"/(?!/)|\.{1,2}/|~")
_URL_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# `host=… password=…` of libpq, `Server=…;User Id=…` of others.
_KEYWORDS = re.compile(r"[^\W\d][\w ]*=")
# A command such as `psql -h … -W …` instead of the address.
_OPTION = re.compile(r"(?:^|\s)--?[A-Za-z]")
_PASSWORD_WORD = re.compile(
    r"(?:pass(?:word|wd|phrase|file)?|pwd|secret|api_?key|token|credentials?)[\"' ]*[=:]",
    re.IGNORECASE,
)
_LOGIN = re.compile(r":.*@|//.*@", re.DOTALL)
_WEB = re.compile(r"https?://", re.IGNORECASE)


def looks_like_server_address(text: str) -> bool:
    """Return whether a text given as a path is more likely the address of a server.

    A path that only looks like one can be written with a leading `./` or `/`.
    """
    value = _normalize_text(text).strip()
    if "://" in value or may_contain_password(value):
        return True
    if value.startswith(("//", "\\\\", ":")) or "?" in value:
        return True
    if _PATH_START.match(value):
        return False
    return "@" in value or bool(
        _URL_SCHEME.match(value) or _KEYWORDS.match(value) or _OPTION.search(value)
    )


def may_contain_password(text: str) -> bool:
    """Return whether some part of a text may be a password (security X12)."""
    text = _normalize_text(text)
    if _LOGIN.search(text) or _PASSWORD_WORD.search(text):
        return True
    return "://" in text and not _WEB.search(text)


def mask_password(text: str) -> str:
    """Return the text, or a mask for all of it if some part may be a password.

    Masking the password alone is unsafe: where a password with `/` or `@` ends is ambiguous.
    """
    return SECRET_MASK if may_contain_password(text) else text


def _normalize_text(text: str) -> str:
    """Return the text without percent-encoding and full-width characters."""
    return unicodedata.normalize("NFKC", unquote(text))


T = TypeVar("T")
Word = TypeVar("Word", bound=str)

# Control characters would break log lines and headers; lone surrogates cannot be written at all.
_FORBIDDEN_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DIGITS = re.compile("[0-9]{1,12}")
_BOOLEANS = {"true": True, "false": False}


class InvalidValue(ValueError):
    """An invalid value; `expected` is more specific than that of its type."""

    def __init__(self, expected: LocalizedText) -> None:
        super().__init__(expected.en)
        self.expected = expected


@dataclass(frozen=True, slots=True)
class SettingType(Generic[T]):
    """The type of a setting.

    Attributes:
        expected: completes the sentence "expected …".
        parse: returns the value, or raises ValueError.
    """

    expected: LocalizedText
    parse: Callable[[object], T]


def require_text(raw: object) -> str:
    """Return the raw value as text.

    Raises:
        ValueError: it is not text, or contains characters that no setting may contain.
    """
    if not isinstance(raw, str) or _FORBIDDEN_CHARACTERS.search(raw):
        raise ValueError
    return raw


def integer(min_value: int, max_value: int) -> SettingType[int]:
    """Return an integer within bounds, both included."""

    def read(raw: object) -> int:
        if isinstance(raw, str) and _DIGITS.fullmatch(raw):
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool) or not min_value <= raw <= max_value:
            raise ValueError
        return raw

    return SettingType(
        LocalizedText(
            f"{min_value} 到 {max_value} 的整数", f"a whole number from {min_value} to {max_value}"
        ),
        read,
    )


def single_line(min_length: int = 0, max_length: int = 255) -> SettingType[str]:
    """Return the type of a line of text whose length in characters is within bounds."""

    def read(raw: object) -> str:
        value = require_text(raw)
        if not min_length <= len(value) <= max_length:
            raise ValueError
        return value

    return SettingType(
        LocalizedText(
            f"一行文本（{min_length} 到 {max_length} 字）",
            f"a line of {min_length} to {max_length} characters",
        ),
        read,
    )


def printable_line(min_length: int, max_length: int) -> SettingType[str]:
    """Return the type of a line of printable text, which a message can contain."""
    line = single_line(min_length, max_length)

    def read(raw: object) -> str:
        value = line.parse(raw)
        if not value.strip() or not value.isprintable():
            raise ValueError
        return value

    return SettingType(
        LocalizedText(
            f"一行可打印的文本（{min_length} 到 {max_length} 字）",
            f"a line of {min_length} to {max_length} printable characters",
        ),
        read,
    )


def choice(*choices: Word) -> SettingType[Word]:
    """Return the type of a choice between some words."""

    def read(raw: object) -> Word:
        for value in choices:
            if value == raw:
                return value
        raise ValueError

    listed = " | ".join(choices)
    return SettingType(LocalizedText(f"{listed} 之一", f"one of {listed}"), read)


def matching(pattern: str, zh: str, en: str) -> SettingType[str]:
    """Return the type of a text that a pattern matches as a whole (security I7)."""
    compiled = re.compile(pattern)

    def read(raw: object) -> str:
        if not compiled.fullmatch(value := require_text(raw)):
            raise ValueError
        return value

    return SettingType(LocalizedText(zh, en), read)


def lowercase(setting_type: SettingType[str]) -> SettingType[str]:
    """Return the same type, converted to lower case."""
    return SettingType(
        setting_type.expected, lambda raw: setting_type.parse(require_text(raw).lower())
    )


def optional(setting_type: SettingType[str]) -> SettingType[str]:
    """Return the same type, or "" for none."""
    expected = LocalizedText(
        f"{setting_type.expected.zh}，或留空", f"{setting_type.expected.en}, or empty"
    )
    return SettingType(expected, lambda raw: "" if raw == "" else setting_type.parse(raw))


def _parse_boolean(raw: object) -> bool:
    value = _BOOLEANS.get(raw.lower()) if isinstance(raw, str) else raw
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 # callers expect this one for any invalid value
    return value


def _parse_multiline_text(raw: object) -> str:
    if not isinstance(raw, str) or _FORBIDDEN_CHARACTERS.search(
        raw.replace("\n", "").replace("\t", "")
    ):
        raise ValueError
    return raw


def _parse_path(raw: object) -> Path:
    value = require_text(str(raw) if isinstance(raw, Path) else raw)
    if not value:
        raise ValueError
    if looks_like_server_address(value) or value != value.strip():
        raise InvalidValue(
            LocalizedText(
                "路径，首尾无空格；这像是服务器地址或连接串（若确为路径，请以 ./ 或 / 开头）",
                "a path without leading or trailing spaces; this looks like the address of a "
                "server (if it is a path, begin it with ./ or /)",
            )
        )
    return Path(value)


def _parse_optional_path(raw: object) -> str:
    return "" if raw == "" else str(_parse_path(raw))


def _parse_optional_file(raw: object) -> str:
    path = _parse_optional_path(raw)
    try:
        is_file = not path or (Path(path).is_file() and os.access(path, os.R_OK))
    except OSError as error:  # a name that is too long, a directory without access
        raise ValueError from error
    if not is_file:
        raise ValueError
    return path


BOOLEAN = SettingType(LocalizedText("true 或 false", "true or false"), _parse_boolean)
MULTILINE_TEXT = SettingType(
    LocalizedText("文本，可有多行", "text, which may have several lines"), _parse_multiline_text
)
PATH = SettingType(LocalizedText("路径", "a path"), _parse_path)
OPTIONAL_PATH = SettingType(LocalizedText("路径，或留空", "a path, or empty"), _parse_optional_path)
OPTIONAL_FILE = SettingType(
    LocalizedText("可读的文件的路径，或留空", "the path of a readable file, or empty"),
    _parse_optional_file,
)


POSTGRES_SCHEMES = ("postgresql://", "postgres://")
POSTGRES_PARAMETERS: Final = (
    *("sslmode", "host", "port", "user", "passfile"),
    *("target_session_attrs", "application_name", "search_path", "options"),
)
"""The parameters allowed after `?`; others have settings, or the server would refuse them."""
POSTGRES_TLS_MODES: Final = ("verify-full", "disable")
_TARGET_SESSION_ATTRS: Final = ("read-write", "primary", "any")

_POSTGRES_SCHEME = re.compile(r"postgres(?:ql)?://", re.IGNORECASE)
_POSTGRES_URL = re.compile(
    r"(?:(?P<login>[A-Za-z0-9._~!$&'()*+,;=:%-]*)@)?(?P<hosts>[A-Za-z0-9._:%,\[\]-]*)/(?P<name>[A-Za-z0-9_.%-]*)"
    r"(?:\?(?P<query>[A-Za-z0-9_.=&%/:+,-]*))?"
)
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+|(?:%2F|%2f)[A-Za-z0-9._%-]+)")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PORT = re.compile("[0-9]{1,5}")
_MAX_PORT = 65_535

_DATABASE_EXPECTED = LocalizedText(
    "路径、postgresql://用户@主机:端口/库名，或留空",
    "a path, postgresql://user@host:port/name, or empty",
)
NO_PASSWORD_IN_OPTION = LocalizedText(
    "不含密码的地址（命令行会被其他用户看到；密码请写在 database_password_file、"
    "HUPAN_DATABASE_PASSWORD 或 PGPASSFILE 所指的文件中）",
    "a URL without a password (other users can see the command line; put the password into the "
    "file of database_password_file or PGPASSFILE, or into HUPAN_DATABASE_PASSWORD)",
)


def is_postgres_url(database: object) -> bool:
    """Return whether a value of `database` is the URL of a PostgreSQL server."""
    return isinstance(database, str) and database.startswith(POSTGRES_SCHEMES)


def mask_database_url(database: str) -> str:
    """Return a value of `database` without its login and most parameters.

    The user is masked too: a URL with the password in place of the user is a common mistake.
    """
    if not is_postgres_url(database):
        return SECRET_MASK if may_contain_password(database) else database
    scheme, _, rest = database.partition("://")
    parts = _POSTGRES_URL.fullmatch(rest)
    if parts is None:
        return SECRET_MASK
    login = f"{SECRET_MASK}@" if parts["login"] else ""
    sslmode = dict(parse_qsl(parts["query"] or "")).get("sslmode", "")
    more = f"?sslmode={sslmode}" if sslmode in POSTGRES_TLS_MODES else ""
    return f"{scheme}://{login}{parts['hosts']}/{parts['name']}{more}"


def database_may_contain_password(database: object) -> bool:
    """Return whether a value of `database`, valid or not, may contain a password."""
    if not isinstance(database, str):
        return False
    scheme = _POSTGRES_SCHEME.match(database.strip())
    if scheme is None:
        return may_contain_password(database)
    rest = database.strip()[scheme.end() :]
    parts = _POSTGRES_URL.fullmatch(rest)
    if parts is None:
        return "@" in rest or may_contain_password(rest)
    query = {name.lower(): value for name, value in parse_qsl(parts["query"] or "")}
    login = unquote(parts["login"] or "") + query.get("user", "")
    return ":" in login or "password" in query or any(map(may_contain_password, query.values()))


def _parse_database(raw: object) -> str:
    if not isinstance(raw, str):
        return OPTIONAL_PATH.parse(raw)
    scheme = _POSTGRES_SCHEME.match(raw)
    if scheme is None:
        return OPTIONAL_PATH.parse(raw)
    return _parse_postgres_url(scheme[0].lower(), require_text(raw)[scheme.end() :])


def _parse_postgres_url(scheme: str, rest: str) -> str:
    parts = _POSTGRES_URL.fullmatch(rest)
    if parts is None or _BAD_ESCAPE.search(rest):
        _raise_invalid(
            "postgresql://用户@主机:端口/库名（密码中的 / @ ? # % 等须写作 %2F %40 %3F %23 %25，"
            "或另设 database_password）",
            "postgresql://user@host:port/name (encode / @ ? # % in a password as "
            "%2F %40 %3F %23 %25, or set database_password instead)",
        )
    query = _parse_postgres_query(parts["query"] or "")
    _require_login(parts["login"], parts["hosts"], query)
    _require_hosts(parts["hosts"])
    return scheme + rest


def _parse_postgres_query(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    query = dict(pairs)
    if len(query) != len(pairs) or not set(query) <= set(POSTGRES_PARAMETERS):
        _raise_invalid(
            f"问号之后只含 {' '.join(POSTGRES_PARAMETERS)} 的地址，每项一次（密码与证书另有设置）",
            f"only {', '.join(POSTGRES_PARAMETERS)} after the question mark, once each (password "
            "and certificates have separate settings)",
        )
    if query.get("sslmode", "disable") not in POSTGRES_TLS_MODES:
        _raise_invalid(
            "sslmode 为 verify-full 或 disable 的地址",
            "a URL whose sslmode is verify-full or disable",
        )
    if query.get("target_session_attrs", "any") not in _TARGET_SESSION_ATTRS:
        _raise_invalid(
            "target_session_attrs 为 read-write 的地址", "target_session_attrs=read-write"
        )
    for port in query.get("port", "5432").split(","):
        _require_port(port)
    return query


def _require_login(login: str | None, hosts: str, query: dict[str, str]) -> None:
    """Require a user, except on a socket, where the default is the system's user."""
    user = unquote((login or "").partition(":")[0]) or query.get("user", "")
    on_socket = not hosts and query.get("host", "/").startswith("/")
    if not user and not (on_socket and login is None):
        _raise_invalid(
            "含用户名的地址：postgresql://用户@主机/库名", "a user: postgresql://user@host/name"
        )
    if ":" in user or "\0" in unquote(login or ""):
        _raise_invalid(
            "以未编码的冒号分隔用户名与密码的地址", "a plain colon between user and password"
        )


def _require_hosts(hosts: str) -> None:
    for address in hosts.split(",") if hosts else []:
        host = _HOST.match(address)
        rest = address[host.end() :] if host else "?"
        if rest.startswith(":"):
            _require_port(rest[1:])
        elif rest:
            _raise_invalid(
                "以逗号分隔的“主机”或“主机:端口”",
                "hosts as host or host:port, separated by commas",
            )


def _require_port(text: str) -> None:
    if not _PORT.fullmatch(text) or not 0 < int(text) <= _MAX_PORT:
        _raise_invalid("端口为 1 到 65535 的整数", "a port from 1 to 65535")


def _raise_invalid(zh: str, en: str) -> NoReturn:
    raise InvalidValue(LocalizedText(zh, en))


DATABASE = SettingType(_DATABASE_EXPECTED, _parse_database)


IPNetwork: TypeAlias = IPv4Network | IPv6Network

_HEADER_NAME_PATTERN = "[A-Za-z0-9!#$%&'*+.^_`|~-]+"

HOST = matching("[A-Za-z0-9._:%-]{1,255}", "主机名或 IP 地址", "a host name or an IP address")
_MAX_LISTEN_HOSTS = 8
HOST_PREFIX = lowercase(matching("[a-z0-9.-]{1,200}", "主机名前缀", "a prefix of host names"))
_HOST_PATTERN = lowercase(
    matching(
        r"(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,20}|\[[0-9a-f:.]{2,45}\]",
        "主机名",
        "a host name",
    )
)
HEADER_NAME = matching(_HEADER_NAME_PATTERN, "请求头的名称", "the name of a header")
CONTENT_TYPE = matching(
    "[a-z0-9.+-]+/[a-z0-9.+-]+(?:; ?[a-z]+=[A-Za-z0-9-]+)?",
    "内容类型，如 application/json",
    "a content type such as application/json",
)
EMAIL_SENDER = matching(
    r"[^\s<>@,;]+@[^\s<>@,;]+|[^<>@,;]+ <[^\s<>@,;]+@[^\s<>@,;]+>",
    "邮箱地址，或 名称 <邮箱地址>",
    "an address, or Name <address>",
)
_CORS_ORIGIN = lowercase(
    matching(
        r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?", "来源", "an origin"
    )
)


def parse_list(raw: object, item_type: SettingType[T]) -> tuple[T, ...]:
    """Parse a TOML array, or text separated by commas."""
    if isinstance(raw, str):
        raw = [part.strip() for part in raw.split(",")] if raw.strip() else []
    if not isinstance(raw, list | tuple):
        raise ValueError  # noqa: TRY004 # callers expect this one for any invalid value
    return tuple(item_type.parse(part) for part in raw)


def _parse_listen_hosts(raw: object) -> str:
    """Parse one or more hosts; an address may have brackets, as in a URL."""
    if raw == "*":
        return "*"
    items = require_text(raw) if isinstance(raw, str) else raw
    hosts = [host.removeprefix("[").removesuffix("]") for host in parse_list(items, _LISTEN_HOST)]
    if not 1 <= len(hosts) <= _MAX_LISTEN_HOSTS:
        raise ValueError
    return ",".join(HOST.parse(host) for host in hosts)


def _parse_cors_origins(raw: object) -> tuple[str, ...]:
    return ("*",) if raw in ("*", ["*"], ("*",)) else parse_list(raw, _CORS_ORIGIN)


def _parse_network(raw: object) -> IPNetwork:
    if isinstance(raw, IPv4Network | IPv6Network):
        return raw
    value = require_text(raw)
    if "%" in value:  # ip_network drops the zone, which would trust more than was written
        raise ValueError
    return ip_network(value)


def _parse_http_url(raw: object) -> str:
    return _parse_url(("http", "https"), raw)


def _parse_url(schemes: Collection[str], raw: object) -> str:
    """Parse a URL without a user name: a key belongs in a header, since URLs are often logged."""
    value = require_text(raw)
    parts = urlsplit(value)
    if (
        parts.scheme not in schemes
        or not parts.hostname
        or parts.username is not None
        or parts.port == 0  # reading `port` raises ValueError if it is not a number
        or any(character.isspace() for character in value)
    ):
        raise ValueError
    return value


def _parse_headers(raw: object) -> Mapping[str, str]:
    """Parse a TOML table, or the text of a JSON object."""
    try:
        table = json.loads(raw) if isinstance(raw, str) else raw
    except RecursionError as error:
        raise ValueError from error
    if not isinstance(table, Mapping):
        raise ValueError  # noqa: TRY004 # callers expect this one for any invalid value
    return {HEADER_NAME.parse(name): require_text(table[name]) for name in table}


_LISTEN_HOST = matching(r"[A-Za-z0-9._:%-]{1,255}|\[[A-Za-z0-9._:%-]{1,253}\]", "主机", "a host")
LISTEN_HOSTS = SettingType(
    LocalizedText(
        "* 即 IPv4 与 IPv6 的所有地址，或主机名与 IP 地址（至多 8 个，以逗号分隔）",
        "* for every address, IPv4 and IPv6, or up to 8 host names and IP addresses",
    ),
    _parse_listen_hosts,
)
_NETWORK: SettingType[IPNetwork] = SettingType(LocalizedText("网段", "a network"), _parse_network)

CORS_ORIGINS = SettingType(
    LocalizedText(
        "来源列表，每项为 scheme://host[:port]（末尾无斜杠），或仅一个 *",
        "origins, each scheme://host[:port] without a trailing slash, or a single *",
    ),
    _parse_cors_origins,
)
HOST_PATTERNS: SettingType[tuple[str, ...]] = SettingType(
    LocalizedText(
        "主机名列表，*.example.com 表示其所有子域名",
        "host names; *.example.com stands for all its subdomains",
    ),
    lambda raw: parse_list(raw, _HOST_PATTERN),
)
NETWORKS: SettingType[tuple[IPNetwork, ...]] = SettingType(
    LocalizedText(
        "IP 网段列表，如 127.0.0.1/32, 10.0.0.0/8",
        "IP networks such as 127.0.0.1/32, 10.0.0.0/8",
    ),
    lambda raw: parse_list(raw, _NETWORK),
)
HTTP_URL = SettingType(
    LocalizedText("http 或 https 地址，不含用户名", "an http or https URL without a user name"),
    _parse_http_url,
)


def _parse_public_url(raw: object) -> str:
    """Parse the base of addresses that others append to."""
    value = _parse_http_url(raw)
    if "?" in value or "#" in value or not value.isascii():
        raise ValueError
    return value.rstrip("/")


PUBLIC_URL = SettingType(
    LocalizedText(
        "http 或 https 地址，如 https://chat.example.com，不含用户名与参数",
        "an http or https URL such as https://chat.example.com, without user name and query",
    ),
    _parse_public_url,
)
WEBSOCKET_URL = SettingType(
    LocalizedText("ws 或 wss 地址，不含用户名", "a ws or wss URL without a user name"),
    partial(_parse_url, ("ws", "wss")),
)
HEADERS = SettingType(
    LocalizedText(
        "请求头的表，名称与值均为文本（环境变量中为 JSON 对象）",
        "a table of headers, its names and values as text (in the environment a JSON object)",
    ),
    _parse_headers,
)


_COUNTRY_CODE = matching("[A-Z]{2}", "国家或地区代码，如 HK", "a country code such as HK")
_CONTACT_ADDRESS = matching(
    r"[0-9０-９+＋()（）.．\s\-－\u00b7\u2010-\u2015\u2212"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]{7,60}"
    r"|[^\s@,]{1,64}@[^\s@,]{1,255}",
    "手机号或邮箱",
    "a phone number or an e-mail address",
)
COUNTRY_CODES = SettingType(
    LocalizedText("国家或地区代码列表，如 HK, SG", "country codes such as HK, SG"),
    lambda raw: parse_list(raw, _COUNTRY_CODE),
)
CONTACT_ADDRESSES = SettingType(
    LocalizedText("手机号与邮箱列表", "phone numbers and e-mail addresses"),
    lambda raw: parse_list(raw, _CONTACT_ADDRESS),
)


def to_unix_seconds(text: str) -> int:
    """Return a value of the type `TIMESTAMP` in unix seconds."""
    return int(datetime.fromisoformat(text).timestamp())


def _parse_timestamp(raw: object) -> str:
    time = raw if isinstance(raw, datetime) else datetime.fromisoformat(require_text(raw))
    if time.tzinfo is None:
        raise ValueError
    try:
        time.astimezone(UTC)  # fails at the ends of the calendar
    except OverflowError as error:
        raise ValueError from error
    return time.isoformat()


TIMESTAMP = SettingType(
    LocalizedText(
        "带时区的时间，如 2026-12-31T00:00:00+08:00",
        "a time with an offset, such as 2026-12-31T00:00:00+08:00",
    ),
    _parse_timestamp,
)


JsonValue: TypeAlias = bool | int | str | list[str] | dict[str, str]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        name: its name in the configuration file.
        default: its value when no source sets it.
        section: title of its section of the table.
        expected: completes the sentence "expected …".
        parse: returns a value for a raw one, or raises ValueError.
        help: what it does.
        secret: the value is masked wherever it is shown, never accepted on the command line, and
            may come from the file that the twin setting `<name>_file` names (security L3).
    """

    name: str
    default: object
    section: LocalizedText
    expected: LocalizedText
    parse: Callable[[object], object]
    help: LocalizedText
    secret: bool

    @property
    def secret_file_name(self) -> str | None:
        """The setting that names a file with the value; only secrets have one."""
        return f"{self.name}_file" if self.secret else None

    def masked_value(self, value: object) -> JsonValue:
        """Return a value as JSON, masked if it is or contains a secret that was set."""
        if self.secret and value != self.default:
            return SECRET_MASK
        if self.name == "database":
            return mask_database_url(str(value))
        return mask_password(value) if isinstance(value, str) else to_json_value(value)


def to_json_value(value: object) -> JsonValue:
    """Return a value of a setting as JSON represents it.

    Raises:
        TypeError: no setting has a value of this type.
    """
    match value:
        case bool() | int() | str():
            return value
        case Path():
            return str(value)
        case tuple():
            return [str(part) for part in value]
        case Mapping():
            return {str(name): str(part) for name, part in value.items()}
    raise TypeError(type(value).__name__)


_METADATA_KEY = "setting"


class SettingSection:
    """Declares the settings of one section: `port: int = NETWORK(8480, integer(0, 65535), …)`."""

    def __init__(self, zh: str, en: str) -> None:
        self._title = LocalizedText(zh, en)

    def __call__(
        self,
        default: T,
        setting_type: SettingType[T],
        zh: str,
        en: str,
        *,
        secret: bool = False,
        in_repr: bool = True,
    ) -> T:
        """Declare a setting with its help.

        `in_repr` is whether `repr` shows its value; it never shows a secret.
        """
        setting = Setting(
            name="",  # the dataclass knows it: `collect_settings`
            default=default,
            section=self._title,
            expected=setting_type.expected,
            parse=setting_type.parse,
            help=LocalizedText(zh, en),
            secret=secret,
        )
        # A factory, because a dataclass refuses a default that cannot be hashed, frozen or not.
        return field(
            default_factory=lambda: default,
            repr=in_repr and not secret,
            metadata={_METADATA_KEY: setting},
        )

    def boolean(self, zh: str, en: str, *, on: bool) -> bool:
        """Declare a switch."""
        return self(on, BOOLEAN, zh, en)


def collect_settings(table: type[Any]) -> dict[str, Setting]:
    """Return the settings that a dataclass declares, by name and in order; inherited ones last.

    Raises:
        KeyError: a field was not declared by a `SettingSection`.
    """
    own = table.__annotations__
    return {
        declared.name: replace(declared.metadata[_METADATA_KEY], name=declared.name)
        for declared in sorted(fields(table), key=lambda declared: declared.name not in own)
    }
