"""The servers under test: ours, and the bare ones to compare with."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.harness.cores import SERVER, start
from bench.harness.processes import cpu_seconds, rss_mb

START_SECONDS = 60.0
STOP_SECONDS = 30.0
LOOPBACK = "127.0.0.1"
ROOMY = dict.fromkeys(
    (
        "address_captchas_per_minute",
        "address_views_per_minute",
        "address_views_per_day",
        "account_views_per_minute",
        "account_views_per_day",
        "address_wrong_tries_per_hour",
        "network_captchas_per_minute",
        "network_wrong_tries_per_hour",
        "sign_ins_per_hour",
        "site_views_per_minute",
        "site_views_per_day",
        "site_wrong_tries_per_hour",
        "subnet_wrong_tries_per_hour",
    ),
    "10000000",
)
"""All load comes from one address: its limits count as usual, and are never reached."""
HUPAN = Path(sys.executable).with_name("hupan")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        started_after: seconds from its start to its first response.
    """

    port: int
    process: subprocess.Popen[bytes]
    started_after: float

    @property
    def rss_mb(self) -> float:
        """Return its current memory."""
        return rss_mb(self.process.pid)

    @property
    def cpu_seconds(self) -> float:
        """Return its CPU time so far."""
        return cpu_seconds(self.process.pid)


@contextmanager
def hupan(
    folder: Path,
    settings: Mapping[str, str] | None = None,
    cores: frozenset[int] = SERVER,
) -> Iterator[Server]:
    """Run `hupan serve` on a store.

    Args:
        folder: the data.
        settings: by name, such as {"captcha_pool": "64"}. Others have their defaults, except that
            limits per address or account are set to their maximum.
        cores: the cores it may use.
    """
    given = {
        f"HUPAN_{name.upper()}": value for name, value in (ROOMY | dict(settings or {})).items()
    }
    port = free_port()
    command = [str(HUPAN), "serve", "--port", str(port), "--data-dir", str(folder)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HUPAN_")}
    with _running(command, port, "/readyz", cores, clean | given) as server:
        yield server


@contextmanager
def bare(kind: str, place: str = "") -> Iterator[Server]:
    """Run a bare responder on our listener, see bare.py."""
    port = free_port()
    command = [sys.executable, "-m", "bench.harness.bare", kind, str(port), place]
    with _running(command, port, "/", SERVER, dict(os.environ)) as server:
        yield server


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return int(one.getsockname()[1])


@contextmanager
def _running(
    command: list[str], port: int, path: str, cores: frozenset[int], env: Mapping[str, str]
) -> Iterator[Server]:
    began = time.perf_counter()
    process = start(command, cores, env)
    try:
        _await_answer(process, f"http://{LOOPBACK}:{port}{path}")
        yield Server(port, process, time.perf_counter() - began)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_answer(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait for the first response with status 200."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - http to our own server
        except OSError as error:  # refused, or a response such as 503
            if process.poll() is not None:
                raise RuntimeError(f"a server ended at once: {process.args!r}") from error
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return
