"""What another SQLite program wrote into the file is mended; what is damaged is told (security X8).

Page checksums are made when a log is written back into the file. Another program that does so, or
that writes by itself, makes none: a page it wrote as a new one has no checksum, any other one has
an old one. Decision 0018 tells how that is told apart from damage:

- the schema is compared with what the migrations make, and needs no checksum;
- pages of tables that are not ours, and free ones, hold nothing of ours;
- a page that is like a right frame in the log was written so;
- a page whose checksum is missing, and nothing else, was written so;
- each commit of ours changes one page more, that of `commit_counts`. Where its checksum is wrong,
  another program wrote our commits back, so any page may be as it was written; then what the
  structure of the file says counts;
- any other page with a wrong checksum may be damaged: an operator alone accepts it.

Only checksums are ever written here, eight bytes at the end of a page.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import pack

import apsw

from hupan.store.checksums import (
    CHECKSUM_BYTES,
    format_sqlite_error,
    get_checksum_vfs,
    localize_sqlite_error,
)
from hupan.store.database import StoreRefused
from hupan.store.migrate import CREATE_MIGRATIONS_TABLE, load_migrations, read_applied_on_connection
from hupan.store.sqlite import connect
from hupan.store.wal import COMMIT_COUNTS, iterate_wal_frames, wal_checksum

SCHEMA_TABLE = "sqlite_schema"
MAX_STRUCTURE_FAULTS = 100
MAX_PAGES_REPAIRED_IN_PLACE = 4096
"""More pages than that are written anew together, which takes less time."""
MAX_PAGE_WRITE_ATTEMPTS = 3
_SECTOR_BYTES = 512
_JOURNAL_MODE_OFFSET, _RESERVED_BYTES_OFFSET = 18, 20
"""Where the first page tells of the log and of the room for checksums."""
_WAL_MODE = 2
"""A file with a log, as each of ours has. Another program changed it that has none."""
_LEAF_PAGE_TYPES = (0x0A, 0x0D)
"""The first byte of a page that holds the rows of a table, or of an index."""
_LIST_SCHEMA_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_schema"
_LIST_PAGES = "SELECT pageno FROM dbstat WHERE name = ?1"
_LIST_PAGE_OWNERS = "SELECT pageno, name FROM dbstat"
_INSERT_REPAIR_MARK = (
    f"INSERT INTO {COMMIT_COUNTS} (id, number) VALUES (2, 1) ON CONFLICT (id) DO NOTHING"
)
_HAS_REPAIR_MARK = f"SELECT 1 FROM {COMMIT_COUNTS} WHERE id = 2"
_DELETE_REPAIR_MARK = f"DELETE FROM {COMMIT_COUNTS} WHERE id = 2"
_log = logging.getLogger("hupan.store")


class PageFile:
    """The pages of a file as they lie there, and their checksums."""

    def __init__(self, path: Path, page_bytes: int) -> None:
        flags = [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE, 0]
        # SQLite's own way to open a file: closing it drops no lock that this process holds on it.
        self._file = apsw.VFSFile("unix", str(path), flags)
        self._page_bytes = page_bytes
        self._checksum_connection = apsw.Connection(":memory:", vfs=get_checksum_vfs())
        self._cursor = self._checksum_connection.cursor()

    @property
    def count(self) -> int:
        """How many there are."""
        return self._file.xFileSize() // self._page_bytes

    def close(self) -> None:
        """Lets go of the file."""
        self._file.xClose()
        self._checksum_connection.close()

    def read_page(self, page: int) -> bytes:
        """What lies in a page."""
        return self._file.xRead(self._page_bytes, (page - 1) * self._page_bytes)

    def has_valid_checksum(self, content: bytes) -> bool:
        """Whether its checksum is right."""
        row = self._cursor.execute("SELECT verify_checksum(?1)", (content,)).fetchall()
        return row == [(1,)]

    def find_checksum_errors(self, pages: Iterable[int]) -> dict[int, bytes]:
        """Those of some pages whose checksum is wrong, with what lies there."""
        found = {}
        for page in pages:
            if 0 < page <= self.count and not self.has_valid_checksum(
                content := self.read_page(page)
            ):
                found[page] = content
        return found

    def write_checksums(self, pages: Iterable[int]) -> None:
        """Gives pages the checksum of what they hold.

        A log may be written back meanwhile: then it is the checksum of what came.
        """
        for page in pages:
            for _ in range(MAX_PAGE_WRITE_ATTEMPTS):
                content = self.read_page(page)
                if self.has_valid_checksum(content):
                    break
                sums = wal_checksum((0, 0), content[:-CHECKSUM_BYTES], "<")
                self._file.xWrite(pack("<2I", *sums), page * self._page_bytes - CHECKSUM_BYTES)
        self._file.xSync(apsw.SQLITE_SYNC_FULL)


def repair_before_start(path: Path) -> bool:
    """Mends what another program wrote soundly, before a server opens the file.

    It looks at the schema and at the page of `commit_counts` alone, unless one of them is wrong.

    Returns:
        Whether anything was mended.

    Raises:
        StoreRefused: the file is damaged, or nothing tells whether it is; nothing was changed.
    """
    try:
        header = _read_header(path)
        if not _has_checksums(header):
            return False
        was_changed = header[_JOURNAL_MODE_OFFSET] != _WAL_MODE
        if not was_changed and _is_start_intact(path):
            return False
        return _repair_all(path, accept_unknown=was_changed)
    except apsw.Error as error:
        raise _open_error(path, error) from error


def accept_all_pages(path: Path) -> bool:
    """Gives every page the checksum of what it holds now, for an operator says that it is right.

    Raises:
        StoreRefused: its structure is damaged all the same; nothing was changed.
    """
    try:
        return _has_checksums(_read_header(path)) and _repair_all(path, accept_unknown=True)
    except apsw.Error as error:
        raise _open_error(path, error) from error


def repair_while_serving(path: Path, *, has_read_failed: bool = True) -> bool:
    """Mends what another program wrote into the file of a server that runs; whether it did.

    What is in the log is mended at once. Where commits of ours were written back there may be more:
    that is noted, and the whole file is looked at when a wrong page is met, or by a start.

    Args:
        path: the file.
        has_read_failed: whether a page could not be read.
    """
    try:
        with _open_unverified(path) as connection, _open_pages(path, connection) as pages:
            if _find_schema_faults(connection):
                return False
            counts = _list_pages(connection, COMMIT_COUNTS)
            repairable = {
                *pages.find_checksum_errors(_list_foreign_pages(connection)),
                *_find_pages_proved_by_wal(path, pages),
            }
            was_checkpointed_elsewhere = bool(pages.find_checksum_errors(counts))
            if was_checkpointed_elsewhere:
                connection.execute(_INSERT_REPAIR_MARK).fetchall()
            was_checkpointed_elsewhere = was_checkpointed_elsewhere or bool(
                connection.execute(_HAS_REPAIR_MARK).fetchall()
            )
            pages.write_checksums([*sorted(repairable - counts), *counts])
            was_repaired = bool(repairable)
            if was_checkpointed_elsewhere and has_read_failed:
                was_repaired = _repair_all(path, accept_unknown=True) or was_repaired
                connection.execute(_DELETE_REPAIR_MARK).fetchall()
    except (apsw.Error, StoreRefused) as error:
        text = _format_any_error(error)
        _log.error("what another program wrote could not be mended: %s", text)  # no trace is needed
        return False
    if was_repaired:
        _log.warning("another program wrote into the store; its checksums are mended")
    return was_repaired


def _list_foreign_pages(connection: apsw.Connection) -> set[int]:
    """The pages of the schema, of the counts, and of tables that are not ours."""
    ours = _list_own_objects(connection)
    names = [str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema").fetchall()]
    others = [name for name in names if name not in ours]
    return {page for name in (SCHEMA_TABLE, *others) for page in _list_pages(connection, name)}


def find_unexplained_faults(path: Path) -> list[str]:
    """What is wrong with a file in which some checksums are; [] when they are another program's."""
    with _open_unverified(path) as connection:
        found = _find_structure_faults(connection)
        with _open_pages(path, connection) as pages:
            unknown = {} if found else _find_unknown_pages(path, connection, pages)
    return found + [
        f"the file: {table}: {len(which)} pages whose checksum is wrong: they are damaged, or "
        "another program changed them and hupan database accept-writes accepts that"
        for table, which in sorted(unknown.items())
    ]


