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

from hupan.store.engine import StoreRefused
from hupan.store.log_care import COMMIT_COUNTS
from hupan.store.log_frames import frames_in_log
from hupan.store.migrate import JOURNAL, applied_numbers, migrations
from hupan.store.page_sums import BYTES_OF_A_SUM, told, vfs_with_sums
from hupan.store.sqlite import connect
from hupan.store.wal_damage import frame_sum

SCHEMA = "sqlite_schema"
MOST_FAULTS = 100
MOST_MENDED_SINGLY = 4096
"""More pages than that are written anew together, which takes less time."""
TRIES = 3
_SECTOR = 512
_MODE, _FORM = 18, 20
"""Where the first page tells of the log and of the room for checksums."""
_LOGGED = 2
"""A file with a log, as each of ours has. Another program changed it that has none."""
_LEAVES = (0x0A, 0x0D)
"""The first byte of a page that holds the rows of a table, or of an index."""
_OBJECTS = "SELECT type, name, tbl_name, sql FROM sqlite_schema"
_PAGES = "SELECT pageno FROM dbstat WHERE name = ?1"
_OWNERS = "SELECT pageno, name FROM dbstat"
_NOTE = f"INSERT INTO {COMMIT_COUNTS} (id, number) VALUES (2, 1) ON CONFLICT (id) DO NOTHING"
_NOTED = f"SELECT 1 FROM {COMMIT_COUNTS} WHERE id = 2"
_FORGET = f"DELETE FROM {COMMIT_COUNTS} WHERE id = 2"
_log = logging.getLogger("hupan.store")


class Pages:
    """The pages of a file as they lie there, and their checksums."""

    def __init__(self, path: Path, page_bytes: int) -> None:
        flags = [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE, 0]
        # SQLite's own way to open a file: closing it drops no lock that this process holds on it.
        self._file = apsw.VFSFile("unix", str(path), flags)
        self._bytes = page_bytes
        self._check = apsw.Connection(":memory:", vfs=vfs_with_sums())
        self._cursor = self._check.cursor()

    @property
    def count(self) -> int:
        """How many there are."""
        return self._file.xFileSize() // self._bytes

    def close(self) -> None:
        """Lets go of the file."""
        self._file.xClose()
        self._check.close()

    def content(self, page: int) -> bytes:
        """What lies in a page."""
        return self._file.xRead(self._bytes, (page - 1) * self._bytes)

    def is_right(self, content: bytes) -> bool:
        """Whether its checksum is right."""
        row = self._cursor.execute("SELECT verify_checksum(?1)", (content,)).fetchall()
        return row == [(1,)]

    def wrong_among(self, pages: Iterable[int]) -> dict[int, bytes]:
        """Those of some pages whose checksum is wrong, with what lies there."""
        found = {}
        for page in pages:
            if 0 < page <= self.count and not self.is_right(content := self.content(page)):
                found[page] = content
        return found

    def mend(self, pages: Iterable[int]) -> None:
        """Gives pages the checksum of what they hold.

        A log may be written back meanwhile: then it is the checksum of what came.
        """
        for page in pages:
            for _ in range(TRIES):
                content = self.content(page)
                if self.is_right(content):
                    break
                sums = frame_sum((0, 0), content[:-BYTES_OF_A_SUM], "<")
                self._file.xWrite(pack("<2I", *sums), page * self._bytes - BYTES_OF_A_SUM)
        self._file.xSync(apsw.SQLITE_SYNC_FULL)


def mend_before_start(path: Path) -> bool:
    """Mends what another program wrote soundly, before a server opens the file.

    It looks at the schema and at the page of `commit_counts` alone, unless one of them is wrong.

    Returns:
        Whether anything was mended.

    Raises:
        StoreRefused: the file is damaged, or nothing tells whether it is; nothing was changed.
    """
    try:
        header = _header(path)
        if not _has_sums(header):
            return False
        was_changed = header[_MODE] != _LOGGED
        if not was_changed and _starts_right(path):
            return False
        return _mend_all(path, accepting=was_changed)
    except apsw.Error as error:
        raise _refused(path, error) from error


def accept_all(path: Path) -> bool:
    """Gives every page the checksum of what it holds now, for an operator says that it is right.

    Raises:
        StoreRefused: its structure is damaged all the same; nothing was changed.
    """
    try:
        return _has_sums(_header(path)) and _mend_all(path, accepting=True)
    except apsw.Error as error:
        raise _refused(path, error) from error


