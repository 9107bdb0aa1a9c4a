"""The machine and the library versions of a run."""

import os
import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import apsw

from bench.harness.cores import CORES
from bench.harness.report import Machine
from hupan.cli.language import say

_PACKAGES = ("uvicorn", "uvloop", "httptools", "apsw", "asyncpg", "argon2-cffi", "protobuf")
_NOT_DURABLE = {"tmpfs", "ramfs", "overlay", "devtmpfs"}


def machine(folder: Path) -> Machine:
    """Return the machine, and the file system of the stores."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return Machine(
        cpu=_cpu(),
        cores=len(CORES),
        memory_gb=round(memory, 1),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        file_system=_file_system(folder.resolve()),
    )


def versions() -> dict[str, str]:
    """Return the versions of Python, SQLite and the main libraries."""
    found = {
        "hupan": _version("hupan"),
        "Python": platform.python_version(),
        "SQLite (apsw)": apsw.sqlite_lib_version(),
        "SQLite (standard library)": sqlite3.sqlite_version,
    }
    return found | {name: _version(name) for name in _PACKAGES}


def warnings(made: Machine) -> list[str]:
    """Return properties of this machine that make its figures less reliable, for the terminal."""
    found = []
    if made.file_system in _NOT_DURABLE:
        found.append(
            say(
                f"数据库所在的文件系统为 {made.file_system}，断电后数据不会保留",
                f"the stores lie on {made.file_system}: nothing there outlives a power cut",
            )
        )
    if made.cores < 2:  # noqa: PLR2004 - one for the server, one for the load
        found.append(say("服务器与负载共用一个核心", "server and load share one core"))
    return found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _file_system(folder: Path) -> str:
    """Return the file system of the nearest mount point above the folder."""
    mounts = Path("/proc/mounts")
    lines = mounts.read_text("utf-8").splitlines() if mounts.exists() else []
    places = [(Path(words[1]), words[2]) for line in lines if (words := line.split())]
    above = [(len(place.parts), kind) for place, kind in places if folder.is_relative_to(place)]
    return max(above)[1] if above else "unknown"
