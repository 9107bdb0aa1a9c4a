"""Outbox: codes and notices are written in a transaction, then sent by a worker (R07, X4).

Codes in the outbox are encrypted. Notices count against the server's daily budget when they are
sent: if it is spent, they wait for the next day. Half of the budget is reserved for the first
notice of a kind to a contact in a day, so that a change of an account is not hidden behind a flood
of other notices.

Notices of one kind to one contact are limited, so an attacker that causes them cannot flood it. But
each change of how an account can be entered must be reported at least once: the first notice of
such a kind to a contact in a day has priority over all others, even in the budget.

A slow sender delays no request (security R07), and notices delay no code (security X4): codes are
leased first, and notices leave part of a sender's capacity to codes. A message is sent under a
lease, so only one of several servers sends it. Definite failures are retried with increasing delays
until the message expires; an unknown outcome is not retried, so a code never arrives twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from hupan.addresses import ContactAddress
from hupan.background import BackgroundTask, report_failure
from hupan.clock import Clock
from hupan.crypto import SecretBox
from hupan.delivery.sender import Message, NotSent, OutcomeUnknown, Sender
from hupan.metrics import IncrementMetric, ignore_metric
from hupan.model import Channel, Limit, StoreUnavailable
from hupan.ratelimit.memory import Alarms
from hupan.ratelimit.stored import StoredLimiter, notices_key, spelling_suffix
from hupan.rng import RandomSource
from hupan.rules import DAY_SECONDS, HOUR_SECONDS, NoticeLimits
from hupan.store.database import Database, Transaction
from hupan.store.outbox import (
    CODE_PRIORITY,
    FIRST_NOTICE_PRIORITY,
    NOTICE_PRIORITY,
    PRIORITIES,
    OutboxMessage,
    count_messages,
    delete_message,
    delete_oldest_messages,
    delete_unsent_codes,
    has_surplus_messages,
    insert_message,
    lease_messages,
    lease_messages_to,
    list_next_due,
    renew_pending_notice,
    reschedule_message,
    return_lease,
)

OUTBOX_KEY_PURPOSE = "outbox"
DISCARD_PURPOSE = "discard"
"""Purpose of a message that is never sent; it costs as much as a real one (security E2)."""
NOTICE_LIFETIME_SECONDS = 2 * DAY_SECONDS
"""How long an unsent notice is kept: into the budget of the next day."""
RecentTarget: TypeAlias = tuple[Channel, int, str]
"""Channel, priority and address."""
_NO_CODE = b""
_ID_BYTES = 16


@dataclass(slots=True)
class _Asked:
    added_at: float
    next_at: float
    wait_seconds: float


class RecentTargets:
    """Recipients of this process, until their messages are sent or the whole outbox was listed.

    On a distributed database a listing asks every machine, one target only its own: and with a
    machine away there is no listing, but an answer for each target on the others.
    """

    def __init__(self) -> None:
        self._asked: dict[RecentTarget, _Asked] = {}  # the oldest first

    def add(self, target: RecentTarget, now: float) -> None:
        """Add a target; beyond the bound the oldest is dropped, as its code expires first."""
        self._asked.pop(target, None)
        if len(self._asked) >= MAX_RECENT_TARGETS:
            del self._asked[next(iter(self._asked))]
        self._asked[target] = _Asked(now, now, FIRST_TARGET_WAIT_SECONDS)

    def remove(self, target: RecentTarget, added_until: float) -> None:
        """Drop a target, unless it was added again after a time."""
        if target in self._asked and self._asked[target].added_at <= added_until:
            del self._asked[target]

    def forget_until(self, time: float) -> None:
        """Drop the targets added until a time."""
        while self._asked:
            oldest = next(iter(self._asked))
            if self._asked[oldest].added_at > time:
                return
            del self._asked[oldest]

    def next_at(self) -> float | None:
        """Return when the next target is to be asked for, None if there is none."""
        return min((asked.next_at for asked in self._asked.values()), default=None)

    def take_due(self, now: float) -> list[RecentTarget]:
        """Return the targets to ask for now; each is due again after twice the time."""
        due = [target for target, asked in self._asked.items() if asked.next_at <= now]
        for target in due:
            asked = self._asked[target]
            asked.next_at = now + asked.wait_seconds
            asked.wait_seconds = min(2 * asked.wait_seconds, MAX_TARGET_WAIT_SECONDS)
        return due


class OutboxWriter:
    """Inserts messages into the outbox."""

    def __init__(
        self,
        secret_box: SecretBox,
        random_source: RandomSource,
        recent_targets: RecentTargets | None = None,
    ) -> None:
        self._secret_box = secret_box
        self._random_source = random_source
        self._recent_targets = recent_targets

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
        """Insert a code; an older one to this contact that was not sent yet is deleted."""
        await delete_unsent_codes(tx, target.channel, target.address)
        encrypted = self._secret_box.encrypt(OUTBOX_KEY_PURPOSE, code.encode())
        await insert_message(
            tx, self._make_message(target, purpose, encrypted, now, expires_at, CODE_PRIORITY)
        )

    def make_notice(
        self, target: ContactAddress, purpose: str, priority: int, *, now: int
    ) -> OutboxMessage:
        """Return a notice to insert; its purpose begins with `notice-` (security A2)."""
        expires_at = now + NOTICE_LIFETIME_SECONDS
        return self._make_message(target, purpose, _NO_CODE, now, expires_at, priority)

    def _make_message(
        self,
        target: ContactAddress,
        purpose: str,
        encrypted_code: bytes,
        now: int,
        expires_at: int,
        priority: int,
    ) -> OutboxMessage:
        if self._recent_targets is not None:
            self._recent_targets.add((target.channel, priority, target.address), now)
        return OutboxMessage(
            target=target.address,
            id=self._random_source.token_bytes(_ID_BYTES).hex(),
            channel=target.channel,
            purpose=purpose,
            encrypted_code=encrypted_code,
            created_at=now,
            expires_at=expires_at,
            priority=priority,
        )


class NoticeBudget:
    """Daily budget of notices."""

    def __init__(
        self, limiter: StoredLimiter, limits: Mapping[Channel, NoticeLimits], alarms: Alarms
    ) -> None:
        self._limiter = limiter
        self._limits = limits
        self._alarms = alarms

    async def take(self, tx: Transaction, channel: Channel, priority: int, now: int) -> bool:
        """Count one notice; return False, without counting it, if the budget is spent."""
        budgets = self._limits.get(channel)
        if budgets is None:
            return True
        limits = budgets.first if priority == FIRST_NOTICE_PRIORITY else budgets.other
        if await self._limiter.take(tx, f"notices:{channel}", limits, now):
            return True
        self._alarms.raise_alarm("notices-stopped", channel=channel)
        return False


SESSION_ENDED_NOTICE = "notice-session-ended"
FIRST_NOTICE_OF_DAY = Limit("first-notice", 1, DAY_SECONDS)
NOTICE_LIMITS = (Limit("target-notices-day", 5, DAY_SECONDS),)
"""Notices of one kind to one contact."""
MINOR_NOTICE_LIMITS: Mapping[str, tuple[Limit, ...]] = {
    SESSION_ENDED_NOTICE: (
        Limit("target-notices-hour", 1, HOUR_SECONDS),
        Limit("target-notices-day", 3, DAY_SECONDS),
    ),
}
"""Notices of kinds that do not change access to an account; they are never first."""


def notice_limits(purpose: str) -> tuple[Limit, ...]:
    return MINOR_NOTICE_LIMITS.get(purpose, NOTICE_LIMITS)


class NoticeQueue:
    """Enqueues notices to contacts.

    Args:
        outbox: creates the messages.
        notify_worker: called when a message may be due.
        limiter: limits the notices to each contact; None for those caused by operators.
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
        """Enqueue one notice per recipient, in the transaction that it reports."""
        for target in dict.fromkeys(recipients):
            await self._enqueue(tx, target, purpose, now)

    def flush(self) -> None:
        """Notify the worker, after the transaction has committed."""
        self._notify_worker()

    async def _enqueue(
        self, tx: Transaction, target: ContactAddress, purpose: str, now: int
    ) -> None:
        # Unless a pending notice says the same, or there were too many.
        subject = notices_key(target.channel, target.key) + purpose
        # Per spelling: at some hosts the others belong to other people: these must not use up
        # the one notice that the owner gets at least (security A2).
        is_first = purpose not in MINOR_NOTICE_LIMITS and await self._limiter.take_optional(
            tx, subject + spelling_suffix(target.key), FIRST_NOTICE_OF_DAY, now
        )
        priority = FIRST_NOTICE_PRIORITY if is_first else NOTICE_PRIORITY
        message = self._outbox.make_notice(target, purpose, priority, now=now)
        if await renew_pending_notice(tx, message):
            return
        is_within = await self._limiter.take(tx, subject, notice_limits(purpose), now)
        if is_first or is_within:
            await insert_message(tx, message)


