"""Looks before a start whether the write-ahead log was damaged where it had been synced.

SQLite reads its log up to the first frame whose checksum is wrong and drops the rest without a
word, for that is how a power cut during the last commit looks. But each commit is synced before the
next one begins: where two whole commits follow a wrong frame, the frame was right once, and what
comes behind it was answered with success (security R05, J1).
"""

from collections import Counter
from pathlib import Path
from struct import iter_unpack, unpack

from hupan.store.cut_file import refuse_cut_file
from hupan.store.engine import StoreRefused

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
_PAGE_BYTES = 4096
MAGIC = (0x377F0682, 0x377F0683)
_MASK = 0xFFFFFFFF
_NOTHING = b"\0\0\0\0"
"""No page has this number; a frame that ends no commit has it for the size of the file."""


def refuse_damaged_log(database: Path) -> None:
    """Goes on with a log that can be read to its end, or as far as it was synced.

    Raises:
        StoreRefused: acknowledged commits would be dropped, or the end of the file is gone;
            nothing was touched.
    """
    refuse_cut_file(database)
    path = database.with_name(f"{database.name}-wal")
    try:
        # Beside a server the first look may meet a frame that is just being written.
        lost = commits_behind_damage(path.read_bytes()) and commits_behind_damage(path.read_bytes())
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreRefused(f"无法读取 / cannot read {path}: {error}") from error
    if lost:
        raise StoreRefused(
            f"预写日志已损坏，继续启动会丢失已确认的写入，请恢复备份 / {path} is damaged, and "
            f"{lost} commits behind the damage would be lost: restore a backup. To go on with what "
            "was written before the log began, move that file away"
        )


def commits_behind_damage(log: bytes) -> int:
    """How many commits that were surely synced cannot be reached; 0 for a log as it should be."""
    if len(log) < HEADER_BYTES:
        return 0
    magic, _, page_bytes, _ = unpack(">4I", log[:16])
    salts, sums = log[16:24], unpack(">2I", log[24:32])
    order = ">" if magic & 1 else "<"
    if magic in MAGIC and frame_sum((0, 0), log[:24], order) == sums:
        commits = _commits_behind(log, page_bytes, salts, sums, order)[salts]
    else:  # the header was synced before any commit: it was right once, and is no guide now
        order = order if magic in MAGIC else "<"
        commits = max(_commits_behind(log, _PAGE_BYTES, b"", sums, order).values(), default=0)
    return max(commits - 1, 0)  # the first may be the one that was written as the power failed


def _commits_behind(
    log: bytes, page_bytes: int, salts: bytes, last: tuple[int, ...], order: str
) -> Counter[bytes]:
    """How many whole commits lie behind the damage, by the salts of the run that wrote them.

    Each frame is checked against the one before it, so a wrong one hides no other.
    """
    commits: Counter[bytes] = Counter()
    is_whole = bool(salts)
    size = FRAME_HEADER_BYTES + page_bytes
    for start in range(HEADER_BYTES, len(log) - size + 1, size):
        frame = log[start : start + size]
        sums = unpack(">2I", frame[16:24])
        right = frame_sum(last, frame[:8] + frame[FRAME_HEADER_BYTES:], order) == sums
        is_whole = is_whole and right and frame[8:16] == salts
        if right and not is_whole and _NOTHING not in (frame[:4], frame[4:8]):
            commits[frame[8:16]] += 1
        last = sums
    return commits


def frame_sum(start: tuple[int, ...], data: bytes, order: str) -> tuple[int, int]:
    """SQLite's checksum of a log, over pairs of 32-bit words."""
    first, second = start
    for one, other in iter_unpack(f"{order}2I", data):
        first = (first + one + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
