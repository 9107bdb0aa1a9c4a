"""Argon2id in PHC strings, by libsodium (decision 20; security P4).

Whoever has least under way comes first, so a crowd of requests of one account, or from one address,
waits behind a single request of another (security X3, decision 27). When the queue is full, the
request that would come last is refused, be it the new one or one that waits.
"""

import asyncio
import contextlib
import errno
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from hupan.addresses import ClientOrigin
from hupan.domain.hash_worker import HashCost, is_argon2_hash
from hupan.errors import Busy

MAX_ADMITTED_PER_KEY = 2
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


OPERATOR_CLIENT = HashClient("operator", "operator", "operator")


def hash_client(target: str, origin: ClientOrigin) -> HashClient:
    """Return for whom a request with a target hashes."""
    return HashClient(target, origin.host, origin.network)


class _WaitingRequest:
    """One request that waits; `is_let_in` is resolved once it may go on, or fails with `Busy`."""

    __slots__ = ("admitted", "client")

    def __init__(self, client: HashClient) -> None:
        self.client = client
        self.admitted = asyncio.get_running_loop().create_future()


class HashQueue:
    """Lets requests in, so many at once; used on the event loop alone.

    Args:
        max_admitted: the requests that are let in.
        max_waiting: the requests that wait.
        max_wait_seconds: how long one waits.
    """

    def __init__(self, max_admitted: int, max_waiting: int, max_wait_seconds: float) -> None:
        self._max_admitted = max_admitted
        self._max_waiting = max_waiting
        self._max_wait_seconds = max_wait_seconds
        self._admitted: list[HashClient] = []
        self._waiting: list[_WaitingRequest] = []

    def __len__(self) -> int:
        """How many are let in or wait."""
        return len(self._admitted) + len(self._waiting)

    @asynccontextmanager
    async def slot(self, client: HashClient) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Raises:
            Busy: too many wait, or the wait was too long.
        """
        await self._wait_for_slot(_WaitingRequest(client))
        try:
            yield
        finally:
            self._release_slot(client)

    async def _wait_for_slot(self, request: _WaitingRequest) -> None:
        self._waiting.append(request)
        self._admit_next()
        if len(self._waiting) > self._max_waiting:
            self._reject(self._by_priority()[-1])
        timer = asyncio.get_running_loop().call_later(self._max_wait_seconds, self._reject, request)
        try:
            await request.admitted
        except asyncio.CancelledError:
            if request in self._waiting:
                self._waiting.remove(request)
            elif request.admitted.exception() is None:  # let in at the moment in which it gave up
                self._release_slot(request.client)
            raise
        finally:
            timer.cancel()

    def _reject(self, request: _WaitingRequest) -> None:
        if request in self._waiting and not request.admitted.done():
            self._waiting.remove(request)
            request.admitted.set_exception(Busy())

    def _release_slot(self, client: HashClient) -> None:
        self._admitted.remove(client)
        self._admit_next()

    def _admit_next(self) -> None:
        while len(self._admitted) < self._max_admitted:
            admitted_per_key = Counter(
                key for client in self._admitted for key in _bounded_keys(client)
            )
            for request in self._by_priority():
                if all(
                    admitted_per_key[key] < MAX_ADMITTED_PER_KEY
                    for key in _bounded_keys(request.client)
                ):
                    self._waiting.remove(request)
                    self._admitted.append(request.client)
                    request.admitted.set_result(None)
                    break
            else:
                return

    def _by_priority(self) -> list[_WaitingRequest]:
        """Those who wait: by how many of the same account, address and network go before them."""
        targets = Counter(client.target for client in self._admitted)
        hosts = Counter(client.host for client in self._admitted)
        networks = Counter(client.network for client in self._admitted)
        ranked: list[tuple[int, int, int, int]] = []
        for position, request in enumerate(self._waiting):
            if request.admitted.done():  # its client is gone, and it leaves when its task goes on
                continue
            client = request.client
            ranked.append(
                (targets[client.target], hosts[client.host], networks[client.network], position)
            )
            targets[client.target] += 1
            hosts[client.host] += 1
            networks[client.network] += 1
        return [self._waiting[place] for *_, place in sorted(ranked)]


def _bounded_keys(client: HashClient) -> tuple[tuple[str, str], ...]:
    return (("target", client.target), ("host", client.host))


# The most that one question takes, and how long a process may take to end by itself.
MAX_ANSWER_SECONDS, MAX_EXIT_SECONDS = 30.0, 0.5


class HashProcess:
    """The server's side: one question at a time, from one thread at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(MAX_ANSWER_SECONDS)
        with theirs, ours:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own words
                [sys.executable, "-P", "-m", "hupan.domain.hash_worker"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=_without_secrets(os.environ),
            )
            self._stream = ours.makefile("rwb")

    @property
    def pid(self) -> int:
        """The number that the system gave it."""
        return self._process.pid

    def hash(self, password: str, cost: HashCost) -> str:
        """The string to store; see `argon2id.hashed`.

        Raises:
            OSError: the process has ended or hangs, or there is no memory.
        """
        return str(self._request([password, cost.memory_kib, cost.passes]))

    def verify(self, stored: str, password: str) -> bool:
        """Whether a password is the one of a PHC string; see `argon2id.matches`.

        Raises:
            OSError: as for `hash`, so nothing is known.
        """
        return self._request([stored, password]) is True

    def kill(self) -> None:
        """Ends the process at once, also from another thread than the one that waits for it."""
        self._process.kill()

    def close(self) -> int:
        """Ends the process, if it has not; gives what it ended with, below 0 a signal's number."""
        self.close_stream()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(MAX_EXIT_SECONDS)
        self.kill()
        return self._process.wait()

    def close_stream(self) -> None:
        """Asks no more, upon which the process ends by itself: what the server's own end does."""
        with contextlib.suppress(OSError):
            self._stream.close()

    def wait(self, seconds: float) -> int:
        """What it ended with.

        Raises:
            TimeoutExpired: it has not.
        """
        return self._process.wait(seconds)

    def _request(self, question: list[str | int]) -> object:
        self._stream.write(json.dumps(question).encode() + b"\n")
        self._stream.flush()
        line = self._stream.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the process that hashes passwords has ended")
        answer = json.loads(line)
        if answer is None:
            raise OSError(errno.ENOMEM, "there is no memory to hash a password")
        return answer


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The server's settings are no business of a process that only counts."""
    return {name: value for name, value in environment.items() if not name.startswith("HUPAN_")}


