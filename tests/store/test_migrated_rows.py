"""Unicode addresses are converted to the ASCII form of their domain (U7).

Messages and remarks from before priorities and sizes get both (security X4, X5).
Sessions from before their numbers are numbered in the order of their sign-ins.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import methodcaller
from pathlib import Path

import apsw
import pytest

from hupan.addresses import to_ascii_domain
from hupan.store.database import Row
from hupan.store.migrate import (
    ASCII_DOMAIN_READS,
    BoundStatement,
    MigrationStep,
    ascii_domain_statements,
    load_migrations,
    migrate_file,
)
from hupan.store.postgres import migrate_postgres
from hupan.store.postgres_dsn import PoolSize, PostgresDsn
from hupan.store.postgres_pool import PostgresPool
from hupan.store.sqlite import connect
from tests.support.stores import Databases

NAME = (10, "ascii_domains")
BEFORE = [known for known in load_migrations() if known.number < 10]
OLD = """
INSERT INTO accounts (id, name, email, invitation_code, registered_at, coin_cents) VALUES
  (1, 'old', 'a@中文.com', 'A', 1, 500), (2, 'proven', 'a@xn--fiq228c.com', 'B', 2, 0),
  (3, 'alone', 'Big.B@bücher.de', 'C', 3, 0), (4, 'plain', 'c@example.com', 'D', 4, 0),
  (5, 'phone', '', 'E', 5, 0);
INSERT INTO identities (kind, value, account_id) VALUES
  ('email', 'a@中文.com', 1), ('email', 'a@xn--fiq228c.com', 2), ('email', 'big.b@bücher.de', 3),
  ('email', 'c@example.com', 4), ('phone', '13900000001', 5), ('invitation', 'A', 1);
INSERT INTO contact_changes
  (account_id, number, channel, old_address, new_address, changed_at, is_proven) VALUES
  (3, 1, 'email', 'x@中文.com', 'Big.B@bücher.de', 9, 1), (5, 1, 'sms', '', '13900000001', 9, 1);
INSERT INTO codes (target, channel, class, account_id, mac, expires_at) VALUES
  ('a@中文.com', 'email', 'own', 1, 'm', 9), ('c@example.com', 'email', 'own', 4, 'm', 9);
INSERT INTO outbox
  (target, id, channel, purpose, sealed_code, created_at, expires_at, due_at) VALUES
  ('a@中文.com', 'i', 'email', 'p', 'c', 1, 9, 1),
  ('c@example.com', 'j', 'email', 'p', 'c', 1, 9, 1);
"""
IDENTITIES = "SELECT value, account_id FROM identities WHERE kind = 'email' ORDER BY account_id"
EMAILS = "SELECT id, email, coin_cents FROM accounts ORDER BY id"
CHANGES = "SELECT account_id, number, old_address, new_address FROM contact_changes ORDER BY 1, 2"
TARGETS = "SELECT target FROM codes UNION ALL SELECT target FROM outbox"
LOOKS = (IDENTITIES, EMAILS, CHANGES, TARGETS)
AFTER = [
    [("a@xn--fiq228c.com", 2), ("big.b@xn--bcher-kva.de", 3), ("c@example.com", 4)],
    [
        (1, "", 500),
        (2, "a@xn--fiq228c.com", 0),
        (3, "Big.B@xn--bcher-kva.de", 0),
        (4, "c@example.com", 0),
        (5, "", 0),
    ],
    [
        (1, 1, "a@xn--fiq228c.com", ""),
        (3, 1, "x@xn--fiq228c.com", "Big.B@xn--bcher-kva.de"),
        (5, 1, "", "13900000001"),
    ],
    [("c@example.com",), ("c@example.com",)],
]
sqlite_only = pytest.mark.one_engine


def old_file(path: Path) -> apsw.Connection:
    """Return a file of the previous version, with addresses in both forms."""
    migrate_file(path, BEFORE)
    connection = connect(path)
    connection.execute(OLD.replace("'m'", "x'6d'").replace("'c', 1", "x'63', 1")).fetchall()
    return connection


@sqlite_only
def test_rows_are_brought_to_the_ascii_form(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The account with the ASCII form keeps it; the other loses only the address, and is logged."""
    connection = old_file(database)
    migrate_file(database)
    assert [connection.execute(sql).fetchall() for sql in LOOKS] == AFTER
    assert "account 1 lost an e-mail address" in caplog.text
    assert "account 3" not in caplog.text
    assert migrate_file(database) == []
    connection.close()


