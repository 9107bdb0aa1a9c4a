"""A list of common passwords, held as a compact filter (security P3).

The filter is a Bloom filter: it never misses an entry, and takes one text in ten thousand for one
that is none. It is made by `make wordlist` from `wordlists/`.
"""

import hashlib
from collections.abc import Collection
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final

FILE: Final = "common_passwords.bin"
HASHES: Final = 13
BITS_FOR_EACH: Final = 20
"""With 13 hashes: less than one text in ten thousand is taken for an entry."""


class CommonPasswords:
    """Tells whether a text, in lower case, is an entry of the list."""

    def __init__(self, bits: bytes | mmap) -> None:
        self._bits = bits

    def __contains__(self, text: str) -> bool:
        """Whether it is; rarely True for one that is not."""
        return all(self._bits[at >> 3] >> (at & 7) & 1 for at in places(text, len(self._bits) * 8))


def load_common_passwords() -> CommonPasswords:
    """The list that comes with the program; mapped, so that a start does not wait to read it."""
    with Path(__file__).with_name(FILE).open("rb") as file:
        return CommonPasswords(mmap(file.fileno(), 0, access=ACCESS_READ))


def make_bits(entries: Collection[str]) -> bytes:
    """The filter of a list."""
    bits = bytearray(-(-len(entries) * BITS_FOR_EACH // 8))
    for entry in entries:
        for at in places(entry, len(bits) * 8):
            bits[at >> 3] |= 1 << (at & 7)
    return bytes(bits)


def places(text: str, size: int) -> list[int]:
    """Which bits of a filter stand for a text: one hash of 128 bits, split and stepped."""
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    first, step = int.from_bytes(digest[:8]), int.from_bytes(digest[8:]) | 1
    return [(first + turn * step) % size for turn in range(HASHES)]
