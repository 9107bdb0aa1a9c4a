"""PostgreSQL through asyncpg: a pool of connections that is used by any number of processes.

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
from hupan.store.engine import Conflict, Figures, Result, Row, Transaction, Value
from hupan.store.postgres_pool import LOST, Connection, Pool, connection_is_over
from hupan.store.postgres_statements import Statements

_log = logging.getLogger("hupan.store")
TRIES = 4
"""The first and three more, each after a moment of chance."""
_LONGEST_MOMENT_MS = 20
_AGAIN = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.UniqueViolationError,  # the other one's row is seen the next time, as on SQLite
    asyncpg.InvalidCachedStatementError,  # the schema was migrated under the statement
)
# No time-out may fall into the wait for a standby: PostgreSQL would then answer success for a
# commit that the standby has not got (security 4, PostgreSQL).
_COMMIT = "SET LOCAL statement_timeout = 0; COMMIT"


def refused(error: asyncpg.PostgresError) -> StoreUnavailable:
    """What a statement that the server refused is to callers: the store failed them."""
    _log.error("the server refused a statement: %s", type(error).__name__)
    return StoreUnavailable(type(error).__name__)


class _NotBegunError(Exception):
    """The connection was lost before the commit was sent: nothing was kept."""


class PostgresEngine:
    """A store on a PostgreSQL server that is up to date."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting = self._changes = self._failures = 0
        place = pool.place
        self._begin = (
            f"BEGIN; SET LOCAL statement_timeout = {place.timeout_seconds * 1000}; "
            f"SET LOCAL lock_timeout = {place.timeout_seconds * 1000}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {place.timeout_seconds * 1000}"
        )

    async def one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        return await self._read(lambda connection: Statements(connection).one(sql, *values))

    async def all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        return await self._read(lambda connection: Statements(connection).all(sql, *values))

    async def _read(self, act: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Reads on any connection; one that was dead already is replaced once."""
        try:
            try:
                return await self._pool.use(act)
            except TimeoutError:
                raise
            except (*LOST, asyncpg.InvalidCachedStatementError):  # or the schema was migrated
                return await self._pool.use(act)
        except LOST as error:
            self._failures += 1
            raise StoreUnavailable(str(error) or type(error).__name__) from error
        except asyncpg.PostgresError as error:
            raise refused(error) from error

    async def change(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Runs `work` in a transaction; a request that is given up does not break it off."""
        return await asyncio.shield(asyncio.ensure_future(self._counted(work)))

    async def _counted(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        self._waiting += 1
        try:
            value = await self._change(work)
        except StoreUnavailable:
            self._failures += 1
            raise
        finally:
            self._waiting -= 1
        self._changes += 1
        return value

    async def _change(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        failure: Exception | None = None
        for _ in range(TRIES):
            try:
                return await self._pool.use(lambda connection: self._once(connection, work))
            except (*_AGAIN, _NotBegunError) as error:
                failure = error
                await asyncio.sleep(secrets.randbelow(_LONGEST_MOMENT_MS * 1000) / 1e6)
            except asyncpg.IntegrityConstraintViolationError as error:
                raise Conflict(str(error)) from error
            except LOST as error:
                raise StoreUnavailable(str(error) or type(error).__name__) from error
            except asyncpg.PostgresError as error:
                raise refused(error) from error
        if isinstance(failure, asyncpg.UniqueViolationError):
            raise Conflict(str(failure)) from failure
        raise StoreUnavailable(str(failure)) from failure

    async def _once(
        self,
        connection: Connection,
        work: Callable[[Transaction], Awaitable[Result]],
    ) -> Result:
        try:
            await connection.execute(self._begin)
            value = await work(Statements(connection))
        except BaseException as error:
            if connection_is_over(error):
                self._pool.drop(connection)
                raise _NotBegunError(str(error)) from error
            if not isinstance(error, OSError | asyncio.CancelledError):  # or the pool ends it
                await connection.execute("ROLLBACK")
            raise
        if await connection.execute(_COMMIT) != "COMMIT":
            raise StoreUnavailable("the transaction had failed, and was rolled back")
        return value

    async def check(self) -> None:
        """Asks a server that takes writes for a row; raises StoreUnavailable."""
        row: Any = await self.one("SELECT pg_is_in_recovery()")
        if row is None or row[0]:
            self._pool.renew()
            raise StoreUnavailable("the server is a standby")

    def figures(self) -> Figures:
        """What was done so far; each change is a commit of its own."""
        return Figures(self._waiting, self._changes, self._changes, self._failures)

    async def close(self) -> None:
        """Waits for the changes under way and closes all connections."""
        await self._pool.close()