def _read_header(path: Path) -> bytes:
    """The first bytes of a file, read before anything has it open; b"" when there is none."""
    try:
        with path.open("rb") as file:
            return file.read(_RESERVED_BYTES_OFFSET + 1)
    except FileNotFoundError:
        return b""


def _has_checksums(header: bytes) -> bool:
    return len(header) > _RESERVED_BYTES_OFFSET and header[_RESERVED_BYTES_OFFSET] == CHECKSUM_BYTES


def _open_error(path: Path, error: apsw.Error) -> StoreRefused:
    reason = localize_sqlite_error(error)
    return StoreRefused(
        f"无法打开数据库 {path}：{reason.zh}", f"cannot open the store {path}: {reason.en}"
    )


def _format_any_error(error: Exception) -> str:
    return format_sqlite_error(error) if isinstance(error, apsw.Error) else str(error)


@contextmanager
def _open_unverified(path: Path) -> Iterator[apsw.Connection]:
    """The file as it lies there."""
    connection = connect(path, verify_checksums=False)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _open_pages(path: Path, connection: apsw.Connection) -> Iterator[PageFile]:
    pages = PageFile(path, int(str(connection.pragma("page_size"))))
    try:
        yield pages
    finally:
        pages.close()


def _is_start_intact(path: Path) -> bool:
    with _open_unverified(path) as connection, _open_pages(path, connection) as pages:
        names = (SCHEMA_TABLE, COMMIT_COUNTS)
        return not pages.find_checksum_errors(
            page for name in names for page in _list_pages(connection, name)
        )


