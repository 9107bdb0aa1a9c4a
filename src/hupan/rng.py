"""Random sources: the operating system's, and a seeded one for the sandbox."""

import hashlib
import secrets
from typing import Protocol


class RandomSource(Protocol):
    """Where codes, tokens and captchas come from."""

    def token_bytes(self, size: int) -> bytes:
        """Bytes that nobody can foresee."""
        ...

    def randbelow(self, bound: int) -> int:
        """A whole number from 0 up to, and without, `bound`, each as likely as the others."""
        ...


class SystemRandomSource:
    """The operating system's generator (security C1, T1)."""

    token_bytes = staticmethod(secrets.token_bytes)
    randbelow = staticmethod(secrets.randbelow)


class SeededRandomSource:
    """Repeats itself from a seed: SHA-256 over (seed, counter). For the sandbox alone."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._counter = 0

    def token_bytes(self, size: int) -> bytes:
        """The next bytes of the sequence."""
        blocks = b"".join(self._block() for _ in range(-(-size // 32)))
        return blocks[:size]

    def randbelow(self, bound: int) -> int:
        """The next number of the sequence; the bias of 128 bits over `bound` is negligible."""
        return int.from_bytes(self.token_bytes(16)) % bound

    def _block(self) -> bytes:
        self._counter += 1
        return hashlib.sha256(self._seed + self._counter.to_bytes(8)).digest()
