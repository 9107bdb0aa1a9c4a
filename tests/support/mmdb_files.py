"""Write databases in the MaxMind DB format, according to its specification 2.0."""

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import TypeAlias

Value: TypeAlias = "str | int | Mapping[str, Value]"

MARKER = b"\xab\xcd\xefMaxMind.com"
SEPARATOR = bytes(16)
_TEXT, _NUMBER, _MAP = 2, 6, 7
_MOST_BYTES = 28


class MmdbWriter:
    """A binary tree: each side of a node is another node, a record or nothing.

    Args:
        version: 4 for IPv4 only; a database of version 6 has IPv4 at ::/96.
    """

    def __init__(self, version: int = 6) -> None:
        self._version = version
        self._nodes: list[dict[int, int]] = [{}]
        self._records: list[tuple[dict[int, int], int, Value]] = []

    def put(self, network: str, record: Value) -> None:
        """Add the record of a network that contains no other one."""
        bits = self._bits(network)
        node = self._nodes[0]
        for bit in bits[:-1]:
            if bit not in node:
                node[bit] = len(self._nodes)
                self._nodes.append({})
            node = self._nodes[node[bit]]
        self._records.append((node, bits[-1], record))

    def write(self, path: Path) -> Path:
        """Write the file."""
        count, data = len(self._nodes), b""
        for node, bit, record in self._records:
            node[bit] = count + len(SEPARATOR) + len(data)
            data += encoded(record)
        sides = [node.get(bit, count) for node in self._nodes for bit in (0, 1)]
        tree = b"".join(side.to_bytes(3, "big") for side in sides)
        about: dict[str, Value] = {
            "node_count": count,
            "record_size": 24,
            "ip_version": self._version,
            "database_type": "Test-Country",
            "languages": {},
            "binary_format_major_version": 2,
            "binary_format_minor_version": 0,
            "build_epoch": 1,
            "description": {},
        }
        path.write_bytes(tree + SEPARATOR + data + MARKER + encoded(about))
        return path

    def _bits(self, network: str) -> list[int]:
        net = ip_network(network)
        width = 32 if self._version == 4 else 128
        number, length = int(net.network_address), net.prefixlen + width - net.max_prefixlen
        return [number >> (width - 1 - place) & 1 for place in range(length)]


def encoded(value: Value) -> bytes:
    """Return a value as the data section encodes it."""
    if isinstance(value, Mapping):
        pairs = b"".join(encoded(name) + encoded(part) for name, part in value.items())
        return bytes([_MAP << 5 | len(value)]) + pairs
    content = value.encode() if isinstance(value, str) else value.to_bytes(4, "big")
    assert len(content) <= _MOST_BYTES
    return bytes([(_TEXT if isinstance(value, str) else _NUMBER) << 5 | len(content)]) + content


def write_mmdb(path: Path, records: Mapping[str, Value], *, version: int = 6) -> Path:
    """Write a database of networks and their records."""
    writer = MmdbWriter(version)
    for network, record in records.items():
        writer.put(network, record)
    return writer.write(path)
