"""After a cut migration the next start has all of it or none (R12, J7)."""

import random
from pathlib import Path

import pytest

from hupan.store.database import Row
from hupan.store.migrate import Migration, check_file_current, load_migrations, migrate_file
from hupan.store.sqlite import connect
from tests.support.power_cuts import Disk, recorded

NAME = "hupan.db"
ACCOUNTS = 40
ACCOUNT = """
INSERT INTO accounts (id, name, coin_cents, invitation_code, registered_at)
VALUES (?1, 'somebody', 500, ?2, 1700000000)
"""
SCHEMA = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
pytestmark = [pytest.mark.one_engine, pytest.mark.slow]


def unsummed(path: Path) -> object:
    """Record writes without page checksums."""
    return connect(path, "unix")


def record(path: Path, known: list[Migration], patch: pytest.MonkeyPatch) -> Disk:
    """Return the disk operations of a store's migration."""
    with recorded() as (vfs, disk):
        patch.setattr("hupan.store.migrate.connect", lambda place: connect(place, vfs))
        if known:
            migrate_file(path, known)
            fill(path, vfs)
        migrate_file(path)
    return disk


def fill(path: Path, vfs: str) -> None:
    """Create accounts with balances, all at once."""
    connection = connect(path, vfs)
    with connection:
        for number in range(1_000_001, 1_000_001 + ACCOUNTS):
            connection.execute(ACCOUNT, (number, str(number))).fetchall()
    connection.close()


def look(path: Path) -> tuple[list[Row], list[Row]]:
    """Return schema and accounts of a file; check that the file is sound (J7)."""
    connection = connect(path, "unix")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        accounts = connection.execute("SELECT id, coin_cents FROM accounts").fetchall()
        return connection.execute(SCHEMA).fetchall(), accounts
    finally:
        connection.close()


@pytest.mark.parametrize("landed", [0, 1, 5])
def test_the_next_start_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, landed: int
) -> None:
    """After a cut at each write and sync no part of a migration remains (R12)."""
    chance = random.Random(landed)  # noqa: S311 - what a cut leaves
    played, cut = tmp_path / "played", tmp_path / "cut"
    played.mkdir()
    disk = record(played / NAME, load_migrations()[:landed], monkeypatch)
    monkeypatch.setattr("hupan.store.migrate.connect", unsummed)
    whole, _ = look(played / NAME)
    migrated_again = set()
    seen = set()
    for acts in range(len(disk.acts) + 1):
        image = disk.image(acts, chance)
        if (files := frozenset(image.items())) in seen:  # many cuts leave the same
            continue
        seen.add(files)
        cut.mkdir()
        for name, content in image.items():
            (cut / name).write_bytes(content)
        migrated_again.add(len(migrate_file(cut / NAME)))
        check_file_current(cut / NAME)
        schema, accounts = look(cut / NAME)
        assert schema == whole
        assert len(accounts) in (0, ACCOUNTS)
        for file in cut.iterdir():
            file.unlink()
        cut.rmdir()
    # Each cut leaves all of the missing part or nothing, and both occurred.
    assert migrated_again == {len(load_migrations()), len(load_migrations()) - landed, 0}
