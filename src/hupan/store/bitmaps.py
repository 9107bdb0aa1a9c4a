"""Sets of places 0 to 65,535, kept as bytes and worked on as whole numbers.

A number's bit at a place says whether the place is in the set, so `&` intersects 65,536 places in
some microseconds. The bytes begin with their form: few places are kept one by one, many as bits.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import islice

PLACES = 65_536
MOST_ONE_BY_ONE = 256
_ONE_BY_ONE, _BITS = b"\0", b"\1"


def pack(places: Sequence[int]) -> bytes:
    """A set as bytes, from its places in ascending order."""
    if len(places) <= MOST_ONE_BY_ONE:
        return _ONE_BY_ONE + struct.pack(f"<{len(places)}H", *places)
    return _BITS + _bits(places, places[-1] // 8 + 1)


def unpack(packed: bytes) -> int:
    """A set as a number, from its bytes."""
    if packed.startswith(_BITS):
        return int.from_bytes(packed[1:], "little")
    places = struct.unpack(f"<{len(packed) // 2}H", packed[1:])
    return int.from_bytes(_bits(places, places[-1] // 8 + 1 if places else 0), "little")


def places_of(members: int, skip: int, most: int) -> list[int]:
    """The places of a set in ascending order: so many, after as many as are skipped."""
    start = _end_of_first(members, skip)
    return [start + place for place in islice(each_place(members >> start), most)]


def each_place(members: int) -> Iterator[int]:
    """The places of a set in ascending order, found one by one as they are asked for."""
    bits = f"{members:b}"[::-1]
    place = bits.find("1")
    while place >= 0:
        yield place
        place = bits.find("1", place + 1)


def _bits(places: Sequence[int], length: int) -> bytes:
    bits = bytearray(length)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def _end_of_first(members: int, count: int) -> int:
    """The lowest place with so many members below it, found by halving."""
    low, high = 0, members.bit_length()
    while count and low < high:
        middle = (low + high) // 2
        if (members & ((1 << middle) - 1)).bit_count() < count:
            low = middle + 1
        else:
            high = middle
    return low
