"""Free ports of the loopback address."""

import errno
import os
import socket
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
LOWEST, HIGHEST = 10_240, 32_000
"""Below the ports that the system gives to outgoing connections: none takes one meanwhile."""
SPREAD = 7_919


def _candidates() -> Iterator[int]:
    """Each port in turn; processes that run side by side begin far from each other."""
    width = HIGHEST - LOWEST
    at = os.getpid() * SPREAD
    while True:
        yield LOWEST + at % width
        at += 1


_CANDIDATES = _candidates()


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on, and none was told before."""
    while True:
        port = next(_CANDIDATES)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            return port


def ports_in_a_row() -> int:
    """Return the first of two free ports that follow each other."""
    first, second = free_port(), free_port()
    while second != first + 1:
        first, second = second, free_port()
    return first
