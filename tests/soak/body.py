"""The size of a process, from /proc: memory, descriptors, threads."""

import os
import re
import statistics
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a process at one time."""

    resident_kib: int
    threads: int
    descriptors: int


def size(pid: int) -> Size:
    """Measure a process (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")

    def number(name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
        assert found is not None, name
        return int(found[1])

    return Size(number("VmRSS"), number("Threads"), len(os.listdir(f"/proc/{pid}/fd")))  # noqa: PTH208 - names are enough


def slope_mib(samples: list[tuple[int, Size]]) -> float:
    """Return the growth in MiB per 100,000 requests, by least squares over (requests, size)."""
    line = statistics.linear_regression(
        [requests / 100_000 for requests, _ in samples],
        [size.resident_kib / 1024 for _, size in samples],
    )
    return line.slope


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process since its start."""
    after_name = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """Return the CPU time of all processes of the machine, and its host, since its boot."""
    user, nice, system, _idle, _disk, irq, softirq, steal = (
        int(word) for word in Path("/proc/stat").read_text("ascii").split("\n")[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
