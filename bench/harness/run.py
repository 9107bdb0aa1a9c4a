"""Run all benchmarks: `make bench`, `make bench-quick`.

    python -m bench.harness.run [--quick] [--only reads,writes] [--json FILE] [--svg FILE]
                                [--docs] [--peers FILE] [--folder .bench]
                                [--generator wrk|autocannon|own] [--lang zh|en]

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
from bench.harness.names import localize
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
from hupan.cli.language import LANGUAGE_OPTION, pad_cells, say

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
    for text in warnings(report.machine):
        console().print(f"⚠ {text}")
    failures = {name: part.failure for name, part in report.parts.items() if part.failure}
    for name, failure in failures.items():  # the reason is in English, so it has its own line
        told = say(f"“{localize(name)}”未能测完，错误信息为：", f"{name} could not be measured:")
        console().print(f"⚠ {told}\n  {failure}")
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
            task = progress.add_task(_label(name), total=None, detail="")

            def on_turn(what: str) -> None:
                progress.update(task, advance=1, detail=localize(what))  # noqa: B023 - used only in this iteration

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
    detail = say(f"{size:,} 个账号", f"{size:,} accounts")
    task = progress.add_task(_label("fill"), total=rows_of(size), detail=detail)
    store = kept(folder, size, lambda rows: progress.advance(task, rows))
    progress.update(task, completed=rows_of(size))
    return store


def _label(name: str) -> str:
    return pad_cells(localize(name), 10)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}"),
        console=console(),
    )


def _options() -> argparse.Namespace:
    described = say(
        "测量湖畔的性能，并与本机的上限对比。", "Measure Hupan beside the limits of this machine."
    )
    parser = argparse.ArgumentParser(description=described, add_help=False)
    options = parser.add_argument_group(say("选项", "options"))
    add = options.add_argument
    add("-h", "--help", action="help", help=say("显示帮助", "show this help message and exit"))
    quick = say("约两分钟完成，账号较少", "in two minutes, with fewer accounts")
    add("--quick", action="store_true", help=quick)
    parts = ",".join(PARTS)
    only = say(f"只测其中几项：{parts}", f"some of: {parts}")
    add("--only", default=[], type=_parts, help=only)
    json = say("JSON 结果写入的文件", "where results go for machines")
    add("--json", metavar="FILE", help=json)
    add("--svg", metavar="FILE", help=say("图表写入的文件", "where the plot goes"))
    docs = say("同时写入 docs/performance.md", "write docs/performance.md as well")
    add("--docs", action="store_true", help=docs)
    peers = say("bench.peers --json 写入的文件", "what bench.peers --json wrote")
    add("--peers", metavar="FILE", default=str(ROOT / ".bench" / "peers.json"), help=peers)
    folder = say("存放数据库的目录", "where stores are kept")
    add("--folder", default=str(ROOT / ".bench"), help=folder)
    generator = say("负载生成器，默认选用最佳的", "the load generator; the best one by default")
    add("--generator", default="", choices=["", "wrk", "autocannon", "own"], help=generator)
    # Read when hupan.cli.language is imported; here it is only accepted.
    language = say("终端的语言", "the language of the terminal")
    add(LANGUAGE_OPTION, choices=["zh", "en"], help=language)
    return parser.parse_args()


def _parts(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        listed = ", ".join(unknown)
        raise argparse.ArgumentTypeError(say(f"没有这一项：{listed}", f"no such part: {listed}"))
    return names


if __name__ == "__main__":
    main()
