"""Argon2id in PHC strings by libsodium, and the process that computes it (decision 20, P4).

`python -m hupan.domain.hash_worker` answers requests on its standard input, a socket, until that is
closed. This module imports none of our own: one such process starts for each thread, and again
after each crash.
"""

import base64
import contextlib
import hmac
import json
import os
import re
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from nacl.bindings import (
    crypto_pwhash_alg,
    crypto_pwhash_ALG_ARGON2ID13,
    crypto_pwhash_argon2id_MEMLIMIT_MAX,
    crypto_pwhash_argon2id_MEMLIMIT_MIN,
)

SALT_BYTES, DIGEST_BYTES = 16, 32
# Base64 without padding: 16 bytes are 22 characters, 32 are 43. libsodium supports one lane only.
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
        """The beginning of every hash with these parameters."""
        return f"$argon2id$v=19$m={self.memory_kib},t={self.passes},p=1$"


def hash_password(password: str, cost: HashCost) -> str:
    """Return the string to store: parameters, a fresh salt and the digest in PHC form.

    Raises:
        RuntimeError: out of memory.
    """
    salt = os.urandom(SALT_BYTES)
    return (
        f"{cost.phc_prefix}{_encode_base64(salt)}${_encode_base64(_digest(password, salt, cost))}"
    )


def is_argon2_hash(stored: str) -> bool:
    """Return whether a text is a PHC string that can be verified."""
    match = _PHC.fullmatch(stored)
    return match is not None and _is_supported(HashCost(int(match[1]), int(match[2])))


def verify_password(stored: str, password: str) -> bool:
    """Return whether a password matches a PHC string; False if it is not one.

    Raises:
        RuntimeError: out of memory, so the result is unknown.
    """
    match = _PHC.fullmatch(stored)
    if match is None or not is_argon2_hash(stored):
        return False
    cost = HashCost(int(match[1]), int(match[2]))
    return hmac.compare_digest(
        _digest(password, _decode_base64(match[3]), cost), _decode_base64(match[4])
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


NICENESS = 10
OOM_SCORE_ADJ = 500


def main() -> None:
    """Answer requests until the socket is closed."""
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
    # The server has priority: it must answer first, and decides itself when it stops.
    # Ctrl-C in a terminal and SIGTERM from systemd reach all processes of a server, which still has
    # sign-ins to finish; this one ends when the server closes the socket. It also ignores what
    # the server ignores.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    # Hashing uses whole cores; being nice leaves them to the event loop at once (P5).
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    # Out of memory, this process can be replaced and the server cannot.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE_ADJ), "ascii")


def _answer(request: list[str | int]) -> str | bool | None:
    # None means that there is no memory.
    try:
        return _compute(request)
    except (RuntimeError, MemoryError):
        return None


def _compute(request: list[str | int]) -> str | bool:
    match request:
        case [str(password), int(memory_kib), int(passes)]:
            return hash_password(password, HashCost(memory_kib, passes))
        case [str(stored), str(password)]:
            return verify_password(stored, password)
        case _:
            raise ValueError("an unknown request")


if __name__ == "__main__":
    main()
