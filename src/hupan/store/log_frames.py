"""The frames that lie in a write-ahead log, of this run of it and of what it ran over.

Each frame carries SQLite's own checksum, whatever program wrote it: a page of the file that is like
a right frame is as it was written (security X8).
"""

from collections.abc import Iterator
from pathlib import Path
from struct import unpack
from typing import NamedTuple

from hupan.store.wal_damage import FRAME_HEADER_BYTES, HEADER_BYTES, MAGIC, frame_sum


class LogFrame(NamedTuple):
    """A page as a commit left it.

    Attributes:
        page: its number.
        content: its bytes.
        header: what stands before them in the log.
        before: the checksum of the frame before it.
        order: how the log's checksums read its words, `<` or `>`.
    """

    page: int
    content: bytes
    header: bytes
    before: tuple[int, ...]
    order: str

    def is_as_written(self) -> bool:
        """Whether the frame's own checksum says that these bytes were written."""
        sums = frame_sum(self.before, self.header[:8] + self.content, self.order)
        return sums == unpack(">2I", self.header[16:24])


def log_of(database: Path) -> Path:
    """Where the log of a SQLite file lies."""
    return database.with_name(f"{database.name}-wal")


def frames_in_log(database: Path) -> Iterator[LogFrame]:
    """Every frame that lies in the log; none when there is no log.

    The log is read as a file of its own: closing it drops no lock, for SQLite holds none on it.
    """
    try:
        log = log_of(database).open("rb")
    except FileNotFoundError:
        return
    with log:
        header = log.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            return
        magic, _, page_bytes, _ = unpack(">4I", header[:16])
        if magic not in MAGIC or not page_bytes:
            return
        order, before = ">" if magic & 1 else "<", unpack(">2I", header[24:32])
        while len(head := log.read(FRAME_HEADER_BYTES)) == FRAME_HEADER_BYTES:
            content = log.read(page_bytes)
            yield LogFrame(unpack(">I", head[:4])[0], content, head, before, order)
            before = unpack(">2I", head[16:24])
