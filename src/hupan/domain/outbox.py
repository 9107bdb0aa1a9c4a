"""Messages to send are written in the change that wants them sent; codes in them are sealed.

They are counted when they leave: one that there is no room for is not lost, it waits for the budget
of the next day. Half of their share is for the first notices that a target gets of a kind in a day,
so that nobody hides a change of an account behind a flood of other notices.

Notices of one kind to one target are limited, so whoever can cause them floods nobody. What happens
to the way into an account must be told all the same, once at least: the first notice of such a kind
that a target gets in a day goes before all others, also where the budget of messages is concerned.

A slow sender slows nobody (security R07), and notices hold up no code (security X4): codes are
taken first, and what notices may hold of a sender leaves room for codes. A message is taken under
a lease, so one of several servers sends it; sure failures are tried again with longer and longer
waits until the message is of no use any more; an unknown outcome is not, so a code never arrives
twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from hupan.addresses import ContactAddress
from hupan.background import BackgroundTask, report_failure
from hupan.clock import Clock
from hupan.crypto import SecretBox
from hupan.delivery.sender import Message, NotSent, OutcomeUnknown, Sender
from hupan.metrics import IncrementMetric, ignore_metric
from hupan.model import Channel, Limit, StoreUnavailable
from hupan.ratelimit.detector import Alarms
from hupan.ratelimit.stored import StoredLimiter, notices_key, spelling_suffix
from hupan.rng import RandomSource
from hupan.rules import DAY_SECONDS, HOUR_SECONDS, NoticeLimits
from hupan.store.database import Database, Transaction
from hupan.store.outbox import (
    CODE_PRIORITY,
    FIRST_NOTIFICATION_PRIORITY,
    NOTIFICATION_PRIORITY,
    PRIORITIES,
    OutboxMessage,
    delete_message,
    delete_oldest_messages,
    delete_unsent_codes,
    has_surplus_messages,
    insert_message,
    lease_messages,
    list_next_due,
    renew_pending_notification,
    reschedule_message,
    return_lease,
)

OUTBOX_KEY_PURPOSE = "outbox"
DISCARD_PURPOSE = "discard"
"""Purpose of a message that is never sent; it costs what a real one costs (security E2)."""
NOTICE_LIFETIME_SECONDS = 2 * DAY_SECONDS
"""How long a notice that cannot be sent is tried again: into the budget of the next day."""
_NO_CODE = b""
_ID_BYTES = 16


class OutboxWriter:
    """Writes the outbox."""

    def __init__(self, secret_box: SecretBox, random_source: RandomSource) -> None:
        self._secret_box = secret_box
        self._random_source = random_source

    async def enqueue_code(
        self,
        tx: Transaction,
        target: ContactAddress,
        purpose: str,
        code: str,
        *,
        now: int,
        expires_at: int,
    ) -> None:
        """Has a code sent; an older one that could not be sent so far never will be."""
        await delete_unsent_codes(tx, target.channel, target.address)
        sealed = self._secret_box.encrypt(OUTBOX_KEY_PURPOSE, code.encode())
        await insert_message(
            tx, self._make_message(target, purpose, sealed, now, expires_at, CODE_PRIORITY)
        )

    def make_notice(
        self, target: ContactAddress, purpose: str, priority: int, *, now: int
    ) -> OutboxMessage:
        """A message that tells what happened: a purpose `notice-…` (security A2)."""
        expires_at = now + NOTICE_LIFETIME_SECONDS
        return self._make_message(target, purpose, _NO_CODE, now, expires_at, priority)

    def _make_message(
        self,
        target: ContactAddress,
        purpose: str,
        sealed_code: bytes,
        now: int,
        expires_at: int,
        priority: int,
    ) -> OutboxMessage:
        return OutboxMessage(
            target=target.address,
            id=self._random_source.token_bytes(_ID_BYTES).hex(),
            channel=target.channel,
            purpose=purpose,
            encrypted_code=sealed_code,
            created_at=now,
            expires_at=expires_at,
            priority=priority,
        )


class NoticeBudget:
    """Counts notices that leave."""

    def __init__(
        self, limiter: StoredLimiter, limits: Mapping[Channel, NoticeLimits], alarms: Alarms
    ) -> None:
        self._limiter = limiter
        self._limits = limits
        self._alarms = alarms

    async def take(self, tx: Transaction, channel: Channel, priority: int, now: int) -> bool:
        """Count one notice; False, uncounted, when there is no room for it today."""
        budgets = self._limits.get(channel)
        if budgets is None:
            return True
        limits = budgets.first if priority == FIRST_NOTIFICATION_PRIORITY else budgets.other
        if await self._limiter.take(tx, f"notices:{channel}", limits, now):
            return True
        self._alarms.raise_alarm("notices-stopped", channel=channel)
        return False


SESSION_ENDED_NOTICE = "notice-session-ended"
FIRST_NOTICE_OF_DAY = Limit("first-notice", 1, DAY_SECONDS)
NOTICE_LIMITS = (Limit("target-notices-day", 5, DAY_SECONDS),)
"""Of one kind to one target."""
MINOR_NOTICE_LIMITS: Mapping[str, tuple[Limit, ...]] = {
    SESSION_ENDED_NOTICE: (
        Limit("target-notices-hour", 1, HOUR_SECONDS),
        Limit("target-notices-day", 3, DAY_SECONDS),
    ),
}
"""Of kinds that change nothing about who may enter; none of them is ever first."""


def notice_limits(purpose: str) -> tuple[Limit, ...]:
    """Return how many notices of a kind a target gets."""
    return MINOR_NOTICE_LIMITS.get(purpose, NOTICE_LIMITS)


class NoticeQueue:
    """Tells targets.

    Args:
        messages: writes the outbox.
        notify_worker: says that something is due.
        limiter: limits the notices to each target; None for those that an operator causes.
    """

    def __init__(
        self,
        outbox: OutboxWriter,
        notify_worker: Callable[[], None],
        limiter: StoredLimiter | None = None,
    ) -> None:
        self._outbox = outbox
        self._notify_worker = notify_worker
        self._limiter = limiter or StoredLimiter(enabled=False)

    async def enqueue(
        self, tx: Transaction, recipients: Iterable[ContactAddress], purpose: str, *, now: int
    ) -> None:
        """Has each target told once, within the change that the notice is about."""
        for target in dict.fromkeys(recipients):
            await self._enqueue(tx, target, purpose, now)

    def flush(self) -> None:
        """Has the notices leave, once the change is kept."""
        self._notify_worker()

    async def _enqueue(
        self, tx: Transaction, target: ContactAddress, purpose: str, now: int
    ) -> None:
        """Write a notice, unless one that still waits says the same, or there were too many."""
        subject = notices_key(target.channel, target.key) + purpose
        # Of this very spelling: at some hosts the other ones are mailboxes of somebody else, who
        # must not use up what the owner is told at least (security A2).
        is_first = purpose not in MINOR_NOTICE_LIMITS and await self._limiter.take_optional(
            tx, subject + spelling_suffix(target.key), FIRST_NOTICE_OF_DAY, now
        )
        priority = FIRST_NOTIFICATION_PRIORITY if is_first else NOTIFICATION_PRIORITY
        message = self._outbox.make_notice(target, purpose, priority, now=now)
        if await renew_pending_notification(tx, message):
            return
        is_within = await self._limiter.take(tx, subject, notice_limits(purpose), now)
        if is_first or is_within:
            await insert_message(tx, message)


MAX_CODES_IN_FLIGHT = 16
"""Codes of each channel; so a channel whose sender hangs holds up no other one."""
MAX_NOTICES_IN_FLIGHT = 2
"""Of each channel, and fewer than a gateway has threads: so notices never fill a slow sender."""
MAX_QUEUED_MESSAGES = 10_000
"""Of each channel and priority; beyond them the oldest are dropped, for codes die in order (R07).

