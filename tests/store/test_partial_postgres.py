"""A distributed database without one node: its accounts are refused, all others are served.

Functions stand in for the nodes: one reports a lost connection as a coordinator does, one exceeds
the statement timeout.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
import pytest

from hupan.addresses import ContactAddress
from hupan.clock import SystemClock
from hupan.crypto import KEY_BYTES, SecretBox
from hupan.domain.maintenance import IntegrityChecker
from hupan.domain.outbox import OutboxWorker, OutboxWriter, RecentTargets
from hupan.model import StoreUnavailable
from hupan.rng import SystemRandomSource
from hupan.store.database import Transaction, Value
from hupan.store.postgres import PostgresDatabase
from hupan.store.postgres_dsn import PoolSize, PostgresDsn
from hupan.store.postgres_pool import PostgresPool
from tests.support.outbox import Sender
from tests.support.postgres import SPEED, Cluster
from tests.support.stores import Databases

pytestmark = pytest.mark.slow

Refused: TypeAlias = asyncio.Task[list[StoreUnavailable]]

LOST, SILENT = 1, 2
LOST_PHONE, SILENT_PHONE, HEALTHY_PHONE = "13800000001", "13800000002", "13800000003"
CONNECTIONS = 8
STAND_INS = f"""
CREATE FUNCTION reach(id bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE COST 100000 AS $$
BEGIN
  IF id = {LOST} THEN
    RAISE EXCEPTION 'connection to the remote node failed' USING ERRCODE = '08006';
  END IF;
  IF id = {SILENT} THEN PERFORM pg_sleep(60); END IF;
  RETURN id;
END $$;
"""
ASK = "SELECT reach(CAST(?1 AS BIGINT))"


AWAY = """
INSERT INTO counters VALUES ('faults', 0);
ALTER TABLE counters RENAME TO counters_rows;
CREATE VIEW counters AS SELECT * FROM counters_rows WHERE reach(2::bigint) > 0;
"""
OUTBOX_AWAY = f"""
CREATE FUNCTION reach(target text) RETURNS boolean LANGUAGE plpgsql VOLATILE COST 100000 AS $$
BEGIN
  IF target = '{LOST_PHONE}' THEN PERFORM reach({LOST}); END IF;
  IF target = '{SILENT_PHONE}' THEN PERFORM reach({SILENT}); END IF;
  RETURN true;
END $$;
ALTER TABLE outbox RENAME TO outbox_rows;
CREATE VIEW outbox AS SELECT * FROM outbox_rows WHERE reach(target);
"""  # noqa: S608 - constants of this file
INSERT_ROW = """
INSERT INTO outbox_rows
  (target, id, channel, purpose, sealed_code, created_at, expires_at, due_at, priority)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?8)
"""
DISTRIBUTED = "CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY)"


async def run(url: str, sql: str) -> None:
    """Run SQL on a new connection."""
    connection = await asyncpg.connect(url)
    await connection.execute(sql)
    await connection.close()


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    """Yield a separate store, behind the stand-ins."""
    name = databases.make()
    url = databases.cluster.url(name)

    databases.wait(run(url, STAND_INS))
    yield url
    databases.drop(name)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[PostgresDatabase, PostgresPool]]:
    """Yield the store, with a timeout of one second."""
    dsn = PostgresDsn(url, statement_timeout_seconds=1)
    pool = PostgresPool(dsn, PoolSize(max_connections=CONNECTIONS))
    database = PostgresDatabase(pool)
    try:
        yield database, pool
    finally:
        await database.close()


async def refusals(*asked: Awaitable[object]) -> list[StoreUnavailable]:
    """Return the refusal of each; all must be refused."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in found if isinstance(one, StoreUnavailable)]
    assert len(refused) == len(asked), found
    return refused


async def backends(database: PostgresDatabase, count: int) -> set[int]:
    """Return the server processes that answer this number of concurrent statements."""

    async def ask() -> int:
        row = await database.fetch_one("SELECT pg_backend_pid() FROM pg_sleep(0.1)")
        assert row is not None
        return int(row[0])

    return set(await asyncio.gather(*(ask() for _ in range(count))))


