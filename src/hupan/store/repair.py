"""Repair of pages that another SQLite program wrote; damage is reported instead (security X8).

A checkpoint computes page checksums. Another program that makes a checkpoint, or writes pages
itself, computes none: a new page has no checksum, any other page has an old one. Decision 0018
distinguishes such pages from damaged ones:

- the schema is compared with what the migrations make, and needs no checksum;
- pages of foreign tables and free pages hold none of our data;
- a page that equals a valid frame of the log is intact;
- a page that only lacks its checksum is intact;
- each commit of ours also changes the page of `commit_counts`. If its checksum is wrong, another
  program made the checkpoint of our commits, so any page may be intact; then the structure of the
  file decides;
- any other page with a wrong checksum may be damaged: only an operator can accept it.

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
from hupan.store.migrate import CREATE_MIGRATIONS_TABLE, load_migrations, read_applied
from hupan.store.sqlite import COMMIT_COUNTS, connect
from hupan.store.wal import iterate_wal_frames, wal_checksum

SCHEMA_TABLE = "sqlite_schema"
MAX_STRUCTURE_FAULTS = 100
MAX_PAGES_REPAIRED_IN_PLACE = 4096
"""More pages than that are rewritten by VACUUM, which takes less time."""
MAX_PAGE_WRITE_ATTEMPTS = 3
_SECTOR_BYTES = 512
_JOURNAL_MODE_OFFSET, _RESERVED_BYTES_OFFSET = 18, 20
"""Offsets in the first page: journal mode, and bytes reserved for checksums."""
_WAL_MODE = 2
"""Every file of ours is in WAL mode; if one is not, another program changed it."""
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
    """The raw pages of a file and their checksums."""

    def __init__(self, path: Path, page_bytes: int) -> None:
        flags = [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE, 0]
        # SQLite's VFS: closing the file drops no lock that this process holds on it.
        self._file = apsw.VFSFile("unix", str(path), flags)
        self._page_bytes = page_bytes
        self._checksum_connection = apsw.Connection(":memory:", vfs=get_checksum_vfs())
        self._cursor = self._checksum_connection.cursor()

    @property
    def count(self) -> int:
        """Number of pages."""
        return self._file.xFileSize() // self._page_bytes

    def close(self) -> None:
        self._file.xClose()
        self._checksum_connection.close()

    def read_page(self, page: int) -> bytes:
        return self._file.xRead(self._page_bytes, (page - 1) * self._page_bytes)

    def has_valid_checksum(self, content: bytes) -> bool:
        row = self._cursor.execute("SELECT verify_checksum(?1)", (content,)).fetchall()
        return row == [(1,)]

    def find_checksum_errors(self, pages: Iterable[int]) -> dict[int, bytes]:
        """Return those of some pages whose checksum is wrong, with their content."""
        found = {}
        for page in pages:
            if 0 < page <= self.count and not self.has_valid_checksum(
                content := self.read_page(page)
            ):
                found[page] = content
        return found

    def write_checksums(self, pages: Iterable[int]) -> None:
        """Write the checksums of pages' current content.

        A concurrent checkpoint may change a page: then its new content gets the checksum.
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
    """Repair what another program wrote intact, before a server opens the file.

    Only the schema and the page of `commit_counts` are read, unless one of them is wrong.

    Returns:
        Whether anything was repaired.

    Raises:
        StoreRefused: the file is or may be damaged; nothing was changed.
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
    """Write a checksum for every page as it is, because an operator confirmed the content.

    Raises:
        StoreRefused: its structure is damaged; nothing was changed.
    """
    try:
        return _has_checksums(_read_header(path)) and _repair_all(path, accept_unknown=True)
    except apsw.Error as error:
        raise _open_error(path, error) from error


def repair_while_serving(path: Path, *, has_read_failed: bool = True) -> bool:
    """Repair what another program wrote while a server runs; return whether anything was.

    Pages in the log are repaired at once. After a foreign checkpoint of our commits there may be
    more: that is recorded, and the whole file is checked when a wrong page is read, or at a start.

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
        _log.error("pages that another program wrote could not be repaired: %s", text)
        return False
    if was_repaired:
        _log.warning("another program wrote to the store; its checksums were repaired")
    return was_repaired


