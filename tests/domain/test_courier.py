"""The courier: sure failures are tried again, unknown outcomes and old codes never are."""

import asyncio
from pathlib import Path

import pytest

from hupan.addresses import ContactAddress
from hupan.delivery.sender import Message, NotSent, OutcomeUnknown
from hupan.domain import outbox as courier
from hupan.domain.outbox import (
    DISCARD_PURPOSE,
    FIRST_RETRY_SECONDS,
    LEASE_SECONDS,
    MAX_CODES_IN_FLIGHT,
    OutboxWorker,
)
from hupan.store.outbox import CODE_PRIORITY, lease_messages
from tests.domain.office import LIFE_SECONDS, Hanging, Office, Sender, office, until
from tests.stores import open_engine


@pytest.mark.one_engine
def test_a_message_is_sent_once(tmp_path: Path) -> None:
    """What was sent is gone from the outbox, and its code was opened for the sender alone."""

    async def scenario() -> None:
        sender = Sender()
        async with office(tmp_path / "db", sender) as our:
            await our.put("012345")
            assert b"012345" not in (tmp_path / "db-wal").read_bytes()
            assert await our.after(0) == 1
            assert await our.after(LEASE_SECONDS) == 0
        assert [(m.to, m.code, m.purpose) for m in sender.sent] == [
            ("13800138000", "012345", "code")
        ]

    asyncio.run(scenario())


def test_a_sure_failure_waits_longer_each_time(tmp_path: Path) -> None:
    """After a failure the next try comes after 4, then 8 seconds, under the same id."""

    async def scenario() -> None:
        sender = Sender(NotSent("down", is_retryable=True), NotSent("down", is_retryable=True))
        async with office(tmp_path / "db", sender) as our:
            await our.put()
            assert await our.after(0) == 1
            assert await our.after(2 * FIRST_RETRY_SECONDS - 1) == 0
            assert await our.after(1) == 1
            assert await our.after(4 * FIRST_RETRY_SECONDS - 1) == 0
            assert await our.after(1) == 1
        assert (sender.tries, len(sender.sent)) == (3, 1)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "failure",
    [NotSent("no such number", is_retryable=False), OutcomeUnknown("lost"), ZeroDivisionError()],
    ids=["refused", "unknown", "broken sender"],
)
def test_what_must_not_be_repeated_is_not(tmp_path: Path, failure: Exception) -> None:
    """A refusal for good, an unknown outcome and a broken sender end a message (security R07)."""

    async def scenario() -> None:
        sender = Sender(failure)
        async with office(tmp_path / "db", sender) as our:
            await our.put()
            await our.after(0)
            await our.after(LIFE_SECONDS - 1)
        assert (sender.tries, sender.sent) == (1, [])

    asyncio.run(scenario())


def test_an_old_code_is_not_sent(tmp_path: Path) -> None:
    """A code that has expired while its sender was down is of no use any more."""

    async def scenario() -> None:
        sender = Sender(NotSent("down", is_retryable=True))
        async with office(tmp_path / "db", sender) as our:
            await our.put()
            await our.after(0)
            await our.after(LIFE_SECONDS)
            await our.after(LIFE_SECONDS)
        assert (sender.tries, sender.sent) == (1, [])

    asyncio.run(scenario())


def test_a_replaced_code_is_not_tried_again(tmp_path: Path) -> None:
    """A code that waits for another try never leaves once a new one has replaced it."""

    async def scenario() -> None:
        sender = Sender(NotSent("down", is_retryable=True))
        async with office(tmp_path / "db", sender) as our:
            await our.put("111111")
            await our.after(0)
            await our.put("222222")
            await our.after(10)
            await our.after(60)
        assert [message.code for message in sender.sent] == ["222222"]

    asyncio.run(scenario())


def test_a_decoy_is_never_sent(tmp_path: Path) -> None:
    """A message for an unknown address costs a row and a look, and reaches no sender (E2)."""

    async def scenario() -> None:
        sender = Sender()
        async with office(tmp_path / "db", sender) as our:
            await our.put(purpose=DISCARD_PURPOSE)
            assert await our.after(0) == 1
            assert await our.after(LEASE_SECONDS) == 0
        assert sender.tries == 0

    asyncio.run(scenario())


