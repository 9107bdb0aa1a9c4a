"""Rate limits of endpoints: requests, failed attempts and sent codes (security C6, C10, E4, E5).

Each goes through the gate of tries in `tries.py`, which counts wrong ones by address, and below it
through what counts them by target: captchas have one try each, codes and passwords the limiter of
the domain. A token is no line here: it comes in a header of any endpoint and has 128 random bits,
which nobody guesses, while a client whose session ended may well repeat its old one all day.

They look at where a request comes from and at nothing in it, so who is refused learns nothing of
whom it named (security E1). Nothing here waits, and nothing is written.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, TypeAlias

from hupan.addresses import ClientOrigin
from hupan.api.context import ClientResolver, RequestContext
from hupan.clock import Clock
from hupan.contract import endpoints
from hupan.contract.endpoints import Endpoint
from hupan.errors import (
    TooManyFromHere,
    TooManyTries,
    WrongCaptcha,
    WrongCode,
    WrongEmailOrPassword,
)
from hupan.metrics import IncrementMetric
from hupan.model import Caller, Limit, Viewer
from hupan.ratelimit.detector import Alarms, AttackDetector
from hupan.ratelimit.memory import InFlightLimit, MemoryLimits, WindowCounter, account_key

SecretKind: TypeAlias = Literal["captcha", "code", "password", "new password"]
"""What a field holds. A new password is set, never compared."""

SECRET_FIELDS: Mapping[Endpoint[Any, Any, Any], Mapping[str, SecretKind]] = {
    endpoints.send_sms_code: {"code": "captcha"},
    endpoints.send_email_code: {"code": "captcha"},
    endpoints.code_login: {"captcha": "code"},
    endpoints.email_login: {"password": "password"},
    endpoints.reset_password: {"captcha": "code", "password": "new password"},
    endpoints.bind_phone: {"captcha": "code"},
    endpoints.bind_email: {"captcha": "code"},
    endpoints.change_phone: {"captcha": "code"},
    endpoints.change_email: {"captcha": "code"},
    endpoints.cancel_account: {"captcha": "code"},
}
"""The fields of each request that hold a secret."""


class RateLimitContext:
    """What gates know of requests.

    Args:
        client_resolver: tells where a request comes from (security I10).
        clock: tells which window it is.
        alarms: is rung when the address that is limited can be no client's.
        count: counts the refusals.
    """

    def __init__(
        self, client_resolver: ClientResolver, clock: Clock, alarms: Alarms, count: IncrementMetric
    ) -> None:
        self._client_resolver = client_resolver
        self.clock = clock
        self._alarms = alarms
        self._count = count

    def origin_and_time(self, context: RequestContext) -> tuple[ClientOrigin, int]:
        """Where a request comes from, and when."""
        return self._client_resolver.resolve_origin(context), int(self.clock.now())

    def now(self) -> int:
        """Unix seconds."""
        return int(self.clock.now())

    def address_refusal(self, reached: Limit, origin: ClientOrigin) -> TooManyFromHere:
        """The refusal of an address; the machine's own is most often that of a proxy."""
        self._count("limit_refusals", reached.name)
        if origin.address is not None and origin.address.is_loopback:
            self._alarms.raise_alarm("loopback-limited", limit=reached.name, see="trusted_proxies")
        return TooManyFromHere()

    def account_refusal(self, reached: Limit) -> TooManyTries:
        """The refusal of an account."""
        self._count("limit_refusals", reached.name)
        return TooManyTries()


OriginKey: TypeAlias = Callable[[ClientOrigin], str]


