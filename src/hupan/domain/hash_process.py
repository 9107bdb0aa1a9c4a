"""A process that does nothing but argon2id, so that nobody else waits for it (decision 20).

python -m hupan.domain.hash_process     answers on its standard input, a socket, until that ends
"""

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from hupan.domain.argon2id import HashCost, hashed, matches

NICENESS = 10
# The most that one question takes, and how long a process may take to end by itself.
MOST_SECONDS, SECONDS_TO_LEAVE = 30.0, 0.5
OOM_SCORE_ADJ = 500


class HashProcess:
    """The server's side: one question at a time, from one thread at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(MOST_SECONDS)
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
        return str(self._ask([password, cost.memory_kib, cost.passes]))

    def matches(self, stored: str, password: str) -> bool:
        """Whether a password is the one of a PHC string; see `argon2id.matches`.

        Raises:
            OSError: as for `hash`, so nothing is known.
        """
        return self._ask([stored, password]) is True

    def kill(self) -> None:
        """Ends the process at once, also from another thread than the one that waits for it."""
        self._process.kill()

    def close(self) -> int:
        """Ends the process, if it has not; gives what it ended with, below 0 a signal's number."""
        self.hang_up()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(SECONDS_TO_LEAVE)
        self.kill()
        return self._process.wait()

    def hang_up(self) -> None:
        """Asks no more, upon which the process ends by itself: what the server's own end does."""
        with contextlib.suppress(OSError):
            self._stream.close()

    def wait(self, seconds: float) -> int:
        """What it ended with.

        Raises:
            TimeoutExpired: it has not.
        """
        return self._process.wait(seconds)

    def _ask(self, question: list[str | int]) -> object:
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
    _step_back()
    with (
        contextlib.suppress(ConnectionError),
        socket.socket(fileno=0) as served,
        served.makefile("rwb") as stream,
    ):
        for line in stream:
            stream.write(json.dumps(_answer(json.loads(line))).encode() + b"\n")
            stream.flush()


def _step_back() -> None:
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
        return _computed(question)
    except (RuntimeError, MemoryError):
        return None


def _computed(question: list[str | int]) -> str | bool:
    match question:
        case [str(password), int(memory_kib), int(passes)]:
            return hashed(password, HashCost(memory_kib, passes))
        case [str(stored), str(password)]:
            return matches(stored, password)
        case _:
            raise ValueError("a question nobody asks")


if __name__ == "__main__":
    main()
