"""The outbox worker retries certain failures, but no unknown outcome and no expired code.

Notices collapse, are limited for each target, and use a part of the budget (security X4, A2).
Codes are sent before notices, however many notices wait (security X4).
"""

import asyncio
from pathlib import Path

import pytest

from hupan.addresses import ContactAddress
from hupan.delivery.sender import Message, NotSent, OutcomeUnknown
from hupan.delivery.smtp import SmtpSender
from hupan.domain import outbox as courier
from hupan.domain.outbox import (
    BUDGET_RETRY_SECONDS,
    DISCARD_PURPOSE,
    FIRST_RETRY_SECONDS,
    LEASE_SECONDS,
    MAX_CODES_IN_FLIGHT,
    MAX_NOTICES_IN_FLIGHT,
    SESSION_ENDED_NOTICE,
    NoticeBudget,
    OutboxWorker,
)
from hupan.metrics import MetricCounters, ignore_metric
from hupan.model import Limit
from hupan.ratelimit.memory import Alarms
from hupan.ratelimit.stored import StoredLimiter
from hupan.rules import NoticeLimits
from hupan.store.outbox import (
    CODE_PRIORITY,
    FIRST_NOTICE_PRIORITY,
    NOTICE_PRIORITY,
    lease_messages,
)
from tests.support.outbox import (
    DAY,
    LIFE_SECONDS,
    MAIL,
    PHONE,
    Hanging,
    ManualClock,
    OutboxHarness,
    Sender,
    open_outbox,
    until,
)
from tests.support.smtp_servers import HOST, options
from tests.support.stores import open_engine


@pytest.mark.one_engine
async def test_a_message_is_sent_once(tmp_path: Path) -> None:
    """A sent message leaves the outbox, and only the sender gets its decrypted code."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender) as our:
        await our.put("012345")
        assert b"012345" not in (tmp_path / "db-wal").read_bytes()
        assert await our.after(0) == 1
        assert await our.after(LEASE_SECONDS) == 0
    assert [(m.to, m.code, m.purpose) for m in sender.sent] == [("13800138000", "012345", "code")]


async def test_a_sure_failure_waits_longer_each_time(tmp_path: Path) -> None:
    """The retries come after 4, then 8 seconds, with the same id."""
    sender = Sender(NotSent("down", is_retryable=True), NotSent("down", is_retryable=True))
    async with open_outbox(tmp_path / "db", sender) as our:
        await our.put()
        assert await our.after(0) == 1
        assert await our.after(FIRST_RETRY_SECONDS - 1) == 0
        assert await our.after(1) == 1
        assert await our.after(2 * FIRST_RETRY_SECONDS - 1) == 0
        assert await our.after(1) == 1
    assert (sender.tries, len(sender.sent)) == (3, 1)


@pytest.mark.parametrize(
    "failure",
    [NotSent("no such number", is_retryable=False), OutcomeUnknown("lost"), ZeroDivisionError()],
    ids=["refused", "unknown", "broken sender"],
)
async def test_what_must_not_be_repeated_is_not(tmp_path: Path, failure: Exception) -> None:
    """A permanent refusal, an unknown outcome and a broken sender end a message (security R07)."""
    sender = Sender(failure)
    async with open_outbox(tmp_path / "db", sender) as our:
        await our.put()
        await our.after(0)
        await our.after(LIFE_SECONDS - 1)
    assert (sender.tries, sender.sent) == (1, [])


async def test_an_old_code_is_not_sent(tmp_path: Path) -> None:
    """A code that expired while its sender was down is useless."""
    sender = Sender(NotSent("down", is_retryable=True))
    async with open_outbox(tmp_path / "db", sender) as our:
        await our.put()
        await our.after(0)
        await our.after(LIFE_SECONDS)
        await our.after(LIFE_SECONDS)
    assert (sender.tries, sender.sent) == (1, [])


async def test_a_replaced_code_is_not_tried_again(tmp_path: Path) -> None:
    """A code that waits for a retry is not sent once a new one has replaced it."""
    sender = Sender(NotSent("down", is_retryable=True))
    async with open_outbox(tmp_path / "db", sender) as our:
        await our.put("111111")
        await our.after(0)
        await our.put("222222")
        await our.after(10)
        await our.after(60)
    assert [message.code for message in sender.sent] == ["222222"]


async def test_a_decoy_is_never_sent(tmp_path: Path) -> None:
    """A message for an unknown address costs a row and a read, and reaches no sender (E2)."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender) as our:
        await our.put(purpose=DISCARD_PURPOSE)
        assert await our.after(0) == 1
        assert await our.after(LEASE_SECONDS) == 0
    assert sender.tries == 0


