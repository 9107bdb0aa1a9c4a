"""Start all servers and measure them in turn."""

import socket
import statistics
import subprocess
from pathlib import Path
from typing import NamedTuple

from bench.loading import Round, start, stop
from bench.peers.checking import await_own, check, check_kept
from bench.peers.driving import drive, warm_up
from bench.peers.effort import cpu_seconds
from bench.peers.operations import OPERATIONS, RENAME, Operation, new_names
from bench.peers.peer import Account, Peer, Unavailable


class Lengths(NamedTuple):
    """Durations of the measurements."""

    rounds: int
    seconds: int
    warm_up_seconds: int


class Running(NamedTuple):
    """A server that passed its check."""

    peer: Peer
    versions: str
    port: int
    process: subprocess.Popen[bytes]
    accounts: list[Account]


class Figure(NamedTuple):
    """Medians over the rounds of an operation on a server.

    Attributes:
        cpu_us: CPU time of the server per response, in microseconds. Multiplied by the rate it is
            the load of its core; well below 1, something else was the limit.
    """

    per_second: float
    p99_ms: float
    cpu_us: float
    rates: list[float]


class Comparison:
    """Load servers on core 0, one at a time; omit those that fail, with the reason."""

    def __init__(self, cache: Path, folder: Path, accounts: int, lengths: Lengths) -> None:
        self._cache = cache
        self._folder = folder
        self._accounts = accounts
        self._lengths = lengths
        self._running: list[Running] = []
        self._turn = 0
        self.left_out: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self.stats: dict[str, dict[str, Figure]] = {}

    def start(self, peer: Peer) -> None:
        """Install, fill, start and check a server."""
        try:
            versions = peer.prepare(self._cache)
            self._running.append(self._started(peer, versions))
            self.versions[peer.name] = versions
        except Unavailable as error:
            self.left_out[peer.name] = str(error)

    def measure(self) -> None:
        """Run every operation on every server."""
        for operation in OPERATIONS:
            self.stats[operation.name] = self._measured(operation)

    def stop(self) -> None:
        """Stop each server by its process."""
        stop([one.process for one in self._running])

    def _started(self, peer: Peer, versions: str) -> Running:
        folder = self._folder / peer.name.replace(" ", "-")
        folder.mkdir()
        accounts = peer.fill(folder, self._accounts)
        port = _free_port()
        process = start(peer.command(port), str(folder))
        try:
            await_own(peer, port, accounts[0])
            check(peer, port, accounts[-1], accounts[-2])
        except Unavailable as error:
            status = process.poll()
            stop([process])
            ended = "" if status is None else f"; its process had ended with {status}"
            raise Unavailable(f"{error}{ended}") from error
        return Running(peer, versions, port, process, accounts)

    def _measured(self, operation: Operation) -> dict[str, Figure]:
        found: dict[str, list[tuple[Round, float]]] = {}
        able = [one for one in self._running if self._is_warmed_up(operation, one)]
        for _ in range(self._lengths.rounds):
            for one in able:
                self._one_round(operation, one, found.setdefault(one.peer.name, []))
        return {
            name: Figure(
                statistics.median(one.per_second for one, _ in rounds),
                statistics.median(one.p99_ms for one, _ in rounds),
                statistics.median(cpu_us for _, cpu_us in rounds),
                [one.per_second for one, _ in rounds],
            )
            for name, rounds in found.items()
            if len(rounds) == self._lengths.rounds
        }

    def _is_warmed_up(self, operation: Operation, one: Running) -> bool:
        calls = operation.calls(one.peer, one.accounts, self._next_turn())
        seconds = max(self._lengths.warm_up_seconds, operation.least_seconds // 2)
        clients = operation.connections
        try:
            warm_up(one.port, calls, self._script, connections=clients, seconds=seconds)
        except Unavailable as error:
            self.left_out[f"{one.peer.name}: {operation.name}"] = str(error)
            return False
        return True

    def _one_round(
        self, operation: Operation, one: Running, rounds: list[tuple[Round, float]]
    ) -> None:
        turn = self._next_turn()
        calls = operation.calls(one.peer, one.accounts, turn)
        seconds = max(self._lengths.seconds, operation.least_seconds)
        clients = operation.connections
        try:
            before = cpu_seconds(one.process.pid)
            seen = drive(one.port, calls, self._script, connections=clients, seconds=seconds)
            used = cpu_seconds(one.process.pid) - before
            if seen.answered == 0:
                raise Unavailable("no answer came within a round")  # noqa: TRY301 - left out, too
            if operation is RENAME:
                # Only of those that ran; wrk never sends the very first request.
                renamed = one.accounts[1 : 1 + seen.answered // 2 : 50]
                check_kept(one.peer, one.port, renamed, new_names(turn))
            rounds.append((seen, used / seen.answered * 1e6))
        except Unavailable as error:
            self.left_out[f"{one.peer.name}: {operation.name}"] = str(error)

    def _next_turn(self) -> int:
        self._turn += 1
        return self._turn

    @property
    def _script(self) -> Path:
        return self._folder / "asked.lua"


def _free_port() -> int:
    """Return a free port."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
