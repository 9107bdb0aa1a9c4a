"""Looks after the write-ahead log on the writer's thread: writes it back, and keeps it small.

A reader that stays holds the log up: it grows with each commit and, once the reader is gone,
shrinks only when somebody writes it back. So that is tried again and again (security R03).
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import apsw

from hupan.store.open_file import OpenFile
from hupan.store.page_sums import is_wrong_sum, told
from hupan.store.reset import TABLES

PAGES_TO_WRITE_BACK = 1000
SMALL_BYTES = 8 * 2**20
"""A log that is larger is cut once all of it was written back."""
LARGE_BYTES = 64 * 2**20
"""A larger one is told."""
BUSY_MS = 5000
LOOK_SECONDS = 1.0
MEND_SECONDS = 1.0
COMMIT_COUNTS = "commit_counts"
# Each commit to a SQLite file changes its one row, so that its page tells who wrote the log back
# into the file (decision 0018). It is no part of what a store keeps: PostgreSQL has none.
_COUNTING = f"""
CREATE TABLE IF NOT EXISTS {COMMIT_COUNTS} (
  id INTEGER PRIMARY KEY,
  number INTEGER NOT NULL
) STRICT;
"""
_COUNT = """
INSERT INTO commit_counts (id, number) VALUES (1, 1)
ON CONFLICT (id) DO UPDATE SET number = number + 1
"""
# Another program's change does so too, by triggers that our connections do not fire: else nothing
# would tell a row that it changed in place from damage.
_FIRST = f"INSERT INTO {COMMIT_COUNTS} (id, number) VALUES (1, 0) ON CONFLICT (id) DO NOTHING"
_TRIGGERS = "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_COUNTED = ("migrations", "counters", *TABLES)
_KINDS = ("insert", "update", "delete")
_ROOT = "SELECT rootpage FROM sqlite_schema WHERE name = 'commit_counts'"
_log = logging.getLogger("hupan.store")


class LogCare:
    """Belongs to one writer.

    Args:
        path: the file.
        connection: the writer's.
        mend: mends what another program wrote; tells whether there was anything.
    """

    def __init__(self, path: Path, connection: apsw.Connection, mend: Callable[[], bool]) -> None:
        self.file = OpenFile(path)
        self._connection = connection
        self._mend = mend
        self._pages = 0
        self._looked_at, self._mended_at = 0.0, -MEND_SECONDS
        self._is_large = False
        self._counts = self._begins_to_count()
        connection.set_wal_hook(self._note)

    def count_commit(self) -> None:
        """Changes the page that tells who wrote the log back, within the commit."""
        if self._counts:
            self._connection.execute(_COUNT).fetchall()

    def mend(self) -> bool:
        """Mends what another program wrote, unless that was tried just now; whether it did."""
        now = time.monotonic()
        if now - self._mended_at < MEND_SECONDS:
            return False
        if self._mend():
            return True
        self._mended_at = time.monotonic()
        return False

    def look_after_a_group(self) -> None:
        """Writes the log back when it has many pages; else looks now and then."""
        if self._pages >= PAGES_TO_WRITE_BACK or time.monotonic() - self._looked_at > LOOK_SECONDS:
            self.look()

    def look(self) -> None:
        """Mends if another program wrote the log back, writes it back, tells of a large one."""
        self._looked_at = time.monotonic()
        if not self.file.is_there():
            return
        try:
            self._look_for_others()
            size = self.file.log_bytes()
            if self._pages >= PAGES_TO_WRITE_BACK or size > SMALL_BYTES:
                self._write_back()
        except apsw.Error as error:
            _log.warning("the write-ahead log could not be written back: %s", told(error))
        self._tell()

    def end(self) -> None:
        """Writes all of it back, and empties it."""
        if not self.file.is_there():
            return
        try:
            self._look_for_others()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except apsw.Error as error:
            _log.warning("the write-ahead log stays: %s", told(error))  # the next start reads it

    def _begins_to_count(self) -> bool:
        """Makes the table and the triggers if they are not there; whether they are."""
        connection = self._connection
        try:
            if not connection.execute(_ROOT).fetchall():
                connection.execute(_COUNTING).fetchall()
            if _missing_triggers(connection):
                _make_triggers(connection)
        except apsw.Error as error:
            _log.warning("commits are not counted: %s", told(error))
            return False
        return True

    def _note(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _look_for_others(self) -> None:
        """Writing back would hide that another program did so before (decision 0018)."""
        if not self._counts:
            return
        try:
            for (root,) in self._connection.execute(_ROOT).fetchall():
                size = int(str(self._connection.pragma("page_size")))
                place = (int(str(root)) - 1) * size
                if self._connection.read("main", 0, place, size):
                    return
        except apsw.Error as error:
            if not is_wrong_sum(error):
                raise
            self.mend()

    def _write_back(self) -> None:
        connection = self._connection
        told_of = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        _busy, pages, done = (int(str(value)) for value in told_of[0])
        if pages != done or self.file.log_bytes() <= SMALL_BYTES:
            return
        connection.set_busy_timeout(0)  # whoever writes or reads now is not kept waiting
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.set_busy_timeout(BUSY_MS)

    def _tell(self) -> None:
        size = self.file.log_bytes()
        if size > LARGE_BYTES and not self._is_large:
            _log.error(
                "the write-ahead log has grown to %d MB: another program reads the store without "
                "end; end it, and the log shrinks by itself",
                size // 2**20,
            )
        elif size <= LARGE_BYTES and self._is_large:
            _log.warning("the write-ahead log has shrunk again")
        self._is_large = size > LARGE_BYTES


def _missing_triggers(connection: apsw.Connection) -> dict[str, str]:
    """The triggers that are not there yet, by name."""
    there = {name for (name,) in connection.execute(_TRIGGERS).fetchall()}
    tables = {name for (name,) in connection.execute(_TABLES).fetchall()}
    return {
        name: f"CREATE TRIGGER {name} AFTER {kind} ON {table} BEGIN "
        f"UPDATE {COMMIT_COUNTS} SET number = number + 1 WHERE id = 1; END"
        for table in _COUNTED
        if table in tables
        for kind in _KINDS
        if (name := f"{COMMIT_COUNTS}_{table}_{kind}") not in there
    }


def _make_triggers(connection: apsw.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE").fetchall()
    with_all = [_FIRST, *_missing_triggers(connection).values()]
    try:
        for statement in with_all:
            connection.execute(statement).fetchall()
        connection.execute("COMMIT").fetchall()
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK").fetchall()
