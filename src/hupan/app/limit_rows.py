"""The table of limits as operators see it."""

import re
from collections.abc import Mapping

from hupan.app.account_rows import Row
from hupan.app.limit_table import MINUTE, TABLE, Line, Who
from hupan.config import Settings
from hupan.config.meanings import MEANINGS
from hupan.domain.masks import masked
from hupan.domain.notices import limits_of
from hupan.domain.settings import DAY, HOUR
from hupan.domain.targets import Target
from hupan.domain.tries import code_tries, notices, password_tries
from hupan.store.tallies import Tally

_WHO: Mapping[Who, str] = {
    "target": "号码或邮箱 target",
    "numbers": "相邻号码 adjacent numbers",
    "server": "全服务器 server",
    "address": "IP 地址 address",
    "subnet": "IPv6 /56",
    "site": "IPv6 /48",
    "block": "IPv4 /24",
    "network": "网段 network",
    "account": "账号 account",
}
_DEVICE = re.compile("[0-9a-f]{64}")
"""What follows a target where one device of its owner is counted by itself."""
_UNITS = ((DAY, "天 d"), (HOUR, "小时 h"), (MINUTE, "分钟 min"))


def limit_rows(settings: Settings) -> list[Row]:
    """Every limit: for programs `setting, name, who, most, seconds, lockSeconds, exact`.

    With them what people read, under names that end in `Text`.
    """
    return [_row(line, settings) for line in TABLE]


def count_row(target: Target, tally: Tally, settings: Settings) -> Row:
    """One count: of how many, until when, and whether that is all; a device has its own (C5)."""
    known = {line.name: line.most(settings) for line in TABLE}
    told = notices(target.channel, target.key)
    if tally.subject.startswith(told):  # these have no settings
        known.update({one.name: one.most for one in limits_of(tally.subject.removeprefix(told))})
    most = known.get(tally.name, 0)
    tries = (code_tries(target.channel, target.key), password_tries(target.key))
    return {
        "target": masked(target.address),
        "device": any(_DEVICE.fullmatch(tally.subject.removeprefix(t)) for t in tries),
        "name": tally.name,
        "count": tally.count,
        "most": most,
        "full": 0 < most <= tally.count,
        "endsAt": tally.ends_at,
    }


def _row(line: Line, settings: Settings) -> Row:
    most = line.value(settings) if settings.limits_enabled else 0
    seconds = 0 if line.lock_seconds else line.window_seconds
    meaning = MEANINGS[line.setting]
    return {
        "setting": line.setting,
        "name": line.name,
        "who": line.who,
        "most": most,
        "seconds": seconds,
        "lockSeconds": line.lock_seconds,
        "exact": line.exact,
        "whoText": _WHO[line.who],
        "whatText": f"{meaning.zh}\n{meaning.en}",
        "mostText": str(most) if most else "不限 any",
        "timeText": _time(seconds) if seconds else f"连续，锁 in a row, lock {_time(DAY)}",
        "keptText": "数据库 store" if line.exact else "每进程 each process",
    }


def _time(seconds: int) -> str:
    length, unit = next((length, unit) for length, unit in _UNITS if seconds >= length)
    return f"{seconds // length} {unit}"
