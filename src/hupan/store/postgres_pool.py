"""PostgreSQL connection parameters, connection pool and statement translation.

asyncpg's own pool makes a task or two for each loan, which costs as much as the query (decision
0017); this one hands a connection over within the same step of the loop.
"""

import asyncio
import ipaddress
import re
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias, cast
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from hupan.background import ensure_task
from hupan.model import StoreUnavailable
from hupan.store.database import Result, Row, StoreRefused, Value

SCHEMES = ("postgresql://", "postgres://")
_SSL_MODES = ("disable", "verify-full")


def is_postgres_dsn(url: str) -> bool:
    """Whether a setting names a PostgreSQL server, and not a file."""
    return url.startswith(SCHEMES)


@dataclass(frozen=True, slots=True)
class PoolSize:
    """How many connections a process keeps.

    Attributes:
        max_connections: connections of this process; requests beyond wait for one.
        cached_statements: prepared statements of a connection; 0 behind a pooler in transaction mode.
    """

    max_connections: int = 10
    cached_statements: int = 512


@dataclass(frozen=True, slots=True)
class PostgresDsn:
    """A store on one or several hosts, of which one takes writes.

    Attributes:
        url: `postgresql://user@host1:5432,host2:5432/name`, `?sslmode=disable` or `verify-full`.
        password: "" when the URL has it, or none is needed.
        ca_file: who signed the server's certificate; "" for those the system trusts.
        statement_timeout_seconds: a statement that takes longer has failed.
        connect_timeout_seconds: a host that takes longer to let us in is passed over.
    """

    url: str = field(repr=False)
    password: str = field(default="", repr=False)
    ca_file: str = ""
    statement_timeout_seconds: int = 5
    connect_timeout_seconds: int = 3

    @property
    def url_without_sslmode(self) -> str:
        """The URL without what is decided here."""
        base, _, query = self.url.partition("?")
        kept = [part for part in query.split("&") if part and not part.startswith("sslmode=")]
        return "?".join([base, "&".join(kept)] if kept else [base])

    @property
    def host_urls(self) -> list[str]:
        """One for each host that the URL names, in their order."""
        scheme, _, rest = self.url_without_sslmode.partition("://")
        place, slash, name = rest.partition("/")
        who, at, hosts = place.rpartition("@")
        return [f"{scheme}://{who}{at}{host}{slash}{name}" for host in hosts.split(",")]

    @property
    def display_url(self) -> str:
        """The URL for people: no user, no password and no parameters (security X12)."""
        base = self.url.partition("?")[0]
        scheme, _, rest = base.partition("://")
        _, at, where = rest.rpartition("@")
        return f"{scheme}://{'••••@' if at else ''}{where}"

    def make_ssl_context(self) -> ssl.SSLContext | bool:
        """The certificate and its name are checked wherever another machine is asked (L9).

        Raises:
            StoreRefused: the URL asks for less, or the file of the authority is no good.
        """
        mode = self._sslmode() or ("disable" if self._is_local() else "verify-full")
        if mode not in _SSL_MODES:
            raise StoreRefused(
                f"sslmode 只能是 verify-full 或 disable，而非 {mode}",
                f"sslmode must be {' or '.join(_SSL_MODES)}, not {mode}",
            )
        if mode == "disable":
            return False
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise StoreRefused(
                f"无法读取 CA 证书 {Path(self.ca_file)}：{error}",
                f"cannot read the CA file {Path(self.ca_file)}: {error}",
            ) from error

    def _sslmode(self) -> str:
        return parse_qs(urlsplit(self.url).query).get("sslmode", [""])[-1]

    def _is_local(self) -> bool:
        return all(_is_local_host(host) for host in self._hosts())

    def _hosts(self) -> list[str]:
        rest = self.url.partition("://")[2].partition("?")[0].partition("/")[0]
        named = [_parse_host(address) for address in rest.rpartition("@")[2].split(",")]
        asked = parse_qs(urlsplit(self.url).query).get("host", [])
        return asked if asked and named == [""] else named


