"""What a server is loaded with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.load.requests import LoadRequest

CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Workload:
    """One operation on one server.

    Attributes:
        name: what the report calls it.
        port: where the server listens on 127.0.0.1.
        questions: gives what is asked in a round, by the number of the round: a write must differ
            from what an earlier round wrote, or it would change nothing.
        memory_mb: gives the memory of the server now.
        connections: how many are open, each with one request under way.
    """

    name: str
    port: int
    questions: Callable[[int], Sequence[LoadRequest]]
    memory_mb: Callable[[], float]
    connections: int = CONNECTIONS
