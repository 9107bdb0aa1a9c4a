"""The load on a server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.load.requests import LoadRequest

CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Workload:
    """One operation on one server.

    Attributes:
        name: as it appears in the report.
        port: the server's port on 127.0.0.1.
        questions: returns the requests of a round by its number: a write must differ from those of
            earlier rounds, or it would change nothing.
        memory_mb: returns the current memory of the server.
        connections: the number of connections, each with one request in flight.
    """

    name: str
    port: int
    questions: Callable[[int], Sequence[LoadRequest]]
    memory_mb: Callable[[], float]
    connections: int = CONNECTIONS
