"""What is measured: the same five operations of every server."""

from collections.abc import Callable
from typing import NamedTuple

from bench.peers.peer import Account, Call, Peer

FEW = 100


class Operation(NamedTuple):
    """An operation under load.

    Attributes:
        calls: the requests that take turns, made of a server, its accounts and a number that no
            other round has.
        least_seconds: how long a round is at least, where few answers come in a second.
        target: how many times the best peer Hupan is to do, 0 for no target.
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
    """Of somebody far away in the store."""
    others = accounts[len(accounts) // 2 :] + accounts[: len(accounts) // 2]
    return [peer.profile(one, other) for one, other in zip(accounts, others, strict=True)]


def _rename(peer: Peer, accounts: list[Account], turn: int) -> list[Call]:
    """Each account by turns to one of two names, so that every request changes something."""
    return [peer.rename(one, name) for name in new_names(turn) for one in accounts]


def _sign_in(peer: Peer, accounts: list[Account], _turn: int) -> list[Call]:
    return [peer.sign_in(account) for account in accounts]


def new_names(turn: int) -> tuple[str, str]:
    """The names that the renames of a round give."""
    return f"bench-{turn}-a", f"bench-{turn}-b"


OWN = Operation("own account by token", 32, _own, target=25)
RENAME = Operation("rename, durable", 64, _rename, target=15)
# The renames come last: what is right in the others' answers depends on the names.
OPERATIONS = (
    OWN,
    Operation(f"own account, {FEW} in turn", 32, _own_of_few),
    Operation("another's profile", 32, _profile),
    Operation("password sign-in", 8, _sign_in, least_seconds=5),
    RENAME,
)
