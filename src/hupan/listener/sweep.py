"""One look per second at every open connection: who is late is closed (security I2, R22)."""

import asyncio
import heapq
import resource

from hupan.listener.limits import ListenerLimits
from hupan.listener.protocol import BoundedProtocol, Phase

_LOOKS_PER_DEADLINE = 4
_PERIOD_SECONDS_MAX = 1.0
# What is no connection: the store, its log, mail, the listening sockets.
_OTHER_DESCRIPTORS_MAX = 128
# Who makes room is found by looking at everybody; so it is done for several newcomers at once.
_ROOM_SHARE = 32


def connections_max() -> int:
    """How many connections fit below the process's limit of open files."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1 << 30
    return soft - min(_OTHER_DESCRIPTORS_MAX, soft // 4)


class Sweep:
    """Ends the waits that take too long.

    A wait is noticed at one look and ended at a later one, so a deadline holds to within two
    periods (a second each, less where a deadline is short) and costs nothing between looks.
    """

    def __init__(
        self,
        limits: ListenerLimits,
        loop: asyncio.AbstractEventLoop,
        connections: set[BoundedProtocol],
        capacity: int,
    ) -> None:
        """Looks at nothing yet.

        Args:
            limits: The deadlines.
            loop: Whose time counts.
            connections: The open connections; kept by the connections themselves.
            capacity: How many may be open before those that wait longest make room.
        """
        self._deadlines = {
            Phase.HEAD: limits.header_seconds,
            Phase.BODY: limits.body_seconds,
            Phase.UNREAD: limits.body_seconds,
            Phase.IDLE: limits.idle_seconds,
            Phase.LEAVING: limits.leaving_seconds,
        }
        shortest = min(self._deadlines.values())
        self._period_seconds = min(_PERIOD_SECONDS_MAX, shortest / _LOOKS_PER_DEADLINE)
        self._loop = loop
        self._connections = connections
        self._capacity = capacity
        self._timer: asyncio.TimerHandle | None = None
        # Who was closed to make room; the loop counts them among the open ones a while longer.
        self._cut: set[BoundedProtocol] = set()

    def start(self) -> None:
        """Looks once, and again every period, whatever happens at a look."""
        self._timer = self._loop.call_later(self._period_seconds, self.start)
        now = self._loop.time()
        for connection in tuple(self._connections):
            phase, waited_seconds = connection.look(now)
            if waited_seconds > self._deadlines.get(phase, waited_seconds):
                connection.give_up(phase)

    def stop(self) -> None:
        """Looks no more."""
        if self._timer is not None:
            self._timer.cancel()

    def make_room(self, newcomer: BoundedProtocol) -> None:
        """Closes the connections that have waited longest for their peers, when all is full."""
        self._cut &= self._connections
        if len(self._connections) - len(self._cut) <= self._capacity:
            return
        spared = {newcomer, *self._cut}
        now = self._loop.time()
        looks = ((*connection.look(now), connection) for connection in self._connections)
        waits = [
            (waited_seconds, id(connection), connection)
            for phase, waited_seconds, connection in looks
            if phase in self._deadlines and connection not in spared
        ]
        for *_, connection in heapq.nlargest(1 + self._capacity // _ROOM_SHARE, waits):
            connection.transport.abort()
            self._cut.add(connection)
