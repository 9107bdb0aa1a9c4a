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


def is_damage(error: apsw.Error) -> bool:
    """Whether an error says that what lies on the disk is not what was written."""
    is_wrong_sum = getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA
    return is_wrong_sum or isinstance(error, apsw.CorruptError | apsw.NotADBError)


def tables_of(sql: str) -> str:
    """The tables that a statement names, for the log; its values are nowhere in it."""
    named = [word for before, word in pairwise(sql.split()) if before in _BEFORE_A_TABLE]
    return ", ".join(dict.fromkeys(named))
