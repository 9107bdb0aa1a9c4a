"""Generate docs/performance.md from a run.

    python -m bench.harness.page RESULTS.json [PEERS.json] > docs/performance.md

The figures of the alternatives come from `python -m bench.peers --json PEERS.json`. The costs of
the steps of a request come from bench/steps.md, which is included unchanged.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from bench.harness.peers_table import peers_table
from bench.harness.report import Growth, Report, Row
from bench.harness.tables import aim, seen, wanted

STEPS = Path(__file__).parents[1] / "steps.md"
NO_PEERS = "none"
ALTERNATIVES = "## Compared with alternatives\n\n"
_HEAD = """# Performance

How fast Hupan is, each figure next to the limit of the machine in the same run. This page is
generated from the measurements by `make bench ARGS=--docs`.

![Bars of measured ratios and their targets](performance.svg)
"""
_REPEAT = """## How to repeat it

```
make bench          # everything, up to 15 minutes on two cores
make bench-quick    # the same with fewer accounts, in two minutes
make bench ARGS="--only reads,writes --json FILE"
make bench-peers    # Hupan compared with alternatives
```

The benchmark needs Linux. The server has the first core, the load generator the last one: `wrk` if
it is installed, else autocannon from npm, else Hupan's own. After a warm-up the contestants
alternate (A, B, A, B, …), and medians count. Absolute figures differ between machines and from hour
to hour; the ratios of one run are comparable.
"""


def page(report: Report, peers: Path, steps: Path = STEPS) -> str:
    """Return the whole page.

    Args:
        report: the run.
        peers: the results of the alternatives; omitted if there is no such file.
        steps: a fragment that is included unchanged; omitted if there is no such file.
    """
    parts = [
        _HEAD,
        _run(report),
        "## Targets\n\n" + _targets(report),
        "## Operations\n\n" + _operations(report),
        *([ALTERNATIVES + peers_table(peers)] if peers.is_file() else []),
        *_growths(report),
        "## How it was measured, and what was not equal\n\n" + _notes(report),
        _REPEAT,
        *([steps.read_text("utf-8")] if steps.is_file() else []),
    ]
    return "\n".join(f"{part.rstrip()}\n" for part in parts)


def _run(report: Report) -> str:
    made = report.machine
    versions = " · ".join(f"{name} {number}" for name, number in report.versions.items())
    return (
        f"Run of {report.when} ({report.plan}, {report.minutes:g} minutes): {made.cpu}, "
        f"{made.cores} cores, {made.memory_gb:g} GB, {made.system}, {made.file_system}; "
        f"{report.accounts:,} accounts; {report.rounds} rounds of {report.seconds:g} s; "
        f"load by {report.generator}.\n\n{versions}"
    )


def _targets(report: Report) -> str:
    rows = [
        (one.name, seen(one), wanted(one), aim(one), "yes" if one.is_met else "**no**")
        for one in report.checks
    ]
    return _table(("target", "measured", "required", "aim", "met"), rows)


def _operations(report: Report) -> str:
    heads = ("operation", "per second", "p50 ms", "p99 ms", "errors", "memory MB", "of its limit")
    rows = (_operation(row) for part in report.parts.values() for row in part.rows)
    return _table(heads, rows)


def _operation(row: Row) -> tuple[str, ...]:
    of_limit = f"{row.of_limit:.2f} of {row.limit}" if row.limit else ""
    memory = f"{row.memory_mb:.0f}" if row.memory_mb else ""
    times = (f"{row.p50_ms:.2f}", f"{row.p99_ms:.2f}")
    return (row.name, f"{row.per_second:,.0f}", *times, str(row.errors), memory, of_limit)


def _growths(report: Report) -> list[str]:
    growths = [one for part in report.parts.values() for one in part.growths]
    axes = dict.fromkeys(one.axis for one in growths)
    tables = [_growth([one for one in growths if one.axis == axis]) for axis in axes]
    return ["## Growth\n\n" + "\n\n".join(tables)] if tables else []


def _growth(growths: Sequence[Growth]) -> str:
    sizes = sorted({size for one in growths for size in one.per_second})
    heads = (f"per second, by {growths[0].axis}", *(f"{size:,}" for size in sizes), "lost")
    rows = (
        (one.name, *(f"{one.per_second[size]:,.0f}" for size in sizes), f"{one.loss:.1%}")
        for one in growths
    )
    return _table(heads, rows)


def _notes(report: Report) -> str:
    return "\n".join(
        f"- {note}"
        for part in report.parts.values()
        for note in (*part.notes, part.failure)
        if note
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are numbers and right-aligned."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    """Write the page of a run to standard output."""
    report = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Report)
    sys.stdout.write(page(report, Path("".join(sys.argv[2:3]) or NO_PEERS)))


if __name__ == "__main__":
    main()
