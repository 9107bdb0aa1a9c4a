"""PostgreSQL through asyncpg: transactions with retries; needs no session state between them.

No connection keeps state between transactions, so a pooler in transaction mode works. A change that
conflicts with another one is retried as a whole; one whose outcome is unknown never is.

Migrations are the same files as on SQLite, in one transaction, one node at a time.
"""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import asyncpg

from hupan.model import StoreUnavailable
from hupan.store.database import (
    Conflict,
    Database,
    DatabaseStats,
    Reader,
    Result,
    Row,
    StoreRefused,
    Transaction,
    Value,
)
from hupan.store.migrate import (
    CREATE_MIGRATIONS_TABLE,
    Migration,
    MigrationStep,
    check_all_applied,
    check_migrations_known,
    load_migrations,
)
from hupan.store.postgres_dsn import PoolSize, PostgresDsn
from hupan.store.postgres_pool import (
    CONNECTION_FAILURES,
    Connection,
    PostgresExecutor,
    PostgresPool,
    connection_failure,
    fetch_all,
    fetch_one,
    is_connection_dead,
    is_passed_on,
    localize_postgres_error,
    to_postgres,
)

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
        reason = localize_postgres_error(error)
        raise StoreRefused(
            f"无法升级数据库 {pool.dsn.display_url}：{reason.zh}",
            f"cannot migrate {pool.dsn.display_url}: {reason.en}",
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


_log = logging.getLogger("hupan.store")
MAX_TRANSACTION_ATTEMPTS = 4
"""The first attempt and three retries, each after a random delay."""
_MAX_RETRY_DELAY_MS = 20
_RETRYABLE_ERRORS = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.UniqueViolationError,  # the retry sees the other row, as on SQLite
    asyncpg.InvalidCachedStatementError,  # the schema was migrated under the statement
)
# No timeout may end the wait for a standby: PostgreSQL would then report success for a commit that
# the standby does not have (security 4, PostgreSQL).
_COMMIT = "SET LOCAL statement_timeout = 0; COMMIT"


def statement_failure(error: asyncpg.PostgresError) -> StoreUnavailable:
    """Log a statement that the server refused; return the error for callers."""
    _log.error("the server refused a statement: %s", type(error).__name__)
    return StoreUnavailable(type(error).__name__)


class _LostBeforeCommitError(Exception):
    """The connection was lost before the commit was sent: nothing was written."""


