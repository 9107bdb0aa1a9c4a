"""Connections to PostgreSQL: lent one at a time, and never again once one has failed.

asyncpg's own pool makes a task or two for each loan, which costs as much as the query (decision
0017); this one hands a connection over within the same step of the loop.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from hupan.model import StoreUnavailable
from hupan.store.engine import Result
from hupan.store.postgres_place import Place, PoolSize
from hupan.turns import be_a_task

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Given: TypeAlias = "asyncpg.Connection[asyncpg.Record] | None"
"""A connection that is given back, or None for the place of one that is gone."""
LOST = (
    OSError,  # TimeoutError too
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's last word came while nobody asked it anything
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
# What the server or the library has against the address; KeyError: this user has no name.
_REFUSED = (*LOST, asyncpg.PostgresError, ValueError, KeyError)
_OVER = (
    ConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


def connection_is_over(error: BaseException) -> bool:
    """Whether another connection may do what this one cannot."""
    return isinstance(error, _OVER)


class Pool:
    """Up to so many connections of one event loop, opened as they are needed."""

    def __init__(self, place: Place, size: PoolSize) -> None:
        self.place = place
        self._size = size
        self._tls = place.tls()
        self._idle: list[Connection] = []
        self._lent: set[Connection] = set()
        self._count = 0  # idle, lent, and those that somebody opens at this moment
        self._waiting: deque[asyncio.Future[Given]] = deque()
        self._took_us = ""
        self._late_at = -1e9
        self._ending: set[asyncio.Task[None]] = set()

    async def use(self, act: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Lends a connection; one that failed is never lent again, nor are its neighbours.

        Raises:
            StoreUnavailable: none could be opened, or none became free in time.
        """
        connection = self._idle.pop() if self._idle else await self._another()
        self._lent.add(connection)
        back: Given = connection
        try:
            return await act(connection)
        except asyncpg.PostgresError as error:
            if connection_is_over(error):
                self.drop(connection)
            raise
        except TimeoutError:
            back = None
            self._give_up(connection)
            raise
        except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            self.drop(connection)
            raise
        except asyncio.CancelledError:
            connection.terminate()  # in the middle of a statement: nobody waits for its end
            raise
        finally:
            self._lent.discard(connection)
            self._give(back)

    def renew(self) -> None:
        """Has every connection opened anew before it is used again."""
        for connection in self._idle:
            connection.terminate()
        self._count -= len(self._idle)
        self._idle.clear()

    async def close(self) -> None:
        """Waits a while for those that are lent, and closes all."""
        try:
            async with asyncio.timeout(self.place.timeout_seconds):
                while self._lent:
                    self._give(await self._wait())
        except TimeoutError:
            for connection in self._lent:
                connection.terminate()
        for connection in self._idle:
            await self._end(connection)
        self._count -= len(self._idle)
        self._idle.clear()
        await asyncio.gather(*self._ending)

    async def _another(self) -> Connection:
        """A connection that was just opened, or given back."""
        await be_a_task()
        given = None
        if self._count < self._size.most:
            self._count += 1
        else:
            try:
                async with asyncio.timeout(self.place.timeout_seconds):
                    given = await self._wait()
            except TimeoutError as error:
                raise StoreUnavailable("no connection became free in time", is_busy=True) from error
        return given or await self._open()

    async def _wait(self) -> Given:
        """What is given back next: a connection, or None for the place of one that is gone."""
        turn: asyncio.Future[Given] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled():  # given just as the time was over
                self._give(turn.result())
            raise

    def _give(self, connection: Given) -> None:
        """Hands a connection, or the place of one that is gone, to who waited longest."""
        if connection is not None and not _is_fit(connection):
            connection = None
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is None:
            self._count -= 1
        else:
            self._idle.append(connection)

    async def _open(self) -> Connection:
        """Connects to the host that takes writes, in a place that is counted already."""
        try:
            return await self._first_that_writes()
        except BaseException as error:
            self._give(None)
            if isinstance(error, _REFUSED):
                raise StoreUnavailable(str(error) or type(error).__name__) from error
            raise

    async def _first_that_writes(self) -> Connection:
        """Asks host after host, the one that took us last first.

        Each has its own time: asyncpg's is for all hosts together, and one that takes the
        connection and never answers (a machine that was lost) would use it up.
        """
        failure: BaseException | None = None
        for dsn in sorted(self.place.dsns, key=lambda dsn: dsn != self._took_us):
            try:
                connection = await self._connect(dsn)
            except LOST as error:
                failure = failure or error
            else:
                self._took_us = dsn
                return connection
        raise failure or StoreUnavailable("no host is named")

    async def _connect(self, dsn: str) -> Connection:
        return await asyncpg.connect(
            dsn,
            statement_cache_size=self._size.statements,
            timeout=self.place.connect_seconds,
            command_timeout=self.place.timeout_seconds,
            ssl=self._tls,
            password=self.place.password or None,
            target_session_attrs=SessionAttribute.read_write,
            server_settings={"application_name": "hupan"},
        )

    def drop(self, connection: Connection) -> None:
        """Gives up a connection that failed, and those that were opened beside it."""
        connection.terminate()
        self.renew()

    def _give_up(self, connection: Connection) -> None:
        """Ends a connection whose statement took too long, once the server was told to cancel it.

        A commit that waits for a standby would hold its place in the server for ever otherwise.
        Two that are late, one soon after the other, say that the host is at fault.
        """
        before, self._late_at = self._late_at, asyncio.get_running_loop().time()
        if self._late_at - before < 2 * self.place.timeout_seconds:
            self.renew()
        ending = asyncio.ensure_future(self._end(connection))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end(self, connection: Connection) -> None:
        try:
            await connection.close(timeout=self.place.connect_seconds)
        except Exception:  # noqa: BLE001 - whatever it is, the connection is of no use any more
            connection.terminate()


def _is_fit(connection: Connection) -> bool:
    """Whether others may have it; one that was left within a transaction is ended."""
    if not connection.is_closed() and connection.is_in_transaction():
        connection.terminate()
    return not connection.is_closed()


async def open_pool(place: Place, size: PoolSize | None = None) -> Pool:
    """A pool that has not connected yet, so that a server may start before its database."""
    return Pool(place, size or PoolSize())
