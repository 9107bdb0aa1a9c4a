"""Input that every part of a run uses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.harness.generators import Generator
from bench.harness.rounds import Plan, Turns
from bench.harness.servers import Server
from bench.harness.stores import Member, Store
from bench.harness.workload import Workload
from bench.load.requests import (
    LoadRequest,
    conversations_request,
    other_account_request,
    own_account_request,
)


@dataclass(frozen=True, slots=True)
class Context:
    """A run in progress.

    Attributes:
        stores: by number of accounts, ascending.
        folder: folder for files, on the disk of the stores.
        on_turn: is called with the name of the next contestant.
    """

    plan: Plan
    generator: Generator
    stores: Mapping[int, Store]
    folder: Path
    on_turn: Callable[[str], None]

    @property
    def largest(self) -> Store:
        """Return the store with the most accounts."""
        return self.stores[max(self.stores)]

    @property
    def smallest(self) -> Store:
        """Return the store with the fewest accounts."""
        return self.stores[min(self.stores)]

    def turns(self, rounds: int = 0, seconds: float = 0.0, *, warms_up: bool = True) -> Turns:
        """Return the rounds of the plan, or fewer and shorter ones."""
        return Turns(
            self.generator,
            min(rounds or self.plan.rounds, self.plan.rounds),
            min(seconds or self.plan.seconds, self.plan.seconds),
            self.on_turn,
            warms_up,
        )


def bare_answers(server: Server, name: str = "bare answer") -> Workload:
    """Return the workload of GET / requests."""
    asked = [LoadRequest("GET", "/")]
    return Workload(name, server.port, lambda _round: asked, lambda: server.rss_mb)


def lookups(server: Server, members: list[Member], name: str) -> Workload:
    """Return the workload that looks up each member's session and account in turn."""
    asked = [LoadRequest("GET", "/", {"account": str(m.id), "token": m.token}) for m in members]
    return Workload(name, server.port, lambda _round: asked, lambda: server.rss_mb)


def own_infos(server: Server, members: list[Member], name: str = "own info") -> Workload:
    """Return the workload that requests each member's own info in turn."""
    asked = [own_account_request(member.token) for member in members]
    return Workload(name, server.port, lambda _round: asked, lambda: server.rss_mb)


def conversations(server: Server, members: list[Member], name: str) -> Workload:
    """Return the list of conversations of each member in turn."""
    asked = [conversations_request(member.token) for member in members]
    return Workload(name, server.port, lambda _round: asked, lambda: server.rss_mb)


def get_users(server: Server, members: list[Member], name: str = "get-user") -> Workload:
    """Return the workload in which each member requests the next one's profile."""
    pairs = zip(members, [*members[1:], members[0]], strict=True)
    asked = [other_account_request(one.token, str(other.id)) for one, other in pairs]
    return Workload(name, server.port, lambda _round: asked, lambda: server.rss_mb)
