"""Checks whether a server can start with its settings, warns of risks and sends test messages.

`hupan config check` and `hupan serve` use the same checks, so both accept the same settings
(security X12). The checks create and send nothing.
"""

import errno
import os
import secrets
import socket
import ssl
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from hupan.addresses import is_loopback_host, mask_contact
from hupan.config import Settings
from hupan.config.load import UnusableSetting
from hupan.crypto import KeyFileError, load_or_create_key
from hupan.delivery.console import ConsoleSender
from hupan.delivery.sender import Message, NotSent, OutcomeUnknown
from hupan.delivery.sms import GatewaySender
from hupan.delivery.sms_clouds import CloudSender
from hupan.environment import (
    UnusableVipPage,
    load_vip_page,
    make_contact_parser,
    make_email_sender,
    make_geoip,
    make_sms_sender,
    make_upstream_client,
    make_upstream_socket,
    sender_factories,
)
from hupan.errors import InvalidField
from hupan.library_errors import localize_reason
from hupan.localized import LocalizedText
from hupan.model import Channel
from hupan.opening import make_postgres_dsn
from hupan.store.database import StoreRefused
from hupan.store.locks import check_is_sqlite_file

_ROOT_USER_ID = 0


def find_folder_problem(folder: Path) -> LocalizedText | None:
    """Return why a folder cannot be used or created; None if it can."""
    path = folder.absolute()
    try:
        while not _exists(path):
            path = path.parent
        if not path.is_dir():
            return LocalizedText(f"目录，而 {path} 是文件", f"a folder, but {path} is a file")
        may_write = os.access(path, os.W_OK | os.X_OK)
    except OSError as error:
        reason = localize_reason(error)
        return LocalizedText(
            f"可用的目录（{reason.zh}）", f"a folder that can be used ({reason.en})"
        )
    if not may_write:
        return LocalizedText(
            f"当前用户可写的目录（{path} 不可写）",
            f"a folder that this user can write to ({path} is not)",
        )
    return None


