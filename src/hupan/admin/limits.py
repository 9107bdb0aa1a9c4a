"""Admin operations on rate limits: list limits and exemptions, show and reset counters."""

import re
from collections.abc import Mapping

from hupan.addresses import ContactAddress, mask_contact
from hupan.admin.views import AdminRow
from hupan.config import Settings
from hupan.config.settings import SETTINGS
from hupan.domain.limits import LimitCounters
from hupan.domain.outbox import notice_limits
from hupan.environment import make_contact_parser
from hupan.errors import InvalidField, UnknownUser
from hupan.localized import LocalizedText
from hupan.opening import OperationRefused
from hupan.ratelimit.stored import code_attempts_key, notices_key, password_attempts_key
from hupan.ratelimit.table import (
    LIMITS,
    MINUTE_SECONDS,
    LimitDefinition,
    LimitSubject,
    parse_exempt_target,
)
from hupan.rules import DAY_SECONDS, HOUR_SECONDS
from hupan.store.rate_counters import RateCounter


def exemption_rows(settings: Settings, now: float) -> list[dict[str, object]]:
    """Return each exempt contact, masked, with the end as it is set and whether it applies."""
    contact_parser = make_contact_parser(settings)
    return [
        {
            "target": mask_contact(text),
            "until": settings.limits_exempt_until,
            "inForce": now < settings.limits_exempt_ends_at
            and parse_exempt_target(text, contact_parser) is not None,
        }
        for text in settings.limits_exempt
    ]


def exemption_lines(settings: Settings, now: float) -> list[LocalizedText]:
    """Return what a server prints about them when it starts; nothing if none are set."""
    if not settings.limits_exempt:
        return []
    if not settings.limits_exempt_until:
        return [_ignored_line("未设置 limits_exempt_until", "limits_exempt_until is not set")]
    if settings.limits_exempt_ends_at <= now:
        return [_ignored_line("limits_exempt_until 已过去", "limits_exempt_until is past")]
    rows = exemption_rows(settings, now)
    number = sum(bool(one["inForce"]) for one in rows)
    until = settings.limits_exempt_until
    lines = [
        LocalizedText(
            f"⚠ {number} 个对象不受限流，至 {until}", f"⚠ {number} exempt from limits until {until}"
        )
    ]
    if invalid := [str(one["target"]) for one in rows if not one["inForce"]]:
        names = ", ".join(invalid)
        lines.append(
            LocalizedText(
                f"⚠ 忽略不属于本服务器的豁免对象：{names}",
                f"⚠ exemptions of another server are ignored: {names}",
            )
        )
    return lines


def _ignored_line(zh: str, en: str) -> LocalizedText:
    return LocalizedText(f"⚠ 忽略 limits_exempt：{zh}", f"⚠ limits_exempt is ignored: {en}")


_SUBJECT_LABELS: Mapping[LimitSubject, LocalizedText] = {
    "target": LocalizedText("手机号或邮箱", "phone number or e-mail address"),
    "numbers": LocalizedText("相邻号码", "group of adjacent numbers"),
    "server": LocalizedText("全服务器", "server"),
    "address": LocalizedText("IP 地址", "IP address"),
    "subnet": LocalizedText("IPv6 /56", "IPv6 /56"),
    "site": LocalizedText("IPv6 /48", "IPv6 /48"),
    "block": LocalizedText("IPv4 /24", "IPv4 /24"),
    "network": LocalizedText("网段", "network"),
    "account": LocalizedText("账号", "account"),
}
_DEVICE_SUFFIX = re.compile("[0-9a-f]{64}")
"""The end of a key where a device of the owner is counted separately."""
_UNITS = (
    (DAY_SECONDS, LocalizedText("天", "d")),
    (HOUR_SECONDS, LocalizedText("小时", "h")),
    (MINUTE_SECONDS, LocalizedText("分钟", "min")),
)


def limit_rows(settings: Settings) -> list[AdminRow]:
    """Return every limit: for programs `setting, name, who, most, seconds, lockSeconds, exact`.

    Names of values for display end in `Text`.
    """
    return [_limit_row(line, settings) for line in LIMITS]


