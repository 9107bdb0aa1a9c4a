"""What the listener reports to an app about requests that it refused by itself."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Rejection:
    """A request that the listener refused before the app had the whole of it.

    Attributes:
        method: "" if even that could not be read.
        target: as it was sent.
        headers: as far as they were read.
        data: what was read last, if it broke the parser.
        peer: the address of the client.
        response: what the client gets.
        scope: the scope of a request that the app has already, whose body was broken.
    """

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    data: bytes
    peer: str
    response: bytes
    scope: MutableMapping[str, Any] | None


@runtime_checkable
class RejectionObserver(Protocol):
    """An app that wants to know of rejections; that of `hupan serve` does not."""

    def record_rejection(self, rejection: Rejection) -> None:
        """Record a request that was refused."""
        ...
