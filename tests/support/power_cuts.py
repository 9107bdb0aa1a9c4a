"""A disk that loses power: a VFS that records every write, and the possible images after a cut.

Synced data is on the disk. Each unsynced write is there or not, whole or torn at a sector, in any
order. One recorded run can be cut anywhere, because nothing differs before the cut.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import apsw

SECTOR_BYTES = 512
Kind: TypeAlias = Literal["write", "truncate", "sync", "delete"]


@dataclass(frozen=True, slots=True)
class Act:
    """An operation on a file: `at` is the offset of a write, or the size of a truncation."""

    name: str
    kind: Kind
    at: int = 0
    data: bytes = b""


@dataclass
class Disk:
    """All operations on the files of a store, in order."""

    acts: list[Act] = field(default_factory=list)

    def image(self, acts: int, chance: random.Random) -> dict[str, bytes]:
        """Return the files after a power cut behind this number of operations."""
        kept: dict[str, bytearray] = {}
        pending: dict[str, list[Act]] = defaultdict(list)
        for act in self.acts[:acts]:
            if act.kind == "delete":
                kept.pop(act.name, None)
                pending.pop(act.name, None)
            elif act.kind == "sync":
                _apply(kept.setdefault(act.name, bytearray()), pending.pop(act.name, []))
            else:
                pending[act.name].append(act)
        for name, left in pending.items():
            _apply(kept.setdefault(name, bytearray()), list(_survivors(left, chance)))
        return {name: bytes(content) for name, content in kept.items()}


def _apply(content: bytearray, acts: list[Act]) -> None:
    for act in acts:
        if act.kind == "truncate":
            del content[act.at :]
        content.extend(bytes(max(0, act.at + len(act.data) - len(content))))
        content[act.at : act.at + len(act.data)] = act.data


def _survivors(acts: list[Act], chance: random.Random) -> Iterator[Act]:
    """Yield the unsynced operations that reached the disk before the cut, in order, maybe torn."""
    share = chance.choice((0.0, 0.5, 0.9))
    for act in chance.sample(acts, len(acts)):
        if chance.random() >= share:
            continue
        sectors = len(act.data) // SECTOR_BYTES
        if act.kind == "write" and sectors > 1 and chance.random() < 0.3:
            yield Act(act.name, "write", act.at, act.data[: chance.randrange(sectors) * 512])
        else:
            yield act


class RecordedFile(apsw.VFSFile):
    """A real file; each operation is recorded first."""

    def __init__(self, disk: Disk, filename: apsw.URIFilename | str, flags: list[int]) -> None:
        name = filename if isinstance(filename, str) else filename.filename()
        self._disk = disk
        self._name = Path(name).name
        super().__init__("unix", filename, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        """Record, and write."""
        self._disk.acts.append(Act(self._name, "write", offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        """Record, and truncate."""
        self._disk.acts.append(Act(self._name, "truncate", newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802 - apsw's names
        """Record the sync; the real file needs none, since its power is not cut."""
        self._disk.acts.append(Act(self._name, "sync"))


class RecordedVFS(apsw.VFS):
    """A VFS that opens recorded files."""

    def __init__(self, name: str, disk: Disk) -> None:
        self._disk = disk
        super().__init__(name, "unix")

    def xOpen(  # noqa: N802 - apsw's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        """Return a file of the store; temporary ones have no name, and are not recorded."""
        if name is None:
            return apsw.VFSFile("unix", name, flags)
        return RecordedFile(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - apsw's name
        """Record, and delete."""
        self._disk.acts.append(Act(Path(filename).name, "delete"))
        super().xDelete(filename, syncdir)


@contextmanager
def recorded() -> Iterator[tuple[str, Disk]]:
    """Yield the name of a VFS, and its recorded disk."""
    disk = Disk()
    vfs = RecordedVFS("hupan-power", disk)
    try:
        yield "hupan-power", disk
    finally:
        vfs.unregister()
