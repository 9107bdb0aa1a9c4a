"""Passwords: argon2id in a bounded pool of threads (security P2, P4, P5)."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from hupan.domain.refusals import Busy

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

WAITING_FOR_EACH_THREAD = 8
MOST_SECONDS_TO_WAIT = 2.0
NICENESS = 10
# What an address without a password is verified against: as costly as a hash of somebody's (E2),
# and, because it is none of any known password, without the cost of making it at each start.
_NO_SALT, _NO_DIGEST = "A" * 22, "A" * 43


@dataclass(frozen=True, slots=True)
class HashCost:
    """Parameters of argon2id."""

    memory_kib: int = 19456
    passes: int = 2


class Passwords:
    """Hashes and verifies, at most so many at once, off the event loop."""

    def __init__(self, cost: HashCost, threads: int) -> None:
        self._hasher = argon2.PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=1
        )
        self._threads = threads
        # Hashes fill whole cores; being nice, they leave the event loop its turn at once (P5).
        self._pool = ThreadPoolExecutor(
            threads, thread_name_prefix="hupan-argon2", initializer=_be_nice
        )
        self._waiting = 0
        self._nobody = (
            f"$argon2id$v=19$m={cost.memory_kib},t={cost.passes},p=1${_NO_SALT}${_NO_DIGEST}"
        )

    @property
    def waiting(self) -> int:
        """How many passwords wait or are worked on."""
        return self._waiting

    async def hash(self, password: str) -> str:
        """The string to store: parameters, salt and hash in PHC form.

        Raises:
            Busy: too many hashes wait.
        """
        return await self._run(self._hasher.hash, password)

    async def verify(self, stored: str, password: str) -> bool:
        """Whether a password is right; `stored` "" takes as long and is always wrong.

        Raises:
            Busy: too many hashes wait.
        """
        return await self._run(self._matches, stored or self._nobody, password) and stored != ""

    def is_outdated(self, stored: str) -> bool:
        """Whether a stored hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Runs on the pool; refuses when the queue is full or the wait would be too long (P5)."""
        if self._waiting >= self._threads * (1 + WAITING_FOR_EACH_THREAD):
            raise Busy
        self._waiting += 1
        latest = time.monotonic() + MOST_SECONDS_TO_WAIT
        work = partial(_before, latest, partial(function, *args, **kwargs))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _before(latest: float, work: Callable[[], Result]) -> Result:
    """Does the work unless it has waited for too long already."""
    if time.monotonic() > latest:
        raise Busy
    return work()


def _be_nice() -> None:
    """Lowers the priority of this thread alone, which Linux can."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
