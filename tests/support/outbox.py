"""An outbox with its worker, on a separate store, and senders with configured results."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from hupan.addresses import ContactAddress
from hupan.crypto import KEY_BYTES, SecretBox
from hupan.delivery.sender import Message
from hupan.domain.outbox import NoticeBudget, NoticeQueue, OutboxWorker, OutboxWriter
from hupan.model import Channel
from hupan.ratelimit.stored import StoredLimiter
from hupan.rng import SystemRandomSource
from hupan.store.database import Database, Transaction
from hupan.store.outbox import CODE_PRIORITY, OutboxMessage, insert_message
from tests.support.stores import open_engine

NOW = 2_000_000_000
LIFE_SECONDS = 300
DAY = 86_400
ANY = "notice-phone-changed"
PHONE = ContactAddress("sms", "13800138000", "13800138000")
MAIL = ContactAddress("email", "who@example.com", "Who@example.com")


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = float(NOW)

    def now(self) -> float:
        """Return the time it was set to."""
        return self.time


class Sender:
    """A sender that fails as configured, then sends."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.tries = 0
        self.sent: list[Message] = []

    async def send(self, message: Message) -> None:
        """Raise the next failure, or accept the message."""
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(message)

    async def close(self) -> None:
        """Do nothing."""


class OutboxHarness:
    """An outbox with its worker."""

    def __init__(
        self, engine: Database, sender: Sender, budget: NoticeBudget | None = None
    ) -> None:
        self.engine = engine
        self.clock = ManualClock()
        self.secret_box = SecretBox(b"k" * KEY_BYTES)
        self.messages = OutboxWriter(self.secret_box, SystemRandomSource())
        self.notices = NoticeQueue(self.messages, lambda: None, StoredLimiter(enabled=True))
        self.worker = OutboxWorker(
            engine, self.clock, self.secret_box, {"sms": sender, "email": sender}, budget=budget
        )

    async def put(
        self, code: str = "012345", purpose: str = "code", to: ContactAddress = PHONE
    ) -> None:
        """Enqueue a code."""
        now = int(self.clock.now())
        await self.engine.run_transaction(
            lambda tx: self.messages.enqueue_code(
                tx, to, purpose, code, now=now, expires_at=now + LIFE_SECONDS
            )
        )

    async def notify(self, purpose: str, *targets: ContactAddress) -> None:
        """Enqueue a notification for each target."""
        now = int(self.clock.now())
        await self.engine.run_transaction(
            lambda tx: self.notices.enqueue(tx, targets, purpose, now=now)
        )

    async def fill(self, number: int, priority: int, channel: Channel = "email") -> None:
        """Enqueue many notices, each for another target."""
        now = int(self.clock.now())

        async def change(tx: Transaction) -> None:
            for at in range(number):
                address = f"{priority}-{at}@example.com"
                await insert_message(
                    tx,
                    OutboxMessage(
                        address, f"{at}", channel, ANY, b"", now, now + DAY, priority=priority
                    ),
                )

        await self.engine.run_transaction(change)

    async def waiting(self, priority: int = CODE_PRIORITY) -> list[str]:
        """Return the targets of messages of a priority, in the order of their due times."""
        sql = "SELECT target FROM outbox WHERE priority = ?1 ORDER BY due_at, created_at, target"
        return [row[0] for row in await self.engine.fetch_all(sql, priority)]

    async def after(self, seconds: float) -> int:
        """Advance the clock and send what is due then."""
        self.clock.time += seconds
        return await self.worker.send_due()


@asynccontextmanager
async def open_outbox(
    path: Path, sender: Sender, budget: NoticeBudget | None = None
) -> AsyncIterator[OutboxHarness]:
    """Yield an OutboxHarness on a separate store."""
    async with open_engine(path) as engine:
        yield OutboxHarness(engine, sender, budget)


class Hanging(Sender):
    """A sender that hangs until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def send(self, message: Message) -> None:
        """Accept the message once released."""
        self.tries += 1
        await self.go.wait()
        self.sent.append(message)


async def until(what: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(10):
        while not what():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.001)