@sqlite_only
def test_of_two_in_unicode_the_oldest_keeps_it(database: Path) -> None:
    """Without an ASCII form the older of two accounts keeps it (U7)."""
    connection = old_file(database)
    connection.execute(
        "DELETE FROM identities WHERE account_id = 2;"
        "UPDATE accounts SET email = 'a@中文。com' WHERE id = 2;"
        "INSERT INTO identities (kind, value, account_id) VALUES ('email', 'a@中文。com', 2)"
    ).fetchall()
    migrate_file(database)
    assert connection.execute(IDENTITIES).fetchall()[0] == ("a@xn--fiq228c.com", 1)
    assert connection.execute(EMAILS).fetchall()[:2] == [(1, "a@xn--fiq228c.com", 500), (2, "", 0)]
    connection.close()


@sqlite_only
@pytest.mark.parametrize("after", [0, 1, 3, 6, 9])
def test_cut_anywhere_nothing_is_changed(
    database: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are converted all at once or not at all, at the next start (R12)."""
    connection = old_file(database)
    before = [connection.execute(sql).fetchall() for sql in LOOKS]

    def cut(rows: Sequence[Sequence[Row]], now: int) -> Iterator[BoundStatement]:
        yield from islice(ascii_domain_statements(rows, now), after)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(
            "hupan.store.migrate.MIGRATION_STEPS",
            {NAME: MigrationStep(ASCII_DOMAIN_READS, cut)},
        )
        with pytest.raises(KeyboardInterrupt):
            migrate_file(database)
    assert [connection.execute(sql).fetchall() for sql in LOOKS] == before
    migrate_file(database)
    assert [connection.execute(sql).fetchall() for sql in LOOKS] == AFTER
    connection.close()


@pytest.mark.slow
@sqlite_only
async def test_postgresql_does_the_same(databases: Databases) -> None:
    """PostgreSQL gives the same result."""
    name = databases.make(template="template1")

    async def run() -> list[list[tuple[object, ...]]]:
        pool = PostgresPool(PostgresDsn(databases.cluster.url(name)), PoolSize(max_connections=4))
        before = [known for known in load_migrations("postgres") if known.number < 10]
        await migrate_postgres(pool, before)
        await pool.use(lambda connection: connection.execute(OLD))
        await migrate_postgres(pool)
        found = []
        for sql in LOOKS:
            rows = await pool.use(methodcaller("fetch", sql))
            found.append([*map(tuple, rows)])
        await pool.close()
        return found

    try:
        assert await run() == AFTER
    finally:
        databases.drop(name)


@sqlite_only
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a@中文.com", "a@xn--fiq228c.com"),
        ("A@中文。COM", "A@xn--fiq228c.com"),
        ("a@straße.de", "a@xn--strae-oqa.de"),
        ("a@b.co", "a@b.co"),
        ("湖@b.co", "湖@b.co"),
        ("a@\u202e.com", "a@\u202e.com"),
        ("中文", "中文"),
        ("a@" + "中" * 5000, "a@" + "中" * 5000),
    ],
)
def test_ascii_form(text: str, kept: str) -> None:
    """A domain has one ASCII form; a domain without one stays unchanged."""
    assert to_ascii_domain(text) == kept


BEFORE_PRIORITIES = 11
MESSAGES = [
    ("a", "code", 0),
    ("b", "discard", 0),
    ("c", "notice-phone-changed", 1),
    ("d", "notice-session-ended", 2),
]
OLD_REMARKS = """
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
    """Yield an empty database, without a store in it."""
    name = databases.make(template="template1")
    yield databases.cluster.url(name)
    databases.drop(name)


def test_what_is_old_is_counted(database: Path) -> None:
    """Codes come first, notices of ended sessions last; sizes are in characters, not bytes."""
    migrate_file(
        database, [known for known in load_migrations() if known.number <= BEFORE_PRIORITIES]
    )
    connection = connect(database)
    connection.execute(OLD_REMARKS).fetchall()
    migrate_file(database)
    assert connection.execute(PRIORITIES).fetchall() == MESSAGES
    assert connection.execute(SIZES).fetchall() == [(1, 6), (2, 0)]
    connection.close()


@pytest.mark.slow
async def test_what_is_old_is_counted_on_postgres(url: str) -> None:
    """PostgreSQL gives the same result."""
    pool = PostgresPool(PostgresDsn(url), PoolSize(max_connections=2))
    known = [one for one in load_migrations("postgres") if one.number <= BEFORE_PRIORITIES]
    await migrate_postgres(pool, known)
    await pool.use(lambda connection: connection.execute(OLD_REMARKS.replace(" x'", r" '\x")))
    await migrate_postgres(pool)
    rows = await pool.use(lambda connection: connection.fetch(PRIORITIES))
    assert [tuple(row) for row in rows] == MESSAGES
    rows = await pool.use(lambda connection: connection.fetch(SIZES))
    assert [tuple(row) for row in rows] == [(1, 6), (2, 0)]
    await pool.close()


OPEN = """
INSERT INTO sessions (account_id, token_hash, device_id, platform, signed_in_at, last_used_at)
VALUES (?1, ?2, ?3, '', ?4, ?4)
"""
NUMBERED = "SELECT account_id, device_id, number FROM sessions ORDER BY account_id, number"


def test_old_sessions_are_numbered(database: Path) -> None:
    """Each account starts at 1, oldest first, even within the same second."""
    migrate_file(database, [known for known in load_migrations() if known.number == 1])
    connection = connect(database)
    for account, device, signed_in_at in [(1, "b", 20), (1, "a", 10), (1, "c", 20), (2, "a", 5)]:
        connection.execute(OPEN, (account, device.encode(), device, signed_in_at)).fetchall()
    migrate_file(database)
    numbered = connection.execute(NUMBERED).fetchall()
    assert numbered == [(1, "a", 1), (1, "b", 2), (1, "c", 3), (2, "a", 1)]
    connection.close()


BEFORE_KEYS = 20
OLD_PICTURES = """
INSERT INTO pictures (account_id, client_key, name, size, claimed_at, uploaded_at)
VALUES (1, 'a.png', 'x.png', 1, 30, 40), (2, 'a.png', 'y.png', 1, 20, 50), (2, 'b', '', 0, 7, 7);
"""
KEYS = "SELECT client_key, holder, claimed_at FROM picture_keys ORDER BY client_key, claimed_at"
KEPT_KEYS = [("a.png", 2, 20), ("a.png", 1, 30), ("b", 2, 7)]


def test_keys_of_old_pictures_have_the_same_holders(database: Path) -> None:
    """The first account of a key keeps it."""
    migrate_file(database, [known for known in load_migrations() if known.number <= BEFORE_KEYS])
    connection = connect(database)
    connection.execute(OLD_PICTURES).fetchall()
    migrate_file(database)
    assert connection.execute(KEYS).fetchall() == KEPT_KEYS
    connection.close()


@pytest.mark.slow
async def test_keys_of_old_pictures_on_postgres(url: str) -> None:
    """PostgreSQL gives the same result."""
    pool = PostgresPool(PostgresDsn(url), PoolSize(max_connections=2))
    known = [one for one in load_migrations("postgres") if one.number <= BEFORE_KEYS]
    await migrate_postgres(pool, known)
    await pool.use(lambda connection: connection.execute(OLD_PICTURES))
    await migrate_postgres(pool)
    rows = await pool.use(lambda connection: connection.fetch(KEYS))
    assert [tuple(row) for row in rows] == KEPT_KEYS
    await pool.close()
