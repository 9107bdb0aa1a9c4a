"""Counters in memory, of fixed size and without writes to the store (security C6, C10, E4).

A key has two slots, chosen by a hash that clients cannot predict, and only the lower one is
incremented. So a count is never too low: a client that uses a thousand keys neither evicts nor
resets any. It can be too high if a key shares both slots with others, which takes about as many
keys in one window as there are slots. Windows are aligned to the clock: an hour begins at minute 0.
Each process counts its own requests.
"""

import asyncio
import logging
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from types import TracebackType
from typing import Literal, TypeAlias

from hupan.addresses import ClientOrigin, ClientResolver, format_log_fields
from hupan.clock import Clock
from hupan.errors import (
    TooManyFromHere,
    TooManyTries,
    WrongCaptcha,
    WrongClientSecret,
    WrongCode,
    WrongEmailOrPassword,
)
from hupan.metrics import IncrementMetric
from hupan.model import AccountId, Caller, Limit, RequestContext, Viewer

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
        """Return the slots of the window of a time; clear them if that is a new window."""
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
"""Return the key under which an origin is counted, "" if the limit does not apply to it."""


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


REPEAT_SECONDS = 600
"""A continuing alarm is logged every ten minutes; the metric counts every occurrence."""
_log = logging.getLogger("hupan.alarm")


