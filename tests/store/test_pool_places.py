"""No slot of the pool is lost or granted twice, after any failure of its holder.

Stubs stand in for the connections: a statement may answer, fail, time out, be cancelled by its
caller, or hang until it is interrupted; a cancel request may end it, come too late, or fail.
"""

import asyncio
import random
from collections.abc import Coroutine
from contextlib import suppress
from typing import Final

import asyncpg
import pytest

from hupan.model import StoreUnavailable
from hupan.store import postgres_bulkhead, postgres_pool
from hupan.store.postgres_bulkhead import Lease
from hupan.store.postgres_dsn import PoolSize, PostgresDsn
from hupan.store.postgres_pool import PostgresPool

CONNECTIONS: Final = 6
OPERATIONS: Final = 600
ACCOUNTS: Final = 24
ASK: Final = "SELECT CAST(?1 AS BIGINT)"
SHORT: Final = 0.004


class Server:
    """The shared state of all stub connections.

    Attributes:
        open: the connections that are neither closed nor being closed.
        most: the maximum number of open ones.
        cancel_requests: the number of requests sent.
        faults: violations that were found.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable
        self.open: set[StubConnection] = set()
        self.most = self.cancel_requests = 0
        self.faults: list[str] = []
        self.silent: set[int] = set()

    async def connect(self, *_arguments: object, **_options: object) -> "StubConnection":
        """Open a connection, or fail."""
        await asyncio.sleep(self.random.random() * SHORT)
        if self.random.random() < 0.02:
            raise ConnectionRefusedError
        connection = StubConnection(self)
        self.open.add(connection)
        self.most = max(self.most, len(self.open))
        return connection


class StubConnection:
    """A connection that runs one statement at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._running: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._requests = 0  # cancel requests in flight
        self._is_in_transaction = False

    def is_closed(self) -> bool:
        """Return whether it is closed."""
        return self not in self._server.open

    def is_in_transaction(self) -> bool:
        """Return whether a transaction is open, failed or not."""
        return self._is_in_transaction

    def terminate(self) -> None:
        """Close it; its running statement fails."""
        self._server.open.discard(self)
        if self._running and not self._running.done():
            self._running.set_exception(asyncpg.ConnectionDoesNotExistError("closed"))

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109 - the real signature
        """Close it gracefully, which may take a while."""
        self._server.open.discard(self)  # it no longer counts
        await asyncio.sleep(min(timeout, SHORT))
        self.terminate()

    async def fetchval(self, _sql: str) -> object:
        """Answer that the database is not distributed."""
        return False

    async def execute(self, _sql: str) -> str:
        """Roll back."""
        await self.run(SHORT / 4)
        self._is_in_transaction = False
        return "ROLLBACK"

    def _cancel_current_command(self, sent: "asyncio.Future[None]") -> None:
        task = asyncio.ensure_future(self._cancel(sent))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _cancel(self, sent: "asyncio.Future[None]") -> None:
        self._requests += 1
        self._server.cancel_requests += 1
        kind = self._server.random.random()
        await asyncio.sleep(SHORT if kind < 0.9 else 20 * SHORT)
        self._requests -= 1
        if kind < 0.1:
            self.terminate()
        elif self._running and not self._running.done() and kind < 0.8:
            self._running.set_exception(asyncpg.QueryCanceledError("cancelled"))
        if not sent.done():
            sent.set_result(None)

    async def run(self, seconds: float, error: Exception | None = None) -> None:
        """Run a statement; only one may run, and none during a cancel request."""
        if self.is_closed():
            raise asyncpg.InterfaceError("closed")
        if self._running is not None:
            self._server.faults.append("two statements at once")
        if self._requests:
            self._server.faults.append("a statement begins while a cancel request is on its way")
        loop = asyncio.get_running_loop()
        self._running = loop.create_future()
        loop.call_later(seconds, self._end, self._running, error)
        try:
            await self._running
        finally:
            self._running = None

    @staticmethod
    def _end(running: "asyncio.Future[None]", error: Exception | None) -> None:
        if running.done():
            return
        if error is None:
            running.set_result(None)
        else:
            running.set_exception(error)

    async def play(self, account: int, lease: Lease) -> str:
        """Run one operation of an account."""
        random, server = self._server.random, self._server
        if account in server.silent:
            await self.run(0.06, TimeoutError())
        elif (kind := random.random()) < 0.03:
            await self.run(SHORT, random.choice(ERRORS))
        elif kind < 0.3:
            self._is_in_transaction = True
            await self.run(SHORT * random.random() * 3)
            lease.begin_commit()
            await self.run(SHORT * random.random())
            if lease.interruption:
                server.faults.append("a commit was interrupted")
            self._is_in_transaction = False
        else:
            await self.run(SHORT * random.random() * 3)
        return "answered"


