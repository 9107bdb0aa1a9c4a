"""Interface of a peer: a server that can be installed, filled, started and measured."""

from pathlib import Path
from typing import NamedTuple, Protocol

PASSWORD = "old-lake-4-herons-and-a-bridge"  # noqa: S105 - of benchmark accounts only


class Unavailable(Exception):
    """A peer cannot be measured here; the text says why."""


class Account(NamedTuple):
    """An account of a filled store, with a session."""

    id: str
    name: str
    login: str
    token: str


class Call(NamedTuple):
    """A request, and a text that is in every correct response to it and in no other."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    proof: str


class Peer(Protocol):
    """A server under test."""

    @property
    def name(self) -> str:
        """Return its name in the table."""

    @property
    def unequal(self) -> tuple[str, ...]:
        """Return how it differs from the others, one sentence each."""

    def prepare(self, cache: Path) -> str:
        """Install it in the cache unless it is there already; return its versions.

        Raises:
            Unavailable: it cannot be installed or filled.
        """

    def fill(self, folder: Path, count: int) -> list[Account]:
        """Create a store in an empty folder.

        Raises:
            Unavailable: it cannot be filled.
        """

    def command(self, port: int) -> list[str]:
        """Return the command that starts it in a folder with a store."""

    def own(self, caller: Account) -> Call:
        """Request the caller's account."""

    def profile(self, caller: Account, other: Account) -> Call:
        """Request another user's account."""

    def rename(self, caller: Account, name: str) -> Call:
        """Change the caller's name durably."""

    def sign_in(self, account: Account) -> Call:
        """Exchange name and password for a session."""
