"""Codes leave before notices, however many of those wait (security X4)."""

import asyncio
from pathlib import Path

import pytest

from hupan.addresses import ContactAddress
from hupan.delivery.smtp import SmtpSender
from hupan.domain import outbox as courier
from hupan.domain.outbox import MAX_CODES_IN_FLIGHT, MAX_NOTICES_IN_FLIGHT, OutboxWorker
from hupan.store.outbox import CODE_PRIORITY, FIRST_NOTIFICATION_PRIORITY, NOTIFICATION_PRIORITY
from tests.delivery.smtp_servers import HOST, options
from tests.domain.office import MAIL, PHONE, Hanging, Sender, office, until

MANY = 10_000
PATIENCE_SECONDS = 5.0
SLOW_SECONDS = 3.0


def addresses(number: int) -> list[ContactAddress]:
    """Addresses, each of another person."""
    return [
        ContactAddress("email", f"c{at}@example.com", f"c{at}@example.com") for at in range(number)
    ]


@pytest.mark.one_engine
def test_a_code_leaves_while_a_slow_server_has_ten_thousand_notices(tmp_path: Path) -> None:
    """A mail takes seconds and 10,000 notices wait: a code is taken within five seconds (X4)."""
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

    async def scenario() -> None:
        async with (
            office(tmp_path / "db", Sender()) as our,
            await asyncio.start_server(talk, HOST, 0) as server,
        ):
            mail = SmtpSender(options(server.sockets[0].getsockname()[1], timeout_seconds=30.0))
            our.outbox_worker = OutboxWorker(our.engine, our.clock, our.secret_box, {"email": mail})
            await our.fill(MANY // 2, NOTIFICATION_PRIORITY)
            await our.fill(MANY // 2, FIRST_NOTIFICATION_PRIORITY)
            our.outbox_worker.start()
            await asyncio.sleep(0.5)
            await our.put(to=ContactAddress("email", "code@example.com", "code@example.com"))
            our.outbox_worker.notify()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await _until_any(codes)
            await our.outbox_worker.stop()
            assert (
                len(
                    await our.waiting(NOTIFICATION_PRIORITY)
                    + await our.waiting(FIRST_NOTIFICATION_PRIORITY)
                )
                > MANY - 100
            )

    asyncio.run(scenario())


async def _until_any(codes: list[str]) -> None:
    while not codes:  # noqa: ASYNC110 - the mail server's own list tells it
        await asyncio.sleep(0.01)


def test_notices_that_hang_leave_all_places_of_codes_free(tmp_path: Path) -> None:
    """Notices hold two sends of a channel; as many codes as ever are sent beside them (X4)."""

    async def scenario() -> None:
        mail = Hanging()
        async with office(tmp_path / "db", mail) as our:
            await our.fill(50, FIRST_NOTIFICATION_PRIORITY)
            our.outbox_worker.start()
            our.outbox_worker.notify()
            await until(lambda: mail.tries == MAX_NOTICES_IN_FLIGHT)
            for target in addresses(MAX_CODES_IN_FLIGHT):
                await our.put(to=target)
            our.outbox_worker.notify()
            await until(lambda: mail.tries == MAX_NOTICES_IN_FLIGHT + MAX_CODES_IN_FLIGHT)
            mail.go.set()
            await until(lambda: len(mail.sent) == 50 + MAX_CODES_IN_FLIGHT)
            await our.outbox_worker.stop()

    asyncio.run(scenario())


def test_a_batch_begins_with_codes_and_ends_with_minor_notices(tmp_path: Path) -> None:
    """What is due together leaves by priority, whatever was written first (security X4)."""

    async def scenario() -> None:
        sender = Sender()
        async with office(tmp_path / "db", sender) as our:
            await our.tell("notice-session-ended", MAIL)
            our.clock.time += 1
            await our.tell("notice-email-changed", MAIL)
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

    asyncio.run(scenario())


def test_surplus_is_dropped_from_each_priority_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many notices, even of one second, push out no code and no notice before them (X4)."""
    monkeypatch.setattr(courier, "MAX_QUEUED_MESSAGES", 5)

    async def scenario() -> None:
        mail = Hanging()
        async with office(tmp_path / "db", mail) as our:
            for target in addresses(3):
                await our.put(to=target)
            await our.fill(4, FIRST_NOTIFICATION_PRIORITY)
            our.clock.time += 60
            await our.fill(2500, NOTIFICATION_PRIORITY)
            our.outbox_worker.start()
            our.outbox_worker.notify()
            async with asyncio.timeout(30):
                while len(await our.waiting(NOTIFICATION_PRIORITY)) > 5:
                    our.outbox_worker.notify()
                    await asyncio.sleep(0.05)
            assert len(await our.waiting(CODE_PRIORITY)) == 3
            assert len(await our.waiting(FIRST_NOTIFICATION_PRIORITY)) == 4
            mail.go.set()
            await our.outbox_worker.stop()

    asyncio.run(scenario())
