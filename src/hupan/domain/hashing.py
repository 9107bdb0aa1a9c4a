"""Argon2id in PHC strings, by libsodium (decision 20; security P4).

Whoever has least under way comes first, so a crowd of requests of one account, or from one address,
waits behind a single request of another (security X3, decision 27). When the queue is full, the
request that would come last is refused, be it the new one or one that waits.

python -m hupan.domain.hash_process     answers on its standard input, a socket, until that ends
"""

import asyncio
import base64
import contextlib
import errno
import hmac
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nacl.bindings import (
    crypto_pwhash_alg,
    crypto_pwhash_ALG_ARGON2ID13,
    crypto_pwhash_argon2id_MEMLIMIT_MAX,
    crypto_pwhash_argon2id_MEMLIMIT_MIN,
)

from hupan.addresses import ClientOrigin
from hupan.errors import Busy

SALT_BYTES, DIGEST_BYTES = 16, 32
# Base64 without padding: 16 bytes are 22 characters, 32 are 43. libsodium knows one lane only.
_PHC = re.compile(
    r"\$argon2id\$v=19\$m=([0-9]{1,10}),t=([0-9]{1,3}),p=1\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})"
)


@dataclass(frozen=True, slots=True)
class HashCost:
    """Parameters of argon2id."""

    memory_kib: int = 19456
    passes: int = 2

    @property
    def phc_prefix(self) -> str:
        """What a hash of this cost begins with."""
        return f"$argon2id$v=19$m={self.memory_kib},t={self.passes},p=1$"


def hash_password(password: str, cost: HashCost) -> str:
    """The string to store: parameters, a fresh salt and the digest in PHC form.

    Raises:
        RuntimeError: there is no memory for it.
    """
    salt = os.urandom(SALT_BYTES)
    return (
        f"{cost.phc_prefix}{_encode_base64(salt)}${_encode_base64(_digest(password, salt, cost))}"
    )


def is_argon2_hash(stored: str) -> bool:
    """Whether a text is a PHC string that some password may match."""
    found = _PHC.fullmatch(stored)
    return found is not None and _is_supported(HashCost(int(found[1]), int(found[2])))


def verify_password(stored: str, password: str) -> bool:
    """Whether a password is the one of a PHC string; what is none matches nothing.

    Raises:
        RuntimeError: there is no memory for it, so nothing is known.
    """
    found = _PHC.fullmatch(stored)
    if found is None or not is_argon2_hash(stored):
        return False
    cost = HashCost(int(found[1]), int(found[2]))
    return hmac.compare_digest(
        _digest(password, _decode_base64(found[3]), cost), _decode_base64(found[4])
    )


def _is_supported(cost: HashCost) -> bool:
    min_bytes, max_bytes = crypto_pwhash_argon2id_MEMLIMIT_MIN, crypto_pwhash_argon2id_MEMLIMIT_MAX
    return min_bytes <= cost.memory_kib * 1024 <= max_bytes and cost.passes > 0


def _digest(password: str, salt: bytes, cost: HashCost) -> bytes:
    return crypto_pwhash_alg(
        DIGEST_BYTES,
        password.encode(),
        salt,
        cost.passes,
        cost.memory_kib * 1024,
        crypto_pwhash_ALG_ARGON2ID13,
    )


def _encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _decode_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


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


NICENESS = 10
# The most that one question takes, and how long a process may take to end by itself.
MAX_ANSWER_SECONDS, MAX_EXIT_SECONDS = 30.0, 0.5
OOM_SCORE_ADJ = 500


class HashProcess:
    """The server's side: one question at a time, from one thread at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(MAX_ANSWER_SECONDS)
        with theirs, ours:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own words
                [sys.executable, "-P", "-m", __name__],
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


def main() -> None:
    """Answers questions; ends with whoever asked them."""
    _lower_priority()
    with (
        contextlib.suppress(ConnectionError),
        socket.socket(fileno=0) as served,
        served.makefile("rwb") as stream,
    ):
        for line in stream:
            stream.write(json.dumps(_answer(json.loads(line))).encode() + b"\n")
            stream.flush()


def _lower_priority() -> None:
    """The server goes before: its turn comes first, its end is its own to tell."""
    # A terminal's Ctrl-C and systemd's SIGTERM reach all processes of a server, which then has
    # sign-ins to finish; this one ends when the server's socket does. What the server
    # ignores is ignored here too.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    # Hashes fill whole cores; being nice, they leave the event loop its turn at once (P5).
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    # Where memory ends, this process can be replaced and the server cannot.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE_ADJ), "ascii")


def _answer(question: list[str | int]) -> str | bool | None:
    """The answer, or None if there is no memory for it."""
    try:
        return _compute(question)
    except (RuntimeError, MemoryError):
        return None


def _compute(question: list[str | int]) -> str | bool:
    match question:
        case [str(password), int(memory_kib), int(passes)]:
            return hash_password(password, HashCost(memory_kib, passes))
        case [str(stored), str(password)]:
            return verify_password(stored, password)
        case _:
            raise ValueError("a question nobody asks")


if __name__ == "__main__":
    main()


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
