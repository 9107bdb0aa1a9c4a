"""Password hashing in separate processes behind a bounded, fair queue (security P2, P4, P5, X3).

The client with the fewest requests in progress comes first, so a crowd of requests of one account,
or from one address, waits behind a single request of another (decision 27). When the queue is full,
the request that would come last is rejected, whether it is new or waiting.
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
"""Requests admitted at once per account and per address."""


@dataclass(frozen=True, slots=True)
class HashClient:
    """The client whose password is hashed.

    Attributes:
        target: key of the account's contact, whether or not the account exists.
        host: the client's address, a /64 for IPv6.
        network: the network around it.
    """

    target: str = ""
    host: str = ""
    network: str = ""


OPERATOR_CLIENT = HashClient("operator", "operator", "operator")


def hash_client(target: str, origin: ClientOrigin) -> HashClient:
    return HashClient(target, origin.host, origin.network)


class _WaitingRequest:
    __slots__ = ("admitted", "client")

    def __init__(self, client: HashClient) -> None:
        self.client = client
        self.admitted = asyncio.get_running_loop().create_future()


class HashQueue:
    """Admits a bounded number of requests. Not thread-safe: use from the event loop only.

    Args:
        max_admitted: requests admitted at once.
        max_waiting: requests that may wait.
        max_wait_seconds: how long a request may wait.
    """

    def __init__(self, max_admitted: int, max_waiting: int, max_wait_seconds: float) -> None:
        self._max_admitted = max_admitted
        self._max_waiting = max_waiting
        self._max_wait_seconds = max_wait_seconds
        self._admitted: list[HashClient] = []
        self._waiting: list[_WaitingRequest] = []

    def __len__(self) -> int:
        """Return the number of admitted and waiting requests."""
        return len(self._admitted) + len(self._waiting)

    @asynccontextmanager
    async def slot(self, client: HashClient) -> AsyncIterator[None]:
        """Wait for admission and hold a slot.

        Raises:
            Busy: too many requests wait, or the wait was too long.
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
            elif request.admitted.exception() is None:  # admitted just as it gave up
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
        # By the number of requests of the same account, address and network that come first.
        targets = Counter(client.target for client in self._admitted)
        hosts = Counter(client.host for client in self._admitted)
        networks = Counter(client.network for client in self._admitted)
        ranked: list[tuple[int, int, int, int]] = []
        for position, request in enumerate(self._waiting):
            if request.admitted.done():  # its client is gone; its task will remove it
                continue
            client = request.client
            ranked.append(
                (targets[client.target], hosts[client.host], networks[client.network], position)
            )
            targets[client.target] += 1
            hosts[client.host] += 1
            networks[client.network] += 1
        return [self._waiting[position] for *_, position in sorted(ranked)]


def _bounded_keys(client: HashClient) -> tuple[tuple[str, str], ...]:
    return (("target", client.target), ("host", client.host))


# Maximum duration of a request, and of the exit of a process.
MAX_ANSWER_SECONDS, MAX_EXIT_SECONDS = 30.0, 0.5


class HashProcess:
    """A hashing process, as seen by the server: one request and one thread at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(MAX_ANSWER_SECONDS)
        with theirs, ours:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-P", "-m", "hupan.domain.hash_worker"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=_without_secrets(os.environ),
            )
            self._stream = ours.makefile("rwb")

    @property
    def pid(self) -> int:
        return self._process.pid

    def hash(self, password: str, cost: HashCost) -> str:
        """Hash a password, see `hash_password`.

        Raises:
            OSError: the process has ended or hangs, or there is no memory.
        """
        return str(self._request([password, cost.memory_kib, cost.passes]))

    def verify(self, stored: str, password: str) -> bool:
        """Verify a password, see `verify_password`.

        Raises:
            OSError: as for `hash`, so the result is unknown.
        """
        return self._request([stored, password]) is True

    def kill(self) -> None:
        """Kill the process; may be called from another thread than the one that waits for it."""
        self._process.kill()

    def close(self) -> int:
        """End the process if it runs; return its exit status, negative for a signal."""
        self.close_stream()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(MAX_EXIT_SECONDS)
        self.kill()
        return self._process.wait()

    def close_stream(self) -> None:
        """Close the socket; the process then exits, as it does when the server ends."""
        with contextlib.suppress(OSError):
            self._stream.close()

    def wait(self, seconds: float) -> int:
        """Return the exit status.

        Raises:
            TimeoutExpired: the process still runs.
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
            raise OSError(errno.ENOMEM, "there is not enough memory to hash a password")
        return answer


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    # The process needs none of the server's settings.
    return {name: value for name, value in environment.items() if not name.startswith("HUPAN_")}


