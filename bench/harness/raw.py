"""Hardware limits: argon2 on all cores, fsync on a disk; each in its own process.

python -m bench.harness.raw argon2 SECONDS THREADS
python -m bench.harness.raw libsodium SECONDS THREADS
python -m bench.harness.raw fsync SECONDS FOLDER
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import argon2
import msgspec

from bench.harness.cores import on
from bench.harness.stores import PASSWORD
from bench.load.results import LoadResult, percentile
from hupan.domain import hash_worker as argon2id

PAGE_BYTES = 4096


def raw_argon2(seconds: float, cores: frozenset[int]) -> LoadResult:
    """Verify with the reference implementation, one thread per core."""
    return _apart(cores, "argon2", str(seconds), str(len(cores)))


def raw_libsodium(seconds: float, cores: frozenset[int]) -> LoadResult:
    """Verify with the implementation that the server uses."""
    return _apart(cores, "libsodium", str(seconds), str(len(cores)))


def raw_fsync(seconds: float, folder: Path, cores: frozenset[int]) -> LoadResult:
    """Append 4 KiB to a file and sync it, repeatedly."""
    return _apart(cores, "fsync", str(seconds), str(folder))


def _apart(cores: frozenset[int], *arguments: str) -> LoadResult:
    command = [sys.executable, "-m", "bench.harness.raw", *arguments]
    with on(cores):
        said = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 - our own arguments
    return msgspec.json.decode(said, type=LoadResult)


def _again_and_again(act: Callable[[], object], seconds: float) -> list[float]:
    """Return the duration of each call in seconds."""
    took: list[float] = []
    ends = time.perf_counter() + seconds
    now = time.perf_counter()
    while now < ends:
        act()
        before, now = now, time.perf_counter()
        took.append(now - before)
    return took


def _verifications(kind: str, seconds: float, threads: int) -> list[float]:
    """Verify with the server's default parameters."""
    stored = argon2id.hash_password(PASSWORD, argon2id.HashCost())
    verify = {"argon2": argon2.PasswordHasher().verify, "libsodium": argon2id.verify_password}[kind]
    with ThreadPoolExecutor(threads) as pool:
        act = partial(verify, stored, PASSWORD)
        turns = [pool.submit(_again_and_again, act, seconds) for _ in range(threads)]
        return [took for turn in turns for took in turn.result()]


def _fsync(seconds: float, folder: str) -> list[float]:
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:

        def act() -> None:
            file.write(b"x" * PAGE_BYTES)
            os.fsync(file.fileno())

        return _again_and_again(act, seconds)


def main() -> None:
    """Print the result as JSON."""
    kind, seconds, more = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    began = time.perf_counter()
    took = sorted(
        _fsync(seconds, more) if kind == "fsync" else _verifications(kind, seconds, int(more))
    )
    lasted = time.perf_counter() - began
    p50, p99 = (percentile(took, part) * 1e3 for part in (0.5, 0.99))
    sys.stdout.buffer.write(msgspec.json.encode(LoadResult(len(took), 0, 0, lasted, p50, p99)))


if __name__ == "__main__":
    main()
