"""Free ports of the loopback address.

They are below the range of outgoing connections, and each pytest worker has a separate part: a
free port is not taken before its server starts.
"""

import itertools
import os
import random
import socket
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
_FIRST, _LAST, _PARTS = 10_000, 32_000, 8


def _ports() -> Iterator[int]:
    """Yield the ports of this process's part in a loop, from a random one on."""
    size = (_LAST - _FIRST) // _PARTS
    part = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PARTS
    first = _FIRST + part * size
    begin = random.SystemRandom().randrange(size)
    return (first + (begin + number) % size for number in itertools.count())


_PORTS = _ports()


def free_port() -> int:
    """Return a port of the loopback address without a listener."""
    return next(port for port in _PORTS if _is_free(port))


def ports_in_a_row() -> int:
    """Return the first of two consecutive free ports."""
    first = free_port()
    while (second := free_port()) != first + 1:
        first = second
    return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
