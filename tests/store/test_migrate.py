"""Migrations: all or nothing, never backwards, never edited, with a copy kept."""

from pathlib import Path

import apsw
import pytest

from hupan.store.database import StoreRefused
from hupan.store.migrate import Migration, load_migrations, migrate_file
from hupan.store.sqlite import connect

FIRST = Migration(1, "first", "CREATE TABLE a (n INTEGER) STRICT; INSERT INTO a VALUES (1);")
SECOND = Migration(
    2, "second", "CREATE TABLE b (n INTEGER) STRICT; UPDATE a SET n = 2; DROP TABLE a;"
)


def tables(path: Path) -> set[str]:
    """Return the tables of a file."""
    rows = connect(path).execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    return {str(name) for (name,) in rows}


def test_a_new_file_gets_everything_once(database: Path) -> None:
    """The first start applies every migration, the next one none."""
    assert migrate_file(database) == load_migrations()
    assert migrate_file(database) == []
    assert not list(database.parent.glob("*before*"))


def test_numbers_rise_and_files_are_named_by_them() -> None:
    """Numbers are unique, in the order of the file names."""
    numbers = [migration.number for migration in load_migrations()]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


def test_a_copy_is_kept_before_a_file_in_use_is_touched(database: Path) -> None:
    """The copy has the content from before the migration."""
    migrate_file(database, [FIRST])
    assert migrate_file(database, [FIRST, SECOND]) == [SECOND]
    assert "b" in tables(database)
    copy = database.with_name("hupan.db.before-0002")
    assert tables(copy) == {"a", "migrations"}
    assert copy.stat().st_mode & 0o077 == 0


def test_a_newer_file_is_refused(database: Path) -> None:
    """A server older than the file refuses it and changes nothing."""
    migrate_file(database, [FIRST, SECOND])
    with pytest.raises(StoreRefused, match="newer Hupan"):
        migrate_file(database, [FIRST])


def test_an_edited_migration_is_refused(database: Path) -> None:
    """A landed file is never edited."""
    migrate_file(database, [FIRST])
    edited = Migration(1, "first", FIRST.sql + " -- edited")
    with pytest.raises(StoreRefused, match="differs"):
        migrate_file(database, [edited, SECOND])


def test_a_bad_statement_leaves_the_file_as_it_was(database: Path) -> None:
    """A migration that fails half-way is rolled back (security R12)."""
    migrate_file(database, [FIRST])
    broken = Migration(2, "broken", "CREATE TABLE b (n INTEGER) STRICT; SELECT * FROM nowhere;")
    with pytest.raises(StoreRefused):
        migrate_file(database, [FIRST, broken])
    assert tables(database) == {"a", "migrations"}
    assert migrate_file(database, [FIRST, SECOND]) == [SECOND]


class CutError(Exception):
    """Stand for the end of the process."""


@pytest.mark.parametrize("statement", range(12))
def test_a_cut_at_any_statement_leaves_old_or_new(
    database: Path, monkeypatch: pytest.MonkeyPatch, statement: int
) -> None:
    """After a cut the file is old or new, and the next start finishes."""
    migrate_file(database, [FIRST])
    seen = 0

    def cutting(path: Path) -> apsw.Connection:
        def trace(_cursor: apsw.Cursor, _sql: str, _values: object) -> bool:
            nonlocal seen
            seen += 1
            if seen > statement:
                raise CutError
            return True

        connection = connect(path)
        connection.exec_trace = trace
        return connection

    monkeypatch.setattr("hupan.store.migrate.connect", cutting)
    try:
        migrate_file(database, [FIRST, SECOND])
    except CutError:
        assert tables(database) == {"a", "migrations"}
    else:
        raise AssertionError(f"only {seen} statements ran")
    monkeypatch.undo()
    assert migrate_file(database, [FIRST, SECOND]) == [SECOND]
    assert tables(database) == {"b", "migrations"}


def test_a_file_that_is_no_database_is_refused(database: Path) -> None:
    """The file stays unchanged."""
    database.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreRefused):
        migrate_file(database)
    assert database.read_bytes() == b"not a database" * 1000