def counter_row(contact: ContactAddress, counter: RateCounter, settings: Settings) -> AdminRow:
    """Return a counter with its limit and end; a device is counted separately (security C5)."""
    max_by_name = {line.name: line.max_events(settings) for line in LIMITS}
    notification_key = notices_key(contact.channel, contact.key)
    if counter.subject.startswith(notification_key):  # these have no settings
        max_by_name.update(
            {
                one.name: one.max_events
                for one in notice_limits(counter.subject.removeprefix(notification_key))
            }
        )
    max_events = max_by_name.get(counter.name, 0)
    attempt_keys = (
        code_attempts_key(contact.channel, contact.key),
        password_attempts_key(contact.key),
    )
    return {
        "target": mask_contact(contact.address),
        "device": any(
            _DEVICE_SUFFIX.fullmatch(counter.subject.removeprefix(t)) for t in attempt_keys
        ),
        "name": counter.name,
        "count": counter.count,
        "most": max_events,
        "full": 0 < max_events <= counter.count,
        "endsAt": counter.ends_at,
    }


def _limit_row(limit: LimitDefinition, settings: Settings) -> AdminRow:
    max_events = limit.setting_value(settings) if settings.limits_enabled else 0
    seconds = 0 if limit.lock_seconds else limit.window_seconds
    return {
        "setting": limit.setting,
        "name": limit.name,
        "who": limit.subject,
        "most": max_events,
        "seconds": seconds,
        "lockSeconds": limit.lock_seconds,
        "exact": limit.exact,
        "whoText": _SUBJECT_LABELS[limit.subject],
        "whatText": SETTINGS[limit.setting].help,
        "mostText": max_events or LocalizedText("不限", "unlimited"),
        "timeText": _format_duration(seconds) if seconds else _format_lock(),
        "keptText": LocalizedText("数据库", "database")
        if limit.exact
        else LocalizedText("各进程内存", "memory of each process"),
    }


def _format_duration(seconds: int) -> LocalizedText:
    length, unit = next((length, unit) for length, unit in _UNITS if seconds >= length)
    count = seconds // length
    return LocalizedText(f"{count} {unit.zh}", f"{count} {unit.en}")


def _format_lock() -> LocalizedText:
    day = _format_duration(DAY_SECONDS)
    return LocalizedText(f"连续，锁 {day.zh}", f"in a row, locks for {day.en}")


class LimitAdmin:
    """Shows and resets counters."""

    def __init__(self, counters: LimitCounters, settings: Settings) -> None:
        self._counters = counters
        self._settings = settings

    async def list_counters(self, target: str) -> list[AdminRow]:
        """Return the counters in the store of a contact, or of all contacts of an account.

        Raises:
            OperationRefused: it is invalid, or no account has this id.
        """
        try:
            counters = await self._counters.list_counters(target)
        except InvalidField as error:
            raise OperationRefused(
                "应为手机号、邮箱或账号编号；按 IP 的计数在各进程的内存中",
                "not a phone number, an e-mail address or an account id; counters by IP are in the "
                "memory of each process",
            ) from error
        except UnknownUser as error:
            raise OperationRefused("没有这个账号", "no account has this id") from error
        return [counter_row(contact, found, self._settings) for contact, found in counters]

    async def reset(self, target: str) -> AdminRow:
        """Reset the counters of a contact, an account, an address or a network.

        Raises:
            OperationRefused: it is invalid, or no account has this id.
        """
        try:
            forgotten = await self._counters.reset(target.strip())
        except InvalidField as error:
            raise OperationRefused(
                "应为手机号、邮箱、账号编号、IP 地址或网段（IPv4 至多 /24，IPv6 至多 /48）",
                "not a phone number, an e-mail address, an account id, an IP address or a network "
                "(at most a /24 of IPv4 or a /48 of IPv6)",
            ) from error
        except UnknownUser as error:
            raise OperationRefused("没有这个账号", "no account has this id") from error
        return {"target": target.strip(), "forgotten": forgotten}
