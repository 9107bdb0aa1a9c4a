"""Runs a command at one of the operator's desks, and shows accounts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from hupan.app.account_rows import Row
from hupan.app.desks import Desks, open_desks
from hupan.app.operator_events import Act, recorded
from hupan.cli.operating import write_json
from hupan.cli.operator_name import operator
from hupan.cli.refusing import refused_plainly
from hupan.cli.settings_or_exit import settings_or_exit
from hupan.cli.tables import print_table
from hupan.config import Settings

Result = TypeVar("Result")
_TIMES = (
    *("vipUntil", "bannedUntil", "registeredAt", "lastActiveAt", "createdAt", "erasedAt"),
    *("changedAt", "undoneAt", "endsAt", "signedInAt", "lastUsedAt"),
)
_LATEST_TIME = 253_402_300_799
_NONE = "—"


def at_desk(
    config: Path | None,
    data_dir: Path | None,
    work: Callable[[Desks], Awaitable[Result]],
    *,
    event: str = "",
    who: str = "",
    details: Mapping[str, object] | None = None,
) -> tuple[Result, Settings]:
    """Does something at a desk; a server may run beside it. Gives the settings too.

    Args:
        config: the file of the settings.
        data_dir: where the data lie.
        work: does it.
        event: the name of the event that is recorded, "" for an act that changes nothing.
        who: the account that it is about, as the operator named it.
        details: what else was asked for, to be recorded.

    Raises:
        typer.Exit: with 1, when it cannot be done; the reason stands on standard error.
    """
    settings = settings_or_exit(config, {"data_dir": data_dir}).settings

    async def run() -> Result:
        async with open_desks(settings) as desks:
            return await work(desks)

    with refused_plainly():
        if not event:
            return asyncio.run(run()), settings
        act = Act(event, who, details or {})
        return recorded(settings, operator(), act, lambda: asyncio.run(run())), settings


def show_rows(
    rows: Sequence[Row], heads: dict[str, str], settings: Settings, *, as_json: bool
) -> None:
    """Writes a list."""
    if as_json:
        write_json(rows)
    else:
        zone = ZoneInfo(settings.time_zone)
        print_table(heads, [_readable(row, zone) for row in rows])


def show_one(row: Row, heads: dict[str, str], settings: Settings, *, as_json: bool) -> None:
    """Writes one thing of which there are lists: a table of one line."""
    if as_json:
        write_json(row)
    else:
        show_rows([row], heads, settings, as_json=False)


def show_row(row: Row, labels: dict[str, str], settings: Settings, *, as_json: bool) -> None:
    """Writes one thing: a line for each of its values."""
    if as_json:
        write_json(row)
        return
    told = _readable(row, ZoneInfo(settings.time_zone))
    lines = [
        {"name": label.replace("\n", " "), "value": told[key]} for key, label in labels.items()
    ]
    print_table({"name": "项目\nWhat", "value": "值\nValue"}, lines)


def _readable(row: Row, zone: ZoneInfo) -> Row:
    """The values as people read them: times in the server's zone, a dash for none."""
    return {key: _value(key, value, zone) for key, value in row.items()} | _standing(row, zone)


def _standing(row: Row, zone: ZoneInfo) -> Row:
    """VIP and ban in words, where the row is an account."""
    if "banned" not in row:
        return {}
    vip, ban = (
        _value("vipUntil", row["vipUntil"], zone),
        _value("bannedUntil", row["bannedUntil"], zone),
    )
    expired = f"已过期 expired {vip}" if row["vipUntil"] else _NONE
    banned = f"至 until {ban}" if row["bannedUntil"] else "永久 for good"
    return {
        "vip": f"至 until {vip}" if row["vip"] else expired,
        "banned": banned if row["banned"] else _NONE,
    }


def _value(key: str, value: object, zone: ZoneInfo) -> str:
    if key in _TIMES and isinstance(value, int) and 0 < value <= _LATEST_TIME:
        return f"{datetime.fromtimestamp(value, zone):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, bool):
        return "是 yes" if value else "否 no"
    if isinstance(value, list):
        return "、".join(map(str, value)) or _NONE
    return _NONE if value in (None, "") else str(value)
