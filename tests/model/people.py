"""Accounts and their sessions, as visible on the wire."""

from dataclasses import dataclass, field
from typing import Literal

from tests.model.codes import Channel
from tests.model.coins import CoinModel

DAY = 86_400
IDLE_DAYS = 30
ABSOLUTE_SECONDS = 180 * DAY
SHANGHAI_SECONDS = 8 * 3600


def day_of(now: int) -> int:
    """Return the day in the server's zone."""
    return (now + SHANGHAI_SECONDS) // DAY


@dataclass(eq=False)
class Person:
    """An account.

    Attributes:
        id: "" until the server returned it.
        bound: number and address in their displayed form.
        doubted_until: end of the undo period of a contact bound without proof.
        password: "" until one is set.
        erase_at: time of the erasure, 0 unless cancelled.
    """

    id: str = ""
    name: str = ""
    is_renamed: bool = False
    bound: dict[Channel, str] = field(default_factory=dict)
    doubted_until: dict[Channel, int] = field(default_factory=dict)
    password: str = ""
    banned_until: int = 0
    erase_at: int = 0
    is_erased: bool = False
    coins: CoinModel = field(default_factory=CoinModel)


@dataclass(eq=False)
class Visit:
    """A session.

    Attributes:
        used_day: of its last request.
        proofs: end of each proof of a bound contact (security D2).
        ending: cause of the end, "" while it lives; only `left` may sign out again (T5).
    """

    token: str
    person: Person
    device: str
    signed_in_at: int
    used_day: int
    proofs: dict[Channel, int] = field(default_factory=dict)
    ending: Literal["", "left", "ended"] = ""
    left_at: int = 0

    def is_alive(self, now: int) -> bool:
        """Return whether the session may be used (security T4)."""
        is_over = now >= self.signed_in_at + ABSOLUTE_SECONDS or self.idle_days(now) >= IDLE_DAYS
        return not self.ending and not is_over

    def idle_days(self, now: int) -> int:
        """Return the days since its last use."""
        return day_of(now) - self.used_day
