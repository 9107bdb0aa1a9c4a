"""Where requests come from, as limits count them: one host, its network, a wider network.

A household or a server of IPv6 has a whole /64, so that is one host; who has many addresses of
IPv4 has most often those beside each other (security C6, C11, E4).
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

from msgspec import Struct

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

HOST_PREFIX = {4: 32, 6: 64}
"""The bits that tell hosts apart, by the version of IP."""
WIDEST_PREFIX = {4: 24, 6: 48}
"""The widest network that anything is counted under."""


class Origin(Struct, frozen=True):
    """An address and what it is counted under; the texts are "" where there is no address.

    Attributes:
        host: the /32 of IPv4, the /64 of IPv6.
        block: the /24 of IPv4, the /64 of IPv6.
        network: the /24 of IPv4, the /48 of IPv6.
        subnet: the /56 of IPv6, what many providers give to one customer; "" of IPv4.
    """

    address: Address | None
    host: str = ""
    block: str = ""
    network: str = ""
    subnet: str = ""

    @property
    def site(self) -> str:
        """The /48 of IPv6; "" of IPv4."""
        return self.network if self.subnet else ""

    @property
    def neighbours(self) -> str:
        """The /24 of IPv4; "" of IPv6."""
        return "" if self.subnet else self.network


NOWHERE = Origin(None)
"""Where requests come from that have no address, and operators."""


def origin_of(address: Address | None) -> Origin:
    """What an address is counted under."""
    if isinstance(address, IPv4Address):
        network = str(IPv4Network((int(address), 24), strict=False))
        return Origin(address, f"{address}/32", network, network)
    if isinstance(address, IPv6Address):
        host, subnet, network = (
            str(IPv6Network((int(address), prefix), strict=False)) for prefix in (64, 56, 48)
        )
        return Origin(address, host, host, network, subnet)
    return NOWHERE


def origins_in(network: Network) -> Iterator[Origin]:
    """Every host of a network, once each: up to 65,536 of one as wide as `WIDEST_PREFIX`."""
    step = HOST_PREFIX[network.version]
    hosts = network.subnets(new_prefix=step) if network.prefixlen < step else iter([network])
    return (origin_of(host.network_address) for host in hosts)
