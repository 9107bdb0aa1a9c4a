"""Rules that hold between settings, or between a setting and the machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hupan.config.settings import Settings
from hupan.config.wording import Wording

_LEAST_PASSWORD_MEMORY_KIB = 19_456
_LEAST_PASSWORD_PASSES = 2
_MOST_EXEMPT_DAYS = 90
_SECONDS_IN_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        names: the settings it looks at; the first is the one to mend.
        holds: whether it is kept.
        expected: completes the sentence "expected …" for the first setting.
    """

    names: tuple[str, ...]
    holds: Callable[[Settings], bool]
    expected: Wording


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a directory
        return False
    return True


def _ends_soon(unix_seconds: int) -> bool:
    """Whoever forgets that a target is exempt must not leave a hole for good."""
    return unix_seconds <= time.time() + _MOST_EXEMPT_DAYS * _SECONDS_IN_A_DAY


def _has_time_zones() -> bool:
    return _is_time_zone("UTC")


RULES = (
    Rule(
        ("time_zone",),
        lambda it: _has_time_zones() or it.time_zone == "UTC",
        Wording(
            "系统提供的时区，但系统缺少时区数据，请安装 tzdata",
            "a time zone of the system, but it has no time zone data: install tzdata",
        ),
    ),
    Rule(
        ("time_zone",),
        lambda it: _is_time_zone(it.time_zone) or not _has_time_zones(),
        Wording("时区名，如 Asia/Shanghai", "a time zone such as Asia/Shanghai"),
    ),
    Rule(
        ("trusted_proxies", "client_ip_header"),
        lambda it: bool(it.trusted_proxies) or not it.client_ip_header,
        Wording(
            "非空的列表（已设置 client_ip_header）", "at least one, because client_ip_header is set"
        ),
    ),
    Rule(
        ("client_ip_header", "trusted_proxies"),
        lambda it: bool(it.client_ip_header) or not it.trusted_proxies,
        Wording("非空的值（已设置 trusted_proxies）", "a header, because trusted_proxies is set"),
    ),
    Rule(
        ("smtp_host", "email_sender"),
        lambda it: bool(it.smtp_host) or it.email_sender != "smtp",
        Wording("非空的值（email_sender 为 smtp）", "a host, because email_sender is smtp"),
    ),
    Rule(
        ("smtp_from", "email_sender"),
        lambda it: bool(it.smtp_from) or it.email_sender != "smtp",
        Wording("非空的值（email_sender 为 smtp）", "an address, because email_sender is smtp"),
    ),
    Rule(
        ("sms_url", "sms_sender"),
        lambda it: bool(it.sms_url) or it.sms_sender != "http",
        Wording("非空的值（sms_sender 为 http）", "an address, because sms_sender is http"),
    ),
    Rule(  # security C12
        ("sms_countries", "international_numbers"),
        lambda it: bool(it.sms_countries) or not it.international_numbers,
        Wording(
            "非空的列表（已开启 international_numbers）",
            "at least one, because international_numbers is set",
        ),
    ),
    Rule(
        ("limits_exempt_until",),
        lambda it: _ends_soon(it.limits_exempt_ends_at),
        Wording(
            f"至多 {_MOST_EXEMPT_DAYS} 天之后的时间（豁免必须有期限）",
            f"a time at most {_MOST_EXEMPT_DAYS} days ahead, for every exemption must end",
        ),
    ),
    Rule(  # security P4
        ("password_memory_kib", "test_profile"),
        lambda it: it.test_profile or it.password_memory_kib >= _LEAST_PASSWORD_MEMORY_KIB,
        Wording(
            f"不小于 {_LEAST_PASSWORD_MEMORY_KIB} 的整数（test_profile 除外）",
            f"at least {_LEAST_PASSWORD_MEMORY_KIB}, unless test_profile is set",
        ),
    ),
    Rule(  # security P4
        ("password_passes", "test_profile"),
        lambda it: it.test_profile or it.password_passes >= _LEAST_PASSWORD_PASSES,
        Wording(
            f"不小于 {_LEAST_PASSWORD_PASSES} 的整数（test_profile 除外）",
            f"at least {_LEAST_PASSWORD_PASSES}, unless test_profile is set",
        ),
    ),
)
