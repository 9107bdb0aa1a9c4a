"""What the rest of the server asks about places."""

from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address


class Places(Protocol):
    """Tells places from addresses."""

    async def country(self, address: Address | None) -> str:
        """The country of an address in Chinese, "" for a private one and where it is not known."""
        ...
