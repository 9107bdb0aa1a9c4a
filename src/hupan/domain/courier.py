"""The courier: takes messages from the outbox and hands them to a sender, never inline.

A slow sender slows nobody (security R07), and notices hold up no code (security X4): codes are
taken first, and what notices may hold of a sender leaves room for codes. A message is taken under
a lease, so one of several servers sends it; sure failures are tried again with longer and longer
waits until the message is of no use any more; an unknown outcome is not, so a code never arrives
twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from functools import partial

from hupan.background import BackgroundTask, report_failure
from hupan.clock import Clock
from hupan.counting import Count, uncounted
from hupan.delivery.message import Message
from hupan.delivery.protocol import NotSent, OutcomeUnknown, Sender
from hupan.domain.messages import DISCARDED, SEAL_PURPOSE
from hupan.domain.notice_budget import NoticeBudget
from hupan.model import Channel, StoreUnavailable
from hupan.seal import Seal
from hupan.store.engine import Engine, Transaction
from hupan.store.outbox import (
    CODE,
    FIRST_NOTICE,
    NOTICE,
    PRIORITIES,
    OutboxMessage,
    drop_oldest,
    has_surplus,
    lease_due,
    list_next_due,
    put_back,
    put_off,
    remove_message,
)

MOST_AT_ONCE = 16
"""Codes of each channel; so a channel whose sender hangs holds up no other one."""
MOST_NOTICES_AT_ONCE = 2
"""Of each channel, and fewer than a gateway has threads: so notices never fill a slow sender."""
MOST_WAITING = 10_000
"""Of each channel and priority; beyond them the oldest are dropped, for codes die in order (R07).

Each priority has its own bound, so no notice pushes out a code."""
OVER_BUDGET_SECONDS = 600
"""How long notices wait before the day's budget is asked again, once it had no room for one."""
SURPLUS_CHECK_SECONDS = 1.0
LEASE_SECONDS = 600
"""Longer than any send may take, and than any code lives: nobody else takes it on meanwhile."""
FIRST_WAIT_SECONDS = 2
LONGEST_SLEEP_SECONDS = 5.0
STOP_SECONDS = 3.0
"""How long sends under way may take when the server stops."""
DRAIN_PAUSE_SECONDS = 0.001
_NOTICES = (FIRST_NOTICE, NOTICE)
_PLACES = {CODE: MOST_AT_ONCE, FIRST_NOTICE: MOST_NOTICES_AT_ONCE, NOTICE: MOST_NOTICES_AT_ONCE}
_log = logging.getLogger("hupan.courier")


