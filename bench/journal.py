"""The cost of the journal for a sandbox, and its memory after 100,000 requests.

    python -m bench.journal [ROUNDS]

Two sandboxes run on core 0, one without the journal. Requests for own info and for a profile go to
them in batches of 50 on one connection, alternating. Reported are medians of the rounds, and the
CPU time of the sandboxes, which other work on the machine disturbs least. Memory is the RSS of the
sandbox with the journal after 20,000 and after 100,000 requests more.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.loading import await_start, start, stop
from hupan.config import Settings
from hupan.opening import prepared_store
from hupan.sandbox_application import SandboxOptions, make_sandbox_application
from hupan.server.connection import ASGIApp, ServerLimits
from hupan.server.workers import run_server

HOST = "127.0.0.1"
PORTS = {"without": 18487, "with": 18488}
BATCH, BATCHES = 50, 40
SUCCESS = b"x-result: ok\r\n"
PROFILE = b"\x12\x071000001"  # field 2: the first account


def make_app(settings: Settings, kind: str) -> ASGIApp:
    """Return the application with the journal or without it."""
    tap = make_sandbox_application(settings, SandboxOptions(seed="bench", print_codes=False))
    return tap if kind == "with" else tap.app


def serve(kind: str) -> int:
    """Serve one of the two sandboxes."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder), port=PORTS[kind], limits_enabled=False, log_level="error"
        )
        with prepared_store(settings, is_sandbox=True):
            return run_server(
                partial(make_app, settings, kind),
                host=HOST,
                port=PORTS[kind],
                workers=1,
                limits=ServerLimits(),
                on_listening=lambda _urls: None,
                english=True,
            )


def make_account(port: int) -> str:
    """Make an account in a sandbox; return its token."""
    url = f"http://{HOST}:{port}/sandbox/accounts"
    with urllib.request.urlopen(urllib.request.Request(url, b"{}")) as reply:
        return str(json.load(reply)["token"])


def requests_of(token: str) -> dict[str, bytes]:
    """Return the two kinds of requests."""
    head = f"host: {HOST}\r\ntoken: {token}\r\n"
    return {
        "own info": f"GET /v1/user/info HTTP/1.1\r\n{head}\r\n".encode(),
        "profile": f"POST /v1/user/get-user HTTP/1.1\r\n{head}content-length: 9\r\n\r\n".encode()
        + PROFILE,
    }


def ask(port: int, request: bytes, batches: int) -> float:
    """Send batches of a request on one connection; return the requests per second."""
    connection = socket.create_connection((HOST, port), 30)
    began = time.perf_counter()
    for _ in range(batches):
        connection.sendall(request * BATCH)
        answered, tail = 0, b""
        while answered < BATCH:
            data = connection.recv(1 << 20)
            if not data:
                raise SystemExit("the sandbox closed the connection")
            joined = tail + data
            answered += joined.count(SUCCESS)
            tail = joined[1 - len(SUCCESS) :]  # too short for one that was counted
    return batches * BATCH / (time.perf_counter() - began)


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def sandboxes() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run both sandboxes."""
    root = str(Path(__file__).parents[1])
    command = [sys.executable, "-m", "bench.journal", "--serve"]
    running = {kind: start([*command, kind], root) for kind in PORTS}
    try:
        for port in PORTS.values():
            await_start(port)
        yield running
    finally:
        stop([*running.values()])


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with sandboxes() as running:
        requests = {kind: requests_of(make_account(port)) for kind, port in PORTS.items()}
        for name in requests["with"]:
            rates: dict[str, list[float]] = {kind: [] for kind in PORTS}
            cpu = dict.fromkeys(PORTS, 0.0)
            for round_number in range(rounds + 1):
                for kind, found in rates.items():
                    before = cpu_seconds(running[kind].pid)
                    found.append(ask(PORTS[kind], requests[kind][name], BATCHES))
                    if round_number:  # the first one warms up
                        cpu[kind] += cpu_seconds(running[kind].pid) - before
            medians = {kind: statistics.median(found[1:]) for kind, found in rates.items()}
            micros = {kind: 1e6 * used / rounds / BATCHES / BATCH for kind, used in cpu.items()}
            share = 100 * medians["with"] / medians["without"]
            by_cpu = 100 * micros["without"] / micros["with"]
            print(f"{name}: {medians} per second, {share:.1f} %")
            print(f"{name}: {micros} us of CPU each, {by_cpu:.1f} %")
        own_info, pid = requests["with"]["own info"], running["with"].pid
        for batches in (400, 2000):
            ask(PORTS["with"], own_info, batches)
            print(f"RSS after {batches * BATCH} more: {rss_bytes(pid) / 2**20:.1f} MiB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        raise SystemExit(serve(sys.argv[2]))
    main()