class RequestLimiter:
    """Counts each request of some endpoints: by its address, then by who is signed in.

    Args:
        limit_context: tells where a request comes from.
        key: what an origin is counted under.
        by_origin: the limits of that.
        by_account: the limits of whoever is signed in.
        wide_key: what a wider network is counted under, "" for an origin without one.
        by_wide: the limits of that.
    """

    def __init__(
        self,
        limit_context: RateLimitContext,
        key: OriginKey,
        by_origin: WindowCounter,
        by_account: WindowCounter,
        wide_key: OriginKey | None = None,
        by_wide: WindowCounter | None = None,
    ) -> None:
        self._limit_context = limit_context
        self._key = key
        self._wide_key = wide_key
        self._by_wide = by_wide
        self._by_origin = by_origin
        self._by_account = by_account

    def check_origin(self, context: RequestContext) -> int:
        """Counts a request; gives when it came.

        Raises:
            TooManyFromHere
        """
        origin, now = self._limit_context.origin_and_time(context)
        reached = self._by_origin.take(self._key(origin), now)
        if reached is not None:
            raise self._limit_context.address_refusal(reached, origin)
        if self._wide_key is not None and self._by_wide is not None:
            wide = self._wide_key(origin)
            reached = self._by_wide.take(wide, now) if wide else None
            if reached is not None:
                raise self._limit_context.address_refusal(reached, origin)
        return now

    def check_account(self, principal: RequestContext | Caller | Viewer | None, now: int) -> None:
        """Counts it among those of an account, once it is known whose it is.

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
OptionalOriginKey: TypeAlias = Callable[[ClientOrigin], str | None]
"""What an origin is counted under; None where the limit is not for its kind of address."""
AttemptRule: TypeAlias = tuple[InFlightLimit, OptionalOriginKey, Callable[[AttemptOutcome], bool]]
WRONG_SECRET_ERRORS = (WrongCaptcha, WrongCode, WrongEmailOrPassword)


class AttemptLimiter:
    """Counts what requests of an endpoint turned out to be: wrong tries, messages that were sent.

    Args:
        limit_context: tells where a request comes from.
        limits: the limits.
        detector: is told of tries and codes.
        secrets: what the endpoint takes.
        sends: whether it sends a message when all is right.
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
        self._rules = [*_wrong_attempt_rules(limits), *(_send_rules(limits) if sends else ())]
        self._sends = sends
        self._takes_code = "code" in secrets
        self._takes_guess = self._takes_code or "password" in secrets

    async def admit(self, context: RequestContext) -> ClientOrigin:
        """Lets a request in.

        Raises:
            TooManyFromHere
        """
        origin, _ = self._limit_context.origin_and_time(context)
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
        finally:  # refused, or the client went away while it waited
            for in_flight_limit, key in acquired if not is_admitted else ():
                in_flight_limit.leave(key, self._limit_context.now(), is_counted=False)
        if reached is not None:
            raise self._limit_context.address_refusal(reached, origin)
        return origin

    def release(self, origin: ClientOrigin, outcome: AttemptOutcome) -> None:
        """Counts what a request that was let in turned out to be."""
        now = self._limit_context.now()
        for in_flight_limit, key, should_count in self._rules_for(origin):
            in_flight_limit.leave(key, now, is_counted=should_count(outcome))
        self._record(outcome)

    def _rules_for(
        self, origin: ClientOrigin
    ) -> Iterator[tuple[InFlightLimit, str, Callable[[AttemptOutcome], bool]]]:
        """The limits that hold for an origin, and what it is counted under in each."""
        for in_flight_limit, key_of, should_count in self._rules:
            key = key_of(origin)
            if key is not None:
                yield in_flight_limit, key, should_count

    def _record(self, outcome: AttemptOutcome) -> None:
        detector = self._detector
        if self._takes_guess and (outcome is None or _is_wrong(outcome)):
            detector.record_attempt(is_wrong=outcome is not None)
        if outcome is None and self._sends:
            detector.record_code_request()
        if outcome is None and self._takes_code:
            detector.record_code_use()


