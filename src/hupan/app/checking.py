"""What a server asks of its settings beyond their form: one set of rules for check and start.

`hupan config check` and `hupan serve` both ask here, so what one of them passes the other does not
refuse (security X12). Nothing is made and nothing is sent.
"""

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from hupan.app.engines import place
from hupan.app.files import blocked_folder, is_taken_over
from hupan.app.places import make_places
from hupan.app.senders import sender_makers
from hupan.config import Settings
from hupan.config.problems import Unusable
from hupan.config.wording import Wording
from hupan.seal import KeyFileError, load_key
from hupan.store.engine import StoreRefused
from hupan.store.lock import refuse_other_files

_PORT_MAX = 65_535
_HERE = Wording("本机的主机名或 IP 地址", "a host name or an IP address of this machine")
_MAY = Wording("当前用户可以监听的端口", "a port on which this user may listen")


def problems(settings: Settings, *, with_senders: bool = True) -> list[Unusable]:
    """Return everything with which a server cannot start.

    Args:
        settings: each of the right form.
        with_senders: whether messages leave; a sandbox keeps them.
    """
    checks: list[Callable[[Settings], Iterator[Unusable]]] = [
        _places,
        _store,
        _key,
        _listening,
        _ports,
    ]
    if with_senders:
        checks.append(_senders)
    return [problem for check in checks for problem in check(settings)]


def _senders(settings: Settings) -> Iterator[Unusable]:
    for make in sender_makers():
        try:
            make(settings)
        except Unusable as problem:
            yield problem


def _places(settings: Settings) -> Iterator[Unusable]:
    try:
        make_places(settings)
    except (ValueError, OSError):
        yield Unusable(
            "country_database",
            Wording("MMDB 格式的国家数据库", "a database of countries in the format MMDB"),
        )


def _store(settings: Settings) -> Iterator[Unusable]:
    if settings.is_postgres:
        yield from _tls(settings)
    name = "database" if settings.database and not settings.is_postgres else "data_dir"
    for folder_name, folder in {
        "data_dir": settings.data_dir,
        **({} if settings.is_postgres else {name: settings.database_path.parent}),
    }.items():
        if blocked := blocked_folder(folder):
            yield Unusable(folder_name, blocked)
            return
        if is_taken_over(folder):
            yield Unusable(
                folder_name,
                Wording(
                    f"只有一个用户可写的目录（{folder} 属于其他用户，且任何人可写）",
                    f"a folder of this user's own ({folder} is another user's, and everybody may "
                    "write there)",
                ),
            )
            return
    if settings.is_postgres:
        return
    try:
        refuse_other_files(settings.database_path)
    except (StoreRefused, OSError):
        path = settings.database_path
        yield Unusable(
            name,
            Wording(
                f"可读写的 SQLite 数据库（{path}）", f"a SQLite store to read and write: {path}"
            ),
        )


def _tls(settings: Settings) -> Iterator[Unusable]:
    if settings.database_ca_file:
        try:
            ssl.create_default_context(cafile=settings.database_ca_file)
        except OSError:  # an SSLError is one
            yield Unusable(
                "database_ca_file",
                Wording("可读的 PEM 证书文件", "a readable file of certificates (PEM)"),
            )
            return
    try:
        place(settings).tls()
    except StoreRefused as error:
        yield Unusable("database", Wording(*_halves(str(error))))


def _key(settings: Settings) -> Iterator[Unusable]:
    path = settings.secret_key_path
    name = "secret_key_file" if settings.secret_key_file else "data_dir"
    blocked = blocked_folder(path.parent)
    if blocked and name == "secret_key_file":
        yield Unusable(name, blocked)
    if blocked:
        return
    try:
        if path.exists():
            load_key(path)  # which would make one where there is none
    except (KeyFileError, OSError):
        yield Unusable(
            name,
            Wording(
                f"32 字节、权限 0600 的密钥文件（{path}）",
                f"a key file of 32 bytes with mode 0600: {path}",
            ),
        )


def _listening(settings: Settings) -> Iterator[Unusable]:
    yield from _address(settings.host, settings.port, ("host", "port"))
    if settings.metrics_port:
        names = ("metrics_host", "metrics_port")
        yield from _address(settings.metrics_host, settings.metrics_port, names)


def _address(host: str, port: int, names: tuple[str, str]) -> Iterator[Unusable]:
    """Bind, which no peer notices; a port that is in use may be that of this server itself."""
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        yield Unusable(names[0], _HERE)
        return
    refused = {_bind(family, address) for family, _, _, _, address in found}
    if refused & {0, errno.EADDRINUSE}:
        return
    if refused & {errno.EACCES, errno.EPERM}:
        yield Unusable(names[1], _MAY)
    else:
        yield Unusable(names[0], _HERE)


def _bind(family: int, address: tuple[object, ...]) -> int:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    return 0


def _ports(settings: Settings) -> Iterator[Unusable]:
    first, last = settings.metrics_port, settings.metrics_port + settings.workers - 1
    if not first:
        return
    if last > _PORT_MAX:
        yield Unusable(
            "metrics_port",
            Wording(
                f"至多 {_PORT_MAX - settings.workers + 1}（每个进程一个端口）",
                f"at most {_PORT_MAX - settings.workers + 1}, for each worker has a port",
            ),
        )
    if first <= settings.port <= last and _meet(settings.host, settings.metrics_host):
        yield Unusable(
            "metrics_port",
            Wording(
                "与 port 不同的端口（每个进程一个，依次递增）",
                "a port other than port (each worker has one, counted up from it)",
            ),
        )


def _meet(one: str, other: str) -> bool:
    """Return whether two hosts may share an address."""
    try:
        first, second = ip_address(one.partition("%")[0]), ip_address(other.partition("%")[0])
    except ValueError:  # names: they may stand for anything
        return True
    return first == second or first.is_unspecified or second.is_unspecified


def _halves(text: str) -> tuple[str, str]:
    """Split a message of the store into its Chinese and its English half."""
    zh, slash, en = text.partition(" / ")
    return (zh, en) if slash else (text, text)
