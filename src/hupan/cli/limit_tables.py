"""Limits and counts as tables for people, or JSON for programs."""

import time

import typer

from hupan.app.exempt import exempt_lines, exempt_shown
from hupan.app.limit_rows import limit_rows
from hupan.cli.operating import write_json
from hupan.cli.tables import print_table
from hupan.config import Settings

_HEADS = {
    "setting": "设置\nSetting",
    "whoText": "限制谁\nWho",
    "whatText": "内容\nWhat",
    "mostText": "次数\nHow many",
    "timeText": "时间\nHow long",
    "keptText": "计数于\nCounted",
}
COUNTS = {
    "target": "对象\nTarget",
    "name": "限制\nLimit",
    "count": "已计\nCounted",
    "most": "上限\nOf",
    "full": "已满\nFull",
    "device": "本人设备\nOwner's device",
    "endsAt": "至\nUntil",
}
_EXEMPT = {"target": "免限\nExempt", "until": "至\nUntil", "inForce": "有效\nIn force"}
_IS = {True: "是 yes", False: "否 no"}
FORGOTTEN = {"target": "对象\nTarget", "forgotten": "清除的计数\nCounts forgotten in the store"}


def show_limits(settings: Settings, *, as_json: bool) -> None:
    """Writes every limit, and the targets that are exempt, masked (security L1)."""
    rows, now = limit_rows(settings), time.time()
    if as_json:
        told = [{k: v for k, v in row.items() if not k.endswith("Text")} for row in rows]
        write_json({"limits": told, "exempt": exempt_shown(settings, now)})
        return
    print_table(_HEADS, rows)
    for line in exempt_lines(settings, now):
        typer.echo(line)
    exempt = [{**one, "inForce": _IS[bool(one["inForce"])]} for one in exempt_shown(settings, now)]
    if exempt:
        print_table(_EXEMPT, exempt)