MAX_CODES_IN_FLIGHT = 16
"""Per channel, so that a hanging sender delays no other channel."""
MAX_NOTICES_IN_FLIGHT = 2
"""Per channel, and fewer than a gateway has threads, so notices never fill a slow sender."""
MAX_QUEUED_MESSAGES = 10_000
"""Per channel and priority. Beyond it the oldest are dropped, because codes expire in order (R07).

Each priority has its own bound, so notices never displace codes.
"""
BUDGET_RETRY_SECONDS = 600
"""How long notices wait before they try the daily budget again, once it is spent."""
SURPLUS_CHECK_SECONDS = 1.0
LEASE_SECONDS = 600
"""Longer than any send takes and any code is valid, so no other server sends the message."""
FIRST_RETRY_SECONDS = 4
"""Before the first retry; each further one waits twice as long."""
MAX_SLEEP_SECONDS = 5.0
LISTING_SECONDS = MAX_SLEEP_SECONDS
"""How often each process lists the outbox of a distributed database, for what others left."""
LISTING_PAUSE_SECONDS = 15.0
"""How long targets are asked for one by one after the outbox could not be listed."""
TARGET_POLL_SECONDS = 1.0
FIRST_TARGET_WAIT_SECONDS = 0.25
"""A target may be asked for before its message is committed."""
MAX_TARGET_WAIT_SECONDS = 60.0
MAX_RECENT_TARGETS = 10_000
MAX_TARGETS_AT_ONCE = 4
"""Fewer than a pool has connections: each may wait for a machine that does not answer."""
MAX_CHANGE_SECONDS = 60
"""Longer than a transaction takes from creating a message to its commit."""
MAX_STOP_SECONDS = 3.0
"""How long the server waits for running sends when it stops."""
_MAX_IN_FLIGHT = {
    CODE_PRIORITY: MAX_CODES_IN_FLIGHT,
    FIRST_NOTICE_PRIORITY: MAX_NOTICES_IN_FLIGHT,
    NOTICE_PRIORITY: MAX_NOTICES_IN_FLIGHT,
}
_log = logging.getLogger("hupan.courier")