Answer = TypeVar("Answer")
_log = logging.getLogger("hupan.passwords")


class HashProcessPool:
    """As many processes as threads ask at once; each answers one thread at a time."""

    def __init__(self) -> None:
        self._idle: list[HashProcess] = []
        self._started: set[HashProcess] = set()
        self._closed = threading.Event()

    @property
    def idle_pids(self) -> list[int]:
        """The processes that wait for a question."""
        return [process.pid for process in self._idle]

    def run(self, question: Callable[[HashProcess], Answer]) -> Answer:
        """What a process answers.

        Raises:
            OSError: two processes ended, or one hangs or has no memory.
            Busy: the pool was closed.
        """
        try:
            return self._run_on(question, self._take_process())
        except ConnectionError:
            # Whoever killed that one may have killed all that wait, so it is a new one's turn.
            return self._run_on(question, self._start_process())

    def close(self) -> None:
        """Ends the processes, also those at work, so that no thread waits for them."""
        self._closed.set()
        for process in tuple(self._started):
            process.kill()
        self._stop_idle()

    def _run_on(self, question: Callable[[HashProcess], Answer], process: HashProcess) -> Answer:
        """Asks a process that nobody else asks meanwhile; one that fails is not asked again."""
        try:
            answer = question(process)
        except BaseException:
            self._stop(process)
            raise
        self._idle.append(process)
        if self._closed.is_set():
            self._stop_idle()
        return answer

    def _take_process(self) -> HashProcess:
        try:
            return self._idle.pop()
        except IndexError:
            return self._start_process()

    def _start_process(self) -> HashProcess:
        """Begins one, unless all were ended."""
        if not self._closed.is_set():
            process = HashProcess()
            self._started.add(process)
            if not self._closed.is_set():  # `close` may have looked before it was there
                return process
            self._stop(process)
        raise Busy

    def _stop(self, process: HashProcess) -> None:
        ended_with = process.close()
        self._started.discard(process)
        if not self._closed.is_set():
            _log.warning("a process that hashes passwords ended: %s %s", process.pid, ended_with)

    def _stop_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._stop(self._idle.pop())


SLOTS_PER_THREAD = 2
"""One that is hashed, one that counts its attempt meanwhile."""
MAX_WAITING_PER_THREAD = 7
MAX_WAIT_SECONDS = 2.0
# What an address without a password is verified against: as costly as a hash of somebody's (E2),
# and, because it is none of any known password, without the cost of making it at each start.
_DUMMY_SALT, _DUMMY_DIGEST = "A" * 22, "A" * 43


class PasswordHasher:
    """Hashes and verifies, at most so many at once, off the event loop.

    `hash` and `verify` are called within a `slot`, which bounds how many there are (P5).
    """

    def __init__(self, cost: HashCost, threads: int) -> None:
        self._cost = cost
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hupan-argon2")
        self._pool = HashProcessPool()
        self._queue = HashQueue(
            threads * SLOTS_PER_THREAD,
            threads * MAX_WAITING_PER_THREAD,
            MAX_WAIT_SECONDS,
        )
        self._dummy_hash = f"{cost.phc_prefix}{_DUMMY_SALT}${_DUMMY_DIGEST}"

    @property
    def pending_count(self) -> int:
        """How many passwords wait or are worked on."""
        return len(self._queue)

    @property
    def idle_pids(self) -> list[int]:
        """The processes that wait for a password."""
        return self._pool.idle_pids

    def slot(self, client: HashClient) -> AbstractAsyncContextManager[None]:
        """Wait for the turn of a client: `async with passwords.turn(client):` (security X3).

        Raises:
            Busy: on entering, when too many wait or the wait was too long.
        """
        return self._queue.slot(client)

    async def hash(self, password: str) -> str:
        """The string to store: parameters, salt and hash in PHC form."""
        return await self._run(lambda process: process.hash(password, self._cost))

    async def verify(self, stored: str, password: str) -> bool:
        """Whether a password is right; what is no hash takes as long and matches none."""
        asked = stored if is_argon2_hash(stored) else self._dummy_hash
        right = await self._run(lambda process: process.verify(asked, password))
        return right and asked is stored

    def is_outdated(self, stored: str) -> bool:
        """Whether a stored hash was made with other parameters than today's."""
        return not stored.startswith(self._cost.phc_prefix)

    def close(self) -> None:
        """Ends the processes, also those at work, and with them the threads that wait for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close()

    async def _run(self, ask: Callable[[HashProcess], Answer]) -> Answer:
        """Asks a process.

        Raises:
            Busy: the pool was closed.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._pool.run, ask)
