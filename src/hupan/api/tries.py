"""The gate of endpoints that take a secret: what was wrong counts, by address (security C6, E5)."""

from collections.abc import Callable, Collection, Iterator
from types import TracebackType
from typing import TypeAlias

from hupan.api.call import Call
from hupan.api.secrets_taken import Secret
from hupan.api.sight import Sight
from hupan.domain.floods import Floods, Held
from hupan.domain.origins import Origin
from hupan.domain.refusals import WrongCaptcha, WrongCode, WrongEmailOrPassword
from hupan.domain.watch import Watch
from hupan.model import Limit

Outcome: TypeAlias = BaseException | None
KeyOf: TypeAlias = Callable[[Origin], str | None]
"""What an origin is counted under; None where the limit is not for its kind of address."""
Counted: TypeAlias = tuple[Held, KeyOf, Callable[[Outcome], bool]]
WRONG = (WrongCaptcha, WrongCode, WrongEmailOrPassword)


class Tries:
    """Counts what requests of an endpoint turned out to be: wrong tries, messages that were sent.

    Args:
        sight: tells where a request comes from.
        floods: the limits.
        watch: is told of tries and codes.
        secrets: what the endpoint takes.
        sends: whether it sends a message when all is right.
    """

    def __init__(
        self,
        sight: Sight,
        floods: Floods,
        watch: Watch,
        secrets: Collection[Secret],
        *,
        sends: bool,
    ) -> None:
        self._sight = sight
        self._watch = watch
        self._counted = [*_wrong(floods), *(_sent(floods) if sends else ())]
        self._sends = sends
        self._takes_code = "code" in secrets
        self._takes_guess = self._takes_code or "password" in secrets

    async def enter(self, call: Call) -> Origin:
        """Lets a request in.

        Raises:
            TooManyFromHere
        """
        origin, _ = self._sight.seen(call)
        entered: list[tuple[Held, str]] = []
        reached: Limit | None = None
        is_in = False
        try:
            for held, key, _ in self._of(origin):
                if not await held.admit(key, self._sight.clock):
                    reached = held.limit
                    break
                entered.append((held, key))
            is_in = reached is None
        finally:  # refused, or the client went away while it waited
            for held, key in entered if not is_in else ():
                held.leave(key, self._sight.now(), counts=False)
        if reached is not None:
            raise self._sight.refusal(reached, origin)
        return origin

    def leave(self, origin: Origin, outcome: Outcome) -> None:
        """Counts what a request that was let in turned out to be."""
        now = self._sight.now()
        for held, key, counts in self._of(origin):
            held.leave(key, now, counts=counts(outcome))
        self._tell(outcome)

    def _of(self, origin: Origin) -> Iterator[tuple[Held, str, Callable[[Outcome], bool]]]:
        """The limits that hold for an origin, and what it is counted under in each."""
        for held, key_of, counts in self._counted:
            key = key_of(origin)
            if key is not None:
                yield held, key, counts

    def _tell(self, outcome: Outcome) -> None:
        watch = self._watch
        if self._takes_guess and (outcome is None or _is_wrong(outcome)):
            watch.tried(wrong=outcome is not None)
        if outcome is None and self._sends:
            watch.asked()
        if outcome is None and self._takes_code:
            watch.used()


class Passing:
    """The way of one request through the tries of its endpoint: `async with Passing(…):`."""

    __slots__ = ("_call", "_origin", "_tries")

    def __init__(self, tries: Tries | None, call: Call) -> None:
        self._tries = tries
        self._call = call
        self._origin = Origin(None)

    async def __aenter__(self) -> None:
        """Enters.

        Raises:
            TooManyFromHere
        """
        if self._tries is not None:
            self._origin = await self._tries.enter(self._call)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves, whatever came of it."""
        if self._tries is not None:
            self._tries.leave(self._origin, error)


def _wrong(floods: Floods) -> Iterator[Counted]:
    for held in floods.wrong_tries:
        yield held, _host, _is_wrong
    for held in floods.subnet_wrong_tries:
        yield held, _subnet, _is_wrong
    for held in floods.site_wrong_tries:
        yield held, _site, _is_wrong
    for held in floods.block_wrong_tries:
        yield held, _neighbours, _is_wrong


def _sent(floods: Floods) -> Iterator[Counted]:
    for held in floods.sends:
        yield held, _host, _is_success
    for held in floods.network_sends:
        yield held, _network, _is_success


def _host(origin: Origin) -> str:
    return origin.host


def _network(origin: Origin) -> str:
    return origin.network


def _subnet(origin: Origin) -> str | None:
    return origin.subnet or None


def _site(origin: Origin) -> str | None:
    return origin.site or None


def _neighbours(origin: Origin) -> str | None:
    return origin.neighbours or None


def _is_wrong(outcome: Outcome) -> bool:
    return isinstance(outcome, WRONG)


def _is_success(outcome: Outcome) -> bool:
    return outcome is None
