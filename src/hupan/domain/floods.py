"""Counts what comes in floods: in memory, of fixed size, without a write (security C6, C10, E4).

A key counts in two of the slots, found by a hash that nobody outside can foretell, and only the
lower of the two grows. So a count is never too low: whoever comes under a thousand keys pushes no
key out and starts none over. It may be too high where a key shares both slots with others, which
takes about as many keys in one window as there are slots. Windows are the clock's: an hour begins
with the hour. Each process counts what it answers itself.
"""

import asyncio
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from hupan.clock import Clock
from hupan.domain.origins import Origin
from hupan.model import AccountId, Limit

SLOTS = 2**18
_MASK = SLOTS - 1
_MOST_IN_TWO_BYTES = 2**16
MAX_SECONDS_TO_WAIT = 2.0
MAX_WAITING = 256
"""Requests of one key that wait for others of it to end."""


class _Window:
    """One limit and the counts of its window; the memory is taken with the first event."""

    __slots__ = ("begins", "ends", "limit", "most", "slots")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.most = limit.most
        self.begins = self.ends = 0
        self.slots = array("H" if limit.most < _MOST_IN_TWO_BYTES else "I")

    def turn(self, now: int) -> "array[int]":
        """Begins the window of a time, unless it is that; gives its slots."""
        if not self.begins <= now < self.ends:
            self.begins = now - now % self.limit.window_seconds
            self.ends = self.begins + self.limit.window_seconds
            self.slots = array(self.slots.typecode, bytes(SLOTS * self.slots.itemsize))
        return self.slots


class Flood:
    """The limits of one kind of event in one process; used on the event loop alone."""

    __slots__ = ("_windows",)

    def __init__(self, *limits: Limit) -> None:
        self._windows = tuple(map(_Window, limits))

    def take(self, key: str, now: int) -> Limit | None:
        """Counts one event of a key; gives the limit that was reached, which does not count it.

        On the way of every look at a user, so it calls nothing that it can do itself.
        """
        mixed = hash(key)
        one = mixed & _MASK
        other = one ^ (mixed >> 24 & _MASK | 1)
        for window in self._windows:
            slots = window.slots if window.begins <= now < window.ends else window.turn(now)
            first, second = slots[one], slots[other]
            if first >= window.most <= second:
                return window.limit
            if first <= second:
                slots[one] = first + 1
            if second <= first:
                slots[other] = second + 1
        return None

    def count(self, key: str, now: int) -> int:
        """How many events of a key were counted, in the fullest of the windows."""
        one, other = _places(key)
        counted = [window.turn(now) for window in self._windows]
        return max(min(slots[one], slots[other]) for slots in counted)

    def forget(self, key: str, now: int) -> None:
        """Takes back all events of a key; others that share a slot with it may gain by it."""
        for window in self._windows:
            slots = window.turn(now)
            for place in _places(key):
                slots[place] = 0

    def forget_everything(self) -> None:
        """Takes back all events of every key."""
        self._windows = tuple(_Window(window.limit) for window in self._windows)


