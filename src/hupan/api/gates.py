"""What a request must pass before the store is asked: limits of addresses (security C6, C10, E4).

They look at where a request comes from and at nothing in it, so who is refused learns nothing of
whom it named (security E1). Nothing here waits, and nothing is written.
"""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeAlias

from hupan.api.address import ClientAddresses
from hupan.api.call import Call
from hupan.api.secrets_taken import SECRETS
from hupan.clock import Clock
from hupan.contract import endpoints
from hupan.contract.table import Endpoint
from hupan.counting import Count
from hupan.domain.alarms import Alarms
from hupan.domain.floods import Flood, Floods, Held, account_key
from hupan.domain.origins import Origin
from hupan.domain.refusals import (
    TooManyFromHere,
    TooManyTries,
    WrongCaptcha,
    WrongCode,
    WrongEmailOrPassword,
)
from hupan.domain.watch import Watch
from hupan.model import Caller, Limit

Outcome: TypeAlias = BaseException | None
Line: TypeAlias = Endpoint[Any, Any, Any]
Key: TypeAlias = Callable[[Origin], str]

SENDERS = (endpoints.get_sms_code, endpoints.get_email_code)
WRONG = (WrongCaptcha, WrongCode, WrongEmailOrPassword)


class Looks:
    """Counts each request of some endpoints: by its address, then by who is signed in."""

    def __init__(
        self,
        gates: "Gates",
        key: Key,
        by_origin: Flood,
        by_account: Flood,
    ) -> None:
        self._gates = gates
        self._key = key
        self._by_origin = by_origin
        self._by_account = by_account

    def enter(self, call: Call) -> int:
        """Counts a request; gives when it came.

        Raises:
            TooManyFromHere
        """
        origin, now = self._gates.seen(call)
        reached = self._by_origin.take(self._key(origin), now)
        if reached is not None:
            raise self._gates.refusal(reached, origin)
        return now

    def meet(self, who: Call | Caller | None, now: int) -> None:
        """Counts it among those of an account, once it is known whose it is.

        Raises:
            TooManyTries
        """
        if isinstance(who, Caller):
            reached = self._by_account.take(account_key(who.account.id), now)
            if reached is not None:
                self._gates.count("limit_refusals", reached.name)
                raise TooManyTries


class Tries:
    """Counts what requests turned out to be: wrong tries, and messages that were sent."""

    def __init__(self, gates: "Gates", endpoint: Line) -> None:
        floods, sends = gates.floods, endpoint in SENDERS
        wrong: list[tuple[Held, Key, Callable[[Outcome], bool]]] = [
            (held, _host, _is_wrong) for held in floods.wrong_tries
        ]
        sent = [
            *((held, _host, _is_success) for held in floods.sends),
            *((held, _network, _is_success) for held in floods.network_sends),
        ]
        self._gates = gates
        self._counted = [*wrong, *(sent if sends else ())]
        self._sends = sends
        secrets = SECRETS[endpoint].values()
        self._takes_code = "code" in secrets
        self._takes_guess = self._takes_code or "password" in secrets

    def enter(self, call: Call) -> Origin:
        """Lets a request in.

        Raises:
            TooManyFromHere
        """
        origin, now = self._gates.seen(call)
        for place, (held, key, _) in enumerate(self._counted):
            if not held.enter(key(origin), now):
                for entered, its_key, _ in self._counted[:place]:
                    entered.leave(its_key(origin), now, counts=False)
                raise self._gates.refusal(held.limit, origin)
        return origin

    def leave(self, origin: Origin, outcome: Outcome) -> None:
        """Counts what a request that was let in turned out to be."""
        now = self._gates.now()
        for held, key, counts in self._counted:
            held.leave(key(origin), now, counts=counts(outcome))
        self._watch(outcome)

    def _watch(self, outcome: Outcome) -> None:
        watch = self._gates.watch
        if self._takes_guess and (outcome is None or _is_wrong(outcome)):
            watch.tried(wrong=outcome is not None)
        if outcome is None and self._sends:
            watch.asked()
        if outcome is None and self._takes_code:
            watch.used()


class Passing:
    """The way of one request through the tries of its endpoint: `with Passing(tries, call):`."""

    __slots__ = ("_call", "_origin", "_tries")

    def __init__(self, tries: Tries | None, call: Call) -> None:
        self._tries = tries
        self._call = call
        self._origin = Origin(None)

    def __enter__(self) -> None:
        """Enters.

        Raises:
            TooManyFromHere
        """
        if self._tries is not None:
            self._origin = self._tries.enter(self._call)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves, whatever came of it."""
        if self._tries is not None:
            self._tries.leave(self._origin, error)


class Gates:
    """The gates of all endpoints of one process.

    Attributes:
        tries: of each endpoint that takes a secret, by its path.

    Args:
        floods: the limits, and what was counted so far; without any every gate is open.
        addresses: tells where a request comes from (security I10).
        clock: tells which window it is.
        watch: is told of tries and codes.
        alarms: is rung when the address that is limited can be no client's.
        count: counts the refusals.
    """

    def __init__(
        self,
        floods: Floods,
        addresses: ClientAddresses,
        clock: Clock,
        watch: Watch,
        alarms: Alarms,
        count: Count,
    ) -> None:
        self.floods = floods
        self.watch = watch
        self.count = count
        self._addresses = addresses
        self._clock = clock
        self._alarms = alarms
        self.views = Looks(self, _block, floods.views, floods.account_views)
        self.captchas = Looks(self, _host, floods.captchas, Flood())
        self.tries = {endpoint.path: Tries(self, endpoint) for endpoint in SECRETS}

    def seen(self, call: Call) -> tuple[Origin, int]:
        """Where a request comes from, and when."""
        return self._addresses.origin(call), int(self._clock.now())

    def now(self) -> int:
        """Unix seconds."""
        return int(self._clock.now())

    def refusal(self, reached: Limit, origin: Origin) -> TooManyFromHere:
        """The refusal of an address; the machine's own is most often that of a proxy."""
        self.count("limit_refusals", reached.name)
        if origin.address is not None and origin.address.is_loopback:
            self._alarms.ring("loopback-limited", limit=reached.name, see="trusted_proxies")
        return TooManyFromHere()


LOOKS: Mapping[Line, Callable[[Gates], Looks]] = {
    endpoints.captcha: lambda gates: gates.captchas,
    endpoints.get_user: lambda gates: gates.views,
    endpoints.web_homepage: lambda gates: gates.views,
}
"""The endpoints whose every request counts; two tell the same of an account and count as one."""


def _host(origin: Origin) -> str:
    return origin.host


def _block(origin: Origin) -> str:
    return origin.block


def _network(origin: Origin) -> str:
    return origin.network


def _is_wrong(outcome: Outcome) -> bool:
    return isinstance(outcome, WRONG)


def _is_success(outcome: Outcome) -> bool:
    return outcome is None
