"""Bare answers of three listeners on one core: uvicorn, granian, and ours (uvicorn, bounded).

    python bench/listeners.py [PYTHON_WITH_GRANIAN] [ROUNDS]

Needs Linux, two cores, `wrk` and `taskset`. The server has core 0, the load core 1; rounds
alternate, medians count. CPU per request is the server's own (user and system), which other
work on the machine disturbs least. Idle memory is RSS, all processes of a listener together.
"""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from typing import NamedTuple

from hupan.listener.asgi import Receive, Scope, Send
from hupan.listener.limits import ListenerLimits
from hupan.listener.run import run

PORTS = {"uvicorn": 18471, "granian": 18472, "hupan": 18473}
SECONDS = 4
START_SECONDS = 10.0
HEAD = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", b"26"),
    ],
}
BODY = {"type": "http.response.body", "body": b'{"code":1,"msg":"success"}'}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers 26 bytes to everything."""
    if scope["type"] == "http":
        await send(HEAD)
        await send(BODY)
        return
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})


class Round(NamedTuple):
    """What one round of load showed."""

    per_second: float
    p99_ms: float
    cpu_us: float


def command(name: str, granian_python: str) -> list[str]:
    """How a listener is started."""
    port = str(PORTS[name])
    if name == "hupan":
        return [sys.executable, __file__, "--serve", port]
    if name == "granian":
        options = "--interface asgi --workers 1 --loop uvloop --no-ws --log-level warning"
        return [granian_python, "-m", "granian", *options.split(), "--port", port, "listeners:app"]
    options = "--http httptools --loop uvloop --no-access-log --no-server-header --no-date-header"
    plain = "--no-proxy-headers --log-level warning"
    return [
        sys.executable,
        "-m",
        "uvicorn",
        *f"{options} {plain}".split(),
        "--port",
        port,
        "listeners:app",
    ]


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [pid, *(found for child in children for found in family(int(child)))]


def cpu_seconds(pid: int) -> float:
    """User and system time of a listener so far."""
    ticks = 0
    for one in family(pid):
        fields = pathlib.Path(f"/proc/{one}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Resident memory of a listener."""
    pages = [
        int(pathlib.Path(f"/proc/{one}/statm").read_text("ascii").split()[1]) for one in family(pid)
    ]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def load(name: str, pid: int) -> Round:
    """One round of wrk."""
    before = cpu_seconds(pid)
    wrk = f"taskset -c 1 wrk -t1 -c32 -d{SECONDS} --latency http://127.0.0.1:{PORTS[name]}/"
    said = subprocess.run(wrk.split(), capture_output=True, text=True, check=True).stdout  # noqa: S603  # our own words
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    cpu = cpu_seconds(pid) - before
    number, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", said)[0]
    p99_ms = float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]
    answered = int(re.findall(r"(\d+) requests in", said)[0])
    return Round(
        float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]), p99_ms, cpu / answered * 1e6
    )


def await_start(name: str) -> None:
    """Returns when a listener answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORTS[name]}/", timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def main() -> None:
    """Measures and prints one line per listener."""
    granian_python = sys.argv[1] if len(sys.argv) > 1 else ""
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3  # noqa: PLR2004  # the second argument
    names = [name for name in PORTS if name != "granian" or granian_python]
    here = pathlib.Path(__file__).parent
    running = {
        name: subprocess.Popen(["taskset", "-c", "0", *command(name, granian_python)], cwd=here)  # noqa: S603, S607  # our own words
        for name in names
    }
    try:
        for name in names:
            await_start(name)
        idle = {name: rss_mb(running[name].pid) for name in names}
        found: dict[str, list[Round]] = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                found[name].append(load(name, running[name].pid))
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait(START_SECONDS)
    for name in names:
        middle = Round(*map(statistics.median, zip(*found[name], strict=True)))
        sys.stdout.write(
            f"{name:8} {middle.per_second:7.0f} /s  p99 {middle.p99_ms:5.1f} ms  "
            f"{middle.cpu_us:5.1f} us CPU/request  {idle[name]:5.1f} MB idle\n"
        )


def serve(port: int) -> int:
    """Our own listener with the bounds of production."""
    return run(
        lambda: app,
        host="127.0.0.1",
        port=port,
        workers=1,
        limits=ListenerLimits(),
        on_listening=lambda _urls: None,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        sys.exit(serve(int(sys.argv[2])))
    main()
