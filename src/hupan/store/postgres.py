"""PostgreSQL through asyncpg: transactions with retries; needs no session state between them.

No connection keeps anything between transactions, so a pooler in transaction mode may stand in
between. A change that met another one is run again whole; one whose outcome is unknown never is.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from hupan.model import StoreUnavailable
from hupan.store.database import (
    Conflict,
    Database,
    DatabaseStats,
    Result,
    Row,
    StoreRefused,
    Transaction,
    Value,
)
from hupan.store.postgres_migrate import (
    check_current_postgres,
    fetch_applied_migrations,
    migrate_postgres,
)
from hupan.store.postgres_pool import (
    CONNECTION_FAILURES,
    Connection,
    PoolSize,
    PostgresDsn,
    PostgresExecutor,
    PostgresPool,
    is_connection_dead,
    make_pool,
)

_COUNT_OTHER_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'hupan' AND pid <> pg_backend_pid()
"""


async def ensure_exclusive(database: Database) -> None:
    """Goes on unless others have a PostgreSQL store open.

    Raises:
        StoreRefused: servers or commands are connected to it.
    """
    row = await database.fetch_one(_COUNT_OTHER_CONNECTIONS)
    if row is not None and row[0] > 0:
        raise StoreRefused(
            f"还有 {row[0]} 个 Hupan 连接在使用该数据库，请先停止",
            f"{row[0]} connections of Hupan use this store: stop them first",
        )


_log = logging.getLogger("hupan.store")
MAX_TRANSACTION_ATTEMPTS = 4
"""The first and three more, each after a moment of chance."""
_MAX_RETRY_DELAY_MS = 20
_RETRYABLE_ERRORS = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.UniqueViolationError,  # the other one's row is seen the next time, as on SQLite
    asyncpg.InvalidCachedStatementError,  # the schema was migrated under the statement
)
# No time-out may fall into the wait for a standby: PostgreSQL would then answer success for a
# commit that the standby has not got (security 4, PostgreSQL).
_COMMIT = "SET LOCAL statement_timeout = 0; COMMIT"


def statement_failure(error: asyncpg.PostgresError) -> StoreUnavailable:
    """What a statement that the server refused is to callers: the store failed them."""
    _log.error("the server refused a statement: %s", type(error).__name__)
    return StoreUnavailable(type(error).__name__)


class _LostBeforeCommitError(Exception):
    """The connection was lost before the commit was sent: nothing was kept."""


class PostgresDatabase:
    """A store on a PostgreSQL server that is up to date."""

    def __init__(self, pool: PostgresPool) -> None:
        self._pool = pool
        self._pending_changes = self._committed_changes = self._failures = 0
        dsn = pool.dsn
        self._begin = (
            f"BEGIN; SET LOCAL statement_timeout = {dsn.statement_timeout_seconds * 1000}; "
            f"SET LOCAL lock_timeout = {dsn.statement_timeout_seconds * 1000}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {dsn.statement_timeout_seconds * 1000}"
        )

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        return await self._read(
            lambda connection: PostgresExecutor(connection).fetch_one(sql, *values)
        )

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        return await self._read(
            lambda connection: PostgresExecutor(connection).fetch_all(sql, *values)
        )

    async def _read(self, query: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Reads on any connection; one that was dead already is replaced once."""
        try:
            try:
                return await self._pool.use(query)
            except TimeoutError:
                raise
            except (
                *CONNECTION_FAILURES,
                asyncpg.InvalidCachedStatementError,
            ):  # or the schema was migrated
                return await self._pool.use(query)
        except CONNECTION_FAILURES as error:
            self._failures += 1
            raise StoreUnavailable(str(error) or type(error).__name__) from error
        except asyncpg.PostgresError as error:
            raise statement_failure(error) from error

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Runs `work` in a transaction; a request that is given up does not break it off."""
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
                raise StoreUnavailable(str(error) or type(error).__name__) from error
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
        try:
            await connection.execute(self._begin)
            value = await work(PostgresExecutor(connection))
        except BaseException as error:
            if is_connection_dead(error):
                self._pool.discard(connection)
                raise _LostBeforeCommitError(str(error)) from error
            if not isinstance(error, OSError | asyncio.CancelledError):  # or the pool ends it
                await connection.execute("ROLLBACK")
            raise
        if await connection.execute(_COMMIT) != "COMMIT":
            raise StoreUnavailable("the transaction had failed, and was rolled back")
        return value

    async def check(self) -> None:
        """Asks a server that takes writes for a row; raises StoreUnavailable."""
        row: Any = await self.fetch_one("SELECT pg_is_in_recovery()")
        if row is None or row[0]:
            self._pool.discard_idle()
            raise StoreUnavailable("the server is a standby")

    def stats(self) -> DatabaseStats:
        """What was done so far; each change is a commit of its own."""
        return DatabaseStats(
            self._pending_changes, self._committed_changes, self._committed_changes, self._failures
        )

    async def close(self) -> None:
        """Waits for the changes under way and closes all connections."""
        await self._pool.close()


async def open_migrated(dsn: PostgresDsn, size: PoolSize) -> Database:
    """A store that was brought up to date first, one node after the other.

    Raises:
        StoreRefused: it is newer than this version, or cannot be migrated.
        StoreUnavailable: the server cannot be reached.
    """
    pool = await make_pool(dsn, size)
    try:
        await migrate_postgres(pool)
    except BaseException:
        await pool.close()
        raise
    return PostgresDatabase(pool)


async def load_applied_migrations(dsn: PostgresDsn, size: PoolSize) -> dict[int, str]:
    """Number and digest of each migration in the store.

    Raises:
        StoreUnavailable: the server cannot be reached.
    """
    pool = await make_pool(dsn, size)
    try:
        return await pool.use(fetch_applied_migrations)
    except CONNECTION_FAILURES as error:
        raise StoreUnavailable(str(error) or type(error).__name__) from error
    finally:
        await pool.close()


async def open_current(dsn: PostgresDsn, size: PoolSize) -> PostgresDatabase:
    """A store that is up to date already; it is never migrated here.

    Raises:
        StoreRefused: it is not of this version.
        StoreUnavailable: the server cannot be reached.
    """
    pool = await make_pool(dsn, size)
    try:
        await check_current_postgres(pool)
    except BaseException:
        await pool.close()
        raise
    return PostgresDatabase(pool)