class Attempt:
    """The way of one request through the tries of its endpoint: `async with Passing(…):`."""

    __slots__ = ("_context", "_limiter", "_origin")

    def __init__(self, limiter: AttemptLimiter | None, context: RequestContext) -> None:
        self._limiter = limiter
        self._context = context
        self._origin = ClientOrigin(None)

    async def __aenter__(self) -> None:
        """Enters.

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
        """Leaves, whatever came of it."""
        if self._limiter is not None:
            self._limiter.release(self._origin, error)


def _wrong_attempt_rules(limits: MemoryLimits) -> Iterator[AttemptRule]:
    for in_flight_limit in limits.wrong_attempts:
        yield in_flight_limit, _attempt_host, _is_wrong
    for in_flight_limit in limits.subnet_wrong_attempts:
        yield in_flight_limit, _attempt_subnet, _is_wrong
    for in_flight_limit in limits.site_wrong_attempts:
        yield in_flight_limit, _attempt_site, _is_wrong
    for in_flight_limit in limits.block_wrong_attempts:
        yield in_flight_limit, _attempt_neighbours, _is_wrong


def _send_rules(limits: MemoryLimits) -> Iterator[AttemptRule]:
    for in_flight_limit in limits.sends:
        yield in_flight_limit, _attempt_host, _is_success
    for in_flight_limit in limits.network_sends:
        yield in_flight_limit, _attempt_network, _is_success


def _attempt_host(origin: ClientOrigin) -> str:
    return origin.host


def _attempt_network(origin: ClientOrigin) -> str:
    return origin.network


def _attempt_subnet(origin: ClientOrigin) -> str | None:
    return origin.subnet or None


def _attempt_site(origin: ClientOrigin) -> str | None:
    return origin.site or None


def _attempt_neighbours(origin: ClientOrigin) -> str | None:
    return origin.ipv4_block or None


def _is_wrong(outcome: AttemptOutcome) -> bool:
    return isinstance(outcome, WRONG_SECRET_ERRORS)


def _is_success(outcome: AttemptOutcome) -> bool:
    return outcome is None


CODE_SENDING_ENDPOINTS = (endpoints.send_sms_code, endpoints.send_email_code)


class RateLimits:
    """The gates of all endpoints of one process.

    Args:
        limit_context: tells where a request comes from.
        limits: the limits, and what was counted so far; without any every gate is open.
        detector: is told of tries and codes.

    Attributes:
        tries: of each endpoint that takes a secret, by its path.
    """

    def __init__(
        self, limit_context: RateLimitContext, limits: MemoryLimits, detector: AttackDetector
    ) -> None:
        self.detector = detector
        self.profile_views = RequestLimiter(
            limit_context,
            _block_key,
            limits.views,
            limits.account_views,
            _site_key,
            limits.site_views,
        )
        self.captchas = RequestLimiter(
            limit_context,
            _host_key,
            limits.captchas,
            WindowCounter(),
            _network_key,
            limits.network_captchas,
        )
        self.invitation_codes = RequestLimiter(
            limit_context, _host_key, limits.invitation_codes, limits.account_invitation_codes
        )
        self.attempt_limiters = {
            endpoint.path: AttemptLimiter(
                limit_context,
                limits,
                detector,
                fields.values(),
                sends=endpoint in CODE_SENDING_ENDPOINTS,
            )
            for endpoint, fields in SECRET_FIELDS.items()
        }


REQUEST_LIMITERS: Mapping[Endpoint[Any, Any, Any], Callable[[RateLimits], RequestLimiter]] = {
    endpoints.create_captcha: lambda gates: gates.captchas,
    endpoints.get_user: lambda gates: gates.profile_views,
    endpoints.web_get_homepage: lambda gates: gates.profile_views,
    endpoints.save_remark: lambda gates: gates.profile_views,
    endpoints.change_invitation_code: lambda gates: gates.invitation_codes,
}
"""The endpoints whose every request counts.

Those that tell of others by their id count as one: a remark tells whether an id is somebody's. A
change of an invitation code tells whether a code leads to an account.
"""


def _host_key(origin: ClientOrigin) -> str:
    return origin.host


def _network_key(origin: ClientOrigin) -> str:
    return origin.network


def _site_key(origin: ClientOrigin) -> str:
    return origin.site


def _block_key(origin: ClientOrigin) -> str:
    return origin.block