class PostgresDatabase:
    """A store on a PostgreSQL server that is up to date."""

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool
        self._pending_changes = self._committed_changes = self._failures = 0
        timeout = pool.dsn.statement_timeout_seconds
        # The server ends a wait for a lock, then a statement, before the client closes the
        # connection: a transaction that meets a locked row costs no connection.
        self._begin = (
            f"BEGIN; SET LOCAL statement_timeout = {timeout * 900}; "
            f"SET LOCAL lock_timeout = {timeout * 800}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {timeout * 1000}"
        )

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        return await self._read(lambda connection: fetch_one(connection, sql, values), sql, values)

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        return await self._read(lambda connection: fetch_all(connection, sql, values), sql, values)

    async def _read(
        self,
        query: Callable[[Connection], Awaitable[Result]],
        sql: str,
        values: tuple[Value, ...],
    ) -> Result:
        """Read on any connection; retry once if it was dead already."""
        try:
            try:
                return await self._pool.use(query, sql, values)
            except TimeoutError:
                raise
            except (
                *CONNECTION_FAILURES,
                asyncpg.InvalidCachedStatementError,
            ) as error:  # or the schema was migrated
                if is_passed_on(error):
                    raise
                return await self._pool.use(query, sql, values)
        except CONNECTION_FAILURES as error:
            self._failures += 1
            raise connection_failure(error) from error
        except asyncpg.PostgresError as error:
            raise statement_failure(error) from error

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` in a transaction; cancelling the caller does not interrupt it."""
        return await asyncio.shield(asyncio.ensure_future(self._run_counted(work)))

    async def _run_counted(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        self._pending_changes += 1
        try:
            value = await self._run_with_retries(work)
        except StoreUnavailable:
            self._failures += 1
            raise
        finally:
            self._pending_changes -= 1
        self._committed_changes += 1
        return value

    async def _run_with_retries(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        failure: Exception | None = None
        for _ in range(MAX_TRANSACTION_ATTEMPTS):
            try:
                return await self._pool.use(lambda connection: self._run_once(connection, work))
            except (*_RETRYABLE_ERRORS, _LostBeforeCommitError) as error:
                failure = error
                await asyncio.sleep(secrets.randbelow(_MAX_RETRY_DELAY_MS * 1000) / 1e6)
            except asyncpg.IntegrityConstraintViolationError as error:
                raise Conflict(str(error)) from error
            except CONNECTION_FAILURES as error:
                raise connection_failure(error) from error
            except asyncpg.PostgresError as error:
                raise statement_failure(error) from error
        if isinstance(failure, asyncpg.UniqueViolationError):
            raise Conflict(str(failure)) from failure
        raise StoreUnavailable(str(failure)) from failure

    async def _run_once(
        self,
        connection: Connection,
        work: Callable[[Transaction], Awaitable[Result]],
    ) -> Result:
        lease = self._pool.lease_of(connection)
        try:
            await connection.execute(self._begin)
            value = await work(
                PostgresExecutor(connection, partial(self._pool.begin_statement, lease))
            )
            lease.begin_commit()
        except BaseException as error:
            if lease.interruption:  # and rolled back
                raise
            if is_connection_dead(error):
                self._pool.discard(connection)
                raise _LostBeforeCommitError(str(error)) from error
            if not isinstance(error, OSError | asyncio.CancelledError):  # or the pool ends it
                await connection.execute("ROLLBACK")
            raise
        if await connection.execute(_COMMIT) != "COMMIT":
            raise StoreUnavailable("the transaction had failed, and was rolled back")
        return value

    async def read_snapshot(self, work: Callable[[Reader], Awaitable[Result]]) -> Result:
        """Run reads on one connection, in one snapshot.

        Raises:
            StoreRefused: the rows are on several machines, which share no snapshot.
            StoreUnavailable: a read failed.
        """
        try:
            return await self._pool.use(lambda connection: self._read_once(connection, work))
        except CONNECTION_FAILURES as error:
            raise connection_failure(error) from error
        except asyncpg.PostgresError as error:
            raise statement_failure(error) from error

    async def _read_once(
        self, connection: Connection, work: Callable[[Reader], Awaitable[Result]]
    ) -> Result:
        if self._pool.is_distributed:
            raise StoreRefused(
                "分布式数据库的各台机器没有共同的快照，请用 PostgreSQL 自己的工具备份",
                "the machines of a distributed database share no snapshot: back it up with "
                "PostgreSQL's own tools",
            )
        begin = partial(self._pool.begin_statement, self._pool.lease_of(connection))
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await work(PostgresExecutor(connection, begin))

    async def check(self) -> None:
        """Query a server that accepts writes; raise StoreUnavailable on failure."""
        row: Any = await self.fetch_one("SELECT pg_is_in_recovery()")
        if row is None or row[0]:
            self._pool.discard_idle()
            raise StoreUnavailable("the server is a standby")

    def stats(self) -> DatabaseStats:
        """Return counters; each change is a separate commit."""
        return DatabaseStats(
            self._pending_changes,
            self._committed_changes,
            self._committed_changes,
            self._failures,
            is_partial=self._pool.is_partial,
            is_distributed=self._pool.is_distributed,
        )

    async def close(self) -> None:
        """Wait for pending changes and close all connections."""
        await self._pool.close()


async def open_postgres(dsn: PostgresDsn, size: PoolSize, *, migrate: bool) -> PostgresDatabase:
    """Open a store, migrated first on request; otherwise it must be up to date.

    Nodes migrate one after the other.

    Raises:
        StoreRefused: it is not of this version, or cannot be migrated.
        StoreUnavailable: the server cannot be reached.
    """
    pool = PostgresPool(dsn, size)
    try:
        if migrate:
            await migrate_postgres(pool)
        else:
            await check_current_postgres(pool)
    except BaseException:
        await pool.close()
        raise
    return PostgresDatabase(pool)


async def read_postgres_snapshot(
    database: Database, work: Callable[[Reader], Awaitable[Result]]
) -> Result:
    """Run reads of a store on PostgreSQL that all see the same moment."""
    if not isinstance(database, PostgresDatabase):
        raise TypeError(type(database).__name__)
    return await database.read_snapshot(work)


async def load_applied_migrations(dsn: PostgresDsn, size: PoolSize) -> dict[int, str]:
    """Return number and digest of each applied migration.

    Raises:
        StoreUnavailable: the server cannot be reached.
    """
    pool = PostgresPool(dsn, size)
    try:
        return await pool.use(fetch_applied_migrations)
    except CONNECTION_FAILURES as error:
        raise connection_failure(error) from error
    finally:
        await pool.close()
