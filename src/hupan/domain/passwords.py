"""Passwords: argon2id in a bounded pool of threads (security P2, P4, P5)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from hupan.domain.argon2id import HashCost, is_hash
from hupan.domain.hash_pool import HashPool
from hupan.domain.hash_process import HashProcess
from hupan.domain.hash_queue import HashClient, HashQueue

Answer = TypeVar("Answer")

TURNS_FOR_EACH_THREAD = 2
"""One that is hashed, one that counts its attempt meanwhile."""
WAITING_FOR_EACH_THREAD = 7
MOST_SECONDS_TO_WAIT = 2.0
# What an address without a password is verified against: as costly as a hash of somebody's (E2),
# and, because it is none of any known password, without the cost of making it at each start.
_NO_SALT, _NO_DIGEST = "A" * 22, "A" * 43


class Passwords:
    """Hashes and verifies, at most so many at once, off the event loop.

    `hash` and `verify` are called within a `turn`, which bounds how many there are (P5).
    """

    def __init__(self, cost: HashCost, threads: int) -> None:
        self._cost = cost
        self._asking = ThreadPoolExecutor(threads, thread_name_prefix="hupan-argon2")
        self._processes = HashPool()
        self._queue = HashQueue(
            threads * TURNS_FOR_EACH_THREAD,
            threads * WAITING_FOR_EACH_THREAD,
            MOST_SECONDS_TO_WAIT,
        )
        self._nobody = f"{cost.phc}{_NO_SALT}${_NO_DIGEST}"

    @property
    def waiting(self) -> int:
        """How many passwords wait or are worked on."""
        return len(self._queue)

    @property
    def pids(self) -> list[int]:
        """The processes that wait for a password."""
        return self._processes.pids

    def turn(self, client: HashClient) -> AbstractAsyncContextManager[None]:
        """Wait for the turn of a client: `async with passwords.turn(client):` (security X3).

        Raises:
            Busy: on entering, when too many wait or the wait was too long.
        """
        return self._queue.turn(client)

    async def hash(self, password: str) -> str:
        """The string to store: parameters, salt and hash in PHC form."""
        return await self._run(lambda process: process.hash(password, self._cost))

    async def verify(self, stored: str, password: str) -> bool:
        """Whether a password is right; what is no hash takes as long and matches none."""
        asked = stored if is_hash(stored) else self._nobody
        right = await self._run(lambda process: process.matches(asked, password))
        return right and asked is stored

    def is_outdated(self, stored: str) -> bool:
        """Whether a stored hash was made with other parameters than today's."""
        return not stored.startswith(self._cost.phc)

    def close(self) -> None:
        """Ends the processes, also those at work, and with them the threads that wait for them."""
        self._asking.shutdown(wait=False, cancel_futures=True)
        self._processes.close()

    async def _run(self, ask: Callable[[HashProcess], Answer]) -> Answer:
        """Asks a process.

        Raises:
            Busy: the pool was closed.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._asking, self._processes.ask, ask
        )
