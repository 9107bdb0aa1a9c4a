"""The form of the setting `database`: a SQLite file, or the URL of a PostgreSQL server."""

import re
from typing import Final, NoReturn
from urllib.parse import parse_qsl, unquote

from hupan.config.addresses import MASK, may_hold_password
from hupan.config.forms import PLACE, Form, Unfit, as_text
from hupan.config.wording import Wording

SCHEMES = ("postgresql://", "postgres://")
PARAMETERS: Final = (
    *("sslmode", "host", "port", "user", "passfile"),
    *("target_session_attrs", "application_name", "search_path", "options"),
)
"""What may stand behind `?`; the rest is a setting, or would be refused by the server."""
TLS_MODES: Final = ("verify-full", "disable")
_TARGETS: Final = ("read-write", "primary", "any")

_SCHEME = re.compile(r"postgres(?:ql)?://", re.IGNORECASE)
_URL = re.compile(
    r"(?:(?P<login>[A-Za-z0-9._~!$&'()*+,;=:%-]*)@)?(?P<hosts>[A-Za-z0-9._:%,\[\]-]*)/(?P<name>[A-Za-z0-9_.%-]*)"
    r"(?:\?(?P<query>[A-Za-z0-9_.=&%/:+,-]*))?"
)
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+|(?:%2F|%2f)[A-Za-z0-9._%-]+)")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PORT = re.compile("[0-9]{1,5}")
_PORT_MAX = 65_535

_FORM = Wording(
    "路径、postgresql://用户@主机:端口/库名，或留空",
    "a path, postgresql://user@host:port/name, or nothing",
)
NO_PASSWORD_IN_OPTION = Wording(
    "不含密码的地址（命令行会被其他用户看到；密码请写在 database_password_file、"
    "HUPAN_DATABASE_PASSWORD 或 PGPASSFILE 所指的文件中）",
    "a URL without a password (others can see the command line; put it into the file of "
    "database_password_file, into HUPAN_DATABASE_PASSWORD or into the file of PGPASSFILE)",
)


def names_postgres(database: object) -> bool:
    """Whether a value of the setting names a PostgreSQL server."""
    return isinstance(database, str) and database.startswith(SCHEMES)


def shown_database(database: str) -> str:
    """Return a value of the setting without login and parameters that people need not see.

    The user is masked too: a URL with its password in the place of the user is a common mistake.
    """
    if not names_postgres(database):
        return MASK if may_hold_password(database) else database
    scheme, _, rest = database.partition("://")
    parts = _URL.fullmatch(rest)
    if parts is None:
        return MASK
    login = f"{MASK}@" if parts["login"] else ""
    sslmode = dict(parse_qsl(parts["query"] or "")).get("sslmode", "")
    more = f"?sslmode={sslmode}" if sslmode in TLS_MODES else ""
    return f"{scheme}://{login}{parts['hosts']}/{parts['name']}{more}"


def holds_password(database: object) -> bool:
    """Return whether a value, right or wrong, may hold a password."""
    if not isinstance(database, str):
        return False
    scheme = _SCHEME.match(database.strip())
    if scheme is None:
        return may_hold_password(database)
    rest = database.strip()[scheme.end() :]
    parts = _URL.fullmatch(rest)
    if parts is None:
        return "@" in rest or may_hold_password(rest)
    query = {name.lower(): value for name, value in parse_qsl(parts["query"] or "")}
    login = unquote(parts["login"] or "") + query.get("user", "")
    return ":" in login or "password" in query or any(map(may_hold_password, query.values()))


def _read(raw: object) -> str:
    if not isinstance(raw, str):
        return PLACE.read(raw)
    scheme = _SCHEME.match(raw)
    if scheme is None:
        return PLACE.read(raw)
    return _read_url(scheme[0].lower(), as_text(raw)[scheme.end() :])


def _read_url(scheme: str, rest: str) -> str:
    parts = _URL.fullmatch(rest)
    if parts is None or _BAD_ESCAPE.search(rest):
        _refuse(
            "postgresql://用户@主机:端口/库名（密码中的 / @ ? # % 等须写作 %2F %40 %3F %23 %25，"
            "或另设 database_password）",
            "postgresql://user@host:port/name (write / @ ? # % in a password as "
            "%2F %40 %3F %23 %25, or set database_password instead)",
        )
    query = _read_query(parts["query"] or "")
    _require_login(parts["login"], parts["hosts"], query)
    _require_hosts(parts["hosts"])
    return scheme + rest


def _read_query(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    query = dict(pairs)
    if len(query) != len(pairs) or not set(query) <= set(PARAMETERS):
        _refuse(
            f"问号之后只能有 {' '.join(PARAMETERS)}，每项一次（密码与证书另有设置）",
            f"only {', '.join(PARAMETERS)} behind the question mark, once each (password and "
            "certificates have settings of their own)",
        )
    if query.get("sslmode", "disable") not in TLS_MODES:
        _refuse(
            "sslmode 只能是 verify-full 或 disable",
            "a URL whose sslmode is verify-full or disable",
        )
    if query.get("target_session_attrs", "any") not in _TARGETS:
        _refuse("target_session_attrs 为 read-write", "target_session_attrs=read-write")
    for port in query.get("port", "5432").split(","):
        _require_port(port)
    return query


def _require_login(login: str | None, hosts: str, query: dict[str, str]) -> None:
    """Require a user but on a socket, where the system's user is one."""
    user = unquote((login or "").partition(":")[0]) or query.get("user", "")
    on_socket = not hosts and query.get("host", "/").startswith("/")
    if not user and not (on_socket and login is None):
        _refuse(
            "地址中含用户名：postgresql://用户@主机/库名", "a user: postgresql://user@host/name"
        )
    if ":" in user or "\0" in unquote(login or ""):
        _refuse("用户名与密码以未编码的冒号分隔", "a plain colon between user and password")


def _require_hosts(hosts: str) -> None:
    for address in hosts.split(",") if hosts else []:
        host = _HOST.match(address)
        rest = address[host.end() :] if host else "?"
        if rest.startswith(":"):
            _require_port(rest[1:])
        elif rest:
            _refuse(
                "每个主机为 主机 或 主机:端口，以逗号分隔",
                "each host as host or host:port, with commas between",
            )


def _require_port(text: str) -> None:
    if not _PORT.fullmatch(text) or not 0 < int(text) <= _PORT_MAX:
        _refuse("端口为 1 到 65535 的整数", "a port from 1 to 65535")


def _refuse(zh: str, en: str) -> NoReturn:
    raise Unfit(Wording(zh, en))


DATABASE = Form(_FORM, _read)
