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

from hupan.addresses import ClientOrigin
from hupan.clock import Clock
from hupan.model import AccountId, Limit

SLOTS = 2**18
_MASK = SLOTS - 1
_TWO_BYTE_END = 2**16
MAX_WAIT_SECONDS = 2.0
MAX_WAITING = 256
"""Requests of one key that wait for others of it to end."""


class _Window:
    """One limit and the counts of its window; the memory is taken with the first event."""

    __slots__ = ("begins", "ends", "limit", "max_events", "slots")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.max_events = limit.max_events
        self.begins = self.ends = 0
        self.slots = array("H" if limit.max_events < _TWO_BYTE_END else "I")

    def slots_at(self, now: int) -> "array[int]":
        """Begins the window of a time, unless it is that; gives its slots."""
        if not self.begins <= now < self.ends:
            self.begins = now - now % self.limit.window_seconds
            self.ends = self.begins + self.limit.window_seconds
            self.slots = array(self.slots.typecode, bytes(SLOTS * self.slots.itemsize))
        return self.slots


class WindowCounter:
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
            slots = window.slots if window.begins <= now < window.ends else window.slots_at(now)
            first, second = slots[one], slots[other]
            if first >= window.max_events <= second:
                return window.limit
            if first <= second:
                slots[one] = first + 1
            if second <= first:
                slots[other] = second + 1
        return None

    def count(self, key: str, now: int) -> int:
        """How many events of a key were counted, in the fullest of the windows."""
        one, other = _slots_of(key)
        counted = [window.slots_at(now) for window in self._windows]
        return max(min(slots[one], slots[other]) for slots in counted)

    def reset(self, key: str, now: int) -> None:
        """Takes back all events of a key; others that share a slot with it may gain by it."""
        for window in self._windows:
            slots = window.slots_at(now)
            for place in _slots_of(key):
                slots[place] = 0

    def reset_all(self) -> None:
        """Takes back all events of every key."""
        self._windows = tuple(_Window(window.limit) for window in self._windows)


class InFlightLimit:
    """A limit on what is known only when a request has ended, such as a wrong try.

    While a request is under way it counts as if it would be one, so parallel ones pass no limit.
    Where only those under way fill the limit, the next one waits for one of them to end: right
    secrets that come together are no wrong ones (decision 27).
    """

    def __init__(self, limit: Limit, max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        self.limit = limit
        self.counter = WindowCounter(limit)
        self._max_wait_seconds = max_wait_seconds
        self._in_flight: dict[str, int] = {}
        self._waiting: dict[str, list[asyncio.Future[bool]]] = {}

    async def admit(self, key: str, clock: Clock) -> bool:
        """Lets a request in as soon as it may be; False when the limit is reached."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._max_wait_seconds
        while not self.try_enter(key, int(clock.now())):
            is_full = self.counter.count(key, int(clock.now())) >= self.limit.max_events
            waiting = self._waiting.get(key, [])
            if is_full or len(waiting) >= MAX_WAITING or loop.time() >= ends_at:
                return False
            waiter: asyncio.Future[bool] = loop.create_future()
            self._waiting.setdefault(key, waiting).append(waiter)
            timer = loop.call_at(ends_at, _wake_waiter, waiter)
            try:
                await waiter
            finally:
                timer.cancel()
        return True

    def try_enter(self, key: str, now: int) -> bool:
        """Lets a request in; False when the limit would be passed if all under way counted."""
        in_flight = self._in_flight.get(key, 0)
        if self.counter.count(key, now) + in_flight >= self.limit.max_events:
            return False
        self._in_flight[key] = in_flight + 1
        return True

    def leave(self, key: str, now: int, *, is_counted: bool) -> None:
        """Says that a request which was let in has ended, and whether it counts."""
        in_flight = self._in_flight.pop(key) - 1
        if in_flight:
            self._in_flight[key] = in_flight
        if is_counted:
            self.counter.take(key, now)
        for waiter in self._waiting.pop(key, ()):  # each looks again; the first of them enter
            _wake_waiter(waiter)


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """The limits of one process that are counted in memory; one that is off is not there.

    Attributes:
        wrong_attempts: of a host, whatever it tried at.
        subnet_wrong_attempts: of a /56 of IPv6.
        site_wrong_attempts: of a /48 of IPv6.
        block_wrong_attempts: of a /24 of IPv4.
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

    wrong_attempts: tuple[InFlightLimit, ...] = ()
    sends: tuple[InFlightLimit, ...] = ()
    network_sends: tuple[InFlightLimit, ...] = ()
    captchas: WindowCounter = field(default_factory=WindowCounter)
    views: WindowCounter = field(default_factory=WindowCounter)
    account_views: WindowCounter = field(default_factory=WindowCounter)
    subnet_wrong_attempts: tuple[InFlightLimit, ...] = ()
    site_wrong_attempts: tuple[InFlightLimit, ...] = ()
    block_wrong_attempts: tuple[InFlightLimit, ...] = ()
    network_captchas: WindowCounter = field(default_factory=WindowCounter)
    site_views: WindowCounter = field(default_factory=WindowCounter)
    invitation_codes: WindowCounter = field(default_factory=WindowCounter)
    account_invitation_codes: WindowCounter = field(default_factory=WindowCounter)

    def reset_account(self, account: AccountId, now: int) -> None:
        """Takes back what an account did."""
        for flood in self._account_counters():
            flood.reset(account_key(account), now)

    def reset_origin(self, origin: ClientOrigin, now: int) -> None:
        """Takes back what came from an address, and from the networks around it."""
        for flood, key in self._origin_counters(origin):
            flood.reset(key, now)

    def reset_all(self) -> None:
        """Takes back everything, for a sandbox that starts over."""
        for flood, _ in self._origin_counters(ClientOrigin(None)):
            flood.reset_all()
        for flood in self._account_counters():
            flood.reset_all()

    def _account_counters(self) -> tuple[WindowCounter, ...]:
        return self.account_views, self.account_invitation_codes

    def _origin_counters(self, origin: ClientOrigin) -> Iterator[tuple[WindowCounter, str]]:
        for helds, key in (
            (self.wrong_attempts, origin.host),
            (self.sends, origin.host),
            (self.network_sends, origin.network),
            (self.subnet_wrong_attempts, origin.subnet),
            (self.site_wrong_attempts, origin.site),
            (self.block_wrong_attempts, origin.ipv4_block),
        ):
            for held in helds:
                yield held.counter, key
        yield self.captchas, origin.host
        yield self.network_captchas, origin.network
        yield self.views, origin.block
        yield self.site_views, origin.site
        yield self.invitation_codes, origin.host


def _wake_waiter(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(True)


def account_key(account: AccountId) -> str:
    """What an account is counted under: a text, for nobody can foretell the hash of one."""
    return str(account)


def _slots_of(key: str) -> tuple[int, int]:
    """Two different slots."""
    mixed = hash(key)
    one = mixed & _MASK
    return one, one ^ (mixed >> 24 & _MASK | 1)