def test_a_loss_that_is_passed_on_ends_no_connection(url: str) -> None:
    """They all stay, after reads and after changes, and the store counts as partial."""

    async def scenario() -> None:
        async with opened(url) as (database, _):
            before = await backends(database, CONNECTIONS)
            assert len(before) == CONNECTIONS
            assert not database.stats().is_partial
            await refusals(database.fetch_one(ASK, LOST))
            await refusals(database.run_transaction(lambda tx: tx.fetch_one(ASK, LOST)))
            assert database.stats().is_partial
            after = await backends(database, CONNECTIONS)
            assert before == after
            await database.check()

    asyncio.run(scenario())


def test_a_standby_elsewhere_ends_no_connection(url: str) -> None:
    """Only a worker was demoted; with the coordinator no connection would work any more."""

    async def scenario() -> None:
        await run(url, DEMOTED)
        async with opened(url) as (database, _):
            before = await backends(database, CONNECTIONS)
            await refusals(database.run_transaction(lambda tx: tx.fetch_one(ASK_DEMOTED)))
            assert database.stats().is_partial
            assert await backends(database, CONNECTIONS) == before
            await refusals(database.fetch_one("SELECT demoted()"))
            assert await backends(database, CONNECTIONS) & before == set()

    asyncio.run(scenario())


DEMOTED = """
CREATE FUNCTION demoted() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'cannot execute UPDATE in a read-only transaction' USING ERRCODE = '25006';
END $$;
CREATE FUNCTION "while executing command on 10.0.0.2:5432"() RETURNS bigint LANGUAGE plpgsql
AS $$ BEGIN RETURN demoted(); END $$;
"""
"""The name of a function is part of an error's context, where Citus names the node."""
ASK_DEMOTED = 'SELECT "while executing command on 10.0.0.2:5432"()'


def test_a_slow_server_is_no_lost_machine(url: str) -> None:
    """A timeout on a database that is not distributed does not concern other nodes."""

    async def scenario() -> None:
        async with opened(url) as (database, _):
            await refusals(database.fetch_one(ASK, SILENT))
            await refusals(database.run_transaction(lambda tx: tx.fetch_one(ASK, SILENT)))
            assert not database.stats().is_partial
        await run(url, DISTRIBUTED)
        async with opened(url) as (database, _):
            await database.check()
            await refusals(database.fetch_one(ASK, SILENT))
            assert database.stats().is_partial

    asyncio.run(scenario())


def test_readiness_waits_for_no_machine(url: str) -> None:
    """If the number of faults cannot be read, the last known one counts."""

    async def scenario() -> None:
        await run(url, DISTRIBUTED)
        async with opened(url) as (database, pool):

            async def no_faults() -> list[str]:
                return []

            checker = IntegrityChecker(
                database, SystemClock(), no_faults, 0, is_partial=lambda: pool.is_partial
            )
            await checker.check()
            assert not pool.is_partial
            await run(url, AWAY)
            for _ in range(4):  # the first read has failed by then
                await checker.check()
            assert pool.is_partial

    asyncio.run(scenario())


def test_codes_leave_while_others_cannot(url: str) -> None:
    """The outbox cannot be listed; messages on the available nodes are sent anyway."""

    async def scenario() -> None:
        await run(url, DISTRIBUTED + ";" + OUTBOX_AWAY)
        async with opened(url) as (database, pool):
            await database.check()
            phones = LOST_PHONE, SILENT_PHONE, HEALTHY_PHONE
            assert await send(database, pool, phones) == [HEALTHY_PHONE]

    asyncio.run(scenario())


