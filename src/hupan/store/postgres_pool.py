"""PostgreSQL connection pool and statement translation.

asyncpg's own pool starts a task or two per use, which costs as much as the query (decision 0017);
this one passes a connection on within the same tick.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from hupan.background import ensure_task
from hupan.library_errors import localize_reason
from hupan.localized import LocalizedText
from hupan.model import StoreUnavailable
from hupan.store.database import Result, Row, Value
from hupan.store.postgres_bulkhead import Bulkhead, Interrupted, Lease
from hupan.store.postgres_dsn import PoolSize, PostgresDsn

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
FreedConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | None"
"""A released connection, or None for the slot of a closed one."""
OnStatement: TypeAlias = Callable[[str, tuple[Value, ...]], None]
"""Is called before each statement of a transaction."""
CONNECTION_FAILURES = (
    OSError,  # TimeoutError too
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's last message came between queries
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
"""The server, the network or the disk failed, not the statement."""
# Errors about the address; KeyError: the operating-system user has no name.
_CONNECT_FAILURES = (*CONNECTION_FAILURES, asyncpg.PostgresError, ValueError, KeyError)
_PASSED_ON_ERRORS = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
)
_REMOTE_CONTEXT = "while executing command on "
"""How Citus' context begins if another machine refused a statement."""
INSPECTION_SECONDS = 0.05
"""How often connections in use are inspected while requests wait for one."""
CANCEL_SECONDS = 0.5
"""How long an interrupted statement may take to end; then its connection is closed."""
LAG_SECONDS = 0.1
"""An inspection that is this late shows that this process itself was busy."""
PARTIAL_SECONDS = 30.0
"""How long some accounts count as unreachable after a failure of another machine."""
_DEAD_CONNECTION_ERRORS = (
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


def is_connection_dead(error: BaseException) -> bool:
    """Return whether another connection may succeed if this one cannot."""
    return isinstance(error, _DEAD_CONNECTION_ERRORS) and not is_passed_on(error)


def is_passed_on(error: BaseException) -> bool:
    """Return whether a Citus coordinator reports that another machine is lost, or a standby.

    What ends the connection itself is FATAL, or raised by asyncpg and without a severity. A pooler
    reports its own failures as violations of the protocol. That a server is a standby may be true
    of the coordinator too, unless the context names another machine.
    """
    return (
        isinstance(error, _PASSED_ON_ERRORS)
        and not isinstance(error, asyncpg.ProtocolViolationError)
        and (error.severity_en or error.severity) == "ERROR"
        and (
            not isinstance(error, asyncpg.ReadOnlySQLTransactionError)
            or _REMOTE_CONTEXT in (error.context or "")
        )
    )


def connection_failure(error: BaseException) -> StoreUnavailable:
    """Return the error for callers; some of asyncpg's have no text.

    A server that ended a statement itself works, and is only busy.
    """
    is_busy = isinstance(error, asyncpg.LockNotAvailableError | asyncpg.QueryCanceledError)
    return StoreUnavailable(localize_postgres_error(error), is_busy=is_busy)


_POSTGRES_ERRORS: Final[Mapping[str, str]] = {
    "28": "用户名或密码不对，或不允许从这里连接",
    "3D": "没有这个数据库",
    "42501": "权限不足",
    "53300": "连接过多",
    "53": "资源不足",
    "55P03": "等待锁超时",
    "57014": "语句超时",
    "57P": "正在启动或关闭",
}
"""Messages by SQLSTATE or its beginning."""


def localize_postgres_error(error: BaseException) -> LocalizedText:
    """Return what PostgreSQL or its connection reports; some errors of asyncpg have no text."""
    en = str(error) or type(error).__name__
    if isinstance(error, OSError):
        return LocalizedText(localize_reason(error).zh, en)
    state = getattr(error, "sqlstate", None)
    if not isinstance(state, str):
        return LocalizedText(f"连接失败（{type(error).__name__}）", en)
    for begin, zh in _POSTGRES_ERRORS.items():
        if state.startswith(begin):
            return LocalizedText(f"{zh}（{state}）", en)
    return LocalizedText(f"PostgreSQL 报告错误 {state}", en)


_IS_DISTRIBUTED = "SELECT to_regclass('pg_dist_partition') IS NOT NULL"


class PostgresPool:
    """Connections of one event loop, opened on demand: a server may start before its database."""

    def __init__(self, dsn: PostgresDsn, size: PoolSize | None = None) -> None:
        self.dsn = dsn
        self._size = size or PoolSize()
        self._tls = dsn.make_ssl_context()
        self._idle: list[Connection] = []
        self._in_use: dict[Connection, Lease] = {}
        self._count = 0  # idle, in use, and being opened
        self._waiters: deque[tuple[asyncio.Future[FreedConnection], float]] = deque()
        """The waiters, the longest first, with the time until which each waits."""
        self._last_good_url = ""
        self._last_timeout_at = self._last_partial_failure_at = -1e9
        self.is_distributed = False
        """Whether the database is distributed, as the first connection found out."""
        self._has_answered = False  # since the last timeout
        self._bulkhead = Bulkhead(self._size.max_connections, dsn.statement_timeout_seconds)
        self._is_inspecting = self._is_closing = False
        self._ending: set[asyncio.Task[None]] = set()
        """End a statement or a connection."""

    async def use(
        self,
        operation: Callable[[Connection], Awaitable[Result]],
        sql: str = "",
        values: tuple[Value, ...] = (),
    ) -> Result:
        """Lend a connection; after a connection failure it and the idle ones are closed.

        Args:
            operation: what is done; it may be interrupted and run again.
            sql: its first statement, if that is known.
            values: the values bound to the first statement.

        Raises:
            StoreUnavailable: none could be opened, or none became free in time.
        """
        lease = Lease(sql, values)
        try:
            if self._bulkhead.suspects and self._bulkhead.must_probe(lease):
                await self._probe(lease)
            return await self._lend(operation, lease)
        except Interrupted:
            self._bulkhead.leave(lease)
            lease = Lease(lease.sql, lease.values)
            await self._bulkhead.enter(lease)
            return await self._lend(operation, lease)
        finally:
            if lease.is_bounded or lease.is_probe:
                self._bulkhead.leave(lease)

    async def _probe(self, lease: Lease) -> None:
        self._start_inspection()
        await self._bulkhead.probes.wait()
        lease.is_probe = True

    async def _lend(
        self, operation: Callable[[Connection], Awaitable[Result]], lease: Lease
    ) -> Result:
        if self._bulkhead.suspects:
            self._bulkhead.ensure_may_run(lease)
        connection = self._idle.pop() if self._idle else await self._acquire()
        self._in_use[connection] = lease
        freed: FreedConnection = connection
        try:
            if self._bulkhead.suspects:
                self._bulkhead.ensure_may_run(lease)  # others may have stalled meanwhile
            lease.started_at = time.monotonic()
            result = await operation(connection)
        except asyncio.CancelledError:
            connection.terminate()  # in the middle of a statement
            raise
        except Exception as error:
            if lease.interruption:
                raise Interrupted from error
            if isinstance(error, TimeoutError):
                freed = None
            self._record_failure(connection, lease, error)
            raise
        else:
            self._has_answered = True
            self._bulkhead.record_answer(lease)
            return result
        finally:
            del self._in_use[connection]
            if lease.interruption:
                lease.interruption.set()  # and it passes the connection on
            else:
                self._release(freed)

    def lease_of(self, connection: Connection) -> Lease:
        """Return the lease of a connection in use."""
        return self._in_use[connection]

    def begin_statement(self, lease: Lease, sql: str, values: tuple[Value, ...]) -> None:
        """Record which statement of a transaction runs next.

        Raises:
            Interrupted: the transaction must begin again, as that of a suspect.
        """
        lease.sql, lease.values = sql, values
        self._bulkhead.ensure_may_run(lease)
        lease.started_at = time.monotonic()

    def _record_failure(self, connection: Connection, lease: Lease, error: Exception) -> None:
        if isinstance(error, TimeoutError):
            self._bulkhead.record_timeout(lease)
            self._close_timed_out(connection)
        elif isinstance(error, asyncpg.PostgresError):
            if isinstance(error, asyncpg.QueryCanceledError | asyncpg.LockNotAvailableError):
                self._bulkhead.record_timeout(lease)
            if is_connection_dead(error):
                self.discard(connection)
            elif is_passed_on(error) or (
                self.is_distributed and isinstance(error, asyncpg.QueryCanceledError)
            ):
                self._record_partial_failure()
        elif isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError):
            self.discard(connection)

    @property
    def is_partial(self) -> bool:
        """Return whether a machine behind the server failed recently, and the server did not."""
        elapsed = asyncio.get_running_loop().time() - self._last_partial_failure_at
        return elapsed < PARTIAL_SECONDS

    def _record_partial_failure(self) -> None:
        self._last_partial_failure_at = asyncio.get_running_loop().time()

    def discard_idle(self) -> None:
        """Close the idle connections, so that new ones are opened."""
        for connection in self._idle:
            connection.terminate()
        self._count -= len(self._idle)
        self._idle.clear()

    async def close(self) -> None:
        """Wait a while for connections in use, then close all."""
        self._is_closing = True
        try:
            async with asyncio.timeout(self.dsn.statement_timeout_seconds):
                while self._in_use:
                    self._release(await self._wait_for_free())
        except TimeoutError:
            for connection in self._in_use:
                connection.terminate()
        await asyncio.gather(*self._ending)
        for connection in self._idle:
            await self._close_connection(connection)
        self._count -= len(self._idle)
        self._idle.clear()

    async def _acquire(self) -> Connection:
        """Return a connection that was just opened or released."""
        freed = None
        if self._count < self._size.max_connections:
            self._count += 1
        else:
            try:
                freed = await self._wait_for_free()
            except TimeoutError as error:
                raise StoreUnavailable("no connection became free in time", is_busy=True) from error
        return freed or await self._open()

    async def _wait_for_free(self) -> FreedConnection:
        """Return the next released connection, or None for the slot of a closed one.

        The inspection ends the wait: a timer for each would cost as much as a statement.

        Raises:
            TimeoutError: nothing was released in time.
        """
        self._start_inspection()
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[FreedConnection] = loop.create_future()
        self._waiters.append((waiter, loop.time() + self.dsn.statement_timeout_seconds))
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._release(waiter.result())  # it came just as the caller left
            raise

    def _start_inspection(self) -> None:
        if not self._is_inspecting:
            self._is_inspecting = True
            loop = asyncio.get_running_loop()
            loop.call_later(INSPECTION_SECONDS, self._inspect, loop.time() + INSPECTION_SECONDS)

    def _inspect(self, due_at: float) -> None:
        """Interrupt what keeps waiters from their connection, as long as there are any."""
        loop = asyncio.get_running_loop()
        while self._waiters and self._waiters[0][1] <= loop.time():
            waiter, _ = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(TimeoutError())
        self._is_inspecting = bool(self._waiters) or self._bulkhead.probes.has_waiters
        if not self._is_inspecting:
            return
        if loop.time() - due_at < LAG_SECONDS and not self._is_closing:
            for connection, ended in self._bulkhead.choose_stalled(self._in_use.items()):
                self._keep(self._interrupt(connection, ended))
        loop.call_later(INSPECTION_SECONDS, self._inspect, loop.time() + INSPECTION_SECONDS)

    def _release(self, connection: FreedConnection) -> None:
        """Pass a connection, or the slot of a closed one, to the longest waiter."""
        if connection is not None and not _terminate_if_in_transaction(connection):
            connection = None
        while self._waiters:
            waiter, _ = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self._count -= 1
        else:
            self._idle.append(connection)

    async def _open(self) -> Connection:
        """Connect to the host that accepts writes, in a slot that is counted already."""
        try:
            await ensure_task()
            return await self._connect_to_primary()
        except BaseException as error:
            self._release(None)
            if isinstance(error, _CONNECT_FAILURES):
                raise connection_failure(error) from error
            raise

    async def _connect_to_primary(self) -> Connection:
        """Try the hosts in turn, the one that last accepted a connection first.

        Each has its own timeout: asyncpg's is for all hosts together, and one that accepts the
        connection and never answers (a lost machine) would use it up.
        """
        failure: BaseException | None = None
        for url in sorted(self.dsn.host_urls, key=lambda url: url != self._last_good_url):
            try:
                connection = await self._connect(url)
            except CONNECTION_FAILURES as error:
                failure = failure or error
            else:
                if not self._last_good_url:
                    await self._examine(connection)
                self._last_good_url = url
                return connection
        raise failure or StoreUnavailable("the URL names no host")

    async def _examine(self, connection: Connection) -> None:
        """Find out whether the database is distributed; end a connection that does not answer."""
        try:
            self.is_distributed = bool(await connection.fetchval(_IS_DISTRIBUTED))
        except BaseException:
            connection.terminate()
            raise
        self._bulkhead.is_distributed = self.is_distributed

    async def _connect(self, url: str) -> Connection:
        return await asyncpg.connect(
            url,
            statement_cache_size=self._size.cached_statements,
            timeout=self.dsn.connect_timeout_seconds,
            command_timeout=self.dsn.statement_timeout_seconds,
            ssl=self._tls,
            password=self.dsn.password or None,
            target_session_attrs=SessionAttribute.read_write,
            server_settings={"application_name": "hupan"},
        )

    def discard(self, connection: Connection) -> None:
        """Close a failed connection and the idle ones."""
        connection.terminate()
        self.discard_idle()

    def _close_timed_out(self, connection: Connection) -> None:
        """Close a connection whose statement timed out, after the request to cancel it.

        Otherwise a commit that waits for a standby would hold its connection slot forever. Two
        timeouts in quick succession mean that the host is at fault, unless the database is
        distributed: then another machine may be.
        """
        previous_timeout_at, self._last_timeout_at = (
            self._last_timeout_at,
            asyncio.get_running_loop().time(),
        )
        if self.is_distributed and self._has_answered:
            self._record_partial_failure()
        elif self._last_timeout_at - previous_timeout_at < 2 * self.dsn.statement_timeout_seconds:
            self.discard_idle()
        self._has_answered = False
        self._keep(self._close_connection(connection))

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _interrupt(self, connection: Connection, ended: asyncio.Event) -> None:
        """Cancel what runs on a connection, then pass it on with its session and statements.

        A cancel request ends any statement that runs when it arrives. So nothing else begins on the
        connection before the server has acted on the request.
        """
        sent = asyncio.get_running_loop().create_future()
        # asyncpg has no other way to end a statement that another task awaits.
        send = cast("Any", connection)._cancel_current_command  # noqa: SLF001
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                send(sent)
                await sent
                await ended.wait()
                if not connection.is_closed() and connection.is_in_transaction():
                    await connection.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - a connection in an unknown state is of no use
            if not sent.done():  # closing it sends the request again
                await self._close_connection(connection)
            connection.terminate()
        except BaseException:
            connection.terminate()
            raise
        finally:
            self._release(connection)

    async def _close_connection(self, connection: Connection) -> None:
        try:
            await connection.close(timeout=self.dsn.connect_timeout_seconds)
        except Exception:  # noqa: BLE001 - the connection is useless in any case
            connection.terminate()