async def test_two_workers_share_without_doubles(tmp_path: Path) -> None:
    """Two servers with one outbox send each message once."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender) as our:
        other = OutboxWorker(
            our.engine, our.clock, our.secret_box, {"sms": sender, "email": sender}
        )
        for number in range(40):
            await our.put(f"{number:06}")
        while sum(await asyncio.gather(our.worker.send_due(), other.send_due())):
            pass
    assert sorted(int(message.code) for message in sender.sent) == list(range(40))


async def test_draining_waits_for_no_dead_server(tmp_path: Path) -> None:
    """A message leased by a killed server keeps its lease; draining does not wait for it."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender) as our:
        await our.put("111111")
        now = int(our.clock.now())
        await our.engine.run_transaction(
            lambda tx: lease_messages(
                tx, "sms", CODE_PRIORITY, now=now, leased_until=now + LEASE_SECONDS, max_rows=1
            )
        )
        await our.put("222222")
        async with asyncio.timeout(10):
            await our.worker.drain()
        assert [message.code for message in sender.sent] == ["222222"]
        await our.after(LEASE_SECONDS)
    assert [message.code for message in sender.sent] == ["222222"]


async def test_many_drain_at_once(tmp_path: Path) -> None:
    """Each caller finds its own message sent, though all exceed one batch; they share rounds."""
    sender = Sender()
    count = 3 * MAX_CODES_IN_FLIGHT
    async with open_outbox(tmp_path / "db", sender) as our:

        async def ask(number: int) -> bool:
            await our.put(f"{number:06}")
            await our.worker.drain()
            return f"{number:06}" in {message.code for message in sender.sent}

        async with asyncio.timeout(60):
            assert all(await asyncio.gather(*(ask(number) for number in range(count))))
    assert len(sender.sent) == count


async def test_a_slow_sender_holds_up_no_other(tmp_path: Path) -> None:
    """An SMS is sent while the mail server hangs on as many mails as it gets (security R07)."""
    mail, sms = Hanging(), Sender()
    async with open_engine(tmp_path / "db") as engine:
        our = OutboxHarness(engine, sms)
        our.worker = OutboxWorker(engine, our.clock, our.secret_box, {"email": mail, "sms": sms})
        our.worker.start()
        for number in range(MAX_CODES_IN_FLIGHT + 4):
            await our.put(to=ContactAddress("email", f"{number}@a.cn", f"{number}@a.cn"))
        our.worker.notify()
        await until(lambda: mail.tries == MAX_CODES_IN_FLIGHT)
        await our.put()
        our.worker.notify()
        await until(lambda: sms.tries == 1)
        mail.go.set()
        await until(lambda: len(mail.sent) == MAX_CODES_IN_FLIGHT + 4)
        await our.worker.stop()


@pytest.mark.parametrize("is_let_go", [True, False])
async def test_stopping_sends_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_let_go: bool
) -> None:
    """A send in progress is awaited; an interrupted one is not repeated later."""
    monkeypatch.setattr("hupan.domain.outbox.MAX_STOP_SECONDS", 10.0 if is_let_go else 0.01)

    first, second = Hanging(), Sender()
    async with open_outbox(tmp_path / "db", first) as our:
        our.worker.start()
        await our.put()
        our.worker.notify()
        await until(lambda: first.tries == 1)
        if is_let_go:
            asyncio.get_running_loop().call_later(0.05, first.go.set)
        await our.worker.stop()
        assert len(first.sent) == is_let_go
        our.worker = OutboxWorker(our.engine, our.clock, our.secret_box, {"sms": second})
        await our.after(LIFE_SECONDS - 1)
    assert second.tries == 0


