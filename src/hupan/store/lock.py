"""One server for one SQLite file: a lock on a file of its own beside it.

The lock is never taken on the store itself: closing any descriptor of that file would drop the
locks that SQLite holds on it.
"""

import fcntl
import os
from pathlib import Path

from hupan.store.engine import StoreRefused

_BEGINS = b"SQLite format 3\x00"


def refuse_other_files(database: Path) -> None:
    """Looks before anything is opened or made whether the file may be a store.

    Raises:
        StoreRefused: it holds something else, or cannot be read and written.
    """
    try:
        with database.open("r+b") as file:
            begin = file.read(len(_BEGINS))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreRefused(f"无法读写数据库 / cannot read and write {database}: {error}") from error
    if begin not in (b"", _BEGINS):
        raise StoreRefused(f"该文件不是数据库 / this file is not a store: {database}")


class StoreLock:
    """Held from its making until `release`; the system lets go of it if the process dies.

    Raises:
        StoreRefused: another process holds it, or the folder cannot be written.
    """

    def __init__(self, database: Path) -> None:
        real = database.resolve()  # whatever links lead there
        self.path = path = real.with_name(f"{real.name}.lock")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreRefused(f"无法写入目录 / cannot write to {path.parent}: {error}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise StoreRefused(
                f"另一个 Hupan 正在使用该数据库 / another Hupan is using this store: {database}"
            ) from error

    def release(self) -> None:
        """Lets another server have the store."""
        os.close(self._descriptor)