def _list_foreign_pages(connection: apsw.Connection) -> set[int]:
    """Return the pages of the schema and of tables that are not ours."""
    ours = _list_own_objects(connection)
    names = [str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema").fetchall()]
    others = [name for name in names if name not in ours]
    return {page for name in (SCHEMA_TABLE, *others) for page in _list_pages(connection, name)}


def find_unexplained_faults(path: Path) -> list[str]:
    """Return the faults of a file with wrong checksums; none if another program explains them."""
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
    """Return a file's first bytes, read before any connection is open; b"" if it is missing."""
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
    """Open the file without verifying checksums."""
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
            last = _list_pages(
                connection, COMMIT_COUNTS
            )  # written last: until then the repair is incomplete
            pages.write_checksums(sorted(wrong, key=lambda page: (page in last, page)))
    _log.warning("another program wrote to the store; its checksums were repaired")
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
    """Return the pages of our tables that may be damaged; the structure was checked before."""
    if wrong is None:
        wrong = pages.find_checksum_errors(range(1, pages.count + 1))
    if not wrong or _was_checkpointed_elsewhere(connection, pages):
        return {}
    # In a complete copy by another program, no page at all has a checksum.
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
    """Return whether another program checkpointed our commits."""
    return bool(pages.find_checksum_errors(_list_pages(connection, COMMIT_COUNTS)))


def _find_pages_proved_by_wal(path: Path, pages: PageFile) -> set[int]:
    """Return pages with a wrong checksum that equal a valid frame of the log."""
    found: set[int] = set()
    wrong: dict[int, bytes | None] = {}
    for frame in iterate_wal_frames(path):
        page = frame.page
        if page not in wrong:
            wrong[page] = pages.find_checksum_errors([page]).get(page)
        if page not in found and wrong[page] == frame.content and frame.has_valid_checksum():
            found.add(page)
    return found


def _lacks_checksum(content: bytes) -> bool:
    """Return whether a page is whole without a checksum: a lost sector has zeros before it too."""
    if any(content[-CHECKSUM_BYTES:]):
        return False
    is_empty_leaf = content[0] in _LEAF_PAGE_TYPES and not any(content[3:5])
    return is_empty_leaf or any(content[-_SECTOR_BYTES:])


def find_file_faults(connection: apsw.Connection) -> list[str]:
    """Return the faults that SQLite itself finds in a file, without any user data."""
    rows = connection.execute(f"PRAGMA integrity_check({MAX_STRUCTURE_FAULTS})").fetchall()
    found = [f"the file: {text}" for (text,) in rows if text != "ok"]
    dangling_rows = connection.execute("PRAGMA foreign_key_check").fetchall()
    return found + [f"{row[0]}: a row that points to nothing" for row in dangling_rows]


def _find_structure_faults(connection: apsw.Connection) -> list[str]:
    """Return the faults of a file's structure and schema, without any user data."""
    try:
        return find_file_faults(connection) + _find_schema_faults(connection)
    except apsw.Error as error:
        return [f"the file: {format_sqlite_error(error)}"]


def _find_schema_faults(connection: apsw.Connection) -> list[str]:
    """Return how the schema differs from what the migrations make; additions are ignored."""
    if str(connection.pragma("encoding")) != "UTF-8":
        return ["the file: its header is not that of a store"]
    existing, expected = _read_objects(connection), _expected_objects(connection)
    return [
        f"the schema: {name} is not as its migration made it"
        for name, made in expected.items()
        if existing.get(name) != made
    ]


def _expected_objects(connection: apsw.Connection) -> dict[str, tuple[str, ...]]:
    """Return the objects that the applied migrations make."""
    numbers = read_applied(connection)
    schema = apsw.Connection(":memory:")
    try:
        if numbers:
            schema.execute(CREATE_MIGRATIONS_TABLE).fetchall()
        for migration in load_migrations():
            if migration.number in numbers:
                schema.execute(migration.sql).fetchall()
        return _read_objects(schema)
    finally:
        schema.close()


def _read_objects(connection: apsw.Connection) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(_LIST_SCHEMA_OBJECTS).fetchall()
    return {
        str(name): (str(kind), str(table), " ".join(str(sql or "").split()))
        for kind, name, table, sql in rows
    }


def _list_own_objects(connection: apsw.Connection) -> dict[str, str]:
    """Return our tables and indexes, each with its table."""
    return {name: made[1] for name, made in _expected_objects(connection).items()}


def _list_pages(connection: apsw.Connection, name: str) -> set[int]:
    return {int(str(row[0])) for row in connection.execute(_LIST_PAGES, (name,))}


def _list_page_owners(connection: apsw.Connection, sql: str) -> list[tuple[int, str]]:
    return [(int(str(page)), str(name)) for page, name in connection.execute(sql)]