ERRORS: Final = (
    asyncpg.QueryCanceledError("slow"),
    asyncpg.LockNotAvailableError("locked"),
    asyncpg.ConnectionDoesNotExistError("lost"),
    ConnectionResetError(),
    TimeoutError(),
)


async def ask(pool: PostgresPool, server: Server, number: int) -> str:
    """Send one request; its caller may leave before the response."""
    await asyncio.sleep(number * SHORT / CONNECTIONS)
    account = server.random.randrange(ACCOUNTS)

    async def operation(connection: object) -> str:
        assert isinstance(connection, StubConnection)
        return await connection.play(account, pool._in_use[connection])  # type: ignore[index] # noqa: SLF001

    task = asyncio.ensure_future(pool.use(operation, ASK, (account,)))
    if server.random.random() < 0.05:
        await asyncio.sleep(SHORT * server.random.random() * 5)
        task.cancel()
    try:
        return await task
    except StoreUnavailable as error:
        return "busy" if error.is_busy else "unavailable"
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        OSError,
        asyncio.CancelledError,
    ) as error:
        return type(error).__name__


async def scenario(seed: int) -> tuple[Server, dict[str, int]]:
    """Send many requests; some accounts hang for a while."""
    server = Server(seed)
    dsn = PostgresDsn("postgresql://u@localhost/x?sslmode=disable", statement_timeout_seconds=1)
    pool = PostgresPool(dsn, PoolSize(max_connections=CONNECTIONS))

    async def change() -> None:
        for _ in range(8):
            await asyncio.sleep(OPERATIONS * SHORT / CONNECTIONS / 9)
            server.silent = set(server.random.sample(range(ACCOUNTS), ACCOUNTS // 3))
        server.silent.clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg, "connect", server.connect)
        asked = [ask(pool, server, number) for number in range(OPERATIONS)]
        found, _ = await asyncio.gather(asyncio.gather(*asked), change())
        await drain(pool)
        held = [asyncio.Event() for _ in range(CONNECTIONS)]
        await hold_all(pool, held)
        assert pool._count <= CONNECTIONS  # noqa: SLF001 - what must not leak
        await pool.close()
    assert pool._count == 0  # noqa: SLF001
    bulkhead = pool._bulkhead  # noqa: SLF001
    assert (bulkhead.probes._taken, bulkhead._bounded._taken) == (0, 0)  # noqa: SLF001
    return server, {one: found.count(one) for one in found}


async def drain(pool: PostgresPool) -> None:
    """Wait until nothing is being ended."""
    while pool._ending:  # noqa: SLF001
        await asyncio.gather(*pool._ending)  # noqa: SLF001


async def hold_all(pool: PostgresPool, held: list[asyncio.Event]) -> None:
    """Check that every connection is available, all at once."""

    def hold(event: asyncio.Event) -> Coroutine[None, None, None]:
        async def operation(_connection: object) -> None:
            event.set()
            await asyncio.gather(*(one.wait() for one in held))

        async def keep_asking() -> None:
            while not event.is_set():
                with suppress(StoreUnavailable):
                    await pool.use(operation)

        return keep_asking()

    async with asyncio.timeout(10):
        await asyncio.gather(*(hold(event) for event in held))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_place_is_lost(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the stalled statement gets a cancel request; no commit is interrupted."""
    for module, name, seconds in (
        (postgres_bulkhead, "STALL_SECONDS", 0.02),
        (postgres_bulkhead, "SUSPECT_SECONDS", 0.2),
        (postgres_pool, "INSPECTION_SECONDS", 0.005),
        (postgres_pool, "CANCEL_SECONDS", 0.03),
        (postgres_pool, "LAG_SECONDS", 10.0),
    ):
        monkeypatch.setattr(module, name, seconds)
    server, found = asyncio.run(scenario(seed))
    assert server.faults == []
    assert not server.open
    assert server.most <= CONNECTIONS
    assert server.cancel_requests > 0
    assert found["answered"] > 0


@pytest.mark.slow
def test_a_wait_for_a_connection_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends with Busy while the connection is held; later one is free again."""
    monkeypatch.setattr(asyncpg, "connect", Server(0).connect)

    async def scenario() -> None:
        dsn = PostgresDsn("postgresql://u@localhost/x?sslmode=disable", statement_timeout_seconds=1)
        pool = PostgresPool(dsn, PoolSize(max_connections=1))
        may_end, begun = asyncio.Event(), asyncio.Event()

        async def hold(_connection: object) -> None:
            begun.set()
            await may_end.wait()

        async def answer(_connection: object) -> int:
            return 1

        holder = asyncio.ensure_future(pool.use(hold))
        await begun.wait()
        early = (pool.use(answer) for _ in range(3))
        for refused in await asyncio.gather(*early, return_exceptions=True):
            assert isinstance(refused, StoreUnavailable)
            assert refused.is_busy
        late = asyncio.ensure_future(pool.use(answer))
        may_end.set()
        assert await late == 1
        await holder
        await pool.close()

    asyncio.run(scenario())
