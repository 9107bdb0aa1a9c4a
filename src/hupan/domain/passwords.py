"""Passwords: argon2id in a bounded pool of threads (security P2, P4, P5)."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hupan.domain.argon2id import HashCost
from hupan.domain.hash_process import HashProcess
from hupan.domain.refusals import Busy

Answer = TypeVar("Answer")

WAITING_FOR_EACH_THREAD = 8
MOST_SECONDS_TO_WAIT = 2.0
# What an address without a password is verified against: as costly as a hash of somebody's (E2),
# and, because it is none of any known password, without the cost of making it at each start.
_NO_SALT, _NO_DIGEST = "A" * 22, "A" * 43


class Passwords:
    """Hashes and verifies, at most so many at once, off the event loop."""

    def __init__(self, cost: HashCost, threads: int) -> None:
        self._cost = cost
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="hupan-argon2")
        self._idle: list[HashProcess] = []
        self._is_closed = False
        self._waiting = 0
        self._nobody = f"{cost.phc}{_NO_SALT}${_NO_DIGEST}"

    @property
    def waiting(self) -> int:
        """How many passwords wait or are worked on."""
        return self._waiting

    @property
    def pids(self) -> list[int]:
        """The processes that wait for a password."""
        return [process.pid for process in self._idle]

    async def hash(self, password: str) -> str:
        """The string to store: parameters, salt and hash in PHC form.

        Raises:
            Busy: too many hashes wait.
        """
        return await self._run(lambda process: process.hash(password, self._cost))

    async def verify(self, stored: str, password: str) -> bool:
        """Whether a password is right; `stored` "" takes as long and is always wrong.

        Raises:
            Busy: too many hashes wait.
        """
        asked = stored or self._nobody
        return await self._run(lambda process: process.matches(asked, password)) and stored != ""

    def is_outdated(self, stored: str) -> bool:
        """Whether a stored hash was made with other parameters than today's."""
        return not stored.startswith(self._cost.phc)

    def close(self) -> None:
        """Ends the threads, and with them their processes."""
        self._is_closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._end_idle()

    async def _run(self, ask: Callable[[HashProcess], Answer]) -> Answer:
        """Asks a process; refuses when the queue is full or the wait would be too long (P5)."""
        if self._waiting >= self._threads * (1 + WAITING_FOR_EACH_THREAD):
            raise Busy
        self._waiting += 1
        latest = time.monotonic() + MOST_SECONDS_TO_WAIT
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, self._before, latest, ask
            )
        finally:
            self._waiting -= 1

    def _before(self, latest: float, ask: Callable[[HashProcess], Answer]) -> Answer:
        """Asks unless it has waited for too long already."""
        if time.monotonic() > latest:
            raise Busy
        try:
            return self._asked(ask, self._waiting_process())
        except ConnectionError:
            # Whoever killed that one may have killed all that wait, so it is a new one's turn.
            return self._asked(ask, HashProcess())

    def _asked(self, ask: Callable[[HashProcess], Answer], process: HashProcess) -> Answer:
        """Asks a process that nobody else asks meanwhile; one that fails is not asked again."""
        try:
            answer = ask(process)
        except BaseException:
            process.close()
            raise
        self._idle.append(process)
        if self._is_closed:
            self._end_idle()
        return answer

    def _waiting_process(self) -> HashProcess:
        try:
            return self._idle.pop()
        except IndexError:
            return HashProcess()

    def _end_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()
