"""What a peer is: a server that is installed, filled, started and asked the same questions."""

from pathlib import Path
from typing import NamedTuple, Protocol

PASSWORD = "old-lake-4-herons-and-a-bridge"  # noqa: S105 - of accounts that exist in benches alone


class Unavailable(Exception):
    """A peer cannot be measured here; the text says why."""


class Account(NamedTuple):
    """An account of a filled store, with a session."""

    id: str
    name: str
    login: str
    token: str


class Call(NamedTuple):
    """A request, and what stands in every right answer to it and in no other."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    proof: str


class Peer(Protocol):
    """A server under test."""

    @property
    def name(self) -> str:
        """How it stands in the table."""

    @property
    def unequal(self) -> tuple[str, ...]:
        """What about it is not equal to the others, a sentence each."""

    def prepare(self, cache: Path) -> str:
        """Installs it below the cache unless it is there already; gives its versions.

        Raises:
            Unavailable: it cannot be installed or filled.
        """

    def fill(self, folder: Path, count: int) -> list[Account]:
        """Makes a store in an empty folder.

        Raises:
            Unavailable: likewise.
        """

    def command(self, port: int) -> list[str]:
        """How it is started, within a folder with a store."""

    def own(self, caller: Account) -> Call:
        """One's own account by token."""

    def profile(self, caller: Account, other: Account) -> Call:
        """Somebody else's account."""

    def rename(self, caller: Account, name: str) -> Call:
        """Another name for oneself, kept when it is answered."""

    def sign_in(self, account: Account) -> Call:
        """A session for name and password."""
