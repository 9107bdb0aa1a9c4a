"""Hold 70 % of the server's capacity, then survive three times as much (R15).

`python -m tests.soak.load --minutes 15 --out soak.json`: start a server on one core, load it from
the others, print the results and exit with 1 if a target was missed. The machine should be idle
otherwise: `cores_busy_with_others` shows whether it was.

The peak is the rate of sixteen clients without pauses. More clients get more, because commits are
shared then, but that is no load at random times.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path

import uvloop

from tests.soak.body import Size, busy_seconds, cpu_seconds, size, slope_mib
from tests.soak.demand import Arrivals, closed
from tests.soak.figures import Figures
from tests.soak.lines import Answered, Switchboard
from tests.soak.mix import Member, Mix, crowd
from tests.soak.page import page
from tests.support.client import WireClient
from tests.support.servers import Server

ACCOUNTS, WITH_PASSWORD = 400, 40
PEAK_LINES, HELD_LINES, CROWD_LINES = 16, 256, 1024
WARM_UP_SECONDS, PEAK_SECONDS, OVERLOAD_SECONDS, AFTER_SECONDS = 5.0, 20.0, 60.0, 15.0
HELD_SHARE, OVERLOAD_FACTOR = 0.7, 3.0
PATIENCE_SECONDS, CROWD_PATIENCE_SECONDS = 10.0, 1.0
READS_MS, WRITES_MS, SIGN_INS_MS = 50.0, 150.0, 800.0
REFUSALS_MS, GOODPUT_SHARE, RECOVERY_SECONDS = 50.0, 0.8, 5.0
SLOPE_MIB = 1.0
SAMPLE_SECONDS = 2.0


class Run:
    """One server under load, phase after phase."""

    def __init__(self, port: int, pid: int, members: list[Member]) -> None:
        self._pid = pid
        self._mix = Mix(members)
        self._figures = Figures()
        self._board = Switchboard(port, self._tell)
        self._answered = 0
        self._samples: list[tuple[int, Size]] = []
        self.report: dict[str, object] = {}
        self.missed: list[str] = []

    async def play(self, minutes: float, overload_seconds: float) -> None:
        """Run all phases."""
        await self._board.open(PEAK_LINES)
        await self._phase("warm-up", closed(self._board, self._mix.draw, WARM_UP_SECONDS))
        peak_figures, seconds = await self._phase(
            "peak", closed(self._board, self._mix.draw, PEAK_SECONDS)
        )
        peak = peak_figures.good / seconds
        await self._board.open(HELD_LINES)
        await self._hold(peak, minutes * 60)
        await self._board.open(CROWD_LINES)
        await self._flood(peak, overload_seconds)
        self._board.close()

    async def _hold(self, peak: float, seconds: float) -> None:
        arrivals = Arrivals(self._board, self._mix.draw, PATIENCE_SECONDS)
        self._samples.clear()
        sampling = asyncio.create_task(self._sample())
        held, _ = await self._phase("held", arrivals.run(peak * HELD_SHARE, seconds))
        sampling.cancel()
        await arrivals.settle()
        self._require(arrivals.given_up == 0, "held: every request is sent")
        self._require(held.good == arrivals.arrived, "held: 0 errors")
        self._require_quick("held", held)
        settled = self._samples[len(self._samples) // 3 :]
        slope = slope_mib(settled)
        self.report["held_memory"] = {
            "from_mib": settled[0][1].resident_kib // 1024,
            "to_mib": settled[-1][1].resident_kib // 1024,
            "slope_mib_per_100k_requests": round(slope, 2),
        }
        self._require(slope <= SLOPE_MIB, f"held: memory grows <= {SLOPE_MIB:g} MiB per 100k")

    async def _flood(self, peak: float, seconds: float) -> None:
        """Send three times the peak, then at once the held load, while requests still wait."""
        arrivals = Arrivals(self._board, self._mix.draw, CROWD_PATIENCE_SECONDS)
        flood, took = await self._phase("flood", arrivals.run(peak * OVERLOAD_FACTOR, seconds))
        self.report["flood_arrived"] = arrivals.arrived
        self.report["flood_given_up"] = arrivals.given_up
        refused_ms = flood.refusals_p99_ms
        self._require(flood.good / took >= peak * GOODPUT_SHARE, "flood: goodput >= 80 % of peak")
        self._require(
            flood.good + flood.count("limited") == flood.total, "flood: only busy refuses"
        )
        self._require(refused_ms <= REFUSALS_MS, f"flood: refusals <= {REFUSALS_MS:g} ms")
        await self._phase("recovery", arrivals.run(peak * HELD_SHARE, RECOVERY_SECONDS))
        before = arrivals.given_up
        after, _ = await self._phase("after", arrivals.run(peak * HELD_SHARE, AFTER_SECONDS))
        await arrivals.settle()
        self._require(arrivals.given_up == before, "after: every request is sent")
        self._require(after.good == after.total, "after: 0 errors")
        self._require_quick("after", after)

    def _require_quick(self, phase: str, figures: Figures) -> None:
        for kind, most_ms in (("read", READS_MS), ("write", WRITES_MS), ("sign-in", SIGN_INS_MS)):
            quick = figures.p99_ms(kind) <= most_ms
            self._require(quick, f"{phase}: p99 of {kind} <= {most_ms:g} ms")

    async def _phase(self, name: str, work: Coroutine[None, None, None]) -> tuple[Figures, float]:
        loop = asyncio.get_running_loop()
        self._figures = figures = Figures()
        begun, busy = loop.time(), self._busy_with_others()
        await work
        took = loop.time() - begun
        others = (self._busy_with_others() - busy) / took
        self.report[name] = {**figures.summary(took), "cores_busy_with_others": round(others, 2)}
        sys.stdout.write(f"{name}: {json.dumps(self.report[name])}\n")
        sys.stdout.flush()
        return figures, took

    def _busy_with_others(self) -> float:
        return busy_seconds() - cpu_seconds(os.getpid()) - cpu_seconds(self._pid)

    async def _sample(self) -> None:
        while True:
            self._samples.append((self._answered, size(self._pid)))
            await asyncio.sleep(SAMPLE_SECONDS)

    def _tell(self, answered: Answered) -> None:
        self._answered += 1
        self._figures.add(answered)

    def _require(self, holds: bool, bound: str) -> None:
        if not holds:
            self.missed.append(bound)


def main(arguments: list[str]) -> int:
    """Run the load; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.load")
    parser.add_argument("--minutes", type=float, default=15.0, help="how long the load is held")
    parser.add_argument("--overload-seconds", type=float, default=OVERLOAD_SECONDS)
    parser.add_argument("--out", type=Path, help="where the report is written as JSON")
    asked = parser.parse_args(arguments)
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="hupan-soak-") as folder:
        run = _loaded(folder, cores, asked.minutes, asked.overload_seconds)
    report = {"cores": len(cores), **run.report, "missed": run.missed}
    if asked.out is not None:
        asked.out.write_text(json.dumps(report, indent=2) + "\n")
    sys.stdout.write(page(report))
    return 1 if run.missed else 0


def _loaded(folder: str, cores: list[int], minutes: float, overload_seconds: float) -> Run:
    options = ("--data-dir", folder)
    with Server("sandbox", *options) as sandbox, WireClient(sandbox) as wire:
        members = crowd(wire, ACCOUNTS, with_password=WITH_PASSWORD)
    # Child processes inherit the cores: the server gets the first core for itself.
    os.sched_setaffinity(0, cores[:1])
    quiet = {"HUPAN_LIMITS_ENABLED": "false", "HUPAN_LOG_LEVEL": "warning"}
    with Server("serve", *options, environment=quiet) as server:
        os.sched_setaffinity(0, cores[1:] or cores)
        run = Run(server.port, server.process.pid, members)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run.play(minutes, overload_seconds))
        if "Traceback" in server.output():
            run.missed.append("no exception is unhandled")
    return run


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
