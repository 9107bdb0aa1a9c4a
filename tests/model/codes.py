"""The expected behaviour of codes (wire.md 4 and 7, security D1, C2, C3, C7)."""

from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

Channel = Literal["sms", "email"]
Owner = TypeVar("Owner")

LIFETIME_SECONDS = 300
MOST_TRIES = 5


class Target(NamedTuple):
    """The recipient of a code, in normal form (wire.md 5)."""

    channel: Channel
    key: str


def target(typed: str) -> Target:
    """Return the target of typed text."""
    if "@" in typed:
        return Target("email", typed.lower())
    return Target("sms", typed.removeprefix("+86"))


def shown(typed: str) -> str:
    """Return the displayed form of a target: an address keeps its local part (security U7)."""
    local, at, domain = typed.rpartition("@")
    return local + at + domain.lower() if at else typed.removeprefix("+86")


@dataclass
class Code(Generic[Owner]):
    """A code; class OWN has an owner, class NEW none (security D1).

    Attributes:
        resets: requested with `forget_password`, so it may only reset.
        text: six digits; "" until it arrives.
    """

    owner: Owner | None
    resets: bool
    ends_at: int
    text: str = ""
    tries: int = 0

    @property
    def is_sent(self) -> bool:
        """Return whether it is sent: not for a reset of a free address (security D1)."""
        return not self.resets or self.owner is not None


class CodeBook(Generic[Owner]):
    """The one live code of each target."""

    def __init__(self) -> None:
        self.live: dict[Target, Code[Owner]] = {}

    def issue(self, to: Target, owner: Owner | None, *, resets: bool, now: int) -> Code[Owner]:
        """Return a new code; invalidate the old one."""
        code = Code(owner, resets, now + LIFETIME_SECONDS)
        self.live[to] = code
        return code

    def guess(self, to: Target, text: str, now: int) -> Code[Owner] | None:
        """Use an attempt; a right code is used up, the fifth attempt is the last (security J5)."""
        code = self.live.get(to)
        if code is None or now >= code.ends_at or code.tries == MOST_TRIES:
            return None
        code.tries += 1
        return self.live.pop(to) if text == code.text else None

    def kill(self, to: Target) -> None:
        """Invalidate the code of a target."""
        self.live.pop(to, None)