def _parse_host(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return unquote(address.partition(":")[0])


def _is_local_host(host: str) -> bool:
    """A socket's folder, or an address of the loopback."""
    if host.startswith("/") or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
FreedConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | None"
"""A connection that is given back, or None for the place of one that is gone."""
CONNECTION_FAILURES = (
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
_CONNECT_FAILURES = (*CONNECTION_FAILURES, asyncpg.PostgresError, ValueError, KeyError)
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
    """Whether another connection may do what this one cannot."""
    return isinstance(error, _DEAD_CONNECTION_ERRORS)


class PostgresPool:
    """Up to so many connections of one event loop, opened as they are needed."""

    def __init__(self, dsn: PostgresDsn, size: PoolSize) -> None:
        self.dsn = dsn
        self._size = size
        self._tls = dsn.make_ssl_context()
        self._idle: list[Connection] = []
        self._in_use: set[Connection] = set()
        self._count = 0  # idle, lent, and those that somebody opens at this moment
        self._waiters: deque[asyncio.Future[FreedConnection]] = deque()
        self._last_good_url = ""
        self._last_timeout_at = -1e9
        self._close_tasks: set[asyncio.Task[None]] = set()

    async def use(self, operation: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Lends a connection; one that failed is never lent again, nor are its neighbours.

        Raises:
            StoreUnavailable: none could be opened, or none became free in time.
        """
        connection = self._idle.pop() if self._idle else await self._acquire()
        self._in_use.add(connection)
        freed: FreedConnection = connection
        try:
            return await operation(connection)
        except asyncpg.PostgresError as error:
            if is_connection_dead(error):
                self.discard(connection)
            raise
        except TimeoutError:
            freed = None
            self._close_timed_out(connection)
            raise
        except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            self.discard(connection)
            raise
        except asyncio.CancelledError:
            connection.terminate()  # in the middle of a statement: nobody waits for its end
            raise
        finally:
            self._in_use.discard(connection)
            self._release(freed)

    def discard_idle(self) -> None:
        """Has every connection opened anew before it is used again."""
        for connection in self._idle:
            connection.terminate()
        self._count -= len(self._idle)
        self._idle.clear()

    async def close(self) -> None:
        """Waits a while for those that are lent, and closes all."""
        try:
            async with asyncio.timeout(self.dsn.statement_timeout_seconds):
                while self._in_use:
                    self._release(await self._wait_for_free())
        except TimeoutError:
            for connection in self._in_use:
                connection.terminate()
        for connection in self._idle:
            await self._close_connection(connection)
        self._count -= len(self._idle)
        self._idle.clear()
        await asyncio.gather(*self._close_tasks)

    async def _acquire(self) -> Connection:
        """A connection that was just opened, or given back."""
        await ensure_task()
        freed = None
        if self._count < self._size.max_connections:
            self._count += 1
        else:
            try:
                async with asyncio.timeout(self.dsn.statement_timeout_seconds):
                    freed = await self._wait_for_free()
            except TimeoutError as error:
                raise StoreUnavailable("no connection became free in time", is_busy=True) from error
        return freed or await self._open()

    async def _wait_for_free(self) -> FreedConnection:
        """What is given back next: a connection, or None for the place of one that is gone."""
        waiter: asyncio.Future[FreedConnection] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():  # given just as the time was over
                self._release(waiter.result())
            raise

    def _release(self, connection: FreedConnection) -> None:
        """Hands a connection, or the place of one that is gone, to who waited longest."""
        if connection is not None and not _terminate_if_in_transaction(connection):
            connection = None
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if connection is None:
            self._count -= 1
        else:
            self._idle.append(connection)

    async def _open(self) -> Connection:
        """Connects to the host that takes writes, in a place that is counted already."""
        try:
            return await self._connect_to_primary()
        except BaseException as error:
            self._release(None)
            if isinstance(error, _CONNECT_FAILURES):
                raise StoreUnavailable(str(error) or type(error).__name__) from error
            raise

    async def _connect_to_primary(self) -> Connection:
        """Asks host after host, the one that took us last first.

        Each has its own time: asyncpg's is for all hosts together, and one that takes the
        connection and never answers (a machine that was lost) would use it up.
        """
        failure: BaseException | None = None
        for url in sorted(self.dsn.host_urls, key=lambda url: url != self._last_good_url):
            try:
                connection = await self._connect(url)
            except CONNECTION_FAILURES as error:
                failure = failure or error
            else:
                self._last_good_url = url
                return connection
        raise failure or StoreUnavailable("no host is named")

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
        """Gives up a connection that failed, and those that were opened beside it."""
        connection.terminate()
        self.discard_idle()

    def _close_timed_out(self, connection: Connection) -> None:
        """Ends a connection whose statement took too long, once the server was told to cancel it.

        A commit that waits for a standby would hold its place in the server for ever otherwise.
        Two that are late, one soon after the other, say that the host is at fault.
        """
        previous_timeout_at, self._last_timeout_at = (
            self._last_timeout_at,
            asyncio.get_running_loop().time(),
        )
        if self._last_timeout_at - previous_timeout_at < 2 * self.dsn.statement_timeout_seconds:
            self.discard_idle()
        close_task = asyncio.ensure_future(self._close_connection(connection))
        self._close_tasks.add(close_task)
        close_task.add_done_callback(self._close_tasks.discard)

    async def _close_connection(self, connection: Connection) -> None:
        try:
            await connection.close(timeout=self.dsn.connect_timeout_seconds)
        except Exception:  # noqa: BLE001 - whatever it is, the connection is of no use any more
            connection.terminate()


def _terminate_if_in_transaction(connection: Connection) -> bool:
    """Whether others may have it; one that was left within a transaction is ended."""
    if not connection.is_closed() and connection.is_in_transaction():
        connection.terminate()
    return not connection.is_closed()


async def make_pool(dsn: PostgresDsn, size: PoolSize | None = None) -> PostgresPool:
    """A pool that has not connected yet, so that a server may start before its database."""
    return PostgresPool(dsn, size or PoolSize())


_PARAMETER = re.compile(r"\?([0-9]+)")


@lru_cache(maxsize=4096)
def to_postgres(sql: str) -> str:
    """The statement as PostgreSQL reads it: `$1` for `?1`, and locks that SQLite needs no word for.

    SQLite has one writer and takes `/* FOR UPDATE */` for a remark.
    """
    return _PARAMETER.sub(r"$\1", sql).replace("/* FOR UPDATE */", "FOR UPDATE")


class PostgresExecutor:
    """Runs statements on one connection, within the transaction that it is in."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        """The first row, or None."""
        return cast("Row | None", await self._connection.fetchrow(to_postgres(sql), *values))

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        """Every row."""
        return cast("list[Row]", await self._connection.fetch(to_postgres(sql), *values))

    async def execute(self, sql: str, *values: Value) -> int:
        """The number of rows changed."""
        status = await self._connection.execute(to_postgres(sql), *values)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0
