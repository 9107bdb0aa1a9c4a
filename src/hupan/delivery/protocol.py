"""What the courier may expect of whatever carries a message out of the server."""

from typing import Protocol

from hupan.delivery.message import Message


class NotSent(Exception):  # noqa: N818  the name is the fact the courier acts on
    """The message has surely not left.

    Attributes:
        reason: Fit for a log: never the code, the text, a password or the full target.
        again: Whether a later try may work.
    """

    def __init__(self, reason: str, again: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again


class OutcomeUnknown(Exception):  # noqa: N818  the name is the fact the courier acts on
    """The message may have left; a second try might send it twice.

    Attributes:
        reason: Fit for a log: never the code, the text, a password or the full target.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Sender(Protocol):
    """Carries messages out, one call each; calls may run side by side."""

    async def send(self, message: Message) -> None:
        """Hand the message over; returning means it was accepted.

        A call that is cancelled may or may not have sent, like `OutcomeUnknown`.

        Raises:
            NotSent: It has surely not left.
            OutcomeUnknown: It may have left.
        """

    async def close(self) -> None:
        """Let go of everything held; `send` must not be called afterwards."""
