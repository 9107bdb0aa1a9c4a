"""How the outbox worker finds messages: in shared rounds, and rarely on all nodes.

All callers that wait until the outbox is empty share rounds. On a distributed database a listing
queries each node; a message of this process is read by its target alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hupan.addresses import ContactAddress
from hupan.delivery.sender import NotSent
from hupan.domain import outbox as courier
from hupan.domain.outbox import (
    MAX_CODES_IN_FLIGHT,
    MAX_QUEUED_MESSAGES,
    OutboxWorker,
    OutboxWriter,
    RecentTargets,
)
from hupan.rng import SystemRandomSource
from hupan.store.database import Database, Result, Row, Transaction, Value
from hupan.store.outbox import FIRST_NOTICE_PRIORITY, insert_message
from tests.support.distribution import SHARDS, remote_statements
from tests.support.outbox import MAIL, PHONE, Hanging, OutboxHarness, Sender, open_outbox

CALLERS = 24


class SeenEngine:
    """A store whose reads yield to other tasks, and which records every statement."""

    def __init__(self, engine: Database) -> None:
        self._engine = engine
        self.statements: list[str] = []
        self.check, self.close = engine.check, engine.close

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        """Return the first row."""
        self.statements.append(sql)
        return await self._engine.fetch_one(sql, *values)

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        """Return every row."""
        self.statements.append(sql)
        await asyncio.sleep(0)
        return await self._engine.fetch_all(sql, *values)

    async def run_transaction(self, work: Callable[[Transaction], Awaitable[Result]]) -> Result:
        """Run `work` in a transaction."""
        return await self._engine.run_transaction(lambda tx: work(SeenTransaction(tx, self)))

    def remote(self) -> int:
        """Return how many statements a coordinator would have sent since the last call."""
        taken, self.statements = self.statements, []
        return sum(map(remote_statements, taken))


class SeenTransaction:
    """A transaction of such a store."""

    def __init__(self, tx: Transaction, engine: SeenEngine) -> None:
        self._tx = tx
        self._statements = engine.statements

    async def fetch_one(self, sql: str, *values: Value) -> Row | None:
        """Return the first row."""
        self._statements.append(sql)
        return await self._tx.fetch_one(sql, *values)

    async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
        """Return every row."""
        self._statements.append(sql)
        return await self._tx.fetch_all(sql, *values)

    async def execute(self, sql: str, *values: Value) -> int:
        """Return the number of rows."""
        self._statements.append(sql)
        return await self._tx.execute(sql, *values)

    async def lock_tables(self, *names: str) -> None:
        """Lock tables."""
        await self._tx.lock_tables(*names)


@contextmanager
def distributed(our: OutboxHarness, sender: Sender | Hanging) -> Iterator[SeenEngine]:
    """Yield an outbox as on a distributed database."""
    seen, recent = SeenEngine(our.engine), RecentTargets()
    our.engine = seen
    our.messages = OutboxWriter(our.secret_box, SystemRandomSource(), recent)
    our.worker = OutboxWorker(
        seen,
        our.clock,
        our.secret_box,
        {"sms": sender, "email": sender},
        recent_targets=recent,
        is_distributed=lambda: True,
    )
    yield seen


async def test_waiting_callers_share_rounds(tmp_path: Path) -> None:
    """Any number of waiting callers needs one or two rounds, not one each."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender) as our:
        seen = SeenEngine(our.engine)
        our.worker = OutboxWorker(seen, our.clock, our.secret_box, {"sms": sender})
        await our.put()
        await asyncio.gather(*(our.worker.drain() for _ in range(CALLERS)))
        assert len(sender.sent) == 1
        rounds = sum("min(due_at)" in sql for sql in seen.statements)
    assert rounds <= 2


