"""The tables of a run in the terminal."""

import sys

from rich.console import Console
from rich.table import Table

from bench.harness.report import Check, Growth, Report, Row

PIPE_WIDTH = 140
THREE_DIGITS = 100
TITLES = {
    "reads": "读取 Reads",
    "writes": "写入 Writes",
    "captchas": "验证码 Captchas",
    "sign-ins": "密码登录 Password sign-ins",
    "postgres": "PostgreSQL",
    "growth": "增长 Growth",
    "start": "启动 Start",
}
_HEADS = ("操作\nOperation", "每秒\nPer second", "p50 ms", "p99 ms", "错误\nErrors")
_MORE_HEADS = ("内存 MB\nMemory MB", "上限\nLimit", "与上限之比\nOf the limit")
_CHECKS = ("目标\nTarget", "所见\nSeen", "要求\nWanted", "理想\nAim", "达到\nMet")


def console() -> Console:
    """Return the console for the tables."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(width=width, markup=False, highlight=False, emoji=False)


def show(report: Report) -> None:
    """Print every table of a run."""
    out = console()
    out.print(operations(report))
    if growths := [one for part in report.parts.values() for one in part.growths]:
        for axis in dict.fromkeys(one.axis for one in growths):
            out.print(growth([one for one in growths if one.axis == axis]))
    out.print(checks(report.checks))


def operations(report: Report) -> Table:
    """Return the table of operations and their limits."""
    table = Table(*_HEADS, *_MORE_HEADS, title=_title(report))
    for name, part in report.parts.items():
        if part.rows:
            table.add_section()
            table.add_row(TITLES.get(name, name), style="bold")
        for row in part.rows:
            table.add_row(*_cells(row), style="red" if row.errors else None)
    return table


def growth(growths: list[Growth]) -> Table:
    """Return the table of rates by size, for operations along one axis."""
    sizes = sorted({size for one in growths for size in one.per_second})
    heads = [f"{size:,}" for size in sizes]
    title = {"accounts": "账号数 accounts"}.get(growths[0].axis, "某账号的行数 rows of the account")
    table = Table("操作\nOperation", *heads, "损失\nLost", title=f"每秒 Per second · {title}")
    for one in growths:
        rates = [f"{one.per_second[size]:,.0f}" for size in sizes]
        table.add_row(one.name, *rates, f"{one.loss:.1%}")
    return table


def checks(found: list[Check]) -> Table:
    """Return the table of targets and measured values."""
    table = Table(*_CHECKS, title="目标 Targets")
    for one in found:
        cells = (one.name, seen(one), wanted(one), aim(one), "✔" if one.is_met else "✘")
        table.add_row(*cells, style="green" if one.is_met else "red")
    return table


def seen(check: Check) -> str:
    """Return the measured value with its unit."""
    return _amount(check.seen, check.unit)


def wanted(check: Check) -> str:
    """Return the target with its sign."""
    return f"{'≥' if check.is_least else '≤'} {_amount(check.target, check.unit)}"


def aim(check: Check) -> str:
    """Return the aim, "" for none."""
    return _amount(check.aim, check.unit) if check.aim else ""


def _amount(value: float, unit: str) -> str:
    """Return three digits: more would be noise."""
    number = f"{value:,.0f}" if abs(value) >= THREE_DIGITS else f"{value:.3g}"
    return f"{number} {unit}".rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.per_second:,.0f}",
        f"{row.p50_ms:.2f}",
        f"{row.p99_ms:.2f}",
        str(row.errors),
        f"{row.memory_mb:.0f}" if row.memory_mb else "",
        row.limit,
        f"{row.of_limit:.3f}" if row.of_limit else "",
    )


def _title(report: Report) -> str:
    return (
        f"湖畔 Hupan {report.versions.get('hupan', '')} · {report.accounts:,} accounts · "
        f"{report.rounds} × {report.seconds:g} s · {report.generator}"
    )