def is_replaceable_by_others(folder: Path) -> bool:
    """Return whether another user owns a folder in which everyone can replace every file."""
    try:
        status = folder.stat()
    except OSError:
        return False
    is_open = bool(status.st_mode & stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
    return is_open and status.st_uid not in {os.geteuid(), _ROOT_USER_ID}


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


TRIAL_CODE = "0" * 6
"""The code of a test message; it is not stored, so it cannot be used."""


class InvalidAddress(Exception):
    """The phone number or e-mail address is not valid."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The result of a test message.

    Attributes:
        to: the target, masked.
        reply: the reply of the other end, or why nothing was sent; contains nothing private.
        is_sent: whether the message was sent; None if that is unknown.
        is_console: whether the settings send nothing at all.
    """

    to: str
    reply: str = ""
    is_sent: bool | None = False
    is_console: bool = False


def parse_address(settings: Settings, channel: Channel, text: str) -> str:
    """Return a phone number or an e-mail address in its normal form.

    Raises:
        InvalidAddress: it is not valid.
    """
    contact_parser = make_contact_parser(settings)
    try:
        contact = (
            contact_parser.parse_phone(text, channel)
            if channel == "sms"
            else contact_parser.parse_email(text, channel)
        )
    except InvalidField as error:
        raise InvalidAddress from error
    return contact.address


async def send_trial_message(settings: Settings, channel: Channel, address: str) -> TrialResult:
    """Send one message with the configured sender."""
    sender = make_sms_sender(settings) if channel == "sms" else make_email_sender(settings)
    to = mask_contact(address)
    if isinstance(sender, ConsoleSender):
        return TrialResult(to, is_console=True)
    message_id = f"test-{secrets.token_hex(8)}"
    seconds = settings.code_lifetime_seconds
    message = Message(message_id, channel, address, "code", TRIAL_CODE, int(time.time()), seconds)
    try:
        if isinstance(sender, GatewaySender | CloudSender):
            return TrialResult(
                to, await sender.send_and_report(message, needs_reply=True), is_sent=True
            )
        return TrialResult(to, await sender.send_and_report(message), is_sent=True)
    except NotSent as failure:
        return TrialResult(to, str(failure))
    except OutcomeUnknown as failure:
        return TrialResult(to, str(failure), is_sent=None)
    finally:
        await sender.close()


_ROOT_UID: Final = 0
_MAX_WIDE_PREFIX: Final = {4: 7, 6: 15}
"""A trusted network with this prefix length or a shorter one is hardly the operator's own."""


def find_warnings(settings: Settings) -> list[LocalizedText]:
    """Return risks that an operator should remove unless they are intended."""
    checks: tuple[Callable[[Settings], Iterator[LocalizedText]], ...] = (
        _limit_warnings,
        _network_warnings,
        _sender_warnings,
        _store_warnings,
        _user_warnings,
    )
    return [warning for check in checks for warning in check(settings)]


def _limit_warnings(settings: Settings) -> Iterator[LocalizedText]:
    if not settings.limits_enabled:
        yield LocalizedText(
            "limits_enabled 为 false：验证码与密码可被无限猜测，短信费用没有上限",
            "limits_enabled is false: nothing limits guesses of codes and passwords, or the cost "
            "of SMS",
        )
    if settings.sms_sender != "console" and not settings.sms_budget_cents_per_day:
        yield LocalizedText(
            "sms_budget_cents_per_day 为 0：短信费用没有上限",
            "sms_budget_cents_per_day is 0: nothing limits the cost of SMS",
        )
    if settings.test_profile:
        yield LocalizedText(
            "test_profile 为 true：密码哈希可低于安全下限，仅供测试",
            "test_profile is true: password hashes may be weaker than is safe; for tests only",
        )
    if settings.trust_clock:
        yield LocalizedText(
            "trust_clock 为 true：时钟改正后请删去，否则时钟回拨不会被发现",
            "trust_clock is true: remove it once the clock is right, or a clock that is set back "
            "goes unnoticed",
        )


def _network_warnings(settings: Settings) -> Iterator[LocalizedText]:
    for network in settings.trusted_proxies:
        if network.prefixlen <= _MAX_WIDE_PREFIX[network.version] and not network.is_loopback:
            yield LocalizedText(
                f"trusted_proxies 含 {network}：几乎任何人都可伪造客户端 IP，绕过按 IP 的限制",
                f"trusted_proxies has {network}: almost everyone can forge a client's IP and evade "
                "the limits per address",
            )
    if settings.metrics_port and not is_loopback_host(settings.metrics_host):
        yield LocalizedText(
            f"指标监听 {settings.metrics_host}，本机以外也可访问，且无密码",
            f"metrics listen on {settings.metrics_host}: other machines can read them, without a "
            "password",
        )
    if settings.is_postgres and "sslmode=disable" in settings.database:
        yield LocalizedText(
            "database 含 sslmode=disable：与数据库的通信未加密",
            "database has sslmode=disable: the connection to the database is not encrypted",
        )


def _sender_warnings(settings: Settings) -> Iterator[LocalizedText]:
    if is_loopback_host(settings.host) and not settings.trusted_proxies:
        return
    for name, value in (
        ("sms_sender", settings.sms_sender),
        ("email_sender", settings.email_sender),
    ):
        if value == "console":
            yield LocalizedText(
                f"{name} 为 console：验证码只打印在终端与日志中，不会发给用户",
                f"{name} is console: codes are printed on the terminal and in its log, and do not "
                "reach users",
            )


def _store_warnings(settings: Settings) -> Iterator[LocalizedText]:
    folders = {settings.data_dir.absolute(), settings.secret_key_path.parent.absolute()}
    if not settings.is_postgres:
        folders.add(settings.database_path.parent.absolute())
    for folder in sorted(folders):
        if _file_mode(folder) & (stat.S_IWGRP | stat.S_IWOTH):
            yield LocalizedText(
                f"其他用户可写目录 {folder}，因而可替换数据：请执行 chmod 700",
                f"other users can write to the folder {folder} and replace the data: chmod 700",
            )
    if settings.is_postgres:
        return
    for path in _store_files(settings.database_path):
        if _file_mode(path) & (stat.S_IRWXG | stat.S_IRWXO):
            yield LocalizedText(
                f"其他用户可读取 {path}：请执行 chmod 600",
                f"other users can read {path}: chmod 600",
            )


def _user_warnings(settings: Settings) -> Iterator[LocalizedText]:
    """Warn if root checks: it can read and write what the service's user cannot."""
    owner = _owner_name(settings.data_dir)
    if os.geteuid() == _ROOT_UID and owner:
        yield LocalizedText(
            f"以 root 身份运行，而 {settings.data_dir} 属于 {owner}：请以该用户身份检查与启动，"
            "root 能读取的文件该用户未必能读",
            f"this runs as root, and {settings.data_dir} belongs to {owner}: check and start as "
            "that user, because root can read more files",
        )


def _owner_name(folder: Path) -> str:
    """Return the name of a folder's owner other than root; "" if there is none."""
    try:
        return folder.owner() if folder.stat().st_uid != _ROOT_UID else ""
    except KeyError:  # a user without a name
        return str(folder.stat().st_uid)
    except OSError:
        return ""


def _store_files(database: Path) -> Iterator[Path]:
    yield database
    for suffix in ("-wal", "-shm"):
        yield database.with_name(database.name + suffix)


def _file_mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:  # not there yet, or not readable
        return 0


_MAX_PORT = 65_535
_EXPECTED_HOST = LocalizedText(
    "本机的主机名或 IP 地址", "a host name or an IP address of this machine"
)
_EXPECTED_PORT = LocalizedText("当前用户可以监听的端口", "a port on which this user can listen")


def find_problems(settings: Settings, *, with_senders: bool = True) -> list[UnusableSetting]:
    """Return all problems that would keep a server from starting.

    Args:
        settings: valid settings.
        with_senders: whether messages are sent; a sandbox keeps them.
    """
    checks: list[Callable[[Settings], Iterator[UnusableSetting]]] = [
        _geoip_problems,
        _upstream_problems,
        _vip_page_problems,
        _store_problems,
        _key_problems,
        _listener_problems,
        _port_problems,
    ]
    if with_senders:
        checks.append(_sender_problems)
    return [problem for check in checks for problem in check(settings)]


def _sender_problems(settings: Settings) -> Iterator[UnusableSetting]:
    for make in sender_factories():
        try:
            make(settings)
        except UnusableSetting as problem:
            yield problem


def _upstream_problems(settings: Settings) -> Iterator[UnusableSetting]:
    try:
        make_upstream_client(settings)
        make_upstream_socket(settings)
    except UnusableSetting as problem:
        yield problem


def _geoip_problems(settings: Settings) -> Iterator[UnusableSetting]:
    try:
        make_geoip(settings)
    except (ValueError, OSError):
        yield UnusableSetting(
            "country_database",
            LocalizedText("MMDB 格式的国家数据库", "a country database in MMDB format"),
        )


def _vip_page_problems(settings: Settings) -> Iterator[UnusableSetting]:
    try:
        load_vip_page(settings)
    except (UnusableVipPage, OSError) as error:
        reason = localize_reason(error)
        yield UnusableSetting(
            "vip_page_file",
            LocalizedText(
                f"会员页面的 JSON 文件，含 products、benefits 与 qrCodeUrl（{reason.zh}）",
                f"a JSON file with products, benefits and qrCodeUrl ({reason.en})",
            ),
        )


def _store_problems(settings: Settings) -> Iterator[UnusableSetting]:
    if settings.is_postgres:
        yield from _tls_problems(settings)
    name = "database" if settings.database and not settings.is_postgres else "data_dir"
    for folder_name, folder in {
        "data_dir": settings.data_dir,
        **({} if settings.is_postgres else {name: settings.database_path.parent}),
    }.items():
        if blocked := find_folder_problem(folder):
            yield UnusableSetting(folder_name, blocked)
            return
        if is_replaceable_by_others(folder):
            yield UnusableSetting(
                folder_name,
                LocalizedText(
                    f"只有一个用户可写的目录（{folder} 属于其他用户，且任何人可写）",
                    f"a folder of this user's own ({folder} is another user's, and all users may "
                    "write there)",
                ),
            )
            return
    if settings.is_postgres:
        return
    try:
        check_is_sqlite_file(settings.database_path)
    except (StoreRefused, OSError):
        path = settings.database_path
        yield UnusableSetting(
            name,
            LocalizedText(
                f"可读写的 SQLite 数据库（{path}）",
                f"a SQLite store that can be read and written: {path}",
            ),
        )


def _tls_problems(settings: Settings) -> Iterator[UnusableSetting]:
    if settings.database_ca_file:
        try:
            ssl.create_default_context(cafile=settings.database_ca_file)
        except OSError:  # an SSLError is one
            yield UnusableSetting(
                "database_ca_file",
                LocalizedText("可读的 PEM 证书文件", "a readable PEM certificate file"),
            )
            return
    try:
        make_postgres_dsn(settings).make_ssl_context()
    except StoreRefused as error:
        text = error.localized
        yield UnusableSetting("database", LocalizedText(text.zh, text.en))


def _key_problems(settings: Settings) -> Iterator[UnusableSetting]:
    path = settings.secret_key_path
    name = "secret_key_file" if settings.secret_key_file else "data_dir"
    blocked = find_folder_problem(path.parent)
    if blocked and name == "secret_key_file":
        yield UnusableSetting(name, blocked)
    if blocked:
        return
    try:
        if path.exists():
            load_or_create_key(path)  # which would create a missing one
    except (KeyFileError, OSError):
        yield UnusableSetting(
            name,
            LocalizedText(
                f"32 字节、权限 0600 的密钥文件（{path}）",
                f"a key file of 32 bytes with mode 0600: {path}",
            ),
        )


def _listener_problems(settings: Settings) -> Iterator[UnusableSetting]:
    yield from _address_problems(settings.host, settings.port, ("host", "port"))
    if settings.metrics_port:
        names = ("metrics_host", "metrics_port")
        yield from _address_problems(settings.metrics_host, settings.metrics_port, names)


def _address_problems(host: str, port: int, names: tuple[str, str]) -> Iterator[UnusableSetting]:
    """Try to bind, which no peer notices; a port in use may belong to this server itself."""
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        yield UnusableSetting(names[0], _EXPECTED_HOST)
        return
    error_numbers = {_try_bind(family, address) for family, _, _, _, address in found}
    if error_numbers & {0, errno.EADDRINUSE}:
        return
    if error_numbers & {errno.EACCES, errno.EPERM}:
        yield UnusableSetting(names[1], _EXPECTED_PORT)
    else:
        yield UnusableSetting(names[0], _EXPECTED_HOST)


def _try_bind(family: int, address: tuple[object, ...]) -> int:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    return 0


def _port_problems(settings: Settings) -> Iterator[UnusableSetting]:
    first, last = settings.metrics_port, settings.metrics_port + settings.workers - 1
    if not first:
        return
    if last > _MAX_PORT:
        yield UnusableSetting(
            "metrics_port",
            LocalizedText(
                f"至多 {_MAX_PORT - settings.workers + 1}（每个进程一个端口）",
                f"at most {_MAX_PORT - settings.workers + 1}, because each worker has a port",
            ),
        )
    if first <= settings.port <= last and _may_overlap(settings.host, settings.metrics_host):
        yield UnusableSetting(
            "metrics_port",
            LocalizedText(
                "与 port 不同的端口（每个进程一个，依次递增）",
                "a port other than port (each worker has one, counted up from it)",
            ),
        )


def _may_overlap(one: str, other: str) -> bool:
    """Return whether two hosts may share an address."""
    try:
        first, second = ip_address(one.partition("%")[0]), ip_address(other.partition("%")[0])
    except ValueError:  # names can resolve to any address
        return True
    return first == second or first.is_unspecified or second.is_unspecified