Each priority has its own bound, so no notice pushes out a code."""
BUDGET_RETRY_SECONDS = 600
"""How long notices wait before the day's budget is asked again, once it had no room for one."""
SURPLUS_CHECK_SECONDS = 1.0
LEASE_SECONDS = 600
"""Longer than any send may take, and than any code lives: nobody else takes it on meanwhile."""
FIRST_RETRY_SECONDS = 2
MAX_SLEEP_SECONDS = 5.0
MAX_STOP_SECONDS = 3.0
"""How long sends under way may take when the server stops."""
DRAIN_PAUSE_SECONDS = 0.001
_MAX_IN_FLIGHT = {
    CODE_PRIORITY: MAX_CODES_IN_FLIGHT,
    FIRST_NOTIFICATION_PRIORITY: MAX_NOTICES_IN_FLIGHT,
    NOTIFICATION_PRIORITY: MAX_NOTICES_IN_FLIGHT,
}
_log = logging.getLogger("hupan.courier")


class OutboxWorker:
    """Empties the outbox as long as it runs."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        secret_box: SecretBox,
        senders: Mapping[Channel, Sender],
        count: IncrementMetric = ignore_metric,
        budget: NoticeBudget | None = None,
    ) -> None:
        self._database = database
        self._count = count
        self._clock = clock
        self._secret_box = secret_box
        self._senders = senders
        self._work_available = asyncio.Event()
        self._task = BackgroundTask(
            "courier",
            self._run_round,
            expected_errors=(StoreUnavailable,),
            max_retry_seconds=MAX_SLEEP_SECONDS,
            count=count,
        )
        self._active_rounds = 0  # calls of _take_on that have not ended yet
        self._budget = budget
        self._over_budget_until: dict[tuple[Channel, int], float] = {}
        self._surplus_checked_at = -SURPLUS_CHECK_SECONDS
        self._codes: dict[Channel, set[asyncio.Task[None]]] = {name: set() for name in senders}
        self._notices: dict[Channel, set[asyncio.Task[None]]] = {name: set() for name in senders}

    def start(self) -> None:
        """Begins to look after the outbox."""
        self._task.start()

    async def stop(self) -> None:
        """Ends: sends under way are waited for a while, what is not under way stays in the outbox.

        A send that is cut may have left; its message is not sent again.
        """
        await self._task.stop()
        if in_flight := self._in_flight():
            await asyncio.wait(in_flight, timeout=MAX_STOP_SECONDS)
        for task in self._in_flight():
            task.cancel()
        await asyncio.gather(*self._in_flight(), return_exceptions=True)
        for sender in self._senders.values():
            try:
                await sender.close()
            except Exception as error:  # noqa: BLE001 - the others are closed all the same
                report_failure("courier", error, self._count)

    def notify(self) -> None:
        """Says that something new may be due."""
        self._work_available.set()

    async def send_due(self) -> int:
        """Sends what is due now and waits for it; gives how many messages that were."""
        started = await self._start_due()
        await asyncio.gather(*self._in_flight())
        return started

    async def drain(self) -> None:
        """Returns once nothing is due and nothing under way; for senders that never fail."""
        while await self._start_due() or self._active_rounds or self._in_flight():
            if in_flight := self._in_flight():
                await asyncio.wait(in_flight)
            else:  # a round that somebody else began asks the store
                await asyncio.sleep(DRAIN_PAUSE_SECONDS)

    async def _run_round(self) -> None:
        await self._wait_for_work()
        while await self._start_due():
            pass
        await self._drop_surplus()

    async def _wait_for_work(self) -> None:
        """Wait for a call, or for the next message that is due and has room to be sent."""
        due = await self._seconds_until_due()
        ahead = min(due.values(), default=MAX_SLEEP_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(ahead, 0.0), MAX_SLEEP_SECONDS)):
                await self._work_available.wait()
        self._work_available.clear()

    async def _seconds_until_due(self) -> dict[tuple[Channel, int], float]:
        """In how many seconds the next message is due, of what has room to be sent; codes first."""
        due = await list_next_due(self._database)
        now = self._clock.now()
        return {
            (channel, priority): due[channel, priority] - now
            for priority in PRIORITIES
            for channel in self._senders
            if (channel, priority) in due and self._free_slots(channel, priority) > 0
        }

    async def _start_due(self) -> int:
        """Begins to send what is due, as far as there is room; gives how many messages that are."""
        self._active_rounds += 1
        try:
            due = await self._seconds_until_due()
            return sum(
                [
                    await self._start_due_of(channel, priority)
                    for (channel, priority), ahead in due.items()
                    if ahead <= 0
                ]
            )
        finally:
            self._active_rounds -= 1

    async def _start_due_of(self, channel: Channel, priority: int) -> int:
        room = self._free_slots(channel, priority)
        if room <= 0:  # another round took it meanwhile
            return 0
        leased = await self._database.run_transaction(
            lambda tx: self._lease(tx, channel, priority, room)
        )
        tasks = self._tasks_of(channel, priority)

        def ended(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            self._work_available.set()  # only now is its place free

        for row in leased:
            task = asyncio.create_task(self._send(row))
            tasks.add(task)
            task.add_done_callback(ended)
        return len(leased)

    async def _lease(
        self, tx: Transaction, channel: Channel, priority: int, room: int
    ) -> list[OutboxMessage]:
        """Take due messages; notices that the day's budget has no room for wait."""
        now = int(self._clock.now())
        leased = await lease_messages(
            tx, channel, priority, now=now, leased_until=now + LEASE_SECONDS, max_rows=room
        )
        if priority == CODE_PRIORITY or self._budget is None:
            return leased
        admitted = []
        for row in leased:
            # Another try of one that did not leave costs nothing more.
            if row.attempts > 1 or await self._budget.take(tx, channel, priority, now):
                admitted.append(row)
            else:
                self._over_budget_until[channel, priority] = now + BUDGET_RETRY_SECONDS
                await return_lease(tx, row, now)
        return admitted

    async def _drop_surplus(self) -> None:
        """Drop the oldest where too much has piled up before a sender that is down."""
        now = asyncio.get_running_loop().time()
        if now < self._surplus_checked_at + SURPLUS_CHECK_SECONDS:
            return
        self._surplus_checked_at = now
        for channel in self._senders:
            for priority in PRIORITIES:
                await self._drop_surplus_of(channel, priority)

    async def _drop_surplus_of(self, channel: Channel, priority: int) -> None:
        dropped = 0
        while await has_surplus_messages(self._database, channel, priority, MAX_QUEUED_MESSAGES):
            dropped += await self._database.run_transaction(
                partial(_drop_oldest, channel, priority)
            )
        for _ in range(dropped):
            self._count("messages", channel, "surplus")
        if dropped:
            _log.warning("%s: too many messages wait; %d were given up", channel, dropped)

    def _tasks_of(self, channel: Channel, priority: int) -> set[asyncio.Task[None]]:
        return (self._codes if priority == CODE_PRIORITY else self._notices)[channel]

    def _free_slots(self, channel: Channel, priority: int) -> int:
        """How many more messages of a channel and priority may be under way."""
        wait = self._over_budget_until.get((channel, priority), 0.0) - self._clock.now()
        if 0 < wait <= BUDGET_RETRY_SECONDS:  # no clock that jumps back makes it longer
            return 0
        return _MAX_IN_FLIGHT[priority] - len(self._tasks_of(channel, priority))

    def _in_flight(self) -> set[asyncio.Task[None]]:
        kinds = (*self._codes.values(), *self._notices.values())
        return {task for tasks in kinds for task in tasks}

    async def _send(self, row: OutboxMessage) -> None:
        """Sends one message; after an error that nobody expected its lease brings another try."""
        try:
            await self._send_and_record(row)
        except Exception as error:  # noqa: BLE001 - the task has nobody who would hear of it
            report_failure("courier", error, self._count)

    async def _send_and_record(self, row: OutboxMessage) -> None:
        """Sends one message and writes down how that went."""
        retry_at = await self._attempt_send(row)
        try:
            if retry_at is None:
                await self._database.run_transaction(lambda tx: delete_message(tx, row))
            else:
                await self._database.run_transaction(
                    lambda tx: reschedule_message(tx, row, retry_at)
                )
        except StoreUnavailable:
            _log.warning("%s %s: the outcome was not kept", row.channel, row.id)

    async def _attempt_send(self, row: OutboxMessage) -> int | None:
        """Hands a message over; gives when to try again, or None when it is done with."""
        now = int(self._clock.now())
        message = self._decrypt_message(row)
        if message is None:
            return None
        if row.expires_at <= now:
            self._count("messages", row.channel, "expired")
            return None
        outcome = "sent"
        try:
            await self._senders[row.channel].send(message)
        except NotSent as failure:
            outcome = "again" if failure.is_retryable else "failed"
            _log.warning("%s %s was not sent: %s", row.channel, row.id, failure)
            wait_seconds: int = FIRST_RETRY_SECONDS * 2**row.attempts
            return now + wait_seconds if failure.is_retryable else None
        except OutcomeUnknown as failure:
            outcome = "unknown"
            _log.warning("%s %s may have been sent: %s", row.channel, row.id, failure)
        except asyncio.CancelledError:
            outcome = "unknown"
            _log.warning("%s %s was cut: it may have been sent", row.channel, row.id)
        except Exception:  # noqa: BLE001 - a broken sender must not end the courier
            outcome = "failed"
            _log.exception("%s %s: the sender broke", row.channel, row.id)
        finally:
            self._count("messages", row.channel, outcome)
        return None

    def _decrypt_message(self, row: OutboxMessage) -> Message | None:
        """The message to send; None when there is nothing to send, or another key sealed it."""
        if row.purpose == DISCARD_PURPOSE:
            return None
        code = (
            self._secret_box.decrypt(OUTBOX_KEY_PURPOSE, row.encrypted_code)
            if row.encrypted_code
            else b""
        )
        if code is None:
            _log.error("%s %s was sealed with another key", row.channel, row.id)
            return None
        return Message(
            row.id,
            row.channel,
            row.target,
            row.purpose,
            code.decode(),
            row.created_at,
            row.expires_at - row.created_at,
        )


async def _drop_oldest(channel: Channel, priority: int, tx: Transaction) -> int:
    return await delete_oldest_messages(tx, channel, priority, MAX_QUEUED_MESSAGES)