def _terminate_if_in_transaction(connection: Connection) -> bool:
    """Return whether a connection can be reused; one left in a transaction is terminated."""
    if not connection.is_closed() and connection.is_in_transaction():
        connection.terminate()
    return not connection.is_closed()


_PARAMETER = re.compile(r"\?([0-9]+)")


@lru_cache(maxsize=4096)
def to_postgres(sql: str) -> str:
    """Translate a statement: `$1` for `?1`, and row locks, which SQLite does not need.

    SQLite has one writer and ignores `/* FOR UPDATE */` as a comment.
    """
    return _PARAMETER.sub(r"$\1", sql).replace("/* FOR UPDATE */", "FOR UPDATE")


class PostgresExecutor:
    """Runs statements on one connection, in its current transaction."""

    def __init__(self, connection: Connection, begin: OnStatement) -> None:
        self._connection = connection
        self._begin = begin

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        self._begin(sql, values)
        return await fetch_one(self._connection, sql, values)

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        self._begin(sql, values)
        return await fetch_all(self._connection, sql, values)

    async def execute(self, sql: str, *values: Value) -> int:
        self._begin(sql, values)
        status = await self._connection.execute(to_postgres(sql), *values)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def lock_tables(self, *names: str) -> None:
        """Wait for transactions that write to the tables, and hold off later ones."""
        await self.execute(f"LOCK TABLE {', '.join(names)} IN EXCLUSIVE MODE")


async def fetch_one(connection: Connection, sql: str, values: tuple[Value, ...]) -> Row | None:
    return cast("Row | None", await connection.fetchrow(to_postgres(sql), *values))


async def fetch_all(connection: Connection, sql: str, values: tuple[Value, ...]) -> list[Row]:
    return cast("list[Row]", await connection.fetch(to_postgres(sql), *values))
