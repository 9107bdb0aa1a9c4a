"""PostgreSQL's hash of a number or a text, by which a distributed table is split into shards."""

from typing import Final

SHARDS: Final = 32
"""How many shards Citus makes by default."""
_BLOCK: Final = 12
_MASK: Final = 0xFFFFFFFF
_SEED: Final = 0x9E3779B9 + 3923095


def shard_of(key: str | int | bytes) -> int:
    """Return which of the `SHARDS` equal ranges of hashes a value belongs to."""
    hashed = hash_number(key) if isinstance(key, int) else hash_bytes(_encode(key))
    return ((hashed + 0x80000000) & _MASK) * SHARDS >> 32


def hash_number(number: int) -> int:
    """Return `hashint8` of a number, unsigned."""
    low, high = number & _MASK, number >> 32 & _MASK
    low ^= high if number >= 0 else ~high & _MASK
    start = (_SEED + 4) & _MASK
    return _finish((start + low) & _MASK, start, start)


def hash_bytes(data: bytes) -> int:
    """Return `hash_any` of bytes on a little-endian machine, unsigned."""
    a = b = c = (_SEED + len(data)) & _MASK
    rest = data
    while len(rest) >= _BLOCK:
        a = (a + int.from_bytes(rest[:4], "little")) & _MASK
        b = (b + int.from_bytes(rest[4:8], "little")) & _MASK
        c = (c + int.from_bytes(rest[8:_BLOCK], "little")) & _MASK
        a, b, c = _mix(a, b, c)
        rest = rest[_BLOCK:]
    a = (a + int.from_bytes(rest[:4], "little")) & _MASK
    b = (b + int.from_bytes(rest[4:8], "little")) & _MASK
    c = (c + (int.from_bytes(rest[8:], "little") << 8)) & _MASK  # its lowest byte is the length's
    return _finish(a, b, c)


def _encode(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _MASK


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for bits in (4, 6, 8, 16, 19, 4):  # each step moves to the next of the three words
        a = ((a - c) & _MASK) ^ _rotate(c, bits)
        c = (c + b) & _MASK
        a, b, c = b, c, a
    return a, b, c


def _finish(a: int, b: int, c: int) -> int:
    for bits in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - _rotate(b, bits)) & _MASK
        a, b, c = b, c, a
    return b