def test_a_crowd_that_asks_for_a_lost_machine_delays_no_other(url: str) -> None:
    """Others are answered and their codes are sent, on the same connections."""

    async def scenario() -> None:
        await run(url, DISTRIBUTED + ";" + OUTBOX_AWAY)
        async with opened(url) as (database, pool):
            before = await backends(database, CONNECTIONS)
            is_over = asyncio.Event()

            async def insist() -> int:
                refused = 0
                while not is_over.is_set():
                    await refusals(database.fetch_one(ASK, LOST))
                    await refusals(database.run_transaction(lambda tx: tx.fetch_one(ASK, LOST)))
                    refused += 2
                return refused

            crowd = [asyncio.ensure_future(insist()) for _ in range(3 * CONNECTIONS)]
            for account in range(3, 103):
                assert await database.fetch_one(ASK, account) == (account,)
            assert await send(database, pool, (LOST_PHONE, HEALTHY_PHONE)) == [HEALTHY_PHONE]
            is_over.set()
            assert min(await asyncio.gather(*crowd)) > 0
            assert await backends(database, CONNECTIONS) == before

    asyncio.run(scenario())


async def send(
    database: PostgresDatabase, pool: PostgresPool, phones: tuple[str, ...]
) -> list[str]:
    """Write messages to phones and send what can be sent; return the first recipients."""
    secret_box, clock, sender = SecretBox(bytes(KEY_BYTES)), SystemClock(), Sender()
    recent = RecentTargets()
    writer = OutboxWriter(secret_box, SystemRandomSource(), recent)
    worker = OutboxWorker(
        database,
        clock,
        secret_box,
        {"sms": sender},
        recent_targets=recent,
        is_partial=lambda: pool.is_partial,
    )
    now = int(clock.now())
    for phone in phones:
        target = ContactAddress("sms", phone, phone)
        message = writer.make_notice(target, "notice-phone-changed", 1, now=now)
        values = (message.target, message.id, message.channel, message.purpose, b"")
        times = (message.created_at, message.expires_at, message.priority)

        async def insert(tx: Transaction, row: tuple[Value, ...] = values + times) -> int:
            return await tx.execute(INSERT_ROW, *row)

        await database.run_transaction(insert)
    worker.start()
    async with asyncio.timeout(30):
        while not sender.sent:  # noqa: ASYNC110 - the sender has nothing to wait for
            await asyncio.sleep(0.05)
    await worker.stop()
    return [message.to for message in sender.sent]


def test_a_row_in_doubt_costs_no_connection() -> None:
    """Changes that meet an abandoned prepared transaction get Busy."""
    with Cluster({**SPEED, "max_prepared_transactions": "4"}) as cluster:
        cluster.sql("CREATE TABLE purse (id bigint PRIMARY KEY, coins bigint)")
        cluster.sql("INSERT INTO purse SELECT n, 0 FROM generate_series(1, 3) n")

        async def scenario() -> None:
            coordinator = await asyncpg.connect(cluster.url())
            await coordinator.execute("BEGIN; UPDATE purse SET coins = 1 WHERE id = 1")
            await coordinator.execute("PREPARE TRANSACTION 'left behind'")
            await coordinator.close()

            async with opened(cluster.url()) as (database, _):
                before = await backends(database, CONNECTIONS)

                def add(number: int) -> Awaitable[int]:
                    sql = "UPDATE purse SET coins = coins + 1 WHERE id = ?1"
                    return database.run_transaction(lambda tx: tx.execute(sql, number))

                met: Refused = asyncio.create_task(  # noqa: RUF006 - awaited below
                    refusals(*(add(1) for _ in range(CONNECTIONS - 1)))
                )
                await asyncio.sleep(0.01)
                assert await add(2) == 1
                assert not met.done()
                found = await met
                assert [str(one) for one in found if not one.is_busy] == []
                assert await add(3) == 1
                alive = await database.fetch_all(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = 'hupan'"
                )
                assert {pid for (pid,) in alive} == before
                cluster.sql("COMMIT PREPARED 'left behind'")
                assert await add(1) == 1
                assert await database.fetch_one("SELECT coins FROM purse WHERE id = 1") == (2,)

        asyncio.run(scenario())