class Held:
    """A limit on what is known only when a request has ended, such as a wrong try.

    While a request is under way it counts as if it would be one, so parallel ones pass no limit.
    Where only those under way fill the limit, the next one waits for one of them to end: right
    secrets that come together are no wrong ones (decision 27).
    """

    def __init__(self, limit: Limit, max_seconds: float = MAX_SECONDS_TO_WAIT) -> None:
        self.limit = limit
        self.flood = Flood(limit)
        self._max_seconds = max_seconds
        self._under_way: dict[str, int] = {}
        self._waiting: dict[str, list[asyncio.Future[bool]]] = {}

    async def admit(self, key: str, clock: Clock) -> bool:
        """Lets a request in as soon as it may be; False when the limit is reached."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._max_seconds
        while not self.enter(key, int(clock.now())):
            is_full = self.flood.count(key, int(clock.now())) >= self.limit.most
            waiting = self._waiting.get(key, [])
            if is_full or len(waiting) >= MAX_WAITING or loop.time() >= ends_at:
                return False
            one: asyncio.Future[bool] = loop.create_future()
            self._waiting.setdefault(key, waiting).append(one)
            timer = loop.call_at(ends_at, _wake, one)
            try:
                await one
            finally:
                timer.cancel()
        return True

    def enter(self, key: str, now: int) -> bool:
        """Lets a request in; False when the limit would be passed if all under way counted."""
        under_way = self._under_way.get(key, 0)
        if self.flood.count(key, now) + under_way >= self.limit.most:
            return False
        self._under_way[key] = under_way + 1
        return True

    def leave(self, key: str, now: int, *, counts: bool) -> None:
        """Says that a request which was let in has ended, and whether it counts."""
        under_way = self._under_way.pop(key) - 1
        if under_way:
            self._under_way[key] = under_way
        if counts:
            self.flood.take(key, now)
        for one in self._waiting.pop(key, ()):  # each looks again; the first of them enter
            _wake(one)


@dataclass(frozen=True, slots=True)
class Floods:
    """The limits of one process that are counted in memory; one that is off is not there.

    Attributes:
        wrong_tries: of a host, whatever it tried at.
        subnet_wrong_tries: of a /56 of IPv6.
        site_wrong_tries: of a /48 of IPv6.
        block_wrong_tries: of a /24 of IPv4.
        sends: of a host.
        network_sends: of the network around it.
        captchas: of a host.
        network_captchas: of the network around it.
        views: looks at users, of a block of addresses.
        site_views: looks at users, of a /48 of IPv6.
        account_views: likewise of an account, so that a new sign-in starts nothing over.
        invitation_codes: changes of invitation codes, of a host.
        account_invitation_codes: likewise of an account.
    """

    wrong_tries: tuple[Held, ...] = ()
    sends: tuple[Held, ...] = ()
    network_sends: tuple[Held, ...] = ()
    captchas: Flood = field(default_factory=Flood)
    views: Flood = field(default_factory=Flood)
    account_views: Flood = field(default_factory=Flood)
    subnet_wrong_tries: tuple[Held, ...] = ()
    site_wrong_tries: tuple[Held, ...] = ()
    block_wrong_tries: tuple[Held, ...] = ()
    network_captchas: Flood = field(default_factory=Flood)
    site_views: Flood = field(default_factory=Flood)
    invitation_codes: Flood = field(default_factory=Flood)
    account_invitation_codes: Flood = field(default_factory=Flood)

    def forget_account(self, account: AccountId, now: int) -> None:
        """Takes back what an account did."""
        for flood in self._of_accounts():
            flood.forget(account_key(account), now)

    def forget_origin(self, origin: Origin, now: int) -> None:
        """Takes back what came from an address, and from the networks around it."""
        for flood, key in self._of(origin):
            flood.forget(key, now)

    def forget_everything(self) -> None:
        """Takes back everything, for a sandbox that starts over."""
        for flood, _ in self._of(Origin(None)):
            flood.forget_everything()
        for flood in self._of_accounts():
            flood.forget_everything()

    def _of_accounts(self) -> tuple[Flood, ...]:
        return self.account_views, self.account_invitation_codes

    def _of(self, origin: Origin) -> Iterator[tuple[Flood, str]]:
        for helds, key in (
            (self.wrong_tries, origin.host),
            (self.sends, origin.host),
            (self.network_sends, origin.network),
            (self.subnet_wrong_tries, origin.subnet),
            (self.site_wrong_tries, origin.site),
            (self.block_wrong_tries, origin.neighbours),
        ):
            for held in helds:
                yield held.flood, key
        yield self.captchas, origin.host
        yield self.network_captchas, origin.network
        yield self.views, origin.block
        yield self.site_views, origin.site
        yield self.invitation_codes, origin.host


def _wake(one: "asyncio.Future[bool]") -> None:
    if not one.done():
        one.set_result(True)


def account_key(account: AccountId) -> str:
    """What an account is counted under: a text, for nobody can foretell the hash of one."""
    return str(account)


def _places(key: str) -> tuple[int, int]:
    """Two different slots."""
    mixed = hash(key)
    one = mixed & _MASK
    return one, one ^ (mixed >> 24 & _MASK | 1)