def _repair_all(path: Path, *, accept_unknown: bool) -> bool:
    with _open_unverified(path) as connection, _open_pages(path, connection) as pages:
        wrong = pages.find_checksum_errors(range(1, pages.count + 1))
        if not wrong:
            return False
        _check_no_faults(path, _find_structure_faults(connection))
        if not accept_unknown:
            _check_no_unknown_pages(path, _find_unknown_pages(path, connection, pages, wrong))
        if len(wrong) > MAX_PAGES_REPAIRED_IN_PLACE:
            connection.execute("VACUUM").fetchall()
        else:
            last = _list_pages(connection, COMMIT_COUNTS)  # it tells that there is more to do
            pages.write_checksums(sorted(wrong, key=lambda page: (page in last, page)))
    _log.warning("another program wrote into the store; its checksums are mended")
    return True


def _check_no_faults(path: Path, faults: list[str]) -> None:
    if faults:
        found = "; ".join(faults[:3])
        raise StoreRefused(
            f"数据库 {path} 已损坏，请恢复备份。发现：{found}",
            f"{path} is damaged: restore a backup. Found: {found}",
        )


def _check_no_unknown_pages(path: Path, pages: dict[str, list[int]]) -> None:
    if not pages:
        return
    shown = ", ".join(f"{table} ({len(which)})" for table, which in sorted(pages.items()))
    raise StoreRefused(
        f"{path} 的数据页校验和不符：数据已损坏，或被其他 SQLite 程序修改过。请恢复备份；"
        f"若确认是您自己的修改，请运行 hupan database accept-writes。表与页：{shown}",
        f"pages of {path} have a wrong checksum: they are damaged, or another SQLite program "
        "changed them. Restore a backup; if the change was yours, run hupan database "
        f"accept-writes. Tables and pages: {shown}",
    )


