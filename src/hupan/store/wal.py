"""Write-ahead log of SQLite: damage check, frames, checkpoints and file identity.

SQLite reads its log up to the first frame with a wrong checksum and silently drops the rest, for
that is how a power cut during the last commit looks. But each commit is synced before the next one
begins: where two whole commits follow a wrong frame, the frame was valid once, and the commits
after it were acknowledged (security R05, J1).

Each frame has SQLite's own checksum, whatever program wrote it: a page of the file that equals a
valid frame is as it was written (security X8).

A file that was moved away, or replaced by a backup, silently accepts every commit, and the next
start finds none of them.

A long-running reader blocks checkpoints: the log grows with each commit and, once the reader is
gone, shrinks only by another checkpoint. So checkpoints are repeated (security R03).
"""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import iter_unpack, unpack
from typing import NamedTuple

import apsw

from hupan.store.checksums import format_sqlite_error, is_checksum_error
from hupan.store.database import DATA_TABLES, StoreRefused

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
        raise StoreRefused(f"无法读取 {path}：{error}", f"cannot read {path}: {error}") from error
    if lost:
        raise StoreRefused(
            f"预写日志 {path} 已损坏，继续启动会丢失其后已确认的 {lost} 次提交，请恢复备份。"
            "若要以日志之前的内容继续，请移走该文件",
            f"{path} is damaged, and {lost} commits behind the damage would be lost: restore a "
            "backup. To go on with what was written before the log began, move that file away",
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
        raise StoreRefused(
            f"无法读取 {database}：{error}", f"cannot read {database}: {error}"
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

    Closing the log drops no lock, for SQLite holds none on it.
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


class FileIdentity:
    """Compares an open SQLite file and its log with what is at their paths now.

    Args:
        path: the file, which is open.
        stat: as `os.stat`, replaceable by tests.
    """

    def __init__(self, path: Path, stat: Callable[[Path], os.stat_result] = os.stat) -> None:
        self._path = path
        self._wal = wal_path(path)
        self._stat = stat
        self._file_id = self._read_id(path)
        self._wal_id: tuple[int, int] | None = None

    def is_unchanged(self) -> bool:
        """Return whether the paths still lead to the open file and to the log being written."""
        if self._file_id is not None and self._read_id(self._path) != self._file_id:
            return False
        return self._wal_id is None or self._read_id(self._wal) == self._wal_id

    def remember_wal(self) -> None:
        """Remember the log, once a commit was written to it."""
        if self._wal_id is None:
            self._wal_id = self._read_id(self._wal)

    def wal_bytes(self) -> int:
        try:
            return self._stat(self._wal).st_size
        except OSError:
            return 0

    def _read_id(self, path: Path) -> tuple[int, int] | None:
        try:
            status = self._stat(path)
        except OSError:
            return None
        return status.st_dev, status.st_ino


CHECKPOINT_PAGES = 1000
TRUNCATE_WAL_BYTES = 8 * 2**20
"""A larger log is truncated after a complete checkpoint."""
LARGE_WAL_BYTES = 64 * 2**20
"""A larger log is logged as an error."""
BUSY_TIMEOUT_MS = 5000
FILE_CHECK_SECONDS = 1.0
REPAIR_RETRY_SECONDS = 1.0
COMMIT_COUNTS = "commit_counts"
# Each commit to a SQLite file changes its one row, so its page shows which program made the last
# checkpoint (decision 0018). It is not part of the schema: PostgreSQL has none.
_CREATE_COMMIT_COUNTS = f"""
CREATE TABLE IF NOT EXISTS {COMMIT_COUNTS} (
  id INTEGER PRIMARY KEY,
  number INTEGER NOT NULL
) STRICT;
"""
_COUNT_COMMIT = """
INSERT INTO commit_counts (id, number) VALUES (1, 1)
ON CONFLICT (id) DO UPDATE SET number = number + 1
"""
# Another program's change also does so, by triggers that our connections do not fire: otherwise a
# row that it changed in place would look like damage.
_INSERT_COMMIT_COUNT = (
    f"INSERT INTO {COMMIT_COUNTS} (id, number) VALUES (1, 0) ON CONFLICT (id) DO NOTHING"
)
_LIST_TRIGGERS = "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
_LIST_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_COUNTED_TABLES = ("migrations", "counters", *DATA_TABLES)
_TRIGGER_EVENTS = ("insert", "update", "delete")
_FIND_ROOT_PAGE = "SELECT rootpage FROM sqlite_schema WHERE name = 'commit_counts'"
_log = logging.getLogger("hupan.store")


class WalMaintenance:
    """Checkpoints and watches the log for one writer.

    Args:
        path: the file.
        connection: the writer's.
        repair: repairs what another program wrote; returns whether there was anything.
    """

    def __init__(self, path: Path, connection: apsw.Connection, repair: Callable[[], bool]) -> None:
        self.file = FileIdentity(path)
        self._connection = connection
        self._repair = repair
        self._wal_pages = 0
        self._checked_at, self._repair_failed_at = 0.0, -REPAIR_RETRY_SECONDS
        self._is_large = False
        self._counts_commits = self._enable_commit_counts()
        connection.set_wal_hook(self._on_wal_commit)

    def count_commit(self) -> None:
        """Change, within the commit, the page that shows who checkpointed the log."""
        if self._counts_commits:
            self._connection.execute(_COUNT_COMMIT).fetchall()

    def try_repair(self) -> bool:
        """Repair what another program wrote, unless just tried; return whether anything was."""
        now = time.monotonic()
        if now - self._repair_failed_at < REPAIR_RETRY_SECONDS:
            return False
        if self._repair():
            return True
        self._repair_failed_at = time.monotonic()
        return False

    def run_after_commit(self) -> None:
        """Checkpoint if the log has many pages; otherwise check now and then."""
        if (
            self._wal_pages >= CHECKPOINT_PAGES
            or time.monotonic() - self._checked_at > FILE_CHECK_SECONDS
        ):
            self.run()

    def run(self) -> None:
        """Repair after a foreign checkpoint, checkpoint, and log a large log file."""
        self._checked_at = time.monotonic()
        if not self.file.is_unchanged():
            return
        try:
            self._detect_foreign_checkpoint()
            size = self.file.wal_bytes()
            if self._wal_pages >= CHECKPOINT_PAGES or size > TRUNCATE_WAL_BYTES:
                self._checkpoint()
        except apsw.Error as error:
            _log.warning(
                "the write-ahead log could not be written back: %s", format_sqlite_error(error)
            )
        self._log_wal_size()

    def close(self) -> None:
        """Checkpoint and empty the log."""
        if not self.file.is_unchanged():
            return
        try:
            self._detect_foreign_checkpoint()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except apsw.Error as error:
            _log.warning(
                "the write-ahead log stays: %s", format_sqlite_error(error)
            )  # the next start reads it

    def _enable_commit_counts(self) -> bool:
        """Create missing table and triggers; return whether they exist."""
        connection = self._connection
        try:
            if not connection.execute(_FIND_ROOT_PAGE).fetchall():
                connection.execute(_CREATE_COMMIT_COUNTS).fetchall()
            if _missing_triggers(connection):
                _create_triggers(connection)
        except apsw.Error as error:
            _log.warning("commits are not counted: %s", format_sqlite_error(error))
            return False
        return True

    def _on_wal_commit(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _detect_foreign_checkpoint(self) -> None:
        """Check before a checkpoint: it would hide one of another program (decision 0018)."""
        if not self._counts_commits:
            return
        try:
            for (root,) in self._connection.execute(_FIND_ROOT_PAGE).fetchall():
                size = int(str(self._connection.pragma("page_size")))
                offset = (int(str(root)) - 1) * size
                if self._connection.read("main", 0, offset, size):
                    return
        except apsw.Error as error:
            if not is_checksum_error(error):
                raise
            self.try_repair()

    def _checkpoint(self) -> None:
        connection = self._connection
        rows = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        _busy, pages, done = (int(str(value)) for value in rows[0])
        if pages != done or self.file.wal_bytes() <= TRUNCATE_WAL_BYTES:
            return
        connection.set_busy_timeout(0)  # other readers and writers need not wait
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)

    def _log_wal_size(self) -> None:
        size = self.file.wal_bytes()
        if size > LARGE_WAL_BYTES and not self._is_large:
            _log.error(
                "the write-ahead log has grown to %d MB: another program reads the store without "
                "end; end it, and the log shrinks by itself",
                size // 2**20,
            )
        elif size <= LARGE_WAL_BYTES and self._is_large:
            _log.warning("the write-ahead log has shrunk again")
        self._is_large = size > LARGE_WAL_BYTES


def _missing_triggers(connection: apsw.Connection) -> dict[str, str]:
    existing = {name for (name,) in connection.execute(_LIST_TRIGGERS).fetchall()}
    tables = {name for (name,) in connection.execute(_LIST_TABLES).fetchall()}
    return {
        name: f"CREATE TRIGGER {name} AFTER {kind} ON {table} BEGIN "
        f"UPDATE {COMMIT_COUNTS} SET number = number + 1 WHERE id = 1; END"
        for table in _COUNTED_TABLES
        if table in tables
        for kind in _TRIGGER_EVENTS
        if (name := f"{COMMIT_COUNTS}_{table}_{kind}") not in existing
    }


def _create_triggers(connection: apsw.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE").fetchall()
    statements = [_INSERT_COMMIT_COUNT, *_missing_triggers(connection).values()]
    try:
        for statement in statements:
            connection.execute(statement).fetchall()
        connection.execute("COMMIT").fetchall()
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK").fetchall()
