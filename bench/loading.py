"""Starts servers on core 0 and loads them with wrk from core 1.

What other benches may rely on; it imports nothing of ours and stays as it is:

    start(command, folder) -> Popen          a server, pinned to core 0, its output thrown away
    await_start(port)                        returns once GET /healthz is answered, whatever with
    load(port, *wrk_options) -> Round        4 s of wrk on core 1, 32 connections; a status that is
                                             not 2xx or a broken connection ends the bench
    Round(per_second, p99_ms, answered)
    stop([process, ...])                     ends servers and waits for them

`bench/harness/` is what `make bench` runs: other generators, refusals counted, medians, a report.
"""

import re
import subprocess
import time
import urllib.request
from typing import NamedTuple

SECONDS = 4
START_SECONDS = 30.0


class Round(NamedTuple):
    """What one round of load showed."""

    per_second: float
    p99_ms: float
    answered: int


def start(command: list[str], folder: str | None = None) -> subprocess.Popen[bytes]:
    """Starts a server on core 0; its log goes nowhere."""
    nowhere = subprocess.DEVNULL
    pinned = ["taskset", "-c", "0", *command]
    return subprocess.Popen(pinned, cwd=folder, stdout=nowhere, stderr=nowhere)  # noqa: S603 - our own words


def await_start(port: int) -> None:
    """Returns when a server answers."""
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
    """One round of wrk, 32 connections."""
    command = ["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{SECONDS}", "--latency", *options]
    said = subprocess.run(  # noqa: S603 - our own words
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
    """Ends the servers."""
    for process in running:
        process.terminate()
    for process in running:
        process.wait(START_SECONDS)
