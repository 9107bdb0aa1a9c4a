"""Run all benchmarks: `make bench`, `make bench-quick`.

    python -m bench.harness.run [--quick] [--only reads,writes] [--json FILE] [--svg FILE]
                                [--docs] [--peers FILE] [--folder .bench]
                                [--generator wrk|autocannon|own]

Requires Linux. Servers run on the first core, the load on the last. Everything listens on
127.0.0.1 and ends by itself. Stores are kept in the folder, so a second run is faster. If a part
fails, the others still run; the run then reports the reason and exits with status 1.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.harness.captchas import captchas
from bench.harness.context import Context
from bench.harness.generators import best
from bench.harness.growing import growing
from bench.harness.machine import machine, versions, warnings
from bench.harness.page import page
from bench.harness.plot import plot
from bench.harness.postgres import postgres
from bench.harness.reads import reads
from bench.harness.report import Part, Report
from bench.harness.rounds import FULL, QUICK, Plan
from bench.harness.signins import signins
from bench.harness.starting import starting
from bench.harness.stores import Store, kept, rows_of
from bench.harness.tables import console, show
from bench.harness.writes import writes

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PARTS: Mapping[str, Callable[[Context], Part]] = {
    "reads": reads,
    "writes": writes,
    "captchas": captchas,
    "sign-ins": signins,
    "growth": growing,
    "start": starting,
    "postgres": postgres,
}


def main() -> None:
    """Run the benchmarks, print the tables and write the requested files."""
    options = _options()
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    report = measure(QUICK if options.quick else FULL, options.only, folder, options.generator)
    show(report)
    failures = [part.failure for part in report.parts.values() if part.failure]
    for text in (*warnings(report.machine), *failures):
        console().print(f"⚠ {text}")
    given = {"json": folder / "results.json", "svg": folder / "results.svg"}
    write(report, Path(options.json or given["json"]), Path(options.svg or given["svg"]))
    if options.docs:
        (DOCS / "performance.svg").write_text(plot(report), "utf-8")
        (DOCS / "performance.md").write_text(page(report, Path(options.peers)), "utf-8")
    sys.exit(1 if failures else 0)


def measure(plan: Plan, only: Sequence[str], folder: Path, generator: str) -> Report:
    """Run the parts, with a progress bar for each."""
    began = time.monotonic()
    with _progress() as progress:
        stores = {size: _filled(progress, folder, size) for size in plan.accounts}
        chosen = best(folder, generator)
        parts: dict[str, Part] = {}
        for name in only or PARTS:
            task = progress.add_task(name, total=None, detail="")

            def on_turn(what: str) -> None:
                progress.update(task, advance=1, detail=what)  # noqa: B023 - used only in this iteration

            parts[name] = _measured(name, Context(plan, chosen, stores, folder, on_turn))
            done = progress.tasks[task].completed
            progress.update(task, total=done, completed=done, detail="")
    return Report(
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        plan=plan.name,
        generator=chosen.name,
        accounts=max(plan.accounts),
        rounds=plan.rounds,
        seconds=plan.seconds,
        minutes=round((time.monotonic() - began) / 60, 1),
        machine=machine(folder),
        versions=versions(),
        parts=parts,
    )


def _measured(name: str, context: Context) -> Part:
    """Return the result of a part, or why it has none."""
    try:
        return PARTS[name](context)
    except (RuntimeError, OSError, AssertionError, subprocess.SubprocessError) as error:
        return Part(failure=f"{name}: {error}")


def write(report: Report, json: Path, svg: Path) -> None:
    """Write JSON and the plot, and print their paths."""
    json.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    svg.write_text(plot(report), "utf-8")
    console().print(f"{json}\n{svg}")


def _filled(progress: Progress, folder: Path, size: int) -> Store:
    task = progress.add_task("fill", total=rows_of(size), detail=f"{size:,} accounts")
    store = kept(folder, size, lambda rows: progress.advance(task, rows))
    progress.update(task, completed=rows_of(size))
    return store


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
        console=console(),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure Hupan beside the limits of this machine.")
    parser.add_argument("--quick", action="store_true", help="in two minutes, with fewer accounts")
    parser.add_argument("--only", default=[], type=_parts, help=f"some of: {','.join(PARTS)}")
    parser.add_argument("--json", metavar="FILE", help="where results go for machines")
    parser.add_argument("--svg", metavar="FILE", help="where the plot goes")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md as well")
    peers = ROOT / ".bench" / "peers.json"
    parser.add_argument("--peers", default=str(peers), help="what bench.peers --json wrote")
    parser.add_argument("--folder", default=str(ROOT / ".bench"), help="where stores are kept")
    parser.add_argument("--generator", default="", choices=["", "wrk", "autocannon", "own"])
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    main()
