"""The five operations that every server is measured with."""

from collections.abc import Callable
from typing import NamedTuple

from bench.peers.peer import Account, Call, Peer

FEW = 100


class Operation(NamedTuple):
    """An operation under load.

    Attributes:
        calls: returns the alternating requests for a server, its accounts and a number that is
            unique to the round.
        least_seconds: minimum duration of a round, for operations with few responses per second.
        target: required ratio to the best peer, 0 for no target.
    """

    name: str
    connections: int
    calls: Callable[[Peer, list[Account], int], list[Call]]
    least_seconds: int = 0
    target: float = 0


def _own(peer: Peer, accounts: list[Account], _turn: int) -> list[Call]:
    return [peer.own(account) for account in accounts]


def _own_of_few(peer: Peer, accounts: list[Account], _turn: int) -> list[Call]:
    return [peer.own(account) for account in accounts[:FEW]]


def _profile(peer: Peer, accounts: list[Account], _turn: int) -> list[Call]:
    """Request the profile of an account far away in the store."""
    others = accounts[len(accounts) // 2 :] + accounts[: len(accounts) // 2]
    return [peer.profile(one, other) for one, other in zip(accounts, others, strict=True)]


def _rename(peer: Peer, accounts: list[Account], turn: int) -> list[Call]:
    """Rename each account to one of two names in turn, so that every request changes something."""
    return [peer.rename(one, name) for name in new_names(turn) for one in accounts]


def _sign_in(peer: Peer, accounts: list[Account], _turn: int) -> list[Call]:
    return [peer.sign_in(account) for account in accounts]


def new_names(turn: int) -> tuple[str, str]:
    """Return the names that the renames of a round use."""
    return f"bench-{turn}-a", f"bench-{turn}-b"


OWN = Operation("own account by token", 32, _own, target=25)
RENAME = Operation("rename, durable", 64, _rename, target=15)
# The renames come last: the others' correct responses depend on the names.
OPERATIONS = (
    OWN,
    Operation(f"own account, {FEW} in turn", 32, _own_of_few),
    Operation("another's profile", 32, _profile),
    Operation("password sign-in", 8, _sign_in, least_seconds=5),
    RENAME,
)
