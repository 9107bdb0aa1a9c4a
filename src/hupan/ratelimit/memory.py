"""Counters in memory, of fixed size and without writes to the store (security C6, C10, E4).

A key has two slots, chosen by a hash that clients cannot predict, and only the lower one is
incremented. So a count is never too low: a client that uses a thousand keys neither evicts nor
resets any. It can be too high where a key shares both slots with others, which takes about as many
keys in one window as there are slots. Windows are aligned to the clock: an hour begins at minute 0.
Each process counts its own requests.
"""

import asyncio
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal, TypeAlias

from hupan.addresses import ClientOrigin
from hupan.clock import Clock
from hupan.model import AccountId, Limit

SLOTS = 2**18
_MASK = SLOTS - 1
_TWO_BYTE_END = 2**16
MAX_WAIT_SECONDS = 2.0
MAX_WAITING = 256
"""Maximum requests of one key that wait for its other requests to end."""


class _Window:
    """One limit and the counts of its window; memory is allocated at the first event."""

    __slots__ = ("begins", "ends", "limit", "max_events", "slots")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.max_events = limit.max_events
        self.begins = self.ends = 0
        self.slots = array("H" if limit.max_events < _TWO_BYTE_END else "I")

    def slots_at(self, now: int) -> "array[int]":
        """Return the slots of the window of a time, which begins where it is another one."""
        if not self.begins <= now < self.ends:
            self.begins = now - now % self.limit.window_seconds
            self.ends = self.begins + self.limit.window_seconds
            self.slots = array(self.slots.typecode, bytes(SLOTS * self.slots.itemsize))
        return self.slots


class WindowCounter:
    """In-memory limits of one kind of event. Not thread-safe: use from the event loop only."""

    __slots__ = ("_windows",)

    def __init__(self, *limits: Limit) -> None:
        self._windows = tuple(map(_Window, limits))

    def take(self, key: str, now: int) -> Limit | None:
        """Count one event of a key; return the limit that was reached, which does not count it.

        It runs for every profile view, so its code is inlined.
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
        """Return the count of a key in the fullest window."""
        one, other = _slots_of(key)
        counted = [window.slots_at(now) for window in self._windows]
        return max(min(slots[one], slots[other]) for slots in counted)

    def reset(self, key: str, now: int) -> None:
        """Forget all events of a key; keys that share a slot with it may gain by it."""
        for window in self._windows:
            slots = window.slots_at(now)
            for index in _slots_of(key):
                slots[index] = 0

    def reset_all(self) -> None:
        """Forget all events."""
        self._windows = tuple(_Window(window.limit) for window in self._windows)


class InFlightLimit:
    """A limit on outcomes of requests, such as wrong attempts.

    A request in flight counts as an event until it ends, so parallel requests cannot exceed the
    limit. Where requests in flight alone fill it, the next one waits until one of them ends:
    right secrets that arrive together are not wrong ones (decision 27).
    """

    def __init__(self, limit: Limit, max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        self.limit = limit
        self.counter = WindowCounter(limit)
        self._max_wait_seconds = max_wait_seconds
        self._in_flight: dict[str, int] = {}
        self._waiting: dict[str, list[asyncio.Future[bool]]] = {}

    async def admit(self, key: str, clock: Clock) -> bool:
        """Admit a request, after a wait if necessary; return False when the limit is reached."""
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
        """Admit a request; return False when it could exceed the limit with those in flight."""
        in_flight = self._in_flight.get(key, 0)
        if self.counter.count(key, now) + in_flight >= self.limit.max_events:
            return False
        self._in_flight[key] = in_flight + 1
        return True

    def leave(self, key: str, now: int, *, is_counted: bool) -> None:
        """End an admitted request."""
        in_flight = self._in_flight.pop(key) - 1
        if in_flight:
            self._in_flight[key] = in_flight
        if is_counted:
            self.counter.take(key, now)
        for waiter in self._waiting.pop(key, ()):  # each tries again; the first ones enter
            _wake_waiter(waiter)


OriginKind: TypeAlias = Literal["host", "block", "network", "subnet", "site", "ipv4_block"]
"""The networks around an address that are counted; see `ClientOrigin`."""
OriginKey: TypeAlias = Callable[[ClientOrigin], str]
_NO_ADDRESS = "no address"
"""The one key of all requests whose socket has no address."""
ORIGIN_KEYS: Mapping[OriginKind, OriginKey] = {
    "host": lambda origin: origin.host or _NO_ADDRESS,
    "block": lambda origin: origin.block or _NO_ADDRESS,
    "network": lambda origin: origin.network or _NO_ADDRESS,
    "subnet": attrgetter("subnet"),
    "site": attrgetter("site"),
    "ipv4_block": attrgetter("ipv4_block"),
}
"""Return the key under which an origin is counted, "" where the limit does not apply to it."""


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """The limits of one process that are counted in memory; without any, nothing is limited.

    Each is found by what it limits, such as `captchas` (`LimitDefinition.event`).

    Attributes:
        by_origin: counters of requests, by what they limit and by the network they count.
        by_account: counters of requests of accounts, so that a new login does not reset them.
        by_outcome: limits on outcomes of requests, each with the network it counts.
    """

    by_origin: Sequence[tuple[str, OriginKind, WindowCounter]] = ()
    by_account: Mapping[str, WindowCounter] = field(default_factory=dict)
    by_outcome: Mapping[str, Sequence[tuple[OriginKind, InFlightLimit]]] = field(
        default_factory=dict
    )

    def reset_account(self, account: AccountId, now: int) -> None:
        for counter in self.by_account.values():
            counter.reset(account_key(account), now)

    def reset_origin(self, origin: ClientOrigin, now: int) -> None:
        """Forget the events of an address and of the networks around it."""
        for kind, counter in self._origin_counters():
            if key := ORIGIN_KEYS[kind](origin):
                counter.reset(key, now)

    def reset_all(self) -> None:
        """Forget all events, for a sandbox that starts over."""
        for _, counter in self._origin_counters():
            counter.reset_all()
        for counter in self.by_account.values():
            counter.reset_all()

    def _origin_counters(self) -> Iterator[tuple[OriginKind, WindowCounter]]:
        for _, kind, counter in self.by_origin:
            yield kind, counter
        for limits in self.by_outcome.values():
            for kind, limit in limits:
                yield kind, limit.counter


def _wake_waiter(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(True)


def account_key(account: AccountId) -> str:
    """Return the counter key of an account: text, because its hash is unpredictable."""
    return str(account)


def _slots_of(key: str) -> tuple[int, int]:
    mixed = hash(key)
    one = mixed & _MASK
    return one, one ^ (mixed >> 24 & _MASK | 1)