def mend_beside_server(path: Path, *, is_met: bool = True) -> bool:
    """Mends what another program wrote into the file of a server that runs; whether it did.

    What is in the log is mended at once. Where commits of ours were written back there may be more:
    that is noted, and the whole file is looked at when a wrong page is met, or by a start.

    Args:
        path: the file.
        is_met: whether a page could not be read.
    """
    try:
        with _unverified(path) as connection, _opened(path, connection) as pages:
            if _schema_faults(connection):
                return False
            counts = _pages(connection, COMMIT_COUNTS)
            surely = {*pages.wrong_among(_likely(connection)), *_proved(path, pages)}
            has_company = bool(pages.wrong_among(counts))
            if has_company:
                connection.execute(_NOTE).fetchall()
            has_company = has_company or bool(connection.execute(_NOTED).fetchall())
            pages.mend([*sorted(surely - counts), *counts])
            is_done = bool(surely)
            if has_company and is_met:
                is_done = _mend_all(path, accepting=True) or is_done
                connection.execute(_FORGET).fetchall()
    except (apsw.Error, StoreRefused) as error:
        text = _text(error)
        _log.error("what another program wrote could not be mended: %s", text)  # no trace is needed
        return False
    if is_done:
        _log.warning("another program wrote into the store; its checksums are mended")
    return is_done


