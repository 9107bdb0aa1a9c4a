"""Memory and CPU time of processes, read from /proc."""

import os
from pathlib import Path


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        return []
    return [
        pid,
        *(one for child in children.read_text("ascii").split() for one in family(int(child))),
    ]


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process and its descendants in MB (10^6); 0 if unknown."""
    pages = sum(int(_words(one, "statm")[1]) for one in family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process and its descendants so far; 0 if unknown."""
    ticks = 0
    for one in family(pid):
        fields = Path(f"/proc/{one}/stat").read_text("ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _words(pid: int, name: str) -> list[str]:
    return Path(f"/proc/{pid}/{name}").read_text("ascii").split()
