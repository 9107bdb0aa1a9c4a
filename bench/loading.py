"""Start servers on core 0 and load them with wrk from core 1.

The interface for other benchmarks; it imports nothing of ours and does not change:

    start(command, folder) -> Popen          a server, pinned to core 0, its output discarded
    await_start(port)                        returns once GET /healthz responds, with any status
    load(port, *wrk_options) -> Round        4 s of wrk on core 1, 32 connections; a status other
                                             than 2xx or a broken connection ends the benchmark
    Round(per_second, p99_ms, answered)
    stop([process, ...])                     stops servers and waits for them

`make bench` runs `bench/harness/`: other generators, counted refusals, medians, a report.
"""

import re
import subprocess
import time
import urllib.request
from typing import NamedTuple

SECONDS = 4
START_SECONDS = 30.0


class Round(NamedTuple):
    """The result of one round of load."""

    per_second: float
    p99_ms: float
    answered: int


def start(command: list[str], folder: str | None = None) -> subprocess.Popen[bytes]:
    """Start a server on core 0; its log is discarded."""
    nowhere = subprocess.DEVNULL
    pinned = ["taskset", "-c", "0", *command]
    return subprocess.Popen(pinned, cwd=folder, stdout=nowhere, stderr=nowhere)  # noqa: S603 - our own arguments


def await_start(port: int) -> None:
    """Wait until a server responds."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def load(port: int, *options: str) -> Round:
    """Run one round of wrk with 32 connections."""
    command = ["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{SECONDS}", "--latency", *options]
    said = subprocess.run(  # noqa: S603 - our own arguments
        [*command, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    number, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", said)[0]
    return Round(
        float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]),
        float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit],
        int(re.findall(r"(\d+) requests in", said)[0]),
    )


def stop(running: list[subprocess.Popen[bytes]]) -> None:
    """Stop the servers."""
    for process in running:
        process.terminate()
    for process in running:
        process.wait(START_SECONDS)
