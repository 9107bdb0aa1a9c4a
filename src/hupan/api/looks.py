"""The gate of endpoints whose every request counts (security C10, E4)."""

from collections.abc import Callable
from typing import TypeAlias

from hupan.api.call import Call
from hupan.api.sight import Sight
from hupan.domain.floods import Flood, account_key
from hupan.domain.origins import Origin
from hupan.model import Caller, Viewer

Key: TypeAlias = Callable[[Origin], str]


class Looks:
    """Counts each request of some endpoints: by its address, then by who is signed in.

    Args:
        sight: tells where a request comes from.
        key: what an origin is counted under.
        by_origin: the limits of that.
        by_account: the limits of whoever is signed in.
        wide_key: what a wider network is counted under, "" for an origin without one.
        by_wide: the limits of that.
    """

    def __init__(
        self,
        sight: Sight,
        key: Key,
        by_origin: Flood,
        by_account: Flood,
        wide_key: Key | None = None,
        by_wide: Flood | None = None,
    ) -> None:
        self._sight = sight
        self._key = key
        self._wide_key = wide_key
        self._by_wide = by_wide
        self._by_origin = by_origin
        self._by_account = by_account

    def enter(self, call: Call) -> int:
        """Counts a request; gives when it came.

        Raises:
            TooManyFromHere
        """
        origin, now = self._sight.seen(call)
        reached = self._by_origin.take(self._key(origin), now)
        if reached is not None:
            raise self._sight.refusal(reached, origin)
        if self._wide_key is not None and self._by_wide is not None:
            wide = self._wide_key(origin)
            reached = self._by_wide.take(wide, now) if wide else None
            if reached is not None:
                raise self._sight.refusal(reached, origin)
        return now

    def meet(self, who: Call | Caller | Viewer | None, now: int) -> None:
        """Counts it among those of an account, once it is known whose it is.

        Raises:
            TooManyTries
        """
        if who is None or isinstance(who, Call):
            return
        account = who.id if isinstance(who, Viewer) else who.account.id
        reached = self._by_account.take(account_key(account), now)
        if reached is not None:
            raise self._sight.refusal_of_account(reached)
