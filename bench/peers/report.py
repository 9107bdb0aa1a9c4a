"""The results as a table, and as JSON."""

import os
import platform
from dataclasses import dataclass
from typing import Any

from bench.peers.comparing import Figure, Lengths
from bench.peers.operations import OPERATIONS, Operation
from bench.peers.peer import Peer

OURS = "Hupan"
FIRST, OTHERS = 24, 22
ALL_ALIKE = (
    "one core for every server, another for wrk; only the server that is asked has work",
    "SQLite with WAL and synchronous=FULL for all, on the same disk; one process each",
    "argon2id of 19 MiB, two passes, one lane, where a peer can hash with argon2",
    "each answer of the warm-up is looked into; in the rounds, status and connection alone",
)


@dataclass(frozen=True)
class Report:
    """The results of a comparison."""

    peers: tuple[Peer, ...]
    accounts: int
    lengths: Lengths
    versions: dict[str, str]
    stats: dict[str, dict[str, Figure]]
    left_out: dict[str, str]

    def machine_form(self) -> dict[str, Any]:
        """Return the results for JSON: rates in requests per second, times in milliseconds."""
        return {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
            "python": platform.python_version(),
            "accounts": self.accounts,
            "lengths": self.lengths._asdict(),
            "versions": self.versions,
            "operations": [self._operation(operation) for operation in OPERATIONS],
            "unequal": {peer.name: peer.unequal for peer in self.peers},
            "left_out": self.left_out,
        }

    def text(self) -> str:
        """Return a table, the ratios, and how the servers differ."""
        names = [peer.name for peer in self.peers if peer.name in self.versions]
        parts = [
            f"{self.accounts} accounts; {self.lengths.rounds} rounds of {self.lengths.seconds} s",
            "each by turns; medians: requests per second (p99 in ms), CPU of the server\n",
            _row("", names),
            *(self._row(operation, names) for operation in OPERATIONS),
            "",
            *(self._verdict(operation) for operation in OPERATIONS),
            "\nEqual:",
            *(f"  {one}" for one in ALL_ALIKE),
            "Not equal:",
            *(f"  {p.name}: {one}" for p in self.peers if p.name in names for one in p.unequal),
            "Versions:",
            *(f"  {name}: {versions}" for name, versions in self.versions.items()),
            *(f"Left out: {name}: {reason}" for name, reason in self.left_out.items()),
        ]
        return "\n".join(parts)

    def ratio(self, operation: Operation) -> tuple[float, str] | None:
        """Return Hupan's rate divided by the best peer's, and its name; None if one is missing."""
        figures = self.stats[operation.name]
        peers = {name: one.per_second for name, one in figures.items() if name != OURS}
        if OURS not in figures or not peers:
            return None
        best = max(peers, key=peers.__getitem__)
        return figures[OURS].per_second / peers[best], best

    def _row(self, operation: Operation, names: list[str]) -> str:
        return _row(
            operation.name,
            [
                f"{one.per_second:,.0f} ({one.p99_ms:.0f}) {_share(one):.0%}" if one else "left out"
                for one in map(self.stats[operation.name].get, names)
            ],
        )

    def _verdict(self, operation: Operation) -> str:
        found = self.ratio(operation)
        if found is None:
            return f"{operation.name:{FIRST}} nothing to compare"
        target = f", target {operation.target:.0f}" if operation.target else ""
        figures = self.stats[operation.name]
        effort = figures[found[1]].cpu_us / figures[OURS].cpu_us
        return (
            f"{operation.name:{FIRST}} {found[0]:5.1f} x the best peer ({found[1]}){target};"
            f" {effort:.1f} x by CPU per answer"
        )

    def _operation(self, operation: Operation) -> dict[str, Any]:
        found = self.ratio(operation)
        return {
            "name": operation.name,
            "connections": operation.connections,
            "servers": {n: f._asdict() for n, f in self.stats[operation.name].items()},
            "ratio_to_best_peer": found and found[0],
            "best_peer": found and found[1],
            "target": operation.target or None,
        }


def _share(figure: Figure) -> float:
    """Return the load of a server's core; well below 1, the core was not the limit."""
    return figure.per_second * figure.cpu_us / 1e6


def _row(first: str, others: list[str]) -> str:
    return f"{first:{FIRST}}" + "".join(f"{other:>{OTHERS}}" for other in others)
