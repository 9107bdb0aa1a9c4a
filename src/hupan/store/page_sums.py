"""A checksum on every page of a SQLite file: a flipped byte is an error, never a wrong row.

The sums are those of SQLite's own `cksumvfs`: eight bytes at the end of each page, written and
verified where pages are written and read, in the file and in its write-ahead log (security R05).
Decision 0018 tells what that costs and what it leaves open.
"""

from itertools import pairwise

import apsw
import apsw.sqlite_extra

from hupan.store.engine import StoreRefused

BYTES_OF_A_SUM = 8
_TOLD = {
    apsw.SQLITE_IOERR_DATA: (
        "数据页校验和不符：数据已损坏，或被其他 SQLite 程序修改过。请恢复备份；"
        "若确认是您自己的修改，请停止服务器并运行 hupan database accept-writes / "
        "the checksum of a page is wrong: it is damaged, or another SQLite program changed it. "
        "Restore a backup; if the change was yours, stop the server and run hupan database accept-writes"
    ),
    apsw.SQLITE_IOERR_FSYNC: (
        "磁盘无法同步，请检查磁盘 / the disk could not sync: look at the disk and the system's log"
    ),
    apsw.SQLITE_IOERR_SHORT_READ: (
        "数据库文件不完整，请恢复备份 / the end of the file is missing: restore a backup"
    ),
}
_TOLD_BY_KIND: dict[type[apsw.Error], str] = {
    apsw.FullError: "磁盘已满，请清理空间 / the disk is full: make room on it",
    apsw.ReadOnlyError: "数据库只读，请检查权限 / the store is read-only: look at its permissions",
    apsw.CantOpenError: "无法打开文件，请检查权限 / look at the permissions of the file",
    apsw.BusyError: "另一个程序长时间占用数据库 / another program keeps the store to itself",
    apsw.NotADBError: (
        "文件已损坏或不是数据库，请恢复备份 / the file is damaged, or no store: restore a backup"
    ),
    apsw.CorruptError: "数据库已损坏，请恢复备份 / the store is damaged: restore a backup",
    apsw.IOError: (
        "磁盘读写失败，请检查磁盘与可用空间 / the disk failed: look at it, at its free space and "
        "at the system's log"
    ),
}
_EXTENSION = "cksumvfs"
_BEFORE_A_TABLE = ("FROM", "JOIN", "INTO", "UPDATE")


def _register() -> str:
    """The way to open files with sums, for this process; "" when this build of apsw has none."""
    if apsw.sqlite_extra.has(_EXTENSION) is None:
        return ""
    connection = apsw.Connection(":memory:")
    apsw.sqlite_extra.load(connection, _EXTENSION)
    connection.close()
    return "cksmvfs"


_VFS = _register()  # for the whole process, before its first connection


def vfs_with_sums() -> str:
    """What to open files with.

    Raises:
        StoreRefused: this build of apsw lacks it.
    """
    if not _VFS:
        raise StoreRefused(
            "此 apsw 缺少 cksumvfs，请安装官方 wheel / this build of apsw has no cksumvfs: "
            "install its wheel from PyPI"
        )
    return _VFS


def reserve_sums(connection: apsw.Connection) -> None:
    """Has a new file begin with room for sums; one that has content keeps its form."""
    connection.reserve_bytes("main", BYTES_OF_A_SUM)


def give_sums(connection: apsw.Connection) -> None:
    """Writes a file that has no sums anew, with them; nobody else may have it open."""
    if str(connection.pragma("checksum_verification")) != "0":
        return
    connection.execute("PRAGMA journal_mode = DELETE").fetchall()  # else pages keep their form
    connection.execute("VACUUM").fetchall()
    connection.execute("PRAGMA journal_mode = WAL").fetchall()


def is_wrong_sum(error: BaseException | None) -> bool:
    """Whether an error says that the checksum of a page is wrong."""
    return getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA


def is_damage(error: apsw.Error) -> bool:
    """Whether an error says that what lies on the disk is not what was written."""
    return is_wrong_sum(error) or isinstance(error, apsw.CorruptError | apsw.NotADBError)


def told(error: apsw.Error) -> str:
    """An error of SQLite in words that say what to do: its own would be "disk I/O error"."""
    code = getattr(error, "extendedresult", 0)
    if code in _TOLD:
        return _TOLD[code]
    for kind, text in _TOLD_BY_KIND.items():
        if isinstance(error, kind):
            return f"{text} ({code})" if kind is apsw.IOError else text
    return str(error)


def tables_of(sql: str) -> str:
    """The tables that a statement names, for the log; its values are nowhere in it."""
    named = [word for before, word in pairwise(sql.split()) if before in _BEFORE_A_TABLE]
    return ", ".join(dict.fromkeys(named))
