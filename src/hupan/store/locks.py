"""Lock on a SQLite file: one server per file, under any path (security R14).

There are two locks. The lock file next to the store exists before the store does, and detects
another server with the same path. The lock on the store itself detects one with another path, such
as a hard link. Closing any descriptor of the store drops SQLite's locks on it, so ours is opened
before SQLite's and closed after it.
"""

import fcntl
import os
import time
from pathlib import Path

from hupan.library_errors import localize_reason
from hupan.ownership import chown_to_folder_owner
from hupan.store.database import StoreRefused

MAX_LOCK_ATTEMPTS = 4
LOCK_RETRY_SECONDS = 0.05
_SQLITE_MAGIC = b"SQLite format 3\x00"


def check_is_sqlite_file(database: Path) -> None:
    """Check that a file may be a store, before anything is opened or created.

    Raises:
        StoreRefused: it holds something else, or cannot be read and written.
    """
    try:
        with database.open("r+b") as file:
            begin = file.read(len(_SQLITE_MAGIC))
    except FileNotFoundError:
        return
    except OSError as error:
        reason = localize_reason(error)
        raise StoreRefused(
            f"无法读写数据库 {database}：{reason.zh}",
            f"cannot read and write {database}: {reason.en}",
        ) from error
    if begin not in (b"", _SQLITE_MAGIC):
        raise StoreRefused(f"该文件不是数据库：{database}", f"this file is not a store: {database}")


class StoreLock:
    """Holds a lock until `release`; the system releases it if the process dies.

    Raises:
        StoreRefused: another process holds it, or the folder cannot be written.
    """

    def __init__(self, database: Path) -> None:
        real = database.resolve()  # through all symbolic links
        self.path = path = real.with_name(f"{real.name}.lock")
        try:
            self._lock_descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            chown_to_folder_owner(self._lock_descriptor, path.parent)
        except OSError as error:
            reason = localize_reason(error)
            raise StoreRefused(
                f"无法写入目录 {path.parent}：{reason.zh}",
                f"cannot write to {path.parent}: {reason.en}",
            ) from error
        try:
            _acquire_lock(self._lock_descriptor)
        except OSError as error:
            os.close(self._lock_descriptor)
            raise _store_in_use(database) from error
        self._database = database
        self._file_descriptor: int | None = None
        self.lock_file()

    def lock_file(self) -> None:
        """Lock the file itself, if it exists, before anything else in this process opens it.

        Raises:
            StoreRefused: another process uses it by another path.
        """
        if self._file_descriptor is not None or not self._database.exists():
            return
        try:
            file = os.open(self._database, os.O_RDWR)
        except OSError as error:
            self.release()
            reason = localize_reason(error)
            raise StoreRefused(
                f"无法读写数据库 {self._database}：{reason.zh}",
                f"cannot read and write {self._database}: {reason.en}",
            ) from error
        try:
            _acquire_lock(file)
        except OSError as error:
            os.close(file)
            self.release()
            raise _store_in_use(self._database) from error
        self._file_descriptor = file

    def release(self) -> None:
        """Release the lock, once nothing in this process has the store open."""
        if self._file_descriptor is not None:
            os.close(self._file_descriptor)
            self._file_descriptor = None
        if self._lock_descriptor >= 0:
            os.close(self._lock_descriptor)
            self._lock_descriptor = -1


def check_not_open_by_other_path(database: Path) -> None:
    """Raise if a server uses the file by another path: it would write another log.

    Raises:
        StoreRefused: one has.
    """
    real = database.resolve()
    if _is_locked(real) and not _is_locked(real.with_name(f"{real.name}.lock")):
        raise StoreRefused(
            f"另一个湖畔进程正以其他名称（硬链接）使用该数据库，请使用同一路径：{database}",
            "another Hupan uses this store under another name, such as a hard link: use the same "
            f"name: {database}",
        )


def _acquire_lock(descriptor: int) -> None:
    """Retry a few times: a command that only tests a lock holds it for a moment."""
    for _ in range(MAX_LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(LOCK_RETRY_SECONDS)
        else:
            return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_locked(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _store_in_use(database: Path) -> StoreRefused:
    return StoreRefused(
        f"另一个湖畔进程正在使用该数据库：{database}",
        f"another Hupan is using this store: {database}",
    )
