"""The folder for files of tests: in memory if possible, because most tests wait for a disk.

Tests about a disk, or with gigabytes, use the disk anyway.
"""

import os
import tempfile
from pathlib import Path
from typing import Final

_DISK_VARIABLE: Final = "TESTS_DISK"
"""Tells the processes of pytest-xdist where the disk is."""
DISK: Final = Path(os.environ.get(_DISK_VARIABLE) or tempfile.gettempdir())
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - each test has a folder of its own in it
_MEMORY_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")  # of a container: "max" or bytes
_MIN_FREE_BYTES: Final = 8 << 30


def use_memory() -> None:
    """Let this process and its children make their temporary files in memory, if they can."""
    if _has_room():
        os.environ[_DISK_VARIABLE] = str(DISK)
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


def _has_room() -> bool:
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(_MEMORY)
    if found.f_flag & os.ST_NOEXEC or found.f_bavail * found.f_frsize < _MIN_FREE_BYTES:
        return False
    limit = _MEMORY_LIMIT.read_text(encoding="ascii").strip() if _MEMORY_LIMIT.exists() else "max"
    if limit != "max" and int(limit) < _MIN_FREE_BYTES:
        return False
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    known = {name: rest.split()[0] for name, _, rest in (line.partition(":") for line in lines)}
    return int(known["MemAvailable"]) << 10 >= _MIN_FREE_BYTES