class Alarms:
    """Raises the alarms of one process."""

    def __init__(self, count: IncrementMetric, clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._logged_at: dict[str, float] = {}

    def raise_alarm(self, alarm: str, **facts: str | int) -> None:
        """Count an alarm, and log it unless it was logged a short time ago.

        Args:
            alarm: its name, a constant of the program.
            facts: the fields of the log line: numbers and names, nothing from a request.
        """
        self._count("alarms", alarm)
        now = self._clock.now()
        if 0 <= now - self._logged_at.get(alarm, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return
        self._logged_at[alarm] = now
        _log.warning(
            format_log_fields({"alarm": alarm} | {name: str(fact) for name, fact in facts.items()})
        )


ATTEMPT_WINDOW = 1000
"""The number of last attempts that are evaluated."""
MIN_CODES_PER_HOUR = 50
"""With fewer codes in an hour, their share is not significant."""
_HOUR_SECONDS = 3600
_PERCENT = 100


class AttackDetector:
    """Evaluates the attempts and the codes of one process; 0 percent turns an alarm off.

    Args:
        wrong_percent: more wrong ones among the last attempts raise `wrong-tries`.
        used_percent: fewer used ones among the codes of an hour raise `unused-codes`.
    """

    def __init__(
        self, alarms: Alarms, clock: Clock, *, wrong_percent: int, used_percent: int
    ) -> None:
        self._alarms = alarms
        self._clock = clock
        self._wrong_percent = wrong_percent
        self._used_percent = used_percent
        self._recent = array("B", bytes(ATTEMPT_WINDOW))
        self._attempts = 0
        self._wrong_attempts = 0
        self._hour = 0
        self._requested_codes = 0
        self._used_codes = 0

    def record_attempt(self, *, is_wrong: bool) -> None:
        """Record a guess at a code or a password."""
        index = self._attempts % ATTEMPT_WINDOW
        self._wrong_attempts += is_wrong - self._recent[index]
        self._recent[index] = is_wrong
        self._attempts += 1
        is_many = self._wrong_attempts * _PERCENT > self._wrong_percent * ATTEMPT_WINDOW
        if self._wrong_percent and self._attempts >= ATTEMPT_WINDOW and is_many:
            self._alarms.raise_alarm(
                "wrong-tries", wrong=self._wrong_attempts, tries=ATTEMPT_WINDOW
            )

    def record_code_request(self) -> None:
        """Record a requested code."""
        self._check_hour()
        self._requested_codes += 1

    def record_code_use(self) -> None:
        """Record a used code."""
        self._check_hour()
        self._used_codes += 1

    async def check_hour(self) -> None:
        """Evaluate a past hour, even when no request comes in the next one."""
        self._check_hour()

    def _check_hour(self) -> None:
        hour = int(self._clock.now()) // _HOUR_SECONDS
        if hour == self._hour:
            return
        requested, used = self._requested_codes, self._used_codes
        self._hour, self._requested_codes, self._used_codes = hour, 0, 0
        is_few = used * _PERCENT < self._used_percent * requested
        if requested >= MIN_CODES_PER_HOUR and is_few:
            self._alarms.raise_alarm("unused-codes", asked=requested, used=used)


class RateLimitContext:
    """What all limiters share.

    Args:
        client_resolver: resolves the client's address (security I10).
        clock: determines the window.
        alarms: is raised when the limited address cannot be a client's.
        count: counts the refusals.
    """

    def __init__(
        self, client_resolver: ClientResolver, clock: Clock, alarms: Alarms, count: IncrementMetric
    ) -> None:
        self.resolve_origin = client_resolver.resolve_origin
        self.clock = clock
        self._alarms = alarms
        self._count = count

    def now(self) -> int:
        """Return the time in unix seconds."""
        return int(self.clock.now())

    def address_refusal(self, reached: Limit, origin: ClientOrigin) -> TooManyFromHere:
        """Count and return the refusal of an address; a loopback one is usually a proxy's."""
        self._count("limit_refusals", reached.name)
        if origin.address is not None and origin.address.is_loopback:
            self._alarms.raise_alarm("loopback-limited", limit=reached.name, see="trusted_proxies")
        return TooManyFromHere()

    def account_refusal(self, reached: Limit) -> TooManyTries:
        """Count and return the refusal of an account."""
        self._count("limit_refusals", reached.name)
        return TooManyTries()


class RequestLimiter:
    """Counts each request of some endpoints: by its address, then by the caller's account.

    Args:
        limit_context: what all limiters share.
        by_origin: the counters of addresses and networks, each with its key.
        by_account: the counter of accounts.
    """

    def __init__(
        self,
        limit_context: RateLimitContext,
        by_origin: Collection[tuple[OriginKey, WindowCounter]],
        by_account: WindowCounter,
    ) -> None:
        self._limit_context = limit_context
        self._by_origin = tuple(by_origin)
        self._by_account = by_account

    def check_origin(self, context: RequestContext) -> int:
        """Count a request under its address; return its time.

        Raises:
            TooManyFromHere
        """
        origin, now = self._limit_context.resolve_origin(context), self._limit_context.now()
        for key_of, counter in self._by_origin:
            key = key_of(origin)
            reached = counter.take(key, now) if key else None
            if reached is not None:
                raise self._limit_context.address_refusal(reached, origin)
        return now

    def check_account(self, principal: RequestContext | Caller | Viewer | None, now: int) -> None:
        """Count a request under the caller's account, once that is known.

        Raises:
            TooManyTries
        """
        if principal is None or isinstance(principal, RequestContext):
            return
        account = principal.id if isinstance(principal, Viewer) else principal.account.id
        reached = self._by_account.take(account_key(account), now)
        if reached is not None:
            raise self._limit_context.account_refusal(reached)


AttemptOutcome: TypeAlias = BaseException | None
AttemptRule: TypeAlias = tuple[InFlightLimit, OriginKey, Callable[[AttemptOutcome], bool]]
WRONG_SECRET_ERRORS = (WrongCaptcha, WrongCode, WrongEmailOrPassword, WrongClientSecret)


class AttemptLimiter:
    """Counts requests of an endpoint by their outcome: failed attempts, sent messages.

    Args:
        limit_context: what all limiters share.
        limits: the limits.
        detector: is notified of attempts and codes.
        secrets: what the endpoint takes.
        sends: whether it sends a message on success.
    """

    def __init__(
        self,
        limit_context: RateLimitContext,
        limits: MemoryLimits,
        detector: AttackDetector,
        secrets: Collection[str],
        *,
        sends: bool,
    ) -> None:
        self._limit_context = limit_context
        self._detector = detector
        self._rules = [
            *_rules(limits, "wrong_attempts", _is_wrong),
            *(_rules(limits, "sent_codes", _is_success) if sends else ()),
        ]
        self._sends = sends
        self._takes_code = "code" in secrets
        self._takes_guess = self._takes_code or "password" in secrets

    async def admit(self, context: RequestContext) -> ClientOrigin:
        """Admit a request; return its origin.

        Raises:
            TooManyFromHere
        """
        origin = self._limit_context.resolve_origin(context)
        acquired: list[tuple[InFlightLimit, str]] = []
        reached: Limit | None = None
        is_admitted = False
        try:
            for in_flight_limit, key, _ in self._rules_for(origin):
                if not await in_flight_limit.admit(key, self._limit_context.clock):
                    reached = in_flight_limit.limit
                    break
                acquired.append((in_flight_limit, key))
            is_admitted = reached is None
        finally:  # refused, or the client disconnected while it waited
            for in_flight_limit, key in acquired if not is_admitted else ():
                in_flight_limit.leave(key, self._limit_context.now(), is_counted=False)
        if reached is not None:
            raise self._limit_context.address_refusal(reached, origin)
        return origin

    def release(self, origin: ClientOrigin, outcome: AttemptOutcome) -> None:
        """Count an admitted request by its outcome."""
        now = self._limit_context.now()
        for in_flight_limit, key, should_count in self._rules_for(origin):
            in_flight_limit.leave(key, now, is_counted=should_count(outcome))
        self._notify_detector(outcome)

    def _rules_for(
        self, origin: ClientOrigin
    ) -> Iterator[tuple[InFlightLimit, str, Callable[[AttemptOutcome], bool]]]:
        """Return the limits that apply to an origin, with its key in each."""
        for in_flight_limit, key_of, should_count in self._rules:
            key = key_of(origin)
            if key:
                yield in_flight_limit, key, should_count

    def _notify_detector(self, outcome: AttemptOutcome) -> None:
        detector = self._detector
        if self._takes_guess and (outcome is None or _is_wrong(outcome)):
            detector.record_attempt(is_wrong=outcome is not None)
        if outcome is None and self._sends:
            detector.record_code_request()
        if outcome is None and self._takes_code:
            detector.record_code_use()


class Attempt:
    """Context manager of one request that an `AttemptLimiter` counts; None counts nothing."""

    __slots__ = ("_context", "_limiter", "_origin")

    def __init__(self, limiter: AttemptLimiter | None, context: RequestContext) -> None:
        self._limiter = limiter
        self._context = context
        self._origin = ClientOrigin(None)

    async def __aenter__(self) -> None:
        """Admit the request.

        Raises:
            TooManyFromHere
        """
        if self._limiter is not None:
            self._origin = await self._limiter.admit(self._context)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Count the request by its outcome."""
        if self._limiter is not None:
            self._limiter.release(self._origin, error)


def _rules(
    limits: MemoryLimits, event: str, should_count: Callable[[AttemptOutcome], bool]
) -> Iterator[AttemptRule]:
    for kind, in_flight_limit in limits.by_outcome.get(event, ()):
        yield in_flight_limit, ORIGIN_KEYS[kind], should_count


def _is_wrong(outcome: AttemptOutcome) -> bool:
    return isinstance(outcome, WRONG_SECRET_ERRORS)


def _is_success(outcome: AttemptOutcome) -> bool:
    return outcome is None
