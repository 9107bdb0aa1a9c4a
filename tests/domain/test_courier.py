"""The courier: sure failures are tried again, unknown outcomes and old codes never are."""

import asyncio
from pathlib import Path

import pytest

from hupan.delivery.message import Message
from hupan.delivery.protocol import NotSent, OutcomeUnknown
from hupan.domain import courier
from hupan.domain.courier import FIRST_WAIT_SECONDS, LEASE_SECONDS, MOST_AT_ONCE, Courier
from hupan.domain.messages import DISCARDED
from hupan.domain.targets import Target
from hupan.store.outbox import CODE, lease_due
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
        sender = Sender(NotSent("down", again=True), NotSent("down", again=True))
        async with office(tmp_path / "db", sender) as our:
            await our.put()
            assert await our.after(0) == 1
            assert await our.after(2 * FIRST_WAIT_SECONDS - 1) == 0
            assert await our.after(1) == 1
            assert await our.after(4 * FIRST_WAIT_SECONDS - 1) == 0
            assert await our.after(1) == 1
        assert (sender.tries, len(sender.sent)) == (3, 1)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "failure",
    [NotSent("no such number", again=False), OutcomeUnknown("lost"), ZeroDivisionError()],
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
        sender = Sender(NotSent("down", again=True))
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
        sender = Sender(NotSent("down", again=True))
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
            await our.put(purpose=DISCARDED)
            assert await our.after(0) == 1
            assert await our.after(LEASE_SECONDS) == 0
        assert sender.tries == 0

    asyncio.run(scenario())


def test_two_couriers_share_without_doubles(tmp_path: Path) -> None:
    """Two servers on one outbox send each message once."""

    async def scenario() -> None:
        sender = Sender()
        async with office(tmp_path / "db", sender) as our:
            other = Courier(our.engine, our.clock, our.seal, {"sms": sender, "email": sender})
            for number in range(40):
                await our.put(f"{number:06}")
            while sum(await asyncio.gather(our.courier.send_due(), other.send_due())):
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
            await our.engine.change(
                lambda tx: lease_due(tx, "sms", CODE, now=now, until=now + LEASE_SECONDS, most=1)
            )
            await our.put("222222")
            async with asyncio.timeout(10):
                await our.courier.drain()
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
            our.courier = Courier(engine, our.clock, our.seal, {"email": mail, "sms": sms})
            our.courier.start()
            for number in range(MOST_AT_ONCE + 4):
                await our.put(to=Target("email", f"{number}@a.cn", f"{number}@a.cn"))
            our.courier.wake()
            await until(lambda: mail.tries == MOST_AT_ONCE)
            await our.put()
            our.courier.wake()
            await until(lambda: sms.tries == 1)
            mail.go.set()
            await until(lambda: len(mail.sent) == MOST_AT_ONCE + 4)
            await our.courier.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("is_let_go", [True, False])
def test_stopping_sends_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_let_go: bool
) -> None:
    """A send under way is waited for; one that must be cut is not begun again later."""
    monkeypatch.setattr("hupan.domain.courier.STOP_SECONDS", 10.0 if is_let_go else 0.01)

    async def scenario() -> None:
        first, second = Hanging(), Sender()
        async with office(tmp_path / "db", first) as our:
            our.courier.start()
            await our.put()
            our.courier.wake()
            await until(lambda: first.tries == 1)
            if is_let_go:
                asyncio.get_running_loop().call_later(0.05, first.go.set)
            await our.courier.stop()
            assert len(first.sent) == is_let_go
            our.courier = Courier(our.engine, our.clock, our.seal, {"sms": second})
            await our.after(LIFE_SECONDS - 1)
        assert second.tries == 0

    asyncio.run(scenario())


def test_what_piles_up_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sender that is down the oldest beyond ten thousand are forgotten (security R07)."""

    class Down(Sender):
        async def send(self, message: Message) -> None:
            del message
            raise NotSent("down", again=True)

    async def waiting(our: Office) -> list[tuple[int, int]]:
        rows = await our.engine.all("SELECT due_at, created_at FROM outbox ORDER BY created_at")
        return [(int(due), int(created)) for due, created in rows]

    async def scenario() -> None:
        monkeypatch.setattr(courier, "MOST_WAITING", 10)
        async with office(tmp_path / "db", Down()) as our:
            for number in range(40):
                our.clock.time += 1
                await our.put(to=Target("sms", f"138{number:08}", f"138{number:08}"))
            our.courier.start()
            our.courier.wake()
            async with asyncio.timeout(30):
                while len(left := await waiting(our)) > 10:
                    our.courier.wake()
                    await asyncio.sleep(0.01)
            await our.courier.stop()
            assert left[-1][1] == our.clock.time

    asyncio.run(scenario())