def _find_unknown_pages(
    path: Path,
    connection: apsw.Connection,
    pages: PageFile,
    wrong: dict[int, bytes] | None = None,
) -> dict[str, list[int]]:
    """The pages of our tables that may be damaged, by table; the structure was looked at before."""
    if wrong is None:
        wrong = pages.find_checksum_errors(range(1, pages.count + 1))
    if not wrong or _was_checkpointed_elsewhere(connection, pages):
        return {}
    # In a copy that another program made whole, no page at all has a checksum.
    is_bare = all(
        not any(wrong.get(page, pages.read_page(page))[-CHECKSUM_BYTES:])
        for page in range(1, pages.count + 1)
    )
    if is_bare:
        return {}
    proved, ours = _find_pages_proved_by_wal(path, pages), _list_own_objects(connection)
    owners = dict(_list_page_owners(connection, _LIST_PAGE_OWNERS))
    found: dict[str, list[int]] = {}
    for page, content in wrong.items():
        table = ours.get(owners.get(page, ""))
        if table is not None and page not in proved and not _lacks_checksum(content):
            found.setdefault(table, []).append(page)
    return found


def _was_checkpointed_elsewhere(connection: apsw.Connection, pages: PageFile) -> bool:
    """Whether another program wrote commits of ours back into the file."""
    return bool(pages.find_checksum_errors(_list_pages(connection, COMMIT_COUNTS)))


def _find_pages_proved_by_wal(path: Path, pages: PageFile) -> set[int]:
    """Pages with a wrong checksum that are like a right frame of the log."""
    found: set[int] = set()
    there: dict[int, bytes | None] = {}
    for frame in iterate_wal_frames(path):
        page = frame.page
        if page not in there:
            there[page] = pages.find_checksum_errors([page]).get(page)
        if page not in found and there[page] == frame.content and frame.has_valid_checksum():
            found.add(page)
    return found


def _lacks_checksum(content: bytes) -> bool:
    """Whether a page has no checksum, and is whole: a lost sector would be zeros before it too."""
    if any(content[-CHECKSUM_BYTES:]):
        return False
    is_empty_leaf = content[0] in _LEAF_PAGE_TYPES and not any(content[3:5])
    return is_empty_leaf or any(content[-_SECTOR_BYTES:])


def _find_structure_faults(connection: apsw.Connection) -> list[str]:
    """What is wrong with the form of a file and its schema; nobody's data are in it."""
    try:
        told_of = connection.execute(f"PRAGMA integrity_check({MAX_STRUCTURE_FAULTS})").fetchall()
        found = [f"the file: {text}" for (text,) in told_of if text != "ok"]
        astray = connection.execute("PRAGMA foreign_key_check").fetchall()
        found += [f"{row[0]}: a row that points to nothing" for row in astray]
        return found + _find_schema_faults(connection)
    except apsw.Error as error:
        return [f"the file: {format_sqlite_error(error)}"]


def _find_schema_faults(connection: apsw.Connection) -> list[str]:
    """How the schema differs from what the migrations in it make; what others added aside."""
    if str(connection.pragma("encoding")) != "UTF-8":
        return ["the file: its header is not that of a store"]
    there, expected = _read_objects(connection), _expected_objects(connection)
    return [
        f"the schema: {name} is not as its migration made it"
        for name, made in expected.items()
        if there.get(name) != made
    ]


def _expected_objects(connection: apsw.Connection) -> dict[str, tuple[str, ...]]:
    """What the migrations that a file bears make."""
    numbers = read_applied_on_connection(connection)
    drawn = apsw.Connection(":memory:")
    try:
        if numbers:
            drawn.execute(CREATE_MIGRATIONS_TABLE).fetchall()
        for migration in load_migrations():
            if migration.number in numbers:
                drawn.execute(migration.sql).fetchall()
        return _read_objects(drawn)
    finally:
        drawn.close()


def _read_objects(connection: apsw.Connection) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(_LIST_SCHEMA_OBJECTS).fetchall()
    return {
        str(name): (str(kind), str(table), " ".join(str(sql or "").split()))
        for kind, name, table, sql in rows
    }


def _list_own_objects(connection: apsw.Connection) -> dict[str, str]:
    """Our tables and indexes, each with its table."""
    return {name: made[1] for name, made in _expected_objects(connection).items()}


def _list_pages(connection: apsw.Connection, name: str) -> set[int]:
    return {int(str(row[0])) for row in connection.execute(_LIST_PAGES, (name,))}


def _list_page_owners(connection: apsw.Connection, sql: str) -> list[tuple[int, str]]:
    return [(int(str(page)), str(name)) for page, name in connection.execute(sql)]
