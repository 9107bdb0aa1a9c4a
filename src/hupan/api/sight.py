"""Where a request comes from and when, and what is said when that is once too often."""

from hupan.api.address import ClientAddresses
from hupan.api.call import Call
from hupan.clock import Clock
from hupan.counting import Count
from hupan.domain.alarms import Alarms
from hupan.domain.origins import Origin
from hupan.domain.refusals import TooManyFromHere, TooManyTries
from hupan.model import Limit


class Sight:
    """What gates know of requests.

    Args:
        addresses: tells where a request comes from (security I10).
        clock: tells which window it is.
        alarms: is rung when the address that is limited can be no client's.
        count: counts the refusals.
    """

    def __init__(
        self, addresses: ClientAddresses, clock: Clock, alarms: Alarms, count: Count
    ) -> None:
        self._addresses = addresses
        self.clock = clock
        self._alarms = alarms
        self._count = count

    def seen(self, call: Call) -> tuple[Origin, int]:
        """Where a request comes from, and when."""
        return self._addresses.origin(call), int(self.clock.now())

    def now(self) -> int:
        """Unix seconds."""
        return int(self.clock.now())

    def refusal(self, reached: Limit, origin: Origin) -> TooManyFromHere:
        """The refusal of an address; the machine's own is most often that of a proxy."""
        self._count("limit_refusals", reached.name)
        if origin.address is not None and origin.address.is_loopback:
            self._alarms.ring("loopback-limited", limit=reached.name, see="trusted_proxies")
        return TooManyFromHere()

    def refusal_of_account(self, reached: Limit) -> TooManyTries:
        """The refusal of an account."""
        self._count("limit_refusals", reached.name)
        return TooManyTries()
