"""What every part of a run uses."""

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
    """A run under way.

    Attributes:
        stores: by number of accounts, ascending.
        folder: where files may be made, on the disk of the stores.
        on_turn: is told what comes next.
    """

    plan: Plan
    generator: Generator
    stores: Mapping[int, Store]
    folder: Path
    on_turn: Callable[[str], None]

    @property
    def largest(self) -> Store:
        """The store with the most accounts."""
        return self.stores[max(self.stores)]

    @property
    def smallest(self) -> Store:
        """The store with the fewest accounts."""
        return self.stores[min(self.stores)]

    def turns(self, rounds: int = 0, seconds: float = 0.0, *, warms_up: bool = True) -> Turns:
        """Rounds as the plan says, or fewer and shorter ones."""
        return Turns(
            self.generator,
            min(rounds or self.plan.rounds, self.plan.rounds),
            min(seconds or self.plan.seconds, self.plan.seconds),
            self.on_turn,
            warms_up,
        )


def bare_answers(server: Server, name: str = "bare answer") -> Workload:
    """GET / again and again."""
    asked = [LoadRequest("GET", "/")]
    return Workload(name, server.port, lambda _round: asked, lambda: server.rss_mb)


def lookups(server: Server, members: list[Member], name: str) -> Workload:
    """A look-up of each member's session and account in turn."""
    asked = [LoadRequest("GET", "/", {"account": str(m.id), "token": m.token}) for m in members]
    return Workload(name, server.port, lambda _round: asked, lambda: server.rss_mb)


def own_infos(server: Server, members: list[Member], name: str = "own info") -> Workload:
    """Own info of each member in turn."""
    asked = [own_account_request(member.token) for member in members]
    return Workload(name, server.port, lambda _round: asked, lambda: server.rss_mb)


def conversations(server: Server, members: list[Member], name: str) -> Workload:
    """The list of conversations of each member in turn."""
    asked = [conversations_request(member.token) for member in members]
    return Workload(name, server.port, lambda _round: asked, lambda: server.rss_mb)


def get_users(server: Server, members: list[Member], name: str = "get-user") -> Workload:
    """Each member asks for the one after it."""
    pairs = zip(members, [*members[1:], members[0]], strict=True)
    asked = [other_account_request(one.token, str(other.id)) for one, other in pairs]
    return Workload(name, server.port, lambda _round: asked, lambda: server.rss_mb)
