"""A hanging node holds few connections: healthy accounts are served meanwhile.

A function stands in for the node: for some accounts it exceeds the statement timeout.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import pytest

from hupan.model import StoreUnavailable
from hupan.store import postgres_bulkhead
from hupan.store.accounts import FIND_IDENTITY_OWNER
from hupan.store.citus import SHARDS, hash_bytes, hash_number, shard_of
from hupan.store.database import Transaction, Value
from hupan.store.outbox import INSERT_MESSAGE, LEASE_MESSAGES, LEASE_MESSAGES_TO
from hupan.store.postgres import PostgresDatabase
from hupan.store.postgres_bulkhead import (
    CONNECTION_SHARE,
    PROBES_PERCENT,
    Bulkhead,
    Interrupted,
    Lease,
    key_of,
)
from hupan.store.postgres_dsn import PoolSize, PostgresDsn
from hupan.store.postgres_pool import PostgresPool
from hupan.store.sessions import FIND_VIEWER, PUT_SESSION
from tests.support.stores import Databases

pytestmark = pytest.mark.slow

CONNECTIONS: Final = 8
BOUND: Final = CONNECTIONS // CONNECTION_SHARE
PROBES: Final = CONNECTIONS * PROBES_PERCENT // 100
WAIT_SECONDS: Final = 60
HEALTHY, SILENT = range(1, 21), range(101, 117)
STAND_IN: Final = """
CREATE TABLE away (id bigint PRIMARY KEY);
INSERT INTO away SELECT generate_series(101, 116);
CREATE TABLE purse (id bigint PRIMARY KEY, coins bigint);
INSERT INTO purse SELECT n, 0 FROM generate_series(1, 200) n;
CREATE FUNCTION reach(asked bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE COST 100000 AS $$
BEGIN
  IF EXISTS (SELECT FROM away WHERE id = asked) THEN PERFORM pg_sleep(60); END IF;
  RETURN asked;
END $$;
"""
ASK: Final = "SELECT reach(CAST(?1 AS BIGINT))"
ADD: Final = "UPDATE purse SET coins = coins + 1 WHERE id = ?1"
SLEEPING: Final = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()
"""


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    """Yield a separate store, behind the stand-in."""
    name = databases.make()
    url = databases.cluster.url(name)
    databases.wait(run(url, STAND_IN))
    yield url
    databases.drop(name)


async def run(url: str, sql: str) -> object:
    """Run SQL on a new connection; return the first value, if there is one."""
    connection = await asyncpg.connect(url)
    try:
        return await (
            connection.fetchval(sql) if "SELECT count" in sql else connection.execute(sql)
        )
    finally:
        await connection.close()


@asynccontextmanager
async def opened(url: str, timeout_seconds: int = 2) -> AsyncIterator[PostgresDatabase]:
    """Yield the store."""
    dsn = PostgresDsn(url, statement_timeout_seconds=timeout_seconds)
    database = PostgresDatabase(PostgresPool(dsn, PoolSize(max_connections=CONNECTIONS)))
    try:
        yield database
    finally:
        await database.close()


async def until(fact: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await fact():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.05)


def ask(database: PostgresDatabase, account: int) -> Awaitable[object]:
    """Read a row of an account."""
    return database.fetch_one(ASK, account)


def change(database: PostgresDatabase, account: int) -> Awaitable[object]:
    """Change a row of an account."""

    async def work(tx: Transaction) -> None:
        await tx.execute(ADD, account)
        await tx.fetch_one(ASK, account)

    return database.run_transaction(work)


@pytest.mark.parametrize("use", [ask, change])
def test_silent_accounts_hold_few_connections(
    url: str, use: Callable[[PostgresDatabase, int], Awaitable[object]]
) -> None:
    """Others are served, those above the limit are refused at once, and all works afterwards."""

    async def scenario() -> None:
        async with opened(url, timeout_seconds=4) as database:
            asked = [asyncio.ensure_future(use(database, account)) for account in SILENT]

            async def are_few() -> bool:
                await asyncio.gather(*(use(database, account) for account in HEALTHY))
                return await run(url, SLEEPING) == BOUND

            await until(are_few)
            found = await asyncio.gather(*asked, return_exceptions=True)
            assert {type(one) for one in found} == {StoreUnavailable}, found

            waiting = [asyncio.ensure_future(use(database, account)) for account in SILENT[:BOUND]]
            await until(lambda: is_asleep(url, BOUND))
            with pytest.raises(StoreUnavailable) as refused:
                await use(database, SILENT[BOUND])
            assert refused.value.is_busy
            assert not any(one.done() for one in waiting)
            await use(database, HEALTHY[0])
            await asyncio.gather(*waiting, return_exceptions=True)

            await run(url, "DELETE FROM away")
            for account in SILENT:
                await use(database, account)
            await asyncio.gather(*(use(database, account) for account in (*HEALTHY, *SILENT)))

    asyncio.run(scenario())


def test_accounts_yet_to_answer_leave_connections_to_the_others(url: str) -> None:
    """Once some accounts hang, further unproven ones may use only a part of the pool."""

    async def scenario() -> None:
        held, began = asyncio.Event(), list[int]()
        dsn = PostgresDsn(url, statement_timeout_seconds=4)
        pool = PostgresPool(dsn, PoolSize(max_connections=CONNECTIONS))
        database = PostgresDatabase(pool)

        async def time_out(_connection: object) -> None:
            raise TimeoutError

        def hold(account: int) -> Awaitable[None]:
            async def operation(_connection: object) -> None:
                began.append(account)
                await held.wait()

            return pool.use(operation, ASK, (account,))

        with pytest.raises(TimeoutError):
            await pool.use(time_out, ASK, (SILENT[0],))
        await ask(database, HEALTHY[0])
        holders = [asyncio.ensure_future(hold(account)) for account in SILENT]

        async def are_held() -> bool:
            return len(began) >= PROBES

        await until(are_held)
        for _ in range(20):
            await ask(database, HEALTHY[0])
        assert len(began) <= PROBES + BOUND
        held.set()
        await asyncio.gather(*holders, return_exceptions=True)
        await asyncio.gather(*(ask(database, account) for account in HEALTHY))
        await database.close()

    asyncio.run(scenario())


def test_a_proof_is_void_when_a_proven_account_falls_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A timeout of a proven account voids the proofs, and their number is bounded."""
    monkeypatch.setattr(postgres_bulkhead, "MAX_PROVEN", 2)
    bulkhead = Bulkhead(CONNECTIONS, timeout_seconds=0)
    leases = [Lease(FIND_VIEWER, (account, b"")) for account in range(5)]

    def probing() -> list[bool]:
        return [bulkhead.must_probe(lease) for lease in leases]

    assert probing() == [False] * 5  # no account hangs
    bulkhead.record_timeout(leases[0])
    assert probing() == [False, True, True, True, True]  # a suspect is already limited
    for lease in leases[1:4]:
        bulkhead.record_answer(lease)
    assert probing() == [False, True, False, False, True]
    bulkhead.record_timeout(leases[3])
    assert probing() == [False, True, True, False, True]


async def is_asleep(url: str, count: int) -> bool:
    """Return whether this number of statements waits for the node."""
    return await run(url, SLEEPING) == count


async def crowd(database: PostgresDatabase) -> None:
    """Send more healthy requests than there are connections, for a while."""
    slow = "SELECT CAST(?1 AS BIGINT) FROM pg_sleep(0.05)"
    await asyncio.gather(*(database.fetch_one(slow, account) for account in HEALTHY))


CONNECTED: Final = """
SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity
WHERE application_name = 'hupan' AND datname = current_database()
"""


@pytest.mark.parametrize("use", [ask, change])
def test_what_is_interrupted_keeps_its_connection(
    url: str, use: Callable[[PostgresDatabase, int], Awaitable[object]]
) -> None:
    """Its session and its prepared statements cost more than the cancelled statement."""

    async def scenario() -> None:
        async with opened(url, timeout_seconds=30) as database:
            await crowd(database)
            before = await database.fetch_one(CONNECTED)
            assert before is not None
            assert len(before[0]) == CONNECTIONS
            asked = [asyncio.ensure_future(use(database, account)) for account in SILENT]

            async def are_few() -> bool:
                await crowd(database)
                return await run(url, SLEEPING) == BOUND

            await until(are_few)
            assert not any(one.done() for one in asked)
            assert await database.fetch_one(CONNECTED) == before
            await run(url, "DELETE FROM away")
            await run(url, WAKE)
            await asyncio.gather(*asked, return_exceptions=True)
            await asyncio.gather(*(use(database, account) for account in (*HEALTHY, *SILENT)))

    asyncio.run(scenario())


def test_a_connection_that_heeds_no_cancel_request_is_closed(url: str) -> None:
    """A coordinator may itself wait for the hanging node; others are served."""

    async def scenario() -> None:
        await run(url, DEAF)
        async with opened(url, timeout_seconds=30) as database:
            asked = [asyncio.ensure_future(ask(database, account)) for account in SILENT]

            async def are_left() -> bool:
                await crowd(database)
                return await run(url, SLEEPING) == len(SILENT)

            await until(are_left)
            await run(url, "DELETE FROM away")
            await run(url, WAKE)
            await asyncio.gather(*asked, return_exceptions=True)
            await asyncio.gather(*(ask(database, account) for account in (*HEALTHY, *SILENT)))

    asyncio.run(scenario())


DEAF: Final = """
CREATE OR REPLACE FUNCTION reach(asked bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF EXISTS (SELECT FROM away WHERE id = asked) THEN
    BEGIN
      PERFORM pg_sleep(60);
    EXCEPTION WHEN query_canceled THEN
      PERFORM pg_sleep(60);
    END;
  END IF;
  RETURN asked;
END $$;
"""
WAKE: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE wait_event = 'PgSleep' AND datname = current_database()"
)


def test_a_change_that_begins_again_is_made_once(url: str) -> None:
    """Interrupted, timed out or successful: each success has exactly one coin."""

    async def scenario() -> None:
        async with opened(url, timeout_seconds=4) as database:
            account = SILENT[0]
            changes = [asyncio.ensure_future(change(database, account)) for account in SILENT]
            changes += [
                asyncio.ensure_future(change(database, account)) for _ in range(CONNECTIONS)
            ]
            await until(lambda: is_asleep(url, BOUND))
            await run(url, "DELETE FROM away")
            await run(url, WAKE)
            found = await asyncio.gather(*changes, return_exceptions=True)
            assert await run(url, COINS) == sum(one is None for one in found) > 0

    asyncio.run(scenario())


COINS: Final = "SELECT count(*) FROM purse, generate_series(1, coins)"


def test_slowness_alone_refuses_nothing(url: str) -> None:
    """A slow server, or one account with many requests, is no fault."""

    async def scenario() -> None:
        async with opened(url, timeout_seconds=10) as database:
            slow = "SELECT CAST(?1 AS BIGINT) FROM pg_sleep(0.5)"

            async def hold(tx: Transaction) -> None:
                await tx.execute(ADD, HEALTHY[0])
                await tx.fetch_one("SELECT pg_sleep(0.05)")

            count = 4 * CONNECTIONS
            rows = await asyncio.gather(*(database.fetch_one(slow, n) for n in range(count)))
            assert [row and row[0] for row in rows] == list(range(count))
            await asyncio.gather(*(database.run_transaction(hold) for _ in range(count)))
            assert await run(url, COINS) == count

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("sql", "values", "key"),
    [
        (FIND_VIEWER, (7, b"token"), 7),
        (PUT_SESSION, (7, b"token", 1), 7),
        (FIND_IDENTITY_OWNER, ("phone", "13800000000"), "13800000000"),
        (INSERT_MESSAGE, ("13800000000", "id"), "13800000000"),
        (LEASE_MESSAGES_TO, (1, 2, "sms", 4, 5, "13800000000"), "13800000000"),
        (LEASE_MESSAGES, (1, 2, "sms", 4, 5), LEASE_MESSAGES),
        ("SELECT id FROM medals WHERE id = ?1", (3,), "SELECT id FROM medals WHERE id = ?1"),
        (ASK, (5,), 5),
        (SLEEPING, (), SLEEPING),
    ],
)
def test_what_a_statement_waits_for(sql: str, values: tuple[Value, ...], key: Value) -> None:
    """The key is the value of the distribution column, or the statement if it asks all nodes."""
    assert key_of(Lease(sql, values)) == key


def test_shards_are_those_of_the_server(databases: Databases) -> None:
    """Numbers and texts hash as in PostgreSQL."""
    numbers = [0, 1, -1, 1_000_001, 2**31, -(2**40), 2**63 - 1, *range(10**6, 10**6 + 50)]
    texts = ["", "a", "phone", "13800000000", "someone@mail.example", "湖畔" * 9]
    texts += ["x" * length for length in range(40)]

    async def ask_server() -> None:
        connection = await asyncpg.connect(databases.cluster.url())
        for number in numbers:
            found = await connection.fetchval("SELECT hashint8($1)", number)
            assert hash_number(number) == found & 0xFFFFFFFF, number
        for text in texts:
            found = await connection.fetchval('SELECT hashtext($1 COLLATE "C")', text)
            assert hash_bytes(text.encode()) == found & 0xFFFFFFFF, text
        await connection.close()

    databases.wait(ask_server())
    assert {shard_of(number) for number in range(10**6, 10**6 + 1000)} == set(range(SHARDS))


def test_a_silent_shard_is_suspect_as_a_whole() -> None:
    """This applies only to a distributed database, until one of its accounts is answered."""

    def may_run(bulkhead: Bulkhead, account: int) -> bool:
        try:
            bulkhead.ensure_may_run(Lease(FIND_VIEWER, (account, b"")))
        except Interrupted:
            return False
        return True

    beside = [account for account in range(10_000) if shard_of(account) == shard_of(1)]
    for is_distributed in (False, True):
        bulkhead = Bulkhead(CONNECTIONS, timeout_seconds=0)
        bulkhead.is_distributed = is_distributed
        for account in beside[:3]:
            bulkhead.record_timeout(Lease(FIND_VIEWER, (account, b"")))
        assert may_run(bulkhead, beside[3]) is not is_distributed
        assert may_run(bulkhead, 2) is (shard_of(2) != shard_of(1))
        bulkhead.record_answer(Lease(FIND_VIEWER, (beside[3], b"")))
        assert may_run(bulkhead, beside[3])
        assert not may_run(bulkhead, beside[0])


class SilentConnection:
    """A connection to a server that never answers."""

    is_terminated = False

    async def fetchval(self, _sql: str) -> object:
        """Time out."""
        raise TimeoutError

    def terminate(self) -> None:
        """Close it."""
        self.is_terminated = True


def test_a_first_connection_that_does_not_answer_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts connections and never answers keeps none of them."""
    opened: list[SilentConnection] = []

    async def connect(*_arguments: object, **_options: object) -> SilentConnection:
        opened.append(SilentConnection())
        return opened[-1]

    async def use() -> None:
        pool = PostgresPool(PostgresDsn("postgresql://u@localhost/x?sslmode=disable"))
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await pool.use(lambda connection: connection.fetchval("SELECT 1"))
        await pool.close()

    monkeypatch.setattr(asyncpg, "connect", connect)
    asyncio.run(use())
    assert [connection.is_terminated for connection in opened] == [True, True]
