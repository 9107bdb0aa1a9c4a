"""The load: as fast as responses arrive, or at a fixed rate."""

import asyncio
import random
from collections import deque
from collections.abc import Callable

from tests.soak.lines import Line, Request, Switchboard

_TICK_SECONDS = 0.001


async def closed(board: Switchboard, next_request: Callable[[], Request], seconds: float) -> None:
    """Send again on each line as soon as its response arrives: the server's maximum rate."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    over = asyncio.Event()

    def again(line: Line) -> None:
        now = loop.time()
        if now < until:
            line.send(next_request(), now)
            return
        board.free.append(line)
        if len(board.free) == len(lines):
            over.set()

    lines, board.on_free = list(board.free), again
    board.free.clear()
    for line in lines:
        again(line)
    await over.wait()
    board.on_free = board.free.append


class Arrivals:
    """Requests at random times, whether or not the server keeps up.

    A request is due when it arrives, and its time counts from then on, even without a free line:
    a server that stalls gets no fewer requests (no coordinated omission).
    """

    def __init__(
        self, board: Switchboard, next_request: Callable[[], Request], patience_seconds: float
    ) -> None:
        self._board = board
        self._next_request = next_request
        self._patience_seconds = patience_seconds
        self._waiting: deque[tuple[Request, float]] = deque()
        self._chance = random.Random(15)  # noqa: S311 - times of a load, no secret
        self.given_up = 0
        self.arrived = 0

    async def run(self, per_second: float, seconds: float) -> None:
        """Send at a rate for a time; requests in flight continue afterwards."""
        loop = asyncio.get_running_loop()
        self._board.on_free = self._freed
        due_at = begun = loop.time()
        while due_at < begun + seconds:
            while due_at <= loop.time():
                self._arrive(due_at)
                due_at += self._chance.expovariate(per_second)
            await asyncio.sleep(_TICK_SECONDS)

    async def settle(self) -> None:
        """Wait until no request is waiting."""
        loop = asyncio.get_running_loop()
        while self._waiting or not self._board.is_quiet:
            self._forget_late(loop.time())
            await asyncio.sleep(_TICK_SECONDS)
        self._board.on_free = self._board.free.append

    def _arrive(self, due_at: float) -> None:
        self.arrived += 1
        request = self._next_request()
        while self._board.free:
            line = self._board.free.popleft()
            if line.is_open:
                line.send(request, due_at)
                return
            self._board.replace(line)
        self._forget_late(due_at)
        self._waiting.append((request, due_at))

    def _freed(self, line: Line) -> None:
        self._forget_late(asyncio.get_running_loop().time())
        if self._waiting:
            line.send(*self._waiting.popleft())
        else:
            self._board.free.append(line)

    def _forget_late(self, now: float) -> None:
        while self._waiting and now - self._waiting[0][1] > self._patience_seconds:
            self._waiting.popleft()
            self.given_up += 1
