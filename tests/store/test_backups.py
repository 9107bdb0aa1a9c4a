"""Copies of files in use, page by page (security L6, R05)."""

from pathlib import Path

import pytest

from hupan.store.backup_format import BackupError
from hupan.store.backups import copy_file, opened_copy
from hupan.store.integrity import check_file
from hupan.store.migrate import migrate_file
from hupan.store.sqlite import SqliteDatabase, connect

COUNT = "SELECT count(*), sum(length(reason)) FROM coin_refusals"
FILL = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000)
INSERT INTO coin_refusals
SELECT n, 'k', 1, printf('%.*c', 4000, 'x'), '', '', 1, '', 1 FROM numbers
"""
"""Eight megabytes, more than SQLite keeps in memory during a copy."""


@pytest.mark.slow
async def test_a_large_copy_is_whole(tmp_path: Path, database: Path) -> None:
    """Each page has its checksum, even one written before the first copy; writes continue."""
    migrate_file(database)
    connection = connect(database)
    connection.execute(FILL).fetchall()
    connection.close()
    copy = tmp_path / "copy.db"
    store = SqliteDatabase(database)  # its first commits are in the log
    copy_file(database, copy)
    await store.run_transaction(lambda tx: tx.execute("DELETE FROM coin_refusals"))
    await store.close()
    assert await check_file(copy) == []  # each page is read with its checksum
    with opened_copy(copy) as reader:
        assert await reader.fetch_one(COUNT) == (2000, 8_000_000)
    assert copy.stat().st_mode & 0o777 == 0o600


def test_a_damaged_page_is_not_copied(tmp_path: Path, database: Path) -> None:
    """No backup is made of an unreadable store (security R05)."""
    migrate_file(database)
    connection = connect(database)
    connection.execute(FILL).fetchall()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    with database.open("r+b") as file:
        file.seek(4 * 1024 * 1024 + 100)
        file.write(b"damage")
    with pytest.raises(BackupError, match="checksum"):
        copy_file(database, tmp_path / "copy.db")
