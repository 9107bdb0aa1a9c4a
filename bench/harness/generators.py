"""Load generators: wrk, else autocannon, else `bench.load`."""

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import uvloop
from msgspec import Struct

from bench.harness.cores import LOAD, on
from bench.harness.servers import LOOPBACK
from bench.load.requests import LoadRequest
from bench.load.results import LoadResult
from bench.load.run import LoadLimits, run_load
from bench.load.target import TargetServer

HERE = Path(__file__).parent
AUTOCANNON = "autocannon@8.0.0"
INSTALL_SECONDS = 120
MOST_REQUESTS = 2_000_000
BURST_SECONDS = 2
"""The maximum duration of a burst."""
_RESULT = re.compile(r"^RESULT (.+)$", re.MULTILINE)


class Generator(Protocol):
    """Sends requests repeatedly from the core reserved for load."""

    name: str

    def fire(
        self, port: int, questions: Sequence[LoadRequest], connections: int, seconds: float
    ) -> LoadResult:
        """Run one round of `seconds`."""
        ...

    def burst(self, port: int, question: LoadRequest, connections: int, most: int) -> LoadResult:
        """Run one round of `count` responses."""
        ...


class Told(Struct):
    """The output of a load generator."""

    answered: int
    status: int
    refused: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float

    def seen(self) -> LoadResult:
        """Return the output as a LoadResult."""
        wrong = self.status + self.refused
        right = self.answered - wrong
        return LoadResult(right, wrong, self.failed, self.seconds, self.p50_ms, self.p99_ms)


class Wrk:
    """wrk with one thread; whole seconds."""

    def __init__(self, scratch: Path) -> None:
        said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)  # noqa: S607 - found by shutil.which
        self.name = " ".join(said.stdout.split()[:2])
        self._file = scratch / "requests.bin"

    def fire(
        self, port: int, questions: Sequence[LoadRequest], connections: int, seconds: float
    ) -> LoadResult:
        """Run one round of at least one second."""
        return self._run(port, questions, connections, max(1, round(seconds)), 0)

    def burst(self, port: int, question: LoadRequest, connections: int, most: int) -> LoadResult:
        """Run one round of `count` responses; time ends with the last of them."""
        return self._run(port, [question] * 2, connections, BURST_SECONDS, most)

    def _run(
        self, port: int, questions: Sequence[LoadRequest], connections: int, seconds: int, most: int
    ) -> LoadResult:
        authority = f"{LOOPBACK}:{port}"
        written = [question.encode(authority) for question in questions]
        self._file.write_bytes(b"".join(b"%08d%b" % (len(one), one) for one in written))
        options = ["-t1", f"-c{connections}", f"-d{seconds}", "--latency", "--timeout", "10s"]
        script = ["-s", str(HERE / "wrk.lua"), f"http://{authority}/"]
        return _told(["wrk", *options, *script, "--", str(self._file), str(most)])


class Autocannon:
    """autocannon from npm, installed in a separate folder."""

    name = AUTOCANNON

    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / "autocannon"
        self._file = scratch / "requests.json"
        if not (self._folder / "node_modules").exists():
            where = ["--prefix", str(self._folder), "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(  # noqa: S603 - our own arguments
                ["npm", "install", "--silent", *where, AUTOCANNON],  # noqa: S607 - found by shutil.which
                check=True,
                timeout=INSTALL_SECONDS,
            )

    def fire(
        self, port: int, questions: Sequence[LoadRequest], connections: int, seconds: float
    ) -> LoadResult:
        """Run one round."""
        rows = [
            {
                "method": one.method,
                "path": one.path,
                "headers": dict(one.headers),
                "body": base64.b64encode(one.body).decode(),
            }
            for one in questions
        ]
        self._file.write_text(json.dumps(rows), "utf-8")
        script = ["node", str(HERE / "autocannon.cjs"), str(self._folder)]
        url = f"http://{LOOPBACK}:{port}"
        return _told([*script, url, str(connections), str(seconds), str(self._file)])

    def burst(self, port: int, question: LoadRequest, connections: int, most: int) -> LoadResult:
        """Run one round of our own generator, because autocannon reports whole seconds only."""
        return own_round(port, [question], LoadLimits(connections, BURST_SECONDS, most))


class Own:
    """The load generator of `bench.load`, in this process."""

    name = "bench.load"

    def fire(
        self, port: int, questions: Sequence[LoadRequest], connections: int, seconds: float
    ) -> LoadResult:
        """Run one round."""
        return own_round(port, questions, LoadLimits(connections, seconds, MOST_REQUESTS))

    def burst(self, port: int, question: LoadRequest, connections: int, most: int) -> LoadResult:
        """Run one round of `count` responses."""
        return own_round(port, [question], LoadLimits(connections, BURST_SECONDS, most))


def own_round(port: int, questions: Sequence[LoadRequest], bounds: LoadLimits) -> LoadResult:
    """Run one round of our own generator on the core reserved for load."""
    place = TargetServer(LOOPBACK, LOOPBACK, port, is_tls=False, prefix="")
    requests = [question.encode(place.authority) for question in questions]
    with on(LOAD), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_load(place, requests, bounds))


def best(scratch: Path, wanted: str = "") -> Generator:
    """Return the best available generator; install wrk or autocannon if possible.

    Args:
        scratch: a folder for request files and installed programs.
        wanted: `wrk`, `autocannon` or `own`, "" for the best.
    """
    if wanted in ("", "wrk") and _has_wrk():
        return Wrk(scratch)
    if wanted in ("", "autocannon") and shutil.which("npm") and shutil.which("node"):
        try:
            return Autocannon(scratch)
        except (subprocess.SubprocessError, OSError):
            if wanted:
                raise
    return Own()


def _has_wrk() -> bool:
    """Return whether wrk is installed, or could be installed from the system's packages."""
    if shutil.which("wrk"):
        return True
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wrk"]
    done = subprocess.run(install, capture_output=True, timeout=INSTALL_SECONDS, check=False)  # noqa: S603 - our own arguments
    return done.returncode == 0 and shutil.which("wrk") is not None


def _told(command: Sequence[str]) -> LoadResult:
    with on(LOAD):
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    found = _RESULT.search(done.stdout)
    if found is None:
        raise RuntimeError(f"{command[0]} says: {(done.stderr or done.stdout)[-500:]}")
    return msgspec.json.decode(found[1], type=Told).seen()
