"""Which process runs where: servers on the first core, what loads them on the last."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

CAN_PIN = hasattr(os, "sched_setaffinity")


def all_cores() -> list[int]:
    """The cores that this process may use, ascending."""
    return sorted(os.sched_getaffinity(0)) if CAN_PIN else list(range(os.cpu_count() or 1))


CORES = all_cores()
SERVER = frozenset(CORES[:1])
LOAD = frozenset(CORES[-1:])
BOTH = frozenset(CORES[:1] + CORES[-1:])


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """What is started meanwhile stays on these cores; so does this process until the end."""
    if not CAN_PIN:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start(
    command: Sequence[str], cores: frozenset[int], env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a server on cores; its output goes nowhere."""
    nowhere = subprocess.DEVNULL
    with on(cores):
        return subprocess.Popen(  # noqa: S603 - our own words
            command, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=env
        )
