"""Looks before a start whether the end of the SQLite file is gone.

A page that is there in part is read as if zeros followed, and its checksum is not looked at, so
rows of it would read as empty ones (security R05).
"""

from pathlib import Path
from struct import unpack

from hupan.store.engine import StoreRefused

_HEADER_BYTES = 100
_LARGEST_PAGE = 65_536


def refuse_cut_file(database: Path) -> None:
    """Goes on with a file that is as long as it says; while there is a log, that one knows.

    Raises:
        StoreRefused: it is shorter, or ends within a page; nothing was touched.
    """
    log = database.with_name(f"{database.name}-wal")
    try:
        if log.exists() and log.stat().st_size:
            return
        with database.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        size = database.stat().st_size
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreRefused(f"无法读取 / cannot read {database}: {error}") from error
    if size and is_cut(header, size):
        raise StoreRefused(
            f"数据库文件不完整，请恢复备份 / the end of {database} is missing: restore a backup"
        )


def is_cut(header: bytes, size: int) -> bool:
    """Whether a file of so many bytes is shorter than its first hundred say."""
    if len(header) < _HEADER_BYTES:
        return True
    (page,) = unpack(">H", header[16:18])
    page_bytes = _LARGEST_PAGE if page == 1 else page
    if page_bytes == 0 or size % page_bytes:
        return True
    changes, pages, valid_for = (int.from_bytes(header[at : at + 4], "big") for at in (24, 28, 92))
    return changes == valid_for and pages * page_bytes > size
