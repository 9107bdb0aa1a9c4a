"""Lines of the hosts file: each of ours carries a mark, so that it is known among others."""

import contextlib
import ipaddress
from collections.abc import Iterator, Sequence
from typing import Final

from hupan.connect.files import ConnectRefused

MARK: Final = "# hupan connect"
_MARK = MARK.encode()


def add_lines(data: bytes, address: str, names: Sequence[str]) -> bytes:
    """Return a hosts file in which each name points to an address.

    The rest of the file is unchanged, byte by byte; our lines for another address are removed.

    Raises:
        ConnectRefused: a line of another author points a name elsewhere.
    """
    own = set(_own_lines(address, names))
    lines = [line for line in _split(data) if not _is_marked(line) or line.strip() in own]
    found = set[str]()
    for number, line in enumerate(_split(data), 1):
        if _is_marked(line) and line.strip() not in own:
            continue
        for target, name in _mappings(line):
            if name not in names:
                continue
            if target != ipaddress.ip_address(address):
                _refuse(number, line, name)
            found.add(name)
    missing = [name for name in names if name not in found]
    kept = b"".join(lines)
    if not missing:
        return kept
    end = _line_end(kept)
    gap = end if kept and not kept.endswith(b"\n") else b""
    return kept + gap + b"".join(line + end for line in _own_lines(address, missing))


def remove_lines(data: bytes, *, ended: bool = True) -> bytes:
    """Return a hosts file without our lines.

    Args:
        data: the file.
        ended: whether its last line was ended before ours were added.
    """
    lines = _split(data)
    kept = [line for line in lines if not _is_marked(line)]
    if not ended and kept and _is_marked(lines[-1]):
        kept[-1] = kept[-1].removesuffix(b"\r\n" if lines[-1].endswith(b"\r\n") else b"\n")
    return b"".join(kept)


def _own_lines(address: str, names: Sequence[str]) -> list[bytes]:
    return [f"{address} {name} {MARK}".encode() for name in names]


def _is_marked(line: bytes) -> bool:
    return line.rstrip().endswith(_MARK)


def _split(data: bytes) -> list[bytes]:
    """Return the lines with their ends; only a line feed ends one."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]] + list(
        filter(None, [data.rpartition(b"\n")[2]])
    )


def _line_end(data: bytes) -> bytes:
    ends = data.count(b"\n")
    return b"\r\n" if ends and data.count(b"\r\n") * 2 > ends else b"\n"


def _mappings(line: bytes) -> Iterator[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, str]]:
    first, *names = line.partition(b"#")[0].decode("latin-1").split() or [""]
    with contextlib.suppress(ValueError):  # text that is not an address maps nothing
        target = ipaddress.ip_address(first.partition("%")[0])
        yield from ((target, name.rstrip(".").lower()) for name in names)


def _refuse(number: int, line: bytes, name: str) -> None:
    text = ascii(line.decode("utf-8", "replace").strip()[:200])[1:-1]
    raise ConnectRefused(
        f"hosts 文件第 {number} 行已把 {name} 指向别处：{text}；请先删除或注释该行",
        f"line {number} of the hosts file already points {name} elsewhere: {text}; remove that "
        "line or comment it out first",
    )
