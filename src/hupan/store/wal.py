"""Reads the write-ahead log of SQLite: damage check, frames, checksums.

SQLite reads its log up to the first frame with a wrong checksum and silently drops the rest, for
that is how a power cut during the last commit looks. But each commit is synced before the next one
begins: where two whole commits follow a wrong frame, the frame was valid once, and the commits
after it were acknowledged (security R05, J1).

Each frame has SQLite's own checksum, from any program: a page of the file that equals a
valid frame is as it was written (security X8).
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from struct import iter_unpack, unpack
from typing import NamedTuple

from hupan.library_errors import localize_reason
from hupan.store.database import StoreRefused

_FILE_HEADER_BYTES = 100
_MAX_PAGE_BYTES = 65_536
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
_DEFAULT_PAGE_BYTES = 4096
WAL_MAGIC = (0x377F0682, 0x377F0683)
_UINT32_MASK = 0xFFFFFFFF
_ZERO_WORD = b"\0\0\0\0"
"""Not a page number; a frame that ends no commit has it as the size of the file."""


def check_wal_intact(database: Path) -> None:
    """Raise unless the log can be read to its end, or as far as it was synced.

    Raises:
        StoreRefused: acknowledged commits would be dropped, or the end of the file is missing;
            nothing was changed.
    """
    _check_not_truncated(database)
    path = wal_path(database)
    try:
        # While a server runs, the first read may meet a frame that is just being written.
        lost = count_lost_commits(path.read_bytes()) and count_lost_commits(path.read_bytes())
    except FileNotFoundError:
        return
    except OSError as error:
        reason = localize_reason(error)
        raise StoreRefused(
            f"无法读取 {path}：{reason.zh}",
            f"cannot read {path}: {reason.en}",
        ) from error
    if lost:
        raise StoreRefused(
            f"预写日志 {path} 已损坏，继续启动会丢失其后已确认的 {lost} 次提交，请恢复备份。"
            "若要以日志之前的内容继续，请移走该文件",
            f"{path} is damaged, and {lost} commits after the damage would be lost: restore a "
            "backup. To continue with the state before this log, move that file away",
        )


def _check_not_truncated(database: Path) -> None:
    """Check the length of a file against its header; a non-empty log overrides the header.

    SQLite reads an incomplete page as if zeros followed, without checking its checksum, so its rows
    would seem empty (security R05).

    Raises:
        StoreRefused: it is shorter, or ends within a page; nothing was changed.
    """
    log = wal_path(database)
    try:
        if log.exists() and log.stat().st_size:
            return
        with database.open("rb") as file:
            header = file.read(_FILE_HEADER_BYTES)
        size = database.stat().st_size
    except FileNotFoundError:
        return
    except OSError as error:
        reason = localize_reason(error)
        raise StoreRefused(
            f"无法读取 {database}：{reason.zh}",
            f"cannot read {database}: {reason.en}",
        ) from error
    if size and _is_truncated(header, size):
        raise StoreRefused(
            f"数据库文件 {database} 不完整，请恢复备份",
            f"the end of {database} is missing: restore a backup",
        )


def _is_truncated(header: bytes, size: int) -> bool:
    """Return whether a file of `size` bytes is shorter than its header says."""
    if len(header) < _FILE_HEADER_BYTES:
        return True
    (page,) = unpack(">H", header[16:18])
    page_bytes = _MAX_PAGE_BYTES if page == 1 else page
    if page_bytes == 0 or size % page_bytes:
        return True
    changes, pages, valid_for = (int.from_bytes(header[at : at + 4], "big") for at in (24, 28, 92))
    return changes == valid_for and pages * page_bytes > size


def count_lost_commits(wal: bytes) -> int:
    """Return how many commits that were surely synced cannot be reached; 0 for an intact log."""
    if len(wal) < WAL_HEADER_BYTES:
        return 0
    magic, _, page_bytes, _ = unpack(">4I", wal[:16])
    salts, sums = wal[16:24], unpack(">2I", wal[24:32])
    order = ">" if magic & 1 else "<"
    if magic in WAL_MAGIC and wal_checksum((0, 0), wal[:24], order) == sums:
        commits = _count_commits_after_damage(wal, page_bytes, salts, sums, order)[salts]
    else:  # the header was synced before any commit, so it was valid once, and is useless now
        order = order if magic in WAL_MAGIC else "<"
        commits = max(
            _count_commits_after_damage(wal, _DEFAULT_PAGE_BYTES, b"", sums, order).values(),
            default=0,
        )
    return max(commits - 1, 0)  # the first may have been interrupted by the power failure


def _count_commits_after_damage(
    wal: bytes, page_bytes: int, salts: bytes, last: tuple[int, ...], order: str
) -> Counter[bytes]:
    """Count whole commits after the damage, by the salts of the run that wrote them.

    Each frame is checked against the one before it, so a damaged one hides no other.
    """
    commits: Counter[bytes] = Counter()
    is_whole = bool(salts)
    size = FRAME_HEADER_BYTES + page_bytes
    for start in range(WAL_HEADER_BYTES, len(wal) - size + 1, size):
        frame = wal[start : start + size]
        sums = unpack(">2I", frame[16:24])
        right = wal_checksum(last, frame[:8] + frame[FRAME_HEADER_BYTES:], order) == sums
        is_whole = is_whole and right and frame[8:16] == salts
        if right and not is_whole and _ZERO_WORD not in (frame[:4], frame[4:8]):
            commits[frame[8:16]] += 1
        last = sums
    return commits


def wal_checksum(start: tuple[int, ...], data: bytes, order: str) -> tuple[int, int]:
    """Return SQLite's log checksum, over pairs of 32-bit words."""
    first, second = start
    for one, other in iter_unpack(f"{order}2I", data):
        first = (first + one + second) & _UINT32_MASK
        second = (second + other + first) & _UINT32_MASK
    return first, second


class WalFrame(NamedTuple):
    """A page as a commit left it.

    Attributes:
        page: its number.
        content: its bytes.
        header: the frame header in the log.
        previous_checksum: checksum of the previous frame.
        byte_order: word order of the log's checksums, `<` or `>`.
    """

    page: int
    content: bytes
    header: bytes
    previous_checksum: tuple[int, ...]
    byte_order: str

    def has_valid_checksum(self) -> bool:
        sums = wal_checksum(self.previous_checksum, self.header[:8] + self.content, self.byte_order)
        return sums == unpack(">2I", self.header[16:24])


def wal_path(database: Path) -> Path:
    """Return the path of a SQLite file's log."""
    return database.with_name(f"{database.name}-wal")


def iterate_wal_frames(database: Path) -> Iterator[WalFrame]:
    """Yield every frame of the log; none if there is no log.

    Closing the log drops no lock, because SQLite holds none on it.
    """
    try:
        wal = wal_path(database).open("rb")
    except FileNotFoundError:
        return
    with wal:
        header = wal.read(WAL_HEADER_BYTES)
        if len(header) < WAL_HEADER_BYTES:
            return
        magic, _, page_bytes, _ = unpack(">4I", header[:16])
        if magic not in WAL_MAGIC or not page_bytes:
            return
        order, before = ">" if magic & 1 else "<", unpack(">2I", header[24:32])
        while len(frame_header := wal.read(FRAME_HEADER_BYTES)) == FRAME_HEADER_BYTES:
            content = wal.read(page_bytes)
            yield WalFrame(unpack(">I", frame_header[:4])[0], content, frame_header, before, order)
            before = unpack(">2I", frame_header[16:24])
