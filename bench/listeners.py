"""Bare responses of three listeners on one core: uvicorn, granian, and ours (uvicorn, bounded).

    python -m bench.listeners [PYTHON_WITH_GRANIAN] [ROUNDS]

Requires Linux, two cores, `wrk` and `taskset`. The server runs on core 0, the load on core 1;
rounds alternate, and medians are reported. CPU per request is the server's user and system time,
which other work on the machine disturbs least. Idle memory is the RSS of all its processes.
"""

import os
import pathlib
import statistics
import sys

from bench.loading import Round, await_start, load, start, stop
from hupan.server.connection import Receive, Scope, Send, ServerLimits
from hupan.server.workers import run_server

PORTS = {"uvicorn": 18471, "granian": 18472, "hupan": 18473}
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
    """Respond with 26 bytes to every request."""
    if scope["type"] == "http":
        await send(HEAD)
        await send(BODY)
        return
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})


def command(name: str, granian_python: str) -> list[str]:
    """Return the command that starts a listener."""
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
    """Return a process and its descendants."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [pid, *(found for child in children for found in family(int(child)))]


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a listener so far."""
    ticks = 0
    for one in family(pid):
        fields = pathlib.Path(f"/proc/{one}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Return the resident memory of a listener."""
    pages = [
        int(pathlib.Path(f"/proc/{one}/statm").read_text("ascii").split()[1]) for one in family(pid)
    ]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(name: str, pid: int) -> tuple[Round, float]:
    """Run one round of load; return it with the CPU time per response in µs."""
    before = cpu_seconds(pid)
    seen = load(PORTS[name])
    return seen, (cpu_seconds(pid) - before) / seen.answered * 1e6


def main() -> None:
    """Measure and print one line per listener."""
    granian_python = sys.argv[1] if len(sys.argv) > 1 else ""
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3  # noqa: PLR2004  # the second argument
    names = [name for name in PORTS if name != "granian" or granian_python]
    here = pathlib.Path(__file__).parent
    running = {name: start(command(name, granian_python), str(here)) for name in names}
    try:
        for name in names:
            await_start(PORTS[name])
        idle = {name: rss_mb(running[name].pid) for name in names}
        found: dict[str, list[tuple[Round, float]]] = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                found[name].append(measure(name, running[name].pid))
    finally:
        stop(list(running.values()))
    for name in names:
        per_second = statistics.median(seen.per_second for seen, _ in found[name])
        p99_ms = statistics.median(seen.p99_ms for seen, _ in found[name])
        cpu_us = statistics.median(cpu for _, cpu in found[name])
        sys.stdout.write(
            f"{name:8} {per_second:7.0f} /s  p99 {p99_ms:5.1f} ms  "
            f"{cpu_us:5.1f} us CPU/request  {idle[name]:5.1f} MB idle\n"
        )


def serve(port: int) -> int:
    """Run our own listener with production limits."""
    return run_server(
        lambda: app,
        host="127.0.0.1",
        port=port,
        workers=1,
        limits=ServerLimits(),
        on_listening=lambda _urls: None,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        sys.exit(serve(int(sys.argv[2])))
    main()
