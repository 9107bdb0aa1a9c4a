"""CPU affinity: servers run on the first core, load generators on the last."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

CAN_PIN = hasattr(os, "sched_setaffinity")


def all_cores() -> list[int]:
    """Return the cores that this process may use, ascending."""
    return sorted(os.sched_getaffinity(0)) if CAN_PIN else list(range(os.cpu_count() or 1))


CORES = all_cores()
SERVER = frozenset(CORES[:1])
LOAD = frozenset(CORES[-1:])
BOTH = frozenset(CORES[:1] + CORES[-1:])


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """Pin this process, and the processes started within the block, to these cores."""
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
    """Start a server on the given cores; its output is discarded."""
    nowhere = subprocess.DEVNULL
    with on(cores):
        return subprocess.Popen(  # noqa: S603 - our own arguments
            command, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=env
        )
