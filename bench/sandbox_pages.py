"""The times of the pages, snapshots and resets of a sandbox.

    python -m bench.sandbox_pages [ACCOUNTS] [ROUNDS]

Fills a sandbox with a million accounts by default and requests each page in turn, then does the
same with an empty sandbox, which gets 100 accounts for a snapshot. Prints the minimum and the
median of the rounds in milliseconds, over one kept connection on loopback.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.filling import fill
from bench.loading import await_start, start, stop

PORT = 18489
PAGES = "/sandbox/pages"
KEPT_ACCOUNTS = 100


@contextmanager
def sandbox(folder: Path) -> Iterator[httpx.Client]:
    """Run a sandbox on core 0; yield a client of it."""
    options = ("--port", str(PORT), "--data-dir", str(folder))
    process = start([sys.executable, "-m", "hupan", "sandbox", *options])
    try:
        await_start(PORT)
        with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", trust_env=False) as client:
            yield client
    finally:
        stop([process])


def measure(name: str, rounds: int, act: Callable[[], httpx.Response]) -> None:
    """Run an operation repeatedly and print its times; the first one warms up."""
    times: list[float] = []
    size = 0
    for _ in range(rounds + 1):
        began = time.perf_counter()
        reply = act().raise_for_status()
        times.append(1000 * (time.perf_counter() - began))
        size = len(reply.content)
    del times[0]
    print(
        f"{name:34} least {min(times):7.1f}  median {statistics.median(times):7.1f} ms {size:7} B"
    )


def measure_pages(client: httpx.Client, rounds: int) -> None:
    """Request each page."""
    pages = (
        "/",
        "/outbox",
        "/requests",
        "/accounts",
        "/clock",
        "/faults",
        "/snapshots",
        "/connect",
    )
    for page in pages:
        measure(page, rounds, lambda page=page: client.get(PAGES + page))  # type: ignore[misc]


def measure_snapshots(client: httpx.Client, rounds: int) -> None:
    """Restore a snapshot of 100 accounts, and reset."""

    def make_accounts() -> None:
        for number in range(KEPT_ACCOUNTS):
            client.post("/sandbox/accounts", json={"nickname": f"n{number}"}).raise_for_status()

    make_accounts()
    client.post("/sandbox/snapshots/bench").raise_for_status()
    measure(
        "restore of 100 accounts", rounds, lambda: client.post("/sandbox/snapshots/bench/restore")
    )
    measure("reset", rounds, lambda: client.post("/sandbox/reset"))


def main() -> None:
    """Measure and print."""
    given = [int(number) for number in sys.argv[1:3]]
    accounts, rounds = [*given, *(1_000_000, 30)[len(given) :]]
    with tempfile.TemporaryDirectory() as folder:
        with sandbox(Path(folder)):
            pass  # makes the store a sandbox's
        fill(Path(folder), accounts)
        print(f"{accounts:,} accounts")
        with sandbox(Path(folder)) as client:
            measure_pages(client, rounds)
    with tempfile.TemporaryDirectory() as folder, sandbox(Path(folder)) as client:
        print("an empty sandbox")
        measure_pages(client, rounds)
        measure_snapshots(client, rounds)


if __name__ == "__main__":
    main()
