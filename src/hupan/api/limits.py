"""Rate limits of endpoints in memory: requests, failed attempts and sent codes (C6, C10, E4, E5).

An endpoint's line in contract/endpoints.py names its limits: `limit` counts each request, `secrets`
makes failed attempts count by address. Below these, the domain limits attempts by contact: captchas
allow one attempt each, codes and passwords have the limiter of the store. Tokens are not limited:
they have 128 random bits, and a client whose session ended may repeat its old token all day.

The limits depend on the origin of a request and on nothing in it, so a refusal reveals nothing
about the account that was named (security E1). Nothing here writes to the store.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from types import TracebackType
from typing import TypeAlias, get_args

from hupan.addresses import ClientOrigin
from hupan.api.context import ClientResolver, RequestContext
from hupan.clock import Clock
from hupan.contract.endpoints import ENDPOINTS, RequestLimit
from hupan.contract.messages.fields import SecretKind, secret_fields
from hupan.errors import (
    TooManyFromHere,
    TooManyTries,
    WrongCaptcha,
    WrongClientSecret,
    WrongCode,
    WrongEmailOrPassword,
)
from hupan.metrics import IncrementMetric
from hupan.model import Caller, Limit, Viewer
from hupan.ratelimit.detector import Alarms, AttackDetector
from hupan.ratelimit.memory import (
    ORIGIN_KEYS,
    InFlightLimit,
    MemoryLimits,
    OriginKey,
    WindowCounter,
    account_key,
)


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
INTROSPECT_PATH = "/oauth/introspect"
"""Takes the secrets of servers (RFC 7662)."""


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
        secrets: Collection[SecretKind],
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


class RateLimits:
    """The limiters of all endpoints of one process.

    Args:
        limit_context: what all limiters share.
        limits: the limits and their counters; without any, every limiter admits all requests.
        detector: is notified of attempts and codes.

    Attributes:
        request_limiters: by the `limit` of an endpoint.
        attempt_limiters: by the path of an endpoint with secrets.
    """

    def __init__(
        self, limit_context: RateLimitContext, limits: MemoryLimits, detector: AttackDetector
    ) -> None:
        self.detector = detector
        self.request_limiters: Mapping[RequestLimit, RequestLimiter] = {
            event: RequestLimiter(
                limit_context,
                [
                    (ORIGIN_KEYS[kind], counter)
                    for limited, kind, counter in limits.by_origin
                    if limited == event
                ],
                limits.by_account.get(event, WindowCounter()),
            )
            for event in get_args(RequestLimit)
        }
        self.attempt_limiters = {
            endpoint.path: AttemptLimiter(
                limit_context,
                limits,
                detector,
                secret_fields(endpoint.request).values(),
                sends=endpoint.limit == "sent_codes",
            )
            for endpoint in ENDPOINTS
            if endpoint.secrets
        }
        self.attempt_limiters[INTROSPECT_PATH] = AttemptLimiter(
            limit_context, limits, detector, (), sends=False
        )


def _rules(
    limits: MemoryLimits, event: str, should_count: Callable[[AttemptOutcome], bool]
) -> Iterator[AttemptRule]:
    for kind, in_flight_limit in limits.by_outcome.get(event, ()):
        yield in_flight_limit, ORIGIN_KEYS[kind], should_count


def _is_wrong(outcome: AttemptOutcome) -> bool:
    return isinstance(outcome, WRONG_SECRET_ERRORS)


def _is_success(outcome: AttemptOutcome) -> bool:
    return outcome is None