def test_two_couriers_share_without_doubles(tmp_path: Path) -> None:
    """Two servers on one outbox send each message once."""

    async def scenario() -> None:
        sender = Sender()
        async with office(tmp_path / "db", sender) as our:
            other = OutboxWorker(
                our.engine, our.clock, our.secret_box, {"sms": sender, "email": sender}
            )
            for number in range(40):
                await our.put(f"{number:06}")
            while sum(await asyncio.gather(our.outbox_worker.send_due(), other.send_due())):
                pass
        assert sorted(int(message.code) for message in sender.sent) == list(range(40))

    asyncio.run(scenario())


def test_draining_waits_for_no_dead_server(tmp_path: Path) -> None:
    """A message that a killed server had taken keeps its lease; draining does not wait for it."""

    async def scenario() -> None:
        sender = Sender()
        async with office(tmp_path / "db", sender) as our:
            await our.put("111111")
            now = int(our.clock.now())
            await our.engine.run_transaction(
                lambda tx: lease_messages(
                    tx, "sms", CODE_PRIORITY, now=now, leased_until=now + LEASE_SECONDS, max_rows=1
                )
            )
            await our.put("222222")
            async with asyncio.timeout(10):
                await our.outbox_worker.drain()
            assert [message.code for message in sender.sent] == ["222222"]
            await our.after(LEASE_SECONDS)
        assert [message.code for message in sender.sent] == ["222222"]

    asyncio.run(scenario())


def test_a_slow_sender_holds_up_no_other(tmp_path: Path) -> None:
    """An SMS leaves while the mail server hangs on as many mails as it is given (security R07)."""

    async def scenario() -> None:
        mail, sms = Hanging(), Sender()
        async with open_engine(tmp_path / "db") as engine:
            our = Office(engine, sms)
            our.outbox_worker = OutboxWorker(
                engine, our.clock, our.secret_box, {"email": mail, "sms": sms}
            )
            our.outbox_worker.start()
            for number in range(MAX_CODES_IN_FLIGHT + 4):
                await our.put(to=ContactAddress("email", f"{number}@a.cn", f"{number}@a.cn"))
            our.outbox_worker.notify()
            await until(lambda: mail.tries == MAX_CODES_IN_FLIGHT)
            await our.put()
            our.outbox_worker.notify()
            await until(lambda: sms.tries == 1)
            mail.go.set()
            await until(lambda: len(mail.sent) == MAX_CODES_IN_FLIGHT + 4)
            await our.outbox_worker.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("is_let_go", [True, False])
def test_stopping_sends_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_let_go: bool
) -> None:
    """A send under way is waited for; one that must be cut is not begun again later."""
    monkeypatch.setattr("hupan.domain.outbox.MAX_STOP_SECONDS", 10.0 if is_let_go else 0.01)

    async def scenario() -> None:
        first, second = Hanging(), Sender()
        async with office(tmp_path / "db", first) as our:
            our.outbox_worker.start()
            await our.put()
            our.outbox_worker.notify()
            await until(lambda: first.tries == 1)
            if is_let_go:
                asyncio.get_running_loop().call_later(0.05, first.go.set)
            await our.outbox_worker.stop()
            assert len(first.sent) == is_let_go
            our.outbox_worker = OutboxWorker(our.engine, our.clock, our.secret_box, {"sms": second})
            await our.after(LIFE_SECONDS - 1)
        assert second.tries == 0

    asyncio.run(scenario())


def test_what_piles_up_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sender that is down the oldest beyond ten thousand are forgotten (security R07)."""

    class Down(Sender):
        async def send(self, message: Message) -> None:
            del message
            raise NotSent("down", is_retryable=True)

    async def waiting(our: Office) -> list[tuple[int, int]]:
        rows = await our.engine.fetch_all(
            "SELECT due_at, created_at FROM outbox ORDER BY created_at"
        )
        return [(int(due), int(created)) for due, created in rows]

    async def scenario() -> None:
        monkeypatch.setattr(courier, "MAX_QUEUED_MESSAGES", 10)
        async with office(tmp_path / "db", Down()) as our:
            for number in range(40):
                our.clock.time += 1
                await our.put(to=ContactAddress("sms", f"138{number:08}", f"138{number:08}"))
            our.outbox_worker.start()
            our.outbox_worker.notify()
            async with asyncio.timeout(30):
                while len(left := await waiting(our)) > 10:
                    our.outbox_worker.notify()
                    await asyncio.sleep(0.01)
            await our.outbox_worker.stop()
            assert left[-1][1] == our.clock.time

    asyncio.run(scenario())
