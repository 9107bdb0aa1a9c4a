"""Files of other programs: read with owner and mode, and replaced atomically."""

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hupan.localized import LocalizedError

MAX_BYTES: Final = 32 * 1024 * 1024
_DRAFT_SUFFIX = ".hupan-connect"
_PROC = Path("/proc")


class ConnectRefused(LocalizedError):
    """Something cannot be installed or undone; the text says what to do."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of a file, and its owner."""

    data: bytes
    mode: int
    uid: int
    gid: int

    @property
    def digest(self) -> str:
        return digest_of(self.data)


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def read_file(path: Path) -> FileContent | None:
    """Return what a file holds; None if there is none.

    Raises:
        ConnectRefused: it is not a regular file, or is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise ConnectRefused(
                f"{path} 不是普通文件，或超过 32 MiB，未作任何改动",
                f"{path} is not a regular file, or is larger than 32 MiB; nothing was changed",
            )
        data = file.read()
    return FileContent(data, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def write_file(path: Path, content: FileContent) -> None:
    """Replace a file, or write into it if it cannot be replaced.

    A file that is mounted by itself, as a container's hosts file, cannot be replaced, nor can one
    whose folder or owner is out of reach. One with a second name (a hard link) would lose it.
    """
    try:
        is_shared = path.stat().st_nlink > 1
    except FileNotFoundError:
        is_shared = False
    if not is_shared:
        try:
            _replace(path, content)
        except OSError as error:
            if not path.exists() or error.errno == errno.ENOSPC:
                raise
        else:
            return
    _overwrite(path, content.data)


def _replace(path: Path, content: FileContent) -> None:
    draft = draft_of(path)
    draft.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(content.data)
            status = os.fstat(file.fileno())
            if (status.st_uid, status.st_gid) != (content.uid, content.gid):
                os.fchown(file.fileno(), content.uid, content.gid)
            os.fchmod(file.fileno(), content.mode)
            _copy_attributes(path, file.fileno())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _copy_attributes(path: Path, descriptor: int) -> None:
    """Copy labels of SELinux and the like, if there are any."""
    with contextlib.suppress(OSError, AttributeError):
        for name in os.listxattr(path):
            with contextlib.suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(path, name))


def _overwrite(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def remove_draft(path: Path) -> None:
    """Remove what a killed `write_file` left."""
    draft_of(path).unlink(missing_ok=True)


def draft_of(path: Path) -> Path:
    """Return where a file is written before it replaces another."""
    return path.with_name(f".{path.name}{_DRAFT_SUFFIX}")


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder durable."""
    with contextlib.suppress(OSError):  # not every file system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def can_write(path: Path) -> bool:
    """Return whether this process may replace or create a file."""
    if os.access(path, os.W_OK, effective_ids=True):
        return True
    if path.exists():
        return False
    folder = next(parent for parent in path.parents if parent.exists())
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=True)


def find_holder(paths: list[Path]) -> str:
    """Return the name of a process that has one of the files open; "" if none is known."""
    inodes = {(status.st_dev, status.st_ino) for path in paths for status in _status_of(path)}
    if not inodes or not _PROC.is_dir():
        return ""
    for process in _PROC.iterdir():
        if process.name.isdecimal() and _holds(process, inodes):
            with contextlib.suppress(OSError):
                return (process / "comm").read_text("utf-8", "replace").strip()
    return ""


def _status_of(path: Path) -> Iterator[os.stat_result]:
    with contextlib.suppress(OSError):
        yield path.stat()


def _holds(process: Path, inodes: set[tuple[int, int]]) -> bool:
    with contextlib.suppress(OSError):  # another user's, or it has just ended
        for descriptor in (process / "fd").iterdir():
            for status in _status_of(descriptor):
                if (status.st_dev, status.st_ino) in inodes:
                    return True
    return False