Answer = TypeVar("Answer")
_log = logging.getLogger("hupan.passwords")


class HashProcessPool:
    """Starts as many processes as threads use at once; each serves one thread at a time."""

    def __init__(self) -> None:
        self._idle: list[HashProcess] = []
        self._started: set[HashProcess] = set()
        self._closed = threading.Event()

    @property
    def idle_pids(self) -> list[int]:
        return [process.pid for process in self._idle]

    def run(self, question: Callable[[HashProcess], Answer]) -> Answer:
        """Run a request on a process, and once more on a new one if that process has ended.

        Raises:
            OSError: two processes ended, or one hangs or has no memory.
            Busy: the pool was closed.
        """
        try:
            return self._run_on(question, self._take_process())
        except ConnectionError:
            # What killed it may have killed all idle processes, so use a new one.
            return self._run_on(question, self._start_process())

    def close(self) -> None:
        """Kill all processes, even busy ones, so that no thread waits for them."""
        self._closed.set()
        for process in tuple(self._started):
            process.kill()
        self._stop_idle()

    def _run_on(self, question: Callable[[HashProcess], Answer], process: HashProcess) -> Answer:
        # A process that failed is not used again.
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
        if not self._closed.is_set():
            process = HashProcess()
            self._started.add(process)
            if not self._closed.is_set():  # `close` may have run before it was added
                return process
            self._stop(process)
        raise Busy

    def _stop(self, process: HashProcess) -> None:
        exit_status = process.close()
        self._started.discard(process)
        if not self._closed.is_set():
            _log.warning("a process that hashes passwords ended: %s %s", process.pid, exit_status)

    def _stop_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._stop(self._idle.pop())


SLOTS_PER_THREAD = 2
"""One to hash while another request counts its attempt."""
MAX_WAITING_PER_THREAD = 7
MAX_WAIT_SECONDS = 2.0
# Verified for addresses without a password: as costly as a real hash (E2). It matches no known
# password and need not be computed at each start.
_DUMMY_SALT, _DUMMY_DIGEST = "A" * 22, "A" * 43


class PasswordHasher:
    """Hashes and verifies passwords off the event loop.

    `hash` and `verify` must be called within a `slot`, which bounds their number (P5).
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
        self._phc_prefix = cost.phc_prefix
        self._dummy_hash = f"{self._phc_prefix}{_DUMMY_SALT}${_DUMMY_DIGEST}"

    @property
    def pending_count(self) -> int:
        """The number of passwords waiting or in progress."""
        return len(self._queue)

    @property
    def idle_pids(self) -> list[int]:
        return self._pool.idle_pids

    def slot(self, client: HashClient) -> AbstractAsyncContextManager[None]:
        """Wait for a client's turn: `async with passwords.slot(client):` (security X3).

        Raises:
            Busy: on entering, when too many wait or the wait was too long.
        """
        return self._queue.slot(client)

    async def hash(self, password: str) -> str:
        """Return the string to store: parameters, salt and digest in PHC form."""
        return await self._run(lambda process: process.hash(password, self._cost))

    async def verify(self, stored: str, password: str) -> bool:
        """Return whether a password matches; an invalid hash takes as long and matches nothing."""
        tested = stored if is_argon2_hash(stored) else self._dummy_hash
        is_correct = await self._run(lambda process: process.verify(tested, password))
        return is_correct and tested is stored

    def is_outdated(self, stored: str) -> bool:
        """Return whether the parameters of a hash differ from the current ones."""
        return not stored.startswith(self._phc_prefix)

    def close(self) -> None:
        """Kill the processes, even busy ones, and with them the threads that wait for them."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close()

    async def _run(self, question: Callable[[HashProcess], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._pool.run, question
        )