async def test_waiting_callers_see_all_that_was_due(tmp_path: Path) -> None:
    """Each caller sees its message sent, although more wait than fit and some come later."""
    sender = Sender()
    number = 2 * MAX_CODES_IN_FLIGHT + 1
    async with open_outbox(tmp_path / "db", sender) as our:

        async def put_and_wait(at: int) -> None:
            phone = f"138000000{at:02}"
            await our.put(to=ContactAddress("sms", phone, phone))
            await our.worker.drain()
            assert phone in {message.to for message in sender.sent}

        await asyncio.gather(*map(put_and_wait, range(number)))
        assert len(sender.sent) == number
        for at in range(number):
            await our.put(to=ContactAddress("sms", f"{at}", f"{at}"))
        await our.worker.drain()
        assert len(sender.sent) == 2 * number


async def test_a_code_costs_few_remote_statements(tmp_path: Path) -> None:
    """A lease and a deletion are needed; a listing of all nodes is rare."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender) as our:
        with distributed(our, sender) as seen:
            await our.worker.send_due()
            assert seen.remote() == SHARDS  # the listing
            await our.put("123456", to=PHONE)
            assert seen.remote() == 2  # an unsent one is replaced
            assert await our.worker.send_due() == 1
            assert seen.remote() == 2
            assert await our.worker.send_due() == 0
            assert seen.remote() == 0
    assert [message.code for message in sender.sent] == ["123456"]


@pytest.mark.slow
async def test_what_others_left_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next listing finds a message of a process that has ended."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender) as our:
        left = our.messages
        monkeypatch.setattr(courier, "LISTING_SECONDS", 0.1)
        with distributed(our, sender):
            await our.worker.send_due()
            our.messages = left
            await our.put(to=PHONE)
            our.worker.start()
            async with asyncio.timeout(30):
                while not sender.sent:  # noqa: ASYNC110 - the sender has nothing to wait for
                    await asyncio.sleep(0.05)
            await our.worker.stop()


async def test_a_message_that_is_not_yet_there_is_asked_for_again(tmp_path: Path) -> None:
    """A round may precede the commit; a retry comes at its time, not at a listing."""
    sender = Sender(NotSent("down", is_retryable=True))
    async with open_outbox(tmp_path / "db", sender) as our:
        with distributed(our, sender):
            await our.worker.send_due()
            now = int(our.clock.now())
            message = our.messages.make_notice(
                MAIL, "notice-phone-changed", FIRST_NOTICE_PRIORITY, now=now
            )
            assert await our.worker.send_due() == 0
            await our.engine.run_transaction(lambda tx: insert_message(tx, message))
            assert await our.after(0.3) == 1
            tries = [await our.after(1) for _ in range(8)]
    assert sum(tries) == len(sender.sent) == 1


async def test_a_queue_is_listed_as_it_shrinks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More wait than are sent at a time: each free slot is used at once."""
    sender = Hanging()
    number = 3 * MAX_CODES_IN_FLIGHT
    async with open_outbox(tmp_path / "db", sender) as our:
        monkeypatch.setattr(courier, "LISTING_SECONDS", 3600.0)
        with distributed(our, sender):
            await our.worker.send_due()
            for at in range(number):
                await our.put(to=ContactAddress("sms", f"{at}", f"{at}"))
            our.worker.start()
            sender.go.set()
            async with asyncio.timeout(30):  # much less than to the next regular listing
                while await our.waiting():  # noqa: ASYNC110 - the store sends no event
                    await asyncio.sleep(0.05)
            await our.worker.stop()


async def test_surplus_is_dropped_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One count finds a kind with too many; then the oldest of that kind are dropped."""
    assert MAX_QUEUED_MESSAGES > 5
    monkeypatch.setattr(courier, "MAX_QUEUED_MESSAGES", 5)
    sender = Hanging()
    async with open_outbox(tmp_path / "db", sender) as our:
        with distributed(our, sender):
            await our.fill(30, FIRST_NOTICE_PRIORITY)
            our.worker.start()
            async with asyncio.timeout(30):
                while len(await our.waiting(FIRST_NOTICE_PRIORITY)) > 5:
                    our.worker.notify()
                    await asyncio.sleep(0.05)
            sender.go.set()
            await our.worker.stop()
