"""Connections to PostgreSQL, and what is done with those that no longer serve."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from asyncpg.pool import PoolConnectionProxy

from hupan.model import StoreUnavailable
from hupan.store.engine import Result
from hupan.store.postgres_place import Place, PoolSize

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
LOST = (
    OSError,  # TimeoutError too
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, or a statement that took too long
    asyncpg.InsufficientResourcesError,  # too many connections, disk full
    asyncpg.CannotConnectNowError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.PostgresIOError,
    asyncpg.TargetServerAttributeNotMatched,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.UndefinedTableError,  # the store was not migrated yet
)
"""What says that the server, the way to it, or its disk failed; no fault of the statement."""
_OVER = (
    ConnectionError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
_RELEASE_SECONDS = 1.0


def connection_is_over(error: BaseException) -> bool:
    """Whether another connection may do what this one cannot."""
    return isinstance(error, _OVER)


class _Kept(asyncpg.Connection):
    """A connection of the pool. It sets nothing outside transactions, so nothing is reset."""

    def get_reset_query(self) -> str:
        """Nothing: a round trip for each read is saved."""
        return ""


class Pool:
    """Opens connections as they are needed, to the host that takes writes."""

    def __init__(self, place: Place, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.place = place
        self._pool = pool

    async def use(self, act: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Lends a connection; one that failed is never lent again, nor are its neighbours."""
        try:
            connection = await self._pool.acquire(timeout=self.place.timeout_seconds)
        except TimeoutError as error:
            raise StoreUnavailable("no connection became free in time") from error
        except LOST as error:
            raise StoreUnavailable(str(error) or type(error).__name__) from error
        try:
            return await act(connection)
        except BaseException as error:
            if isinstance(error, TimeoutError) or connection_is_over(error):
                connection.terminate()
                await self.renew()
            raise
        finally:
            await self._pool.release(connection, timeout=_RELEASE_SECONDS)

    async def renew(self) -> None:
        """Lets every connection be opened anew before it is used again."""
        await self._pool.expire_connections()

    async def close(self) -> None:
        """Waits for those in use, a while, and closes all."""
        try:
            async with asyncio.timeout(self.place.timeout_seconds):
                await self._pool.close()
        except OSError:  # TimeoutError too: whoever is at the other end does not answer
            self._pool.terminate()


async def open_pool(place: Place, size: PoolSize | None = None) -> Pool:
    """A pool that has not connected yet, so that a server may start before its database."""
    size = size or PoolSize()
    pool = asyncpg.create_pool(
        place.dsn,
        min_size=0,
        max_size=size.most,
        statement_cache_size=size.statements,
        connection_class=_Kept,
        timeout=place.connect_seconds,
        command_timeout=place.timeout_seconds,
        ssl=place.tls(),
        password=place.password or None,
        target_session_attrs=SessionAttribute.read_write,
        server_settings={"application_name": "hupan"},
    )
    return Pool(place, await pool)
