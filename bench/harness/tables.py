"""The tables of a run, in the language of the terminal."""

import sys

from rich.console import Console
from rich.table import Table

from bench.harness.names import PART_TITLES, localize
from bench.harness.report import Check, Growth, Report, Row
from hupan.cli.language import say, say_text

PIPE_WIDTH = 140
THREE_DIGITS = 100


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
    table = Table(*_operation_heads(), title=_title(report))
    for name, part in report.parts.items():
        if part.rows:
            table.add_section()
            table.add_row(say_text(PART_TITLES[name]), style="bold")
        for row in part.rows:
            table.add_row(*_cells(row), style="red" if row.errors else None)
    return table


def growth(growths: list[Growth]) -> Table:
    """Return the table of rates by size, for operations along one axis."""
    sizes = sorted({size for one in growths for size in one.per_second})
    heads = [f"{size:,}" for size in sizes]
    table = Table(
        say("操作", "Operation"),
        *heads,
        say("降幅", "Lost"),
        title=f"{say('每秒', 'Per second')} · {localize(growths[0].axis)}",
    )
    for one in growths:
        rates = [f"{one.per_second[size]:,.0f}" for size in sizes]
        table.add_row(localize(one.name), *rates, f"{one.loss:.1%}")
    return table


def checks(found: list[Check]) -> Table:
    """Return the table of targets and measured values."""
    heads = (
        say("指标", "Target"),
        say("实测", "Seen"),
        say("要求", "Wanted"),
        say("理想值", "Aim"),
        say("达标", "Met"),
    )
    table = Table(*heads, title=say("目标", "Targets"))
    for one in found:
        cells = (localize(one.name), seen(one), wanted(one), aim(one), "✔" if one.is_met else "✘")
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


def _operation_heads() -> tuple[str, ...]:
    return (
        say("操作", "Operation"),
        say("每秒", "Per second"),
        "p50 ms",
        "p99 ms",
        say("错误", "Errors"),
        say("内存 MB", "Memory MB"),
        say("上限", "Limit"),
        say("与上限之比", "Of the limit"),
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        localize(row.name),
        f"{row.per_second:,.0f}",
        f"{row.p50_ms:.2f}",
        f"{row.p99_ms:.2f}",
        str(row.errors),
        f"{row.memory_mb:.0f}" if row.memory_mb else "",
        localize(row.limit),
        f"{row.of_limit:.3f}" if row.of_limit else "",
    )


def _title(report: Report) -> str:
    version = report.versions.get("hupan", "")
    return say(
        f"湖畔 {version} · {report.accounts:,} 个账号 · {report.rounds} 轮 × {report.seconds:g} 秒"
        f" · {report.generator}",
        f"Hupan {version} · {report.accounts:,} accounts · {report.rounds} × {report.seconds:g} s"
        f" · {report.generator}",
    )
