"""What is legal and dangerous: told at every start and by `hupan config check`."""

import os
import stat
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from hupan.config import Settings
from hupan.config.wording import Wording

_ROOT: Final = 0
_WIDE_PREFIX: Final = {4: 7, 6: 15}
"""A trusted network of this length or shorter is not one that somebody runs."""


def warning_lines(settings: Settings) -> list[str]:
    """Return each warning as two lines, Chinese and English."""
    return [
        line for one in warnings(settings) for line in (f"⚠ 警告：{one.zh}", f"⚠ warning: {one.en}")
    ]


def warnings(settings: Settings) -> list[Wording]:
    """Return what an operator should change unless it is meant."""
    checks: tuple[Callable[[Settings], Iterator[Wording]], ...] = (
        _limits,
        _network,
        _senders,
        _store,
        _user,
    )
    return [warning for check in checks for warning in check(settings)]


def _limits(settings: Settings) -> Iterator[Wording]:
    if not settings.limits_enabled:
        yield Wording(
            "limits_enabled 为 false：验证码与密码可被无限猜测，短信费用没有上限",
            "limits_enabled is false: codes and passwords can be guessed without end, and SMS cost "
            "without bound",
        )
    if settings.sms_sender == "http" and not settings.sms_budget_cents_per_day:
        yield Wording(
            "sms_budget_cents_per_day 为 0：短信费用没有上限",
            "sms_budget_cents_per_day is 0: SMS cost without bound",
        )
    if settings.test_profile:
        yield Wording(
            "test_profile 为 true：密码哈希可低于安全下限，仅供测试",
            "test_profile is true: password hashes may be weaker than is safe; for tests only",
        )
    if settings.trust_clock:
        yield Wording(
            "trust_clock 为 true：时钟改正后请删去，否则时钟回拨不会被发现",
            "trust_clock is true: remove it once the clock is right, or no clock set back is seen",
        )


def _network(settings: Settings) -> Iterator[Wording]:
    for network in settings.trusted_proxies:
        if network.prefixlen <= _WIDE_PREFIX[network.version] and not network.is_loopback:
            yield Wording(
                f"trusted_proxies 含 {network}：几乎任何人都可伪造客户端 IP，绕过按 IP 的限制",
                f"trusted_proxies has {network}: almost anybody may forge a client's IP and get "
                "around the limits of addresses",
            )
    if settings.metrics_port and not is_local(settings.metrics_host):
        yield Wording(
            f"指标监听 {settings.metrics_host}，本机以外也可访问，且无密码",
            f"metrics listen on {settings.metrics_host}: other machines can read them, without a "
            "password",
        )
    if settings.is_postgres and "sslmode=disable" in settings.database:
        yield Wording(
            "database 含 sslmode=disable：与数据库的通信未加密",
            "database has sslmode=disable: what is said to the database is not encrypted",
        )


def _senders(settings: Settings) -> Iterator[Wording]:
    if is_local(settings.host) and not settings.trusted_proxies:
        return
    for name, value in (
        ("sms_sender", settings.sms_sender),
        ("email_sender", settings.email_sender),
    ):
        if value == "console":
            yield Wording(
                f"{name} 为 console：验证码只打印在终端与日志中，不会发给用户",
                f"{name} is console: codes are printed on the terminal and in its log, and do not "
                "reach the user",
            )


def _store(settings: Settings) -> Iterator[Wording]:
    folders = {settings.data_dir.absolute(), settings.secret_key_path.parent.absolute()}
    if not settings.is_postgres:
        folders.add(settings.database_path.parent.absolute())
    for folder in sorted(folders):
        if _mode(folder) & (stat.S_IWGRP | stat.S_IWOTH):
            yield Wording(
                f"其他用户可写目录 {folder}，因而可替换数据：请执行 chmod 700",
                f"other users may write to the folder {folder}, and so replace the data: chmod 700",
            )
    if settings.is_postgres:
        return
    for path in _store_files(settings.database_path):
        if _mode(path) & (stat.S_IRWXG | stat.S_IRWXO):
            yield Wording(
                f"其他用户可读取 {path}：请执行 chmod 600",
                f"other users may read {path}: chmod 600",
            )


def _user(settings: Settings) -> Iterator[Wording]:
    """Root may read and write what the service's user may not."""
    owner = _owner(settings.data_dir)
    if os.geteuid() == _ROOT and owner:
        yield Wording(
            f"以 root 身份运行，而 {settings.data_dir} 属于 {owner}：请以该用户身份检查与启动，"
            "root 能读取的文件该用户未必能读",
            f"this runs as root, and {settings.data_dir} belongs to {owner}: check and start as "
            "that user, who may not read all that root may",
        )


def _owner(folder: Path) -> str:
    """Return the name of a user other than root who owns a folder; "" where there is none."""
    try:
        return folder.owner() if folder.stat().st_uid != _ROOT else ""
    except KeyError:  # a user without a name
        return str(folder.stat().st_uid)
    except OSError:
        return ""


def _store_files(database: Path) -> Iterator[Path]:
    yield database
    for suffix in ("-wal", "-shm"):
        yield database.with_name(database.name + suffix)


def is_local(host: str) -> bool:
    """Return whether a listener on this host is reached from this machine alone."""
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:  # not there yet, or not to be looked at
        return 0
