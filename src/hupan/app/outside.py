"""What differs between a server and a sandbox: time, chance, senders, and who watches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hupan.chance import Chance, SystemChance
from hupan.clock import Clock, SteadyClock
from hupan.delivery.protocol import Sender
from hupan.domain.captchas import IssuedCaptcha
from hupan.model import Channel


def _ignore(_captcha: IssuedCaptcha) -> None:
    """Nobody watches the captchas of a real server."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The outside world, handed in.

    Attributes:
        clock: tells the time.
        chance: the source of chance for one purpose, each its own so that a seed repeats.
        senders: what carries messages away.
        on_captcha: told of each captcha that is issued.
        steady: the clock again, if it is one that goes on from the store's latest time.
        is_sandbox: whether the store is a sandbox's.
    """

    clock: Clock
    chance: Callable[[str], Chance]
    senders: Mapping[Channel, Sender]
    on_captcha: Callable[[IssuedCaptcha], None] = _ignore
    steady: SteadyClock | None = None
    is_sandbox: bool = False

    def in_process(self, number: int) -> "Outside":
        """The same for one process: a seed repeats itself in the same process of a new store.

        In the next process of a store that was kept it goes on with other numbers.
        """
        return replace(self, chance=lambda purpose: self.chance(f"{number}/{purpose}"))


def real_outside(senders: Mapping[Channel, Sender]) -> Outside:
    """The outside of `hupan serve`."""
    clock = SteadyClock()
    return Outside(clock, lambda _purpose: SystemChance(), senders, steady=clock)