def _likely(connection: apsw.Connection) -> set[int]:
    """The pages of the schema, of the counts, and of tables that are not ours."""
    ours = _ours(connection)
    names = [str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema").fetchall()]
    others = [name for name in names if name not in ours]
    return {page for name in (SCHEMA, *others) for page in _pages(connection, name)}


def faults_beside_sums(path: Path) -> list[str]:
    """What is wrong with a file in which some checksums are; [] when they are another program's."""
    with _unverified(path) as connection:
        found = _structure_faults(connection)
        with _opened(path, connection) as pages:
            unknown = {} if found else _unknown(path, connection, pages)
    return found + [
        f"the file: {table}: {len(which)} pages whose checksum is wrong: they are damaged, or "
        "another program changed them and hupan database accept-writes accepts that"
        for table, which in sorted(unknown.items())
    ]


def _header(path: Path) -> bytes:
    """The first bytes of a file, read before anything has it open; b"" when there is none."""
    try:
        with path.open("rb") as file:
            return file.read(_FORM + 1)
    except FileNotFoundError:
        return b""


def _has_sums(header: bytes) -> bool:
    return len(header) > _FORM and header[_FORM] == BYTES_OF_A_SUM


def _refused(path: Path, error: apsw.Error) -> StoreRefused:
    return StoreRefused(f"无法打开数据库 / cannot open the store {path}: {told(error)}")


def _text(error: Exception) -> str:
    return told(error) if isinstance(error, apsw.Error) else str(error)


@contextmanager
def _unverified(path: Path) -> Iterator[apsw.Connection]:
    """The file as it lies there."""
    connection = connect(path, verifies=False)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _opened(path: Path, connection: apsw.Connection) -> Iterator[Pages]:
    pages = Pages(path, int(str(connection.pragma("page_size"))))
    try:
        yield pages
    finally:
        pages.close()


def _starts_right(path: Path) -> bool:
    with _unverified(path) as connection, _opened(path, connection) as pages:
        names = (SCHEMA, COMMIT_COUNTS)
        return not pages.wrong_among(page for name in names for page in _pages(connection, name))


def _mend_all(path: Path, *, accepting: bool) -> bool:
    with _unverified(path) as connection, _opened(path, connection) as pages:
        wrong = pages.wrong_among(range(1, pages.count + 1))
        if not wrong:
            return False
        _refuse_faults(path, _structure_faults(connection))
        if not accepting:
            _refuse_unknown(path, _unknown(path, connection, pages, wrong))
        if len(wrong) > MOST_MENDED_SINGLY:
            connection.execute("VACUUM").fetchall()
        else:
            last = _pages(connection, COMMIT_COUNTS)  # it tells that there is more to do
            pages.mend(sorted(wrong, key=lambda page: (page in last, page)))
    _log.warning("another program wrote into the store; its checksums are mended")
    return True


def _refuse_faults(path: Path, faults: list[str]) -> None:
    if faults:
        raise StoreRefused(
            f"数据库已损坏，请恢复备份 / {path} is damaged: restore a backup. Found: "
            f"{'; '.join(faults[:3])}"
        )


def _refuse_unknown(path: Path, pages: dict[str, list[int]]) -> None:
    if not pages:
        return
    shown = ", ".join(f"{table} ({len(which)})" for table, which in sorted(pages.items()))
    raise StoreRefused(
        "数据页校验和不符：数据已损坏，或被其他 SQLite 程序修改过。请恢复备份；"
        "若确认是您自己的修改，请运行 hupan database accept-writes / "
        f"pages of {path} have a wrong checksum: they are damaged, or another SQLite program "
        "changed them. Restore a backup; if the change was yours, run hupan database "
        f"accept-writes. Tables and pages: {shown}"
    )


def _unknown(
    path: Path,
    connection: apsw.Connection,
    pages: Pages,
    wrong: dict[int, bytes] | None = None,
) -> dict[str, list[int]]:
    """The pages of our tables that may be damaged, by table; the structure was looked at before."""
    if wrong is None:
        wrong = pages.wrong_among(range(1, pages.count + 1))
    if not wrong or _is_written_back(connection, pages):
        return {}
    # In a copy that another program made whole, no page at all has a checksum.
    is_bare = all(
        not any(wrong.get(page, pages.content(page))[-BYTES_OF_A_SUM:])
        for page in range(1, pages.count + 1)
    )
    if is_bare:
        return {}
    proved, ours = _proved(path, pages), _ours(connection)
    owners = dict(_pairs(connection, _OWNERS))
    found: dict[str, list[int]] = {}
    for page, content in wrong.items():
        table = ours.get(owners.get(page, ""))
        if table is not None and page not in proved and not _is_absent(content):
            found.setdefault(table, []).append(page)
    return found


def _is_written_back(connection: apsw.Connection, pages: Pages) -> bool:
    """Whether another program wrote commits of ours back into the file."""
    return bool(pages.wrong_among(_pages(connection, COMMIT_COUNTS)))


def _proved(path: Path, pages: Pages) -> set[int]:
    """Pages with a wrong checksum that are like a right frame of the log."""
    found: set[int] = set()
    there: dict[int, bytes | None] = {}
    for frame in frames_in_log(path):
        page = frame.page
        if page not in there:
            there[page] = pages.wrong_among([page]).get(page)
        if page not in found and there[page] == frame.content and frame.is_as_written():
            found.add(page)
    return found


def _is_absent(content: bytes) -> bool:
    """Whether a page has no checksum, and is whole: a lost sector would be zeros before it too."""
    if any(content[-BYTES_OF_A_SUM:]):
        return False
    is_empty_leaf = content[0] in _LEAVES and not any(content[3:5])
    return is_empty_leaf or any(content[-_SECTOR:])


def _structure_faults(connection: apsw.Connection) -> list[str]:
    """What is wrong with the form of a file and its schema; nobody's data are in it."""
    try:
        told_of = connection.execute(f"PRAGMA integrity_check({MOST_FAULTS})").fetchall()
        found = [f"the file: {text}" for (text,) in told_of if text != "ok"]
        astray = connection.execute("PRAGMA foreign_key_check").fetchall()
        found += [f"{row[0]}: a row that points to nothing" for row in astray]
        return found + _schema_faults(connection)
    except apsw.Error as error:
        return [f"the file: {told(error)}"]


def _schema_faults(connection: apsw.Connection) -> list[str]:
    """How the schema differs from what the migrations in it make; what others added aside."""
    if str(connection.pragma("encoding")) != "UTF-8":
        return ["the file: its header is not that of a store"]
    there, expected = _objects(connection), _expected(connection)
    return [
        f"the schema: {name} is not as its migration made it"
        for name, made in expected.items()
        if there.get(name) != made
    ]


def _expected(connection: apsw.Connection) -> dict[str, tuple[str, ...]]:
    """What the migrations that a file bears make."""
    numbers = applied_numbers(connection)
    drawn = apsw.Connection(":memory:")
    try:
        if numbers:
            drawn.execute(JOURNAL).fetchall()
        for migration in migrations():
            if migration.number in numbers:
                drawn.execute(migration.sql).fetchall()
        return _objects(drawn)
    finally:
        drawn.close()


def _objects(connection: apsw.Connection) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(_OBJECTS).fetchall()
    return {
        str(name): (str(kind), str(table), " ".join(str(sql or "").split()))
        for kind, name, table, sql in rows
    }


def _ours(connection: apsw.Connection) -> dict[str, str]:
    """Our tables and indexes, each with its table."""
    return {name: made[1] for name, made in _expected(connection).items()}


def _pages(connection: apsw.Connection, name: str) -> set[int]:
    return {int(str(row[0])) for row in connection.execute(_PAGES, (name,))}


def _pairs(connection: apsw.Connection, sql: str) -> list[tuple[int, str]]:
    return [(int(str(page)), str(name)) for page, name in connection.execute(sql)]