class Courier:
    """Empties the outbox as long as it runs."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        seal: Seal,
        senders: Mapping[Channel, Sender],
        count: Count = uncounted,
        budget: NoticeBudget | None = None,
    ) -> None:
        self._engine = engine
        self._count = count
        self._clock = clock
        self._seal = seal
        self._senders = senders
        self._wake = asyncio.Event()
        self._task = BackgroundTask(
            "courier",
            self._round,
            expected=(StoreUnavailable,),
            longest_pause_seconds=LONGEST_SLEEP_SECONDS,
            count=count,
        )
        self._rounds = 0  # calls of _take_on that have not ended yet
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
        if under_way := self._under_way():
            await asyncio.wait(under_way, timeout=STOP_SECONDS)
        for task in self._under_way():
            task.cancel()
        await asyncio.gather(*self._under_way(), return_exceptions=True)
        for sender in self._senders.values():
            try:
                await sender.close()
            except Exception as error:  # noqa: BLE001 - the others are closed all the same
                report_failure("courier", error, self._count)

    def wake(self) -> None:
        """Says that something new may be due."""
        self._wake.set()

    async def send_due(self) -> int:
        """Sends what is due now and waits for it; gives how many messages that were."""
        taken = await self._take_on()
        await asyncio.gather(*self._under_way())
        return taken

    async def drain(self) -> None:
        """Returns once nothing is due and nothing under way; for senders that never fail."""
        while await self._take_on() or self._rounds or self._under_way():
            if under_way := self._under_way():
                await asyncio.wait(under_way)
            else:  # a round that somebody else began asks the store
                await asyncio.sleep(DRAIN_PAUSE_SECONDS)

    async def _round(self) -> None:
        await self._sleep()
        while await self._take_on():
            pass
        await self._forget_surplus()

    async def _sleep(self) -> None:
        """Wait for a call, or for the next message that is due and has room to be sent."""
        due = await self._next_due()
        ahead = min(due.values(), default=LONGEST_SLEEP_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(ahead, 0.0), LONGEST_SLEEP_SECONDS)):
                await self._wake.wait()
        self._wake.clear()

    async def _next_due(self) -> dict[tuple[Channel, int], float]:
        """In how many seconds the next message is due, of what has room to be sent; codes first."""
        due = await list_next_due(self._engine)
        now = self._clock.now()
        return {
            (channel, priority): due[channel, priority] - now
            for priority in PRIORITIES
            for channel in self._senders
            if (channel, priority) in due and self._room(channel, priority) > 0
        }

    async def _take_on(self) -> int:
        """Begins to send what is due, as far as there is room; gives how many messages that are."""
        self._rounds += 1
        try:
            due = await self._next_due()
            return sum(
                [
                    await self._take_on_of(channel, priority)
                    for (channel, priority), ahead in due.items()
                    if ahead <= 0
                ]
            )
        finally:
            self._rounds -= 1

    async def _take_on_of(self, channel: Channel, priority: int) -> int:
        room = self._room(channel, priority)
        if room <= 0:  # another round took it meanwhile
            return 0
        leased = await self._engine.change(lambda tx: self._lease(tx, channel, priority, room))
        sending = self._sending(channel, priority)

        def ended(task: asyncio.Task[None]) -> None:
            sending.discard(task)
            self._wake.set()  # only now is its place free

        for row in leased:
            task = asyncio.create_task(self._send(row))
            sending.add(task)
            task.add_done_callback(ended)
        return len(leased)

    async def _lease(
        self, tx: Transaction, channel: Channel, priority: int, room: int
    ) -> list[OutboxMessage]:
        """Take due messages; notices that the day's budget has no room for wait."""
        now = int(self._clock.now())
        leased = await lease_due(
            tx, channel, priority, now=now, until=now + LEASE_SECONDS, most=room
        )
        if priority == CODE or self._budget is None:
            return leased
        taken = []
        for row in leased:
            # Another try of one that did not leave costs nothing more.
            if row.tries > 1 or await self._budget.take(tx, channel, priority, now):
                taken.append(row)
            else:
                self._over_budget_until[channel, priority] = now + OVER_BUDGET_SECONDS
                await put_back(tx, row, now)
        return taken

    async def _forget_surplus(self) -> None:
        """Drop the oldest where too much has piled up before a sender that is down."""
        now = asyncio.get_running_loop().time()
        if now < self._surplus_checked_at + SURPLUS_CHECK_SECONDS:
            return
        self._surplus_checked_at = now
        for channel in self._senders:
            for priority in PRIORITIES:
                await self._forget_surplus_of(channel, priority)

    async def _forget_surplus_of(self, channel: Channel, priority: int) -> None:
        dropped = 0
        while await has_surplus(self._engine, channel, priority, MOST_WAITING):
            dropped += await self._engine.change(partial(_drop, channel, priority))
        for _ in range(dropped):
            self._count("messages", channel, "surplus")
        if dropped:
            _log.warning("%s: too many messages wait; %d were given up", channel, dropped)

    def _sending(self, channel: Channel, priority: int) -> set[asyncio.Task[None]]:
        return (self._codes if priority == CODE else self._notices)[channel]

    def _room(self, channel: Channel, priority: int) -> int:
        """How many more messages of a channel and priority may be under way."""
        wait = self._over_budget_until.get((channel, priority), 0.0) - self._clock.now()
        if 0 < wait <= OVER_BUDGET_SECONDS:  # no clock that jumps back makes it longer
            return 0
        return _PLACES[priority] - len(self._sending(channel, priority))

    def _under_way(self) -> set[asyncio.Task[None]]:
        kinds = (*self._codes.values(), *self._notices.values())
        return {task for tasks in kinds for task in tasks}

    async def _send(self, row: OutboxMessage) -> None:
        """Sends one message; after an error that nobody expected its lease brings another try."""
        try:
            await self._deliver(row)
        except Exception as error:  # noqa: BLE001 - the task has nobody who would hear of it
            report_failure("courier", error, self._count)

    async def _deliver(self, row: OutboxMessage) -> None:
        """Sends one message and writes down how that went."""
        again_at = await self._outcome(row)
        try:
            if again_at is None:
                await self._engine.change(lambda tx: remove_message(tx, row))
            else:
                await self._engine.change(lambda tx: put_off(tx, row, again_at))
        except StoreUnavailable:
            _log.warning("%s %s: the outcome was not kept", row.channel, row.id)

    async def _outcome(self, row: OutboxMessage) -> int | None:
        """Hands a message over; gives when to try again, or None when it is done with."""
        now = int(self._clock.now())
        message = self._message(row)
        if message is None:
            return None
        if row.expires_at <= now:
            self._count("messages", row.channel, "expired")
            return None
        told = "sent"
        try:
            await self._senders[row.channel].send(message)
        except NotSent as failure:
            told = "again" if failure.again else "failed"
            _log.warning("%s %s was not sent: %s", row.channel, row.id, failure)
            wait_seconds: int = FIRST_WAIT_SECONDS * 2**row.tries
            return now + wait_seconds if failure.again else None
        except OutcomeUnknown as failure:
            told = "unknown"
            _log.warning("%s %s may have been sent: %s", row.channel, row.id, failure)
        except asyncio.CancelledError:
            told = "unknown"
            _log.warning("%s %s was cut: it may have been sent", row.channel, row.id)
        except Exception:  # noqa: BLE001 - a broken sender must not end the courier
            told = "failed"
            _log.exception("%s %s: the sender broke", row.channel, row.id)
        finally:
            self._count("messages", row.channel, told)
        return None

    def _message(self, row: OutboxMessage) -> Message | None:
        """The message to send; None when there is nothing to send, or another key sealed it."""
        if row.purpose == DISCARDED:
            return None
        code = self._seal.open(SEAL_PURPOSE, row.sealed_code) if row.sealed_code else b""
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


async def _drop(channel: Channel, priority: int, tx: Transaction) -> int:
    return await drop_oldest(tx, channel, priority, MOST_WAITING)
