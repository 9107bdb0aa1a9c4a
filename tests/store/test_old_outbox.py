"""Messages and remarks that are older than priorities and sizes get both (security X4, X5)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.store.migrate import load_migrations, migrate_file
from hupan.store.postgres_migrate import migrate_postgres
from hupan.store.postgres_pool import PoolSize, PostgresDsn, make_pool
from hupan.store.sqlite import connect
from tests.stores import Databases

BEFORE = 11
MESSAGES = [
    ("a", "code", 0),
    ("b", "discard", 0),
    ("c", "notice-phone-changed", 1),
    ("d", "notice-session-ended", 2),
]
OLD = """
INSERT INTO accounts (id, name, invitation_code, registered_at)
VALUES (1, 'a', 'x', 0), (2, 'b', 'y', 0);
INSERT INTO remarks (account_id, friend_id, name, phone, others)
VALUES (1, 2, '湖畔', '1', ''), (1, 3, '🌊', '', '[]');
INSERT INTO outbox (target, id, channel, purpose, sealed_code, created_at, expires_at, due_at)
VALUES
  ('a', 'x', 'sms', 'code', x'01', 1, 2, 1),
  ('b', 'x', 'sms', 'discard', x'01', 1, 2, 1),
  ('c', 'x', 'sms', 'notice-phone-changed', x'', 1, 2, 1),
  ('d', 'x', 'sms', 'notice-session-ended', x'', 1, 2, 1);
"""
PRIORITIES = "SELECT target, purpose, priority FROM outbox ORDER BY target"
SIZES = "SELECT id, remark_size FROM accounts ORDER BY id"


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    """An empty database, without a store in it."""
    name = databases.make(template="template1")
    yield databases.cluster.url(name)
    databases.discard(name)


def test_what_is_old_is_counted(database: Path) -> None:
    """Codes come first, notices of ended sessions last; characters are counted, not bytes."""
    migrate_file(database, [known for known in load_migrations() if known.number <= BEFORE])
    connection = connect(database)
    connection.execute(OLD).fetchall()
    migrate_file(database)
    assert connection.execute(PRIORITIES).fetchall() == MESSAGES
    assert connection.execute(SIZES).fetchall() == [(1, 6), (2, 0)]
    connection.close()


@pytest.mark.slow
def test_what_is_old_is_counted_on_postgres(url: str) -> None:
    """The same there."""

    async def run() -> None:
        pool = await make_pool(PostgresDsn(url), PoolSize(max_connections=2))
        known = [one for one in load_migrations("postgres") if one.number <= BEFORE]
        await migrate_postgres(pool, known)
        await pool.use(lambda connection: connection.execute(OLD.replace(" x'", r" '\x")))
        await migrate_postgres(pool)
        rows = await pool.use(lambda connection: connection.fetch(PRIORITIES))
        assert [tuple(row) for row in rows] == MESSAGES
        rows = await pool.use(lambda connection: connection.fetch(SIZES))
        assert [tuple(row) for row in rows] == [(1, 6), (2, 0)]
        await pool.close()

    asyncio.run(run())
