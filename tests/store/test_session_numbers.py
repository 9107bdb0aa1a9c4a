"""Sessions that are older than their numbers are numbered in the order of their sign-ins."""

from pathlib import Path

from hupan.store.migrate import load_migrations, migrate_file
from hupan.store.sqlite import connect

OPEN = """
INSERT INTO sessions (account_id, token_hash, device_id, platform, signed_in_at, last_used_at)
VALUES (?1, ?2, ?3, '', ?4, ?4)
"""
NUMBERED = "SELECT account_id, device_id, number FROM sessions ORDER BY account_id, number"


def test_old_sessions_are_numbered(database: Path) -> None:
    """Each account's from 1, the oldest first, those of one second apart from each other."""
    migrate_file(database, [known for known in load_migrations() if known.number == 1])
    connection = connect(database)
    for account, device, signed_in_at in [(1, "b", 20), (1, "a", 10), (1, "c", 20), (2, "a", 5)]:
        connection.execute(OPEN, (account, device.encode(), device, signed_in_at)).fetchall()
    migrate_file(database)
    numbered = connection.execute(NUMBERED).fetchall()
    assert numbered == [(1, "a", 1), (1, "b", 2), (1, "c", 3), (2, "a", 1)]
    connection.close()