class OutboxWorker:
    """Sends the messages in the outbox in the background."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        secret_box: SecretBox,
        senders: Mapping[Channel, Sender],
        count: IncrementMetric = ignore_metric,
        budget: NoticeBudget | None = None,
        recent_targets: RecentTargets | None = None,
        is_partial: Callable[[], bool] = lambda: False,
        is_distributed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._is_partial = is_partial
        self._is_distributed = is_distributed
        self._recent_targets = RecentTargets() if recent_targets is None else recent_targets
        self._list_again_at = -1.0
        self._has_listed = False  # since surplus was last looked for
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
        self._round_lock = asyncio.Lock()
        self._begun_rounds = self._exhaustive_round = 0
        self._met_bound = False  # whether the last round may have left something due
        self._budget = budget
        self._over_budget_until: dict[tuple[Channel, int], float] = {}
        self._surplus_checked_at = -SURPLUS_CHECK_SECONDS
        self._codes: dict[Channel, set[asyncio.Task[None]]] = {name: set() for name in senders}
        self._notices: dict[Channel, set[asyncio.Task[None]]] = {name: set() for name in senders}

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        """Stop: wait a while for running sends; all other messages stay in the outbox.

        The message of a send that is cancelled may have left, so it is not sent again.
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
        """Notify the worker that a message may be due."""
        self._work_available.set()

    async def send_due(self) -> int:
        """Send what is due now and wait for it; return how many messages were started."""
        started = await self._start_due()
        await asyncio.gather(*self._in_flight())
        return started

    async def drain(self) -> None:
        """Return once everything that is due now was sent; for senders that never fail.

        Any number of callers share a round that begins after their calls: with a round each, one
        of them would always be running, and no caller would ever find the outbox idle.
        """
        begun = self._begun_rounds
        self._list_again_at = -1.0
        while self._exhaustive_round <= begun:
            async with self._round_lock:
                if self._exhaustive_round <= begun:
                    await self._start_round()
            if in_flight := self._in_flight():
                await asyncio.wait(in_flight)

    async def _run_round(self) -> None:
        await self._wait_for_work()
        while await self._start_due():
            pass
        if self._has_listed or not self._is_listing_paused():
            await self._drop_surplus()

    def _is_listing_paused(self) -> bool:
        return asyncio.get_running_loop().time() < self._list_again_at

    async def _wait_for_work(self) -> None:
        if self._is_listing_paused():
            delay = self._seconds_until_target()
        else:
            try:
                due = await self._seconds_until_due()
            except StoreUnavailable:
                if not self._is_partial():
                    raise
                return  # the round meets it again, and asks for the recent targets
            delay = min(due.values(), default=MAX_SLEEP_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(delay, 0.0), MAX_SLEEP_SECONDS)):
                await self._work_available.wait()
        self._work_available.clear()

    def _seconds_until_target(self) -> float:
        if not self._is_distributed():
            return TARGET_POLL_SECONDS
        until_listing = self._list_again_at - asyncio.get_running_loop().time()
        next_at = self._recent_targets.next_at()
        if next_at is None:
            return until_listing
        return min(until_listing, next_at - self._clock.now())

    async def _seconds_until_due(self) -> dict[tuple[Channel, int], float]:
        # Only what has room to be sent; codes first.
        due = await list_next_due(self._database, at_once=self._is_distributed())
        now = self._clock.now()
        return {
            (channel, priority): due[channel, priority] - now
            for priority in PRIORITIES
            for channel in self._senders
            if (channel, priority) in due and self._free_slots(channel, priority) > 0
        }

    async def _start_due(self) -> int:
        async with self._round_lock:
            return await self._start_round()

    async def _start_round(self) -> int:
        self._begun_rounds += 1
        number = self._begun_rounds
        self._met_bound = any(
            len(self._tasks_of(channel, priority)) >= _MAX_IN_FLIGHT[priority]
            for channel in self._senders
            for priority in PRIORITIES
        )
        started = await self._start_some()
        if not self._met_bound:  # all that was due when it began is leased
            self._exhaustive_round = number
        elif self._is_distributed() and not self._is_partial():
            self._list_again_at = -1.0  # as soon as there is room
        return started

    async def _start_some(self) -> int:
        try:
            if self._is_listing_paused():
                return await self._start_recent()
            return await self._start_listed()
        except StoreUnavailable as error:
            if not self._is_partial():
                raise
            report_failure("courier", error, self._count, (StoreUnavailable,))
            self._has_listed = False
            self._list_again_at = asyncio.get_running_loop().time() + LISTING_PAUSE_SECONDS
            return await self._start_recent()

    async def _start_listed(self) -> int:
        began_at = self._clock.now()
        due = await self._seconds_until_due()
        started = [
            await self._start_due_of(channel, priority)
            for (channel, priority), delay in due.items()
            if delay <= 0
        ]
        self._recent_targets.forget_until(began_at - MAX_CHANGE_SECONDS)
        self._has_listed = True
        if self._is_distributed() and not self._met_bound:
            wait = min((delay for delay in due.values() if delay > 0), default=LISTING_SECONDS)
            self._list_again_at = asyncio.get_running_loop().time() + min(wait, LISTING_SECONDS)
        return sum(started)

    async def _start_recent(self) -> int:
        now = self._clock.now()
        self._recent_targets.forget_until(now - LEASE_SECONDS)
        targets = iter(self._recent_targets.take_due(now))

        async def ask() -> int:
            started = 0
            for channel, priority, address in targets:
                with contextlib.suppress(StoreUnavailable):  # its machine is unavailable
                    started += await self._start_due_of(channel, priority, address)
            return started

        return sum(await asyncio.gather(*(ask() for _ in range(MAX_TARGETS_AT_ONCE))))

    async def _start_due_of(self, channel: Channel, priority: int, target: str = "") -> int:
        room = self._free_slots(channel, priority)
        if room <= 0:  # another round took it meanwhile
            return 0
        leased = await self._database.run_transaction(
            lambda tx: self._lease(tx, channel, priority, room, target)
        )
        self._met_bound = self._met_bound or len(leased) >= room
        tasks = self._tasks_of(channel, priority)

        def ended(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            self._work_available.set()  # its slot is free only now

        for row in leased:
            task = asyncio.create_task(self._send(row))
            tasks.add(task)
            task.add_done_callback(ended)
        return len(leased)

    async def _lease(
        self, tx: Transaction, channel: Channel, priority: int, room: int, target: str
    ) -> list[OutboxMessage]:
        # Notices beyond the daily budget wait.
        now = int(self._clock.now())
        lease = partial(lease_messages_to, tx, target) if target else partial(lease_messages, tx)
        leased = await lease(
            channel, priority, now=now, leased_until=now + LEASE_SECONDS, max_rows=room
        )
        if priority == CODE_PRIORITY or self._budget is None:
            return leased
        admitted = []
        for row in leased:
            # A retry of an unsent notice is not counted again.
            if row.attempts > 1 or await self._budget.take(tx, channel, priority, now):
                admitted.append(row)
            else:
                self._over_budget_until[channel, priority] = now + BUDGET_RETRY_SECONDS
                await return_lease(tx, row, now)
        return admitted

    async def _drop_surplus(self) -> None:
        # Too many messages wait when a sender is down.
        now = asyncio.get_running_loop().time()
        if now < self._surplus_checked_at + SURPLUS_CHECK_SECONDS:
            return
        self._surplus_checked_at = now
        self._has_listed = False
        if self._is_distributed():  # one statement instead of one per kind
            counts = await count_messages(self._database)
            if max(counts.values()) <= MAX_QUEUED_MESSAGES:
                return
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
            _log.warning("%s: too many messages wait; %d were dropped", channel, dropped)

    def _tasks_of(self, channel: Channel, priority: int) -> set[asyncio.Task[None]]:
        return (self._codes if priority == CODE_PRIORITY else self._notices)[channel]

    def _free_slots(self, channel: Channel, priority: int) -> int:
        wait = self._over_budget_until.get((channel, priority), 0.0) - self._clock.now()
        if 0 < wait <= BUDGET_RETRY_SECONDS:  # no clock that jumps back makes it longer
            return 0
        return _MAX_IN_FLIGHT[priority] - len(self._tasks_of(channel, priority))

    def _in_flight(self) -> set[asyncio.Task[None]]:
        kinds = (*self._codes.values(), *self._notices.values())
        return {task for tasks in kinds for task in tasks}

    async def _send(self, row: OutboxMessage) -> None:
        # After an unexpected error the message is sent again when its lease ends.
        try:
            await self._send_and_record(row)
        except Exception as error:  # noqa: BLE001 - nothing awaits the task
            report_failure("courier", error, self._count)

    async def _send_and_record(self, row: OutboxMessage) -> None:
        retry_at = await self._attempt_send(row)
        try:
            if retry_at is None:
                await self._database.run_transaction(lambda tx: delete_message(tx, row))
                target = (row.channel, row.priority, row.target)
                self._recent_targets.remove(target, row.created_at)
            else:
                await self._database.run_transaction(
                    lambda tx: reschedule_message(tx, row, retry_at)
                )
        except StoreUnavailable:
            _log.warning("%s %s: the outcome could not be stored", row.channel, row.id)

    async def _attempt_send(self, row: OutboxMessage) -> int | None:
        # Returns when to retry, or None if the message is done.
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
            wait_seconds: int = FIRST_RETRY_SECONDS * 2 ** (row.attempts - 1)
            return now + wait_seconds if failure.is_retryable else None
        except OutcomeUnknown as failure:
            outcome = "unknown"
            _log.warning("%s %s may have been sent: %s", row.channel, row.id, failure)
        except asyncio.CancelledError:
            outcome = "unknown"
            _log.warning("%s %s was interrupted: it may have been sent", row.channel, row.id)
        except Exception:  # noqa: BLE001 - a broken sender must not stop the worker
            outcome = "failed"
            _log.exception("%s %s: the sender failed unexpectedly", row.channel, row.id)
        finally:
            self._count("messages", row.channel, outcome)
        return None

    def _decrypt_message(self, row: OutboxMessage) -> Message | None:
        # Returns None if there is nothing to send, or the code was encrypted with another key.
        if row.purpose == DISCARD_PURPOSE:
            return None
        code = (
            self._secret_box.decrypt(OUTBOX_KEY_PURPOSE, row.encrypted_code)
            if row.encrypted_code
            else b""
        )
        if code is None:
            _log.error("%s %s was encrypted with another key", row.channel, row.id)
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
