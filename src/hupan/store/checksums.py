"""Page checksums of a SQLite file, and error messages of SQLite.

The checksums are those of SQLite's own `cksumvfs`: eight bytes at the end of each page, written and
verified with the page, in the file and in its write-ahead log (security R05). Decision 0018 says
what that costs and what it leaves open.
"""

from itertools import pairwise

import apsw
import apsw.sqlite_extra

from hupan.localized import LocalizedText
from hupan.store.database import StoreRefused

CHECKSUM_BYTES = 8
_MESSAGE_BY_CODE = {
    apsw.SQLITE_IOERR_DATA: LocalizedText(
        "数据页校验和不符：数据已损坏，或被其他 SQLite 程序修改过。请恢复备份；"
        "若确认是您自己的修改，请停止服务器并运行 hupan database accept-writes",
        "the checksum of a page is wrong: it is damaged, or another SQLite program changed it. "
        "Restore a backup; if the change was yours, stop the server and run "
        "hupan database accept-writes",
    ),
    apsw.SQLITE_IOERR_FSYNC: LocalizedText(
        "磁盘无法同步，请检查磁盘",
        "the disk could not sync: check the disk and the system's log",
    ),
    apsw.SQLITE_IOERR_SHORT_READ: LocalizedText(
        "数据库文件不完整，请恢复备份",
        "the end of the file is missing: restore a backup",
    ),
}
_MESSAGE_BY_ERROR: dict[type[apsw.Error], LocalizedText] = {
    apsw.FullError: LocalizedText("磁盘已满，请清理空间", "the disk is full: free some space"),
    apsw.ReadOnlyError: LocalizedText(
        "数据库只读，请检查权限", "the store is read-only: check its permissions"
    ),
    apsw.CantOpenError: LocalizedText(
        "无法打开文件，请检查权限", "cannot open the file: check its permissions"
    ),
    apsw.BusyError: LocalizedText(
        "另一个程序长时间占用数据库", "another program keeps the store locked"
    ),
    apsw.NotADBError: LocalizedText(
        "文件已损坏或不是数据库，请恢复备份",
        "the file is damaged, or is not a store: restore a backup",
    ),
    apsw.CorruptError: LocalizedText(
        "数据库已损坏，请恢复备份", "the store is damaged: restore a backup"
    ),
    apsw.IOError: LocalizedText(
        "磁盘读写失败，请检查磁盘与可用空间",
        "the disk failed: check it, its free space and the system's log",
    ),
}
_EXTENSION = "cksumvfs"
_KEYWORDS_BEFORE_TABLE = ("FROM", "JOIN", "INTO", "UPDATE")


def _register_checksum_vfs() -> str:
    """Register SQLite's checksum VFS; return "" if this build of apsw has none."""
    if apsw.sqlite_extra.has(_EXTENSION) is None:
        return ""
    connection = apsw.Connection(":memory:")
    apsw.sqlite_extra.load(connection, _EXTENSION)
    connection.close()
    return "cksmvfs"


_CHECKSUM_VFS = _register_checksum_vfs()  # for the whole process, before its first connection


def get_checksum_vfs() -> str:
    """Return the name of the VFS that verifies checksums.

    Raises:
        StoreRefused: this build of apsw lacks it.
    """
    if not _CHECKSUM_VFS:
        raise StoreRefused(
            "此 apsw 缺少 cksumvfs，请安装官方 wheel",
            "this build of apsw has no cksumvfs: install its wheel from PyPI",
        )
    return _CHECKSUM_VFS


def reserve_checksum_bytes(connection: apsw.Connection) -> None:
    """Reserve room for checksums in a new file; a file with content keeps its format."""
    connection.reserve_bytes("main", CHECKSUM_BYTES)


def enable_checksums(connection: apsw.Connection) -> None:
    """Rewrite a file without checksums with them; no other connection may be open."""
    if str(connection.pragma("checksum_verification")) != "0":
        return
    connection.execute("PRAGMA journal_mode = DELETE").fetchall()  # else pages keep their form
    connection.execute("VACUUM").fetchall()
    connection.execute("PRAGMA journal_mode = WAL").fetchall()


def is_checksum_error(error: BaseException | None) -> bool:
    """Return whether an error reports a wrong page checksum."""
    return getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA


def is_corruption(error: apsw.Error) -> bool:
    """Return whether an error reports corrupt data on the disk."""
    return is_checksum_error(error) or isinstance(error, apsw.CorruptError | apsw.NotADBError)


def format_sqlite_error(error: apsw.Error) -> str:
    """Return what to do about an error of SQLite, in English, as logs have it."""
    return localize_sqlite_error(error).en


def localize_sqlite_error(error: apsw.Error) -> LocalizedText:
    """Return what to do about an error of SQLite: its own message would be "disk I/O error"."""
    code = getattr(error, "extendedresult", 0)
    if code in _MESSAGE_BY_CODE:
        return _MESSAGE_BY_CODE[code]
    for kind, text in _MESSAGE_BY_ERROR.items():
        if isinstance(error, kind):
            if kind is not apsw.IOError:
                return text
            return LocalizedText(f"{text.zh}（{code}）", f"{text.en} ({code})")
    return LocalizedText(f"SQLite 报告错误 {code}", str(error) or f"SQLite error {code}")


def get_table_names(sql: str) -> str:
    """Return the tables that a statement names, for the log, without any of its values."""
    named = [word for before, word in pairwise(sql.split()) if before in _KEYWORDS_BEFORE_TABLE]
    return ", ".join(dict.fromkeys(named))
