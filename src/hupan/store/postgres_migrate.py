"""Migrations on PostgreSQL: the same files, in one transaction, one node after the other."""

import re
import time

import asyncpg

from hupan.store.engine import StoreRefused
from hupan.store.migrate import JOURNAL, Migration, Step, check_applied, migrations
from hupan.store.postgres_pool import LOST, Connection, Pool
from hupan.store.postgres_statements import spoken

_LOCK = 0x68757061  # whoever migrates a store holds this number
_LOCK_WAIT = "SET LOCAL lock_timeout = '2s'"
_PATIENCE_SECONDS = 3600.0
"""A migration may take longer than any statement of a request."""
_TYPES = {"INTEGER": "BIGINT", "BLOB": "BYTEA", "TEXT": 'TEXT COLLATE "C"'}
_TYPE = re.compile(r"\b(INTEGER|BLOB|TEXT)\b")
_SUFFIX = re.compile(r"\)\s*(?:STRICT|WITHOUT ROWID)(?:\s*,\s*(?:STRICT|WITHOUT ROWID))?\s*;")
_REMARK = re.compile(r"--[^\n]*")
_STATEMENT = re.compile(r"(?:[^;'$]|'[^']*'|\$\$.*?\$\$|\$)+", re.DOTALL)


def in_postgres(ddl: str) -> str:
    """A migration that is written for SQLite, as PostgreSQL reads it."""
    plain = _REMARK.sub("", ddl)
    return _SUFFIX.sub(");", _TYPE.sub(lambda found: _TYPES[found[0]], plain))


def statements_of(migration: Migration) -> list[str]:
    """The statements of a migration, one by one.

    Citus refuses several at once where one of them makes or drops an index of a spread table.
    """
    found = (part.strip() for part in _STATEMENT.findall(in_postgres(migration.sql)))
    return [statement for statement in found if statement]


async def migrate_postgres(pool: Pool, known: list[Migration] | None = None) -> list[Migration]:
    """Brings the store up to date; gives what was applied. All of it is kept, or none.

    Raises:
        StoreRefused: the store is newer than this version, a landed migration was edited, or
            the server refused one; the store is as it was.
        StoreUnavailable: the server cannot be reached.
    """
    known = migrations("postgres") if known is None else known
    try:
        return await pool.use(lambda connection: _apply(connection, known, pool.place.shown))
    except (*LOST, asyncpg.PostgresError) as error:
        raise StoreRefused(
            f"数据库升级失败 / cannot migrate {pool.place.shown}: {error}"
        ) from error


async def check_current_postgres(pool: Pool) -> None:
    """Goes on only with a store that this version has brought up to date.

    Raises:
        StoreRefused: it is empty, older or newer.
        StoreUnavailable: the server cannot be reached.
    """
    known = migrations("postgres")
    applied = await pool.use(applied_on)
    check_applied(applied, known, pool.place.shown)
    if len(applied) < len(known):
        raise StoreRefused(
            "数据库尚未升级，请先运行 hupan database migrate / "
            f"{pool.place.shown} is not up to date: run hupan database migrate"
        )


async def _apply(connection: Connection, known: list[Migration], place: str) -> list[Migration]:
    async with connection.transaction():
        await connection.execute(
            f"SELECT pg_advisory_xact_lock({_LOCK})", timeout=_PATIENCE_SECONDS
        )
        await connection.execute(in_postgres(JOURNAL))
        applied = await applied_on(connection)
        check_applied(applied, known, place)
        await connection.execute(_LOCK_WAIT)
        missing = [migration for migration in known if migration.number not in applied]
        for migration in missing:
            for statement in statements_of(migration):
                await connection.execute(statement, timeout=_PATIENCE_SECONDS)
            await _take(connection, migration.step)
            await connection.execute(
                "INSERT INTO migrations (number, name, digest, applied_at) VALUES ($1, $2, $3, $4)",
                migration.number,
                migration.name,
                migration.digest,
                int(time.time()),
            )
    return missing


async def _take(connection: Connection, step: Step | None) -> None:
    if step is not None:
        rows = [await connection.fetch(sql, timeout=_PATIENCE_SECONDS) for sql in step.reads]
        found = [[*map(tuple, one)] for one in rows]
        for sql, values in step.statements(found, int(time.time())):
            await connection.execute(spoken(sql), *values, timeout=_PATIENCE_SECONDS)


async def applied_on(connection: Connection) -> dict[int, str]:
    """Number and digest of each migration in the store."""
    if await connection.fetchval("SELECT to_regclass('migrations') IS NULL"):
        return {}
    rows = await connection.fetch("SELECT number, digest FROM migrations")
    return {row["number"]: row["digest"] for row in rows}
