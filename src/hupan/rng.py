"""Random sources: the operating system's, and a seeded one for the sandbox."""

import hashlib
import secrets
from typing import Protocol


class RandomSource(Protocol):
    """The source of codes, tokens and captchas."""

    def token_bytes(self, size: int) -> bytes:
        """Return unpredictable bytes."""
        ...

    def randbelow(self, bound: int) -> int:
        """Return a uniformly distributed integer from 0 to `bound` - 1."""
        ...


class SystemRandomSource:
    """The operating system's generator (security C1, T1)."""

    token_bytes = staticmethod(secrets.token_bytes)
    randbelow = staticmethod(secrets.randbelow)


class SeededRandomSource:
    """Repeats from a seed: SHA-256 over (seed, counter). Only for the sandbox."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._counter = 0

    @property
    def position(self) -> int:
        """The position in the sequence."""
        return self._counter

    def move_to(self, position: int) -> None:
        """Continue from a position."""
        self._counter = position

    def token_bytes(self, size: int) -> bytes:
        """Return the next bytes of the sequence."""
        blocks = b"".join(self._block() for _ in range(-(-size // 32)))
        return blocks[:size]

    def randbelow(self, bound: int) -> int:
        """Return the next number; the bias of 128 bits over `bound` is negligible."""
        return int.from_bytes(self.token_bytes(16)) % bound

    def _block(self) -> bytes:
        self._counter += 1
        return hashlib.sha256(self._seed + self._counter.to_bytes(8)).digest()
