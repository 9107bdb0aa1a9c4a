"""Migrations on PostgreSQL: the same files, in one transaction, one node at a time."""

import re
import time

import asyncpg

from hupan.store.database import StoreRefused
from hupan.store.migrate import (
    CREATE_MIGRATIONS_TABLE,
    Migration,
    MigrationStep,
    check_all_applied,
    check_migrations_known,
    load_migrations,
)
from hupan.store.postgres_pool import CONNECTION_FAILURES, Connection, PostgresPool, to_postgres

_MIGRATION_LOCK_ID = 0x68757061  # advisory lock of a migrating process
_SET_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
_MIGRATION_TIMEOUT_SECONDS = 3600.0
"""A migration may take longer than a statement of a request."""
_TYPES = {"INTEGER": "BIGINT", "BLOB": "BYTEA", "TEXT": 'TEXT COLLATE "C"'}
_TYPE = re.compile(r"\b(INTEGER|BLOB|TEXT)\b")
_SUFFIX = re.compile(r"\)\s*(?:STRICT|WITHOUT ROWID)(?:\s*,\s*(?:STRICT|WITHOUT ROWID))?\s*;")
_COMMENT = re.compile(r"--[^\n]*")
_STATEMENT = re.compile(r"(?:[^;'$]|'[^']*'|\$\$.*?\$\$|\$)+", re.DOTALL)


def ddl_to_postgres(ddl: str) -> str:
    """Translate a migration written for SQLite to PostgreSQL."""
    plain = _COMMENT.sub("", ddl)
    return _SUFFIX.sub(");", _TYPE.sub(lambda found: _TYPES[found[0]], plain))


def split_statements(migration: Migration) -> list[str]:
    """Split a migration into statements.

    Citus refuses several at once if one of them creates or drops an index of a distributed table.
    """
    found = (part.strip() for part in _STATEMENT.findall(ddl_to_postgres(migration.sql)))
    return [statement for statement in found if statement]


async def migrate_postgres(
    pool: PostgresPool, known: list[Migration] | None = None
) -> list[Migration]:
    """Apply the missing migrations, all or none; return them.

    Raises:
        StoreRefused: the store is newer than this version, a landed migration was edited, or
            the server refused one; the store is as it was.
        StoreUnavailable: the server cannot be reached.
    """
    known = load_migrations("postgres") if known is None else known
    try:
        return await pool.use(
            lambda connection: _apply_missing(connection, known, pool.dsn.display_url)
        )
    except (*CONNECTION_FAILURES, asyncpg.PostgresError) as error:
        raise StoreRefused(
            f"无法升级数据库 {pool.dsn.display_url}：{error}",
            f"cannot migrate {pool.dsn.display_url}: {error}",
        ) from error


async def check_current_postgres(pool: PostgresPool) -> None:
    """Raise unless the store is at this version.

    Raises:
        StoreRefused: it is empty, older or newer.
        StoreUnavailable: the server cannot be reached.
    """
    known = load_migrations("postgres")
    applied = await pool.use(fetch_applied_migrations)
    check_all_applied(applied, known, pool.dsn.display_url)


async def _apply_missing(
    connection: Connection, known: list[Migration], url: str
) -> list[Migration]:
    async with connection.transaction():
        await connection.execute(
            f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK_ID})",
            timeout=_MIGRATION_TIMEOUT_SECONDS,
        )
        await connection.execute(ddl_to_postgres(CREATE_MIGRATIONS_TABLE))
        applied = await fetch_applied_migrations(connection)
        check_migrations_known(applied, known, url)
        await connection.execute(_SET_LOCK_TIMEOUT)
        missing = [migration for migration in known if migration.number not in applied]
        for migration in missing:
            for statement in split_statements(migration):
                await connection.execute(statement, timeout=_MIGRATION_TIMEOUT_SECONDS)
            await _run_step(connection, migration.step)
            await connection.execute(
                "INSERT INTO migrations (number, name, digest, applied_at) VALUES ($1, $2, $3, $4)",
                migration.number,
                migration.name,
                migration.digest,
                int(time.time()),
            )
    return missing


async def _run_step(connection: Connection, step: MigrationStep | None) -> None:
    if step is not None:
        rows = [
            await connection.fetch(sql, timeout=_MIGRATION_TIMEOUT_SECONDS) for sql in step.reads
        ]
        found = [[*map(tuple, one)] for one in rows]
        for sql, values in step.statements(found, int(time.time())):
            await connection.execute(to_postgres(sql), *values, timeout=_MIGRATION_TIMEOUT_SECONDS)


async def fetch_applied_migrations(connection: Connection) -> dict[int, str]:
    """Return number and digest of each applied migration."""
    if await connection.fetchval("SELECT to_regclass('migrations') IS NULL"):
        return {}
    rows = await connection.fetch("SELECT number, digest FROM migrations")
    return {row["number"]: row["digest"] for row in rows}
