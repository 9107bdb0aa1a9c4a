"""The country of an address, by its name in Chinese."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from hupan.places.names import NAMES
from hupan.places.protocol import Address


class Codes(Protocol):
    """A table of countries, once it is open."""

    def code(self, address: Address) -> str:
        """The two letters of ISO 3166-1, "" where the table does not know."""
        ...


class Countries:
    """Tells countries by name; opens its table when it is first needed.

    Args:
        open_codes: opens the table; runs on a thread of its own, once.
    """

    def __init__(self, open_codes: Callable[[], Codes]) -> None:
        self._open_codes = open_codes
        self._codes: Codes | None = None
        self._opening = asyncio.Lock()

    async def country(self, address: Address | None) -> str:
        """The country of a public address in Chinese, "" where it is not known.

        An address that is not routed on the internet belongs to no country, so it is not looked up.
        """
        if address is None or not address.is_global:
            return ""
        codes = self._codes or await self._open()
        return NAMES.get(codes.code(address), "")

    async def _open(self) -> Codes:
        async with self._opening:
            if self._codes is None:
                self._codes = await asyncio.to_thread(self._open_codes)
        return self._codes
