"""Notices collapse, are limited for each target, and use a part of the budget (security X4, A2)."""

import asyncio
from pathlib import Path

from hupan.addresses import ContactAddress
from hupan.delivery.sender import NotSent
from hupan.domain.outbox import (
    BUDGET_RETRY_SECONDS,
    LEASE_SECONDS,
    SESSION_ENDED_NOTICE,
    NoticeBudget,
)
from hupan.metrics import MetricCounters, ignore_metric
from hupan.model import Limit
from hupan.ratelimit.detector import Alarms
from hupan.ratelimit.stored import StoredLimiter
from hupan.rules import NoticeLimits
from hupan.store.outbox import FIRST_NOTIFICATION_PRIORITY, NOTIFICATION_PRIORITY
from tests.domain.office import DAY, MAIL, PHONE, HandClock, Office, Sender, office

HOUR = 3600
CHANGED, RESET = "notice-phone-changed", "notice-password-changed"
IN_ALL, OTHERS = Limit("notices-day", 4, DAY), Limit("other-notices-day", 2, DAY)
LIMITS = NoticeLimits(first=(IN_ALL,), other=(OTHERS, IN_ALL))


def budget(counts: MetricCounters | None = None) -> NoticeBudget:
    """Four notices a day, two of them for those that come first."""
    alarms = Alarms(counts or ignore_metric, HandClock())
    return NoticeBudget(StoredLimiter(enabled=True), {"email": LIMITS}, alarms)


def person(number: int) -> ContactAddress:
    """Somebody's address."""
    return ContactAddress("email", f"p{number}@example.com", f"p{number}@example.com")


async def all_sent(our: Office, seconds: float = 0) -> None:
    """Send until nothing is due."""
    while await our.after(seconds):
        seconds = 0


def test_notices_of_one_kind_that_wait_are_one(tmp_path: Path) -> None:
    """A second one before the first has left says nothing new; other kinds and targets do (X4)."""

    async def scenario() -> None:
        sender = Sender()
        async with office(tmp_path / "db", sender) as our:
            for _ in range(30):
                our.clock.time += 1
                await our.tell(CHANGED, MAIL, PHONE)
                await our.tell(RESET, MAIL)
            assert len(await our.waiting(FIRST_NOTIFICATION_PRIORITY)) == 3
            assert await our.waiting(NOTIFICATION_PRIORITY) == []
            told_at = int(our.clock.now())
            await all_sent(our)
        assert {(m.to, m.purpose) for m in sender.sent} == {
            (MAIL.address, CHANGED),
            (PHONE.address, CHANGED),
            (MAIL.address, RESET),
        }
        assert {message.created_at for message in sender.sent} == {told_at}  # the newest event's

    asyncio.run(scenario())


def test_one_that_is_under_way_does_not_stand_for_a_later_change(tmp_path: Path) -> None:
    """What a sender was given may have left before: the next change is told too (security A2)."""

    async def scenario() -> None:
        sender = Sender(NotSent("down", is_retryable=True))
        async with office(tmp_path / "db", sender) as our:
            await our.tell(CHANGED, MAIL)
            await our.after(0)
            await our.tell(CHANGED, MAIL)
            await all_sent(our, LEASE_SECONDS)
        assert len(sender.sent) == 2

    asyncio.run(scenario())


def test_a_target_is_told_a_kind_some_times_a_day(tmp_path: Path) -> None:
    """A change five times a day, an ended session once an hour and three times a day (X4)."""

    async def scenario() -> None:
        sender = Sender()
        async with office(tmp_path / "db", sender) as our:

            async def told(purpose: str, times: int, every: float) -> int:
                before = len(sender.sent)
                for _ in range(times):
                    await our.tell(purpose, MAIL)
                    await all_sent(our)
                    our.clock.time += every
                return len(sender.sent) - before

            assert await told(CHANGED, 20, 60) == 5
            assert await told(RESET, 20, 60) == 5  # no kind uses another's up
            assert await told(SESSION_ENDED_NOTICE, 10, 60) == 1
            our.clock.time += HOUR
            assert await told(SESSION_ENDED_NOTICE, 10, HOUR) == 2
            our.clock.time += DAY
            assert await told(CHANGED, 1, 0) == 1
            assert await told(SESSION_ENDED_NOTICE, 1, 0) == 1

    asyncio.run(scenario())


def test_another_spelling_takes_no_first_notice_away(tmp_path: Path) -> None:
    """Spellings share the limits, but each is told once: it may be another's mailbox (A2, X11)."""

    async def scenario() -> None:
        sender = Sender()
        async with office(tmp_path / "db", sender) as our:
            other = ContactAddress("email", "mail+x@example.com", "mail+x@example.com")
            owner = ContactAddress("email", "mail@example.com", "mail@example.com")
            for target in (*[other] * 10, *[owner] * 10):
                await our.tell(CHANGED, target)
                await all_sent(our)
        assert [message.to for message in sender.sent] == [other.address] * 5 + [owner.address]

    asyncio.run(scenario())


def test_notices_use_their_part_of_the_budget_and_no_more(tmp_path: Path) -> None:
    """Those beyond wait for the next day, and an alarm rings (security X4, C11)."""
    counts = MetricCounters()

    async def scenario() -> None:
        sender = Sender()
        async with office(tmp_path / "db", sender, budget(counts)) as our:
            for number in range(7):
                await our.tell(CHANGED, person(number))
            await all_sent(our)
            await all_sent(our, BUDGET_RETRY_SECONDS)
            assert len(sender.sent) == 4
            assert counts.counts_by_labels("alarms")[("notices-stopped",)] > 0
            for _ in range(3):
                await our.put(to=MAIL)  # codes have a part of their own
                await all_sent(our)
            assert [message.purpose for message in sender.sent[4:]] == ["code"] * 3
            await all_sent(our, DAY)
            told = [message.to for message in sender.sent if message.purpose == CHANGED]
            assert sorted(told) == [f"p{number}@example.com" for number in range(7)]

    asyncio.run(scenario())


def test_a_flood_of_other_notices_hides_no_change(tmp_path: Path) -> None:
    """Minor notices, and the second of a kind, use half: the first of a kind leaves (A2, X4)."""

    async def scenario() -> None:
        sender = Sender()
        async with office(tmp_path / "db", sender, budget()) as our:
            for number in range(50):
                await our.tell(SESSION_ENDED_NOTICE, person(number))
            await all_sent(our)
            assert len(sender.sent) == 2
            await our.tell(CHANGED, MAIL)
            await all_sent(our)
            assert sender.sent[-1].to == MAIL.address
            await our.tell(CHANGED, MAIL)
            await all_sent(our)
            assert len(sender.sent) == 3
            assert MAIL.address in await our.waiting(NOTIFICATION_PRIORITY)

    asyncio.run(scenario())


def test_another_try_counts_once(tmp_path: Path) -> None:
    """A notice that a server refuses for now uses the budget up once (security X4)."""

    async def scenario() -> None:
        sender = Sender(*(NotSent("later", is_retryable=True) for _ in range(6)))
        async with office(tmp_path / "db", sender, budget()) as our:
            for number in range(4):
                await our.tell(CHANGED, person(number))
            for _ in range(6):
                await all_sent(our, LEASE_SECONDS)
        assert len(sender.sent) == 4

    asyncio.run(scenario())
