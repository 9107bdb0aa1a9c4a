"""The order in which requests hash passwords: bounded, and fair among accounts and addresses.

Whoever has least under way comes first, so a crowd of requests of one account, or from one address,
waits behind a single request of another (security X3, decision 27). When the queue is full, the
request that would come last is refused, be it the new one or one that waits.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hupan.domain.origins import Origin
from hupan.domain.refusals import Busy

MAX_OF_ONE_KEY = 2
"""Requests of one account or one address that are let in at once."""


@dataclass(frozen=True, slots=True)
class HashClient:
    """For whom a password is hashed.

    Attributes:
        target: the account, by the key of its address; whether it exists plays no part.
        host: the address that asks, a /64 of IPv6.
        network: the network around it.
    """

    target: str = ""
    host: str = ""
    network: str = ""


OPERATOR = HashClient("operator", "operator", "operator")


def hash_client(target: str, origin: Origin) -> HashClient:
    """Return for whom a request with a target hashes."""
    return HashClient(target, origin.host, origin.network)


class _Waiting:
    """One request that waits; `is_let_in` is resolved once it may go on, or fails with `Busy`."""

    __slots__ = ("client", "is_let_in")

    def __init__(self, client: HashClient) -> None:
        self.client = client
        self.is_let_in = asyncio.get_running_loop().create_future()


class HashQueue:
    """Lets requests in, so many at once; used on the event loop alone.

    Args:
        at_once: the requests that are let in.
        max_waiting: the requests that wait.
        max_seconds: how long one waits.
    """

    def __init__(self, at_once: int, max_waiting: int, max_seconds: float) -> None:
        self._at_once = at_once
        self._max_waiting = max_waiting
        self._max_seconds = max_seconds
        self._let_in: list[HashClient] = []
        self._waiting: list[_Waiting] = []

    def __len__(self) -> int:
        """How many are let in or wait."""
        return len(self._let_in) + len(self._waiting)

    @asynccontextmanager
    async def turn(self, client: HashClient) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Raises:
            Busy: too many wait, or the wait was too long.
        """
        await self._enter(_Waiting(client))
        try:
            yield
        finally:
            self._leave(client)

    async def _enter(self, one: _Waiting) -> None:
        self._waiting.append(one)
        self._let_next_in()
        if len(self._waiting) > self._max_waiting:
            self._refuse(self._in_order()[-1])
        timer = asyncio.get_running_loop().call_later(self._max_seconds, self._refuse, one)
        try:
            await one.is_let_in
        except asyncio.CancelledError:
            if one in self._waiting:
                self._waiting.remove(one)
            elif one.is_let_in.exception() is None:  # let in at the moment in which it gave up
                self._leave(one.client)
            raise
        finally:
            timer.cancel()

    def _refuse(self, one: _Waiting) -> None:
        if one in self._waiting and not one.is_let_in.done():
            self._waiting.remove(one)
            one.is_let_in.set_exception(Busy())

    def _leave(self, client: HashClient) -> None:
        self._let_in.remove(client)
        self._let_next_in()

    def _let_next_in(self) -> None:
        while len(self._let_in) < self._at_once:
            under_way = Counter(key for client in self._let_in for key in _bounded(client))
            for one in self._in_order():
                if all(under_way[key] < MAX_OF_ONE_KEY for key in _bounded(one.client)):
                    self._waiting.remove(one)
                    self._let_in.append(one.client)
                    one.is_let_in.set_result(None)
                    break
            else:
                return

    def _in_order(self) -> list[_Waiting]:
        """Those who wait: by how many of the same account, address and network go before them."""
        targets = Counter(client.target for client in self._let_in)
        hosts = Counter(client.host for client in self._let_in)
        networks = Counter(client.network for client in self._let_in)
        ranked: list[tuple[int, int, int, int]] = []
        for place, one in enumerate(self._waiting):
            if one.is_let_in.done():  # its client is gone, and it leaves when its task goes on
                continue
            client = one.client
            ranked.append(
                (targets[client.target], hosts[client.host], networks[client.network], place)
            )
            targets[client.target] += 1
            hosts[client.host] += 1
            networks[client.network] += 1
        return [self._waiting[place] for *_, place in sorted(ranked)]


def _bounded(client: HashClient) -> tuple[tuple[str, str], ...]:
    return (("target", client.target), ("host", client.host))
