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

Outcome: TypeAlias = BaseException | None
Counted: TypeAlias = tuple[Held, Callable[[Origin], str], Callable[[Outcome], bool]]
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

    def enter(self, call: Call) -> Origin:
        """Lets a request in.

        Raises:
            TooManyFromHere
        """
        origin, now = self._sight.seen(call)
        for place, (held, key, _) in enumerate(self._counted):
            if not held.enter(key(origin), now):
                for entered, its_key, _ in self._counted[:place]:
                    entered.leave(its_key(origin), now, counts=False)
                raise self._sight.refusal(held.limit, origin)
        return origin

    def leave(self, origin: Origin, outcome: Outcome) -> None:
        """Counts what a request that was let in turned out to be."""
        now = self._sight.now()
        for held, key, counts in self._counted:
            held.leave(key(origin), now, counts=counts(outcome))
        self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        watch = self._watch
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


def _wrong(floods: Floods) -> Iterator[Counted]:
    for held in floods.wrong_tries:
        yield held, _host, _is_wrong


def _sent(floods: Floods) -> Iterator[Counted]:
    for held in floods.sends:
        yield held, _host, _is_success
    for held in floods.network_sends:
        yield held, _network, _is_success


def _host(origin: Origin) -> str:
    return origin.host


def _network(origin: Origin) -> str:
    return origin.network


def _is_wrong(outcome: Outcome) -> bool:
    return isinstance(outcome, WRONG)


def _is_success(outcome: Outcome) -> bool:
    return outcome is None
