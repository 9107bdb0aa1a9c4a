"""Every page carries a checksum (security R05)."""

import asyncio
from pathlib import Path

import apsw
import pytest

from hupan.model import StoreUnavailable
from hupan.store.checksums import get_table_names
from hupan.store.database import StoreRefused
from hupan.store.integrity import check_file
from hupan.store.migrate import load_migrations, migrate_file
from hupan.store.sqlite import connect

ACCOUNT = """
INSERT INTO accounts (id, name, invitation_code, registered_at) VALUES (?1, 'somebody', ?1, 0)
"""
PLACE_OF_THE_FORM = 20
SUMMED = 8


def old(path: Path) -> None:
    """Create a store from before checksums."""
    connection = apsw.Connection(str(path), vfs="unix")
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute(
        "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, "
        "digest TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT"
    ).fetchall()
    for one in load_migrations():
        connection.execute(one.sql).fetchall()
        connection.execute(
            "INSERT INTO migrations VALUES (?1, ?2, ?3, 0)", (one.number, one.name, one.digest)
        ).fetchall()
    for number in range(200):
        connection.execute(ACCOUNT, (str(number),)).fetchall()
    connection.close()


def form(path: Path) -> int:
    """Return how many bytes each page reserves for a checksum."""
    return path.read_bytes()[PLACE_OF_THE_FORM]


def flip(path: Path) -> None:
    """Flip a bit of a name."""
    content = bytearray(path.read_bytes())
    content[content.index(b"somebody")] ^= 1
    path.write_bytes(content)


@pytest.mark.slow
async def test_an_old_file_gets_checksums(database: Path) -> None:
    """The next start rewrites an older file, with checksums and all its rows."""
    old(database)
    assert form(database) == 0
    assert migrate_file(database) == []
    assert form(database) == SUMMED
    connection = connect(database)
    assert connection.execute("SELECT count(*) FROM accounts").fetchall() == [(200,)]
    assert connection.pragma("journal_mode") == "wal"
    connection.close()
    flip(database)
    assert await check_file(database) != []


def test_a_new_file_has_them(database: Path) -> None:
    """The copy kept before a migration has them, too."""
    migrate_file(database, load_migrations()[:3])
    migrate_file(database)
    assert form(database) == SUMMED
    assert form(database.with_name(f"{database.name}.before-0004")) == SUMMED


async def test_a_check_finds_a_flip(database: Path) -> None:
    """A check of the whole file reports damage that no read met, without personal data."""
    migrate_file(database)
    connection = connect(database)
    connection.execute(ACCOUNT, ("7",)).fetchall()
    connection.close()
    assert await check_file(database) == []
    flip(database)
    (told,) = await check_file(database)
    assert told.startswith("the file: ")
    assert "body" not in told


async def test_a_check_may_be_interrupted(database: Path) -> None:
    """A server that stops does not wait for a check."""
    migrate_file(database)

    looking = asyncio.create_task(check_file(database))
    await asyncio.sleep(0)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking


async def test_a_file_that_is_gone_is_not_sound_either(tmp_path: Path) -> None:
    """A file that cannot be read is refused, without a statement about its rows."""
    with pytest.raises((StoreRefused, StoreUnavailable)):
        await check_file(tmp_path / "nowhere" / "hupan.db")


def test_a_build_without_sums_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a build would leave wrong checksums, so no file is opened."""
    monkeypatch.setattr("hupan.store.checksums._CHECKSUM_VFS", "")
    with pytest.raises(StoreRefused, match="cksumvfs"):
        connect(database)
    assert not database.exists()


def test_tables_are_named_without_values() -> None:
    """The log names tables, each once."""
    assert get_table_names(
        "SELECT s.a FROM sessions s JOIN accounts a ON a.id = 'x' FROM sessions"
    ) == ("sessions, accounts")
    assert get_table_names("\nINSERT INTO codes (a) VALUES (?1)") == "codes"