async def test_what_piles_up_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a broken sender the oldest beyond ten thousand are dropped (security R07)."""

    class Down(Sender):
        async def send(self, message: Message) -> None:
            del message
            raise NotSent("down", is_retryable=True)

    async def waiting(our: OutboxHarness) -> list[tuple[int, int]]:
        rows = await our.engine.fetch_all(
            "SELECT due_at, created_at FROM outbox ORDER BY created_at"
        )
        return [(int(due), int(created)) for due, created in rows]

    monkeypatch.setattr(courier, "MAX_QUEUED_MESSAGES", 10)
    async with open_outbox(tmp_path / "db", Down()) as our:
        for number in range(40):
            our.clock.time += 1
            await our.put(to=ContactAddress("sms", f"138{number:08}", f"138{number:08}"))
        our.worker.start()
        our.worker.notify()
        async with asyncio.timeout(30):
            while len(left := await waiting(our)) > 10:
                our.worker.notify()
                await asyncio.sleep(0.01)
        await our.worker.stop()
        assert left[-1][1] == our.clock.time


HOUR = 3600
CHANGED, RESET = "notice-phone-changed", "notice-password-changed"
IN_ALL, OTHERS = Limit("notices-day", 4, DAY), Limit("other-notices-day", 2, DAY)
LIMITS = NoticeLimits(first=(IN_ALL,), other=(OTHERS, IN_ALL))


def budget(counts: MetricCounters | None = None) -> NoticeBudget:
    """Return a budget of four notices a day, two of them for the first of a kind."""
    alarms = Alarms(counts or ignore_metric, ManualClock())
    return NoticeBudget(StoredLimiter(enabled=True), {"email": LIMITS}, alarms)


def person(number: int) -> ContactAddress:
    """Return the e-mail address of a user by number."""
    return ContactAddress("email", f"p{number}@example.com", f"p{number}@example.com")


async def all_sent(our: OutboxHarness, seconds: float = 0) -> None:
    """Send until nothing is due."""
    while await our.after(seconds):
        seconds = 0


async def test_notices_of_one_kind_that_wait_are_one(tmp_path: Path) -> None:
    """A second one before the first is sent is dropped; other kinds and targets are not (X4)."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender) as our:
        for _ in range(30):
            our.clock.time += 1
            await our.notify(CHANGED, MAIL, PHONE)
            await our.notify(RESET, MAIL)
        assert len(await our.waiting(FIRST_NOTICE_PRIORITY)) == 3
        assert await our.waiting(NOTICE_PRIORITY) == []
        told_at = int(our.clock.now())
        await all_sent(our)
    assert {(m.to, m.purpose) for m in sender.sent} == {
        (MAIL.address, CHANGED),
        (PHONE.address, CHANGED),
        (MAIL.address, RESET),
    }
    assert {message.created_at for message in sender.sent} == {told_at}  # the newest event's


async def test_one_that_is_under_way_does_not_stand_for_a_later_change(tmp_path: Path) -> None:
    """A message being sent may be gone already: the next change sends another (security A2)."""
    sender = Sender(NotSent("down", is_retryable=True))
    async with open_outbox(tmp_path / "db", sender) as our:
        await our.notify(CHANGED, MAIL)
        await our.after(0)
        await our.notify(CHANGED, MAIL)
        await all_sent(our, LEASE_SECONDS)
    assert len(sender.sent) == 2


