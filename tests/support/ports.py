"""Free ports of the loopback address."""

import socket

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def ports_in_a_row() -> int:
    """The first of two free ports that follow each other."""
    while True:
        port = free_port()
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind((LOOPBACK, port))
                second.bind((LOOPBACK, port + 1))
            except (OSError, OverflowError):
                continue
            return port
