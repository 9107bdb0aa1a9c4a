"""Migrations on PostgreSQL: whole or not at all, once, by any process (R12, R13)."""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest

from hupan.store.database import StoreRefused
from hupan.store.migrate import Migration, load_migrations
from hupan.store.postgres import (
    fetch_applied_migrations,
    migrate_postgres,
    split_statements,
)
from hupan.store.postgres_dsn import PoolSize, PostgresDsn
from hupan.store.postgres_pool import Connection, PostgresPool
from tests.support.stores import Databases

pytestmark = pytest.mark.slow
KNOWN = load_migrations("postgres")
KILL = "SELECT pg_terminate_backend(pg_backend_pid());"


def cuts() -> Iterator[list[Migration]]:
    """Yield all migrations up to a statement at which the server process is killed."""
    for at, migration in enumerate(KNOWN):
        statements = split_statements(migration)
        for number in range(len(statements) + 1):
            begun = ";".join([*statements[:number], KILL])
            yield [*KNOWN[:at], Migration(migration.number, migration.name, begun)]


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    """Yield an empty database, without a store in it."""
    name = databases.make(template="template1")
    yield databases.cluster.url(name)
    databases.drop(name)


async def _prepare(statement: str, connection: Connection) -> None:
    """Prepare a statement, which a server refuses if there are several."""
    await connection.prepare(statement)


async def opened(url: str) -> PostgresPool:
    """Return a pool of few connections."""
    return PostgresPool(PostgresDsn(url), PoolSize(max_connections=4))


async def test_killed_at_every_statement(url: str) -> None:
    """A killed migration leaves nothing, and the next one is complete."""
    pool = await opened(url)
    killed = 0
    for known in cuts():
        with pytest.raises(StoreRefused):
            await migrate_postgres(pool, known)
        assert await pool.use(fetch_applied_migrations) == {}
        killed += 1
    assert killed > 50
    assert await migrate_postgres(pool) == KNOWN
    assert await migrate_postgres(pool) == []
    for statement in (one for known in KNOWN for one in split_statements(known)):
        await pool.use(partial(_prepare, statement))
    await pool.close()


async def test_each_statement_is_sent_alone(url: str) -> None:
    """Citus refuses several in one message; a semicolon within a text or a body does not split."""
    migration = Migration(
        1,
        "parts",
        "CREATE TABLE a (b TEXT NOT NULL) STRICT; -- one; remark\n"
        "INSERT INTO a (b) VALUES ('x; y''; z');\n"
        "DO $$ BEGIN PERFORM 1; PERFORM 2; END $$;\n",
    )
    assert [statement.split()[0] for statement in split_statements(migration)] == [
        "CREATE",
        "INSERT",
        "DO",
    ]

    pool = await opened(url)
    assert await migrate_postgres(pool, [migration]) == [migration]
    assert await pool.use(lambda connection: connection.fetchval("SELECT b FROM a")) == ("x; y'; z")
    await pool.close()


async def test_nodes_that_migrate_at_once(url: str) -> None:
    """One of them migrates, the others find it done."""
    pools = [await opened(url) for _ in range(4)]
    done = await asyncio.gather(*(migrate_postgres(pool) for pool in pools))
    assert sorted(done, key=len) == [[], [], [], KNOWN]
    for pool in pools:
        await pool.close()


async def test_an_older_version_on_a_newer_store(url: str) -> None:
    """It refuses with the reason; the store is unchanged (R13)."""
    pool = await opened(url)
    await migrate_postgres(pool)
    with pytest.raises(StoreRefused, match="newer Hupan"):
        await migrate_postgres(pool, KNOWN[:-1])
    edited = Migration(KNOWN[0].number, KNOWN[0].name, KNOWN[0].sql + " ")
    with pytest.raises(StoreRefused, match="differs"):
        await migrate_postgres(pool, [edited, *KNOWN[1:]])
    assert len(await pool.use(fetch_applied_migrations)) == len(KNOWN)
    await pool.close()


async def test_names_are_compared_by_their_bytes(databases: Databases) -> None:
    """Every text column has the collation "C", on a cluster with any other."""
    name = databases.make()
    pool = await opened(databases.cluster.url(name))
    other = await pool.use(
        lambda connection: connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND data_type = 'text' "
            "AND collation_name IS DISTINCT FROM 'C'"
        )
    )
    await pool.close()
    databases.drop(name)
    assert other == []