async def test_a_target_gets_a_kind_some_times_a_day(tmp_path: Path) -> None:
    """A change is sent five times a day, an ended session once an hour, three times a day (X4)."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender) as our:

        async def count_sent(purpose: str, times: int, every: float) -> int:
            before = len(sender.sent)
            for _ in range(times):
                await our.notify(purpose, MAIL)
                await all_sent(our)
                our.clock.time += every
            return len(sender.sent) - before

        assert await count_sent(CHANGED, 20, 60) == 5
        assert await count_sent(RESET, 20, 60) == 5  # the kinds have separate limits
        assert await count_sent(SESSION_ENDED_NOTICE, 10, 60) == 1
        our.clock.time += HOUR
        assert await count_sent(SESSION_ENDED_NOTICE, 10, HOUR) == 2
        our.clock.time += DAY
        assert await count_sent(CHANGED, 1, 0) == 1
        assert await count_sent(SESSION_ENDED_NOTICE, 1, 0) == 1


async def test_another_spelling_takes_no_first_notice_away(tmp_path: Path) -> None:
    """Spellings share limits, but each gets a first notice: mailboxes may differ (A2, X11)."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender) as our:
        other = ContactAddress("email", "mail+x@example.com", "mail+x@example.com")
        owner = ContactAddress("email", "mail@example.com", "mail@example.com")
        for target in (*[other] * 10, *[owner] * 10):
            await our.notify(CHANGED, target)
            await all_sent(our)
    assert [message.to for message in sender.sent] == [other.address] * 5 + [owner.address]


async def test_notices_use_their_part_of_the_budget_and_no_more(tmp_path: Path) -> None:
    """Excess notices wait for the next day, and an alert is raised (security X4, C11)."""
    counts = MetricCounters()

    sender = Sender()
    async with open_outbox(tmp_path / "db", sender, budget(counts)) as our:
        for number in range(7):
            await our.notify(CHANGED, person(number))
        await all_sent(our)
        await all_sent(our, BUDGET_RETRY_SECONDS)
        assert len(sender.sent) == 4
        assert counts.counts_by_labels("alarms")[("notices-stopped",)] > 0
        for _ in range(3):
            await our.put(to=MAIL)  # codes have their own part
            await all_sent(our)
        assert [message.purpose for message in sender.sent[4:]] == ["code"] * 3
        await all_sent(our, DAY)
        recipients = [message.to for message in sender.sent if message.purpose == CHANGED]
        assert sorted(recipients) == [f"p{number}@example.com" for number in range(7)]


async def test_a_flood_of_other_notices_hides_no_change(tmp_path: Path) -> None:
    """Minor and repeated notices use half, so the first of a kind is sent (A2, X4)."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender, budget()) as our:
        for number in range(50):
            await our.notify(SESSION_ENDED_NOTICE, person(number))
        await all_sent(our)
        assert len(sender.sent) == 2
        await our.notify(CHANGED, MAIL)
        await all_sent(our)
        assert sender.sent[-1].to == MAIL.address
        await our.notify(CHANGED, MAIL)
        await all_sent(our)
        assert len(sender.sent) == 3
        assert MAIL.address in await our.waiting(NOTICE_PRIORITY)


async def test_another_try_counts_once(tmp_path: Path) -> None:
    """A notice that a server refuses temporarily uses the budget once (security X4)."""
    sender = Sender(*(NotSent("later", is_retryable=True) for _ in range(6)))
    async with open_outbox(tmp_path / "db", sender, budget()) as our:
        for number in range(4):
            await our.notify(CHANGED, person(number))
        for _ in range(6):
            await all_sent(our, LEASE_SECONDS)
    assert len(sender.sent) == 4


MANY = 10_000
PATIENCE_SECONDS = 60.0
SLOW_SECONDS = 3.0


def addresses(number: int) -> list[ContactAddress]:
    """Return addresses, each of another user."""
    return [
        ContactAddress("email", f"c{at}@example.com", f"c{at}@example.com") for at in range(number)
    ]


@pytest.mark.slow
@pytest.mark.one_engine
async def test_a_code_leaves_while_a_slow_server_has_ten_thousand_notices(tmp_path: Path) -> None:
    """With slow mails and 10,000 waiting notices a code is sent within five seconds (X4)."""
    codes: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                await asyncio.sleep(SLOW_SECONDS)
            if word == b"RCPT" and b"code@example.com" in line:
                codes.append(line.decode())
            writer.write(b"250 OK\r\n")
        writer.close()

    async with (
        open_outbox(tmp_path / "db", Sender()) as our,
        await asyncio.start_server(talk, HOST, 0) as server,
    ):
        mail = SmtpSender(options(server.sockets[0].getsockname()[1], timeout_seconds=30.0))
        our.worker = OutboxWorker(our.engine, our.clock, our.secret_box, {"email": mail})
        await our.fill(MANY // 2, NOTICE_PRIORITY)
        await our.fill(MANY // 2, FIRST_NOTICE_PRIORITY)
        our.worker.start()
        await asyncio.sleep(0.5)
        await our.put(to=ContactAddress("email", "code@example.com", "code@example.com"))
        our.worker.notify()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _until_any(codes)
        await our.worker.stop()
        assert (
            len(await our.waiting(NOTICE_PRIORITY) + await our.waiting(FIRST_NOTICE_PRIORITY))
            > MANY - 100
        )


async def _until_any(codes: list[str]) -> None:
    while not codes:  # noqa: ASYNC110 - only the mail server's list shows it
        await asyncio.sleep(0.01)


async def test_notices_that_hang_leave_all_places_of_codes_free(tmp_path: Path) -> None:
    """Notices use at most two sends of a channel; codes have all of theirs (X4)."""
    mail = Hanging()
    async with open_outbox(tmp_path / "db", mail) as our:
        await our.fill(50, FIRST_NOTICE_PRIORITY)
        our.worker.start()
        our.worker.notify()
        await until(lambda: mail.tries == MAX_NOTICES_IN_FLIGHT)
        for target in addresses(MAX_CODES_IN_FLIGHT):
            await our.put(to=target)
        our.worker.notify()
        await until(lambda: mail.tries == MAX_NOTICES_IN_FLIGHT + MAX_CODES_IN_FLIGHT)
        mail.go.set()
        await until(lambda: len(mail.sent) == 50 + MAX_CODES_IN_FLIGHT)
        await our.worker.stop()


async def test_a_batch_begins_with_codes_and_ends_with_minor_notices(tmp_path: Path) -> None:
    """Messages due together are sent by priority, not by age (security X4)."""
    sender = Sender()
    async with open_outbox(tmp_path / "db", sender) as our:
        await our.notify("notice-session-ended", MAIL)
        our.clock.time += 1
        await our.notify("notice-email-changed", MAIL)
        our.clock.time += 1
        await our.put(to=PHONE)
        await our.put(to=MAIL)
        while await our.after(1):
            pass
    assert [message.purpose for message in sender.sent] == [
        "code",
        "code",
        "notice-email-changed",
        "notice-session-ended",
    ]


async def test_surplus_is_dropped_from_each_priority_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Excess notices, even of one second, replace no code and no notice before them (X4)."""
    monkeypatch.setattr(courier, "MAX_QUEUED_MESSAGES", 5)

    mail = Hanging()
    async with open_outbox(tmp_path / "db", mail) as our:
        for target in addresses(3):
            await our.put(to=target)
        await our.fill(4, FIRST_NOTICE_PRIORITY)
        our.clock.time += 60
        await our.fill(2500, NOTICE_PRIORITY)
        our.worker.start()
        our.worker.notify()
        async with asyncio.timeout(30):
            while len(await our.waiting(NOTICE_PRIORITY)) > 5:
                our.worker.notify()
                await asyncio.sleep(0.05)
        assert len(await our.waiting(CODE_PRIORITY)) == 3
        assert len(await our.waiting(FIRST_NOTICE_PRIORITY)) == 4
        mail.go.set()
        await our.worker.stop()
