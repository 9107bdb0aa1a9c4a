"""The courier: takes messages from the outbox and hands them to a sender, never inline.

A slow sender slows nobody (security R07). A message is taken under a lease, so one of several
servers sends it; sure failures are tried again with longer and longer waits until the message is
of no use any more; an unknown outcome is not, so a code never arrives twice.
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
from hupan.model import Channel, StoreUnavailable
from hupan.seal import Seal
from hupan.store.engine import Engine, Transaction
from hupan.store.outbox import (
    OutboxMessage,
    drop_oldest,
    find_next_due,
    has_surplus,
    lease_due,
    put_off,
    remove_message,
)

MOST_AT_ONCE = 16
"""Of each channel; so a channel whose sender hangs holds up no other one."""
MOST_WAITING = 10_000
"""Of each channel; beyond them the oldest are forgotten, for their codes die first (R07)."""
LEASE_SECONDS = 600
"""Longer than any send may take, and than any code lives: nobody else takes it on meanwhile."""
FIRST_WAIT_SECONDS = 2
LONGEST_SLEEP_SECONDS = 5.0
STOP_SECONDS = 3.0
"""How long sends under way may take when the server stops."""
DRAIN_PAUSE_SECONDS = 0.001
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
        self._sending: dict[Channel, set[asyncio.Task[None]]] = {name: set() for name in senders}

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
        """Waits for a call, or for the next message that is due."""
        due_at = await find_next_due(self._engine)
        ahead = LONGEST_SLEEP_SECONDS if due_at is None else due_at - self._clock.now()
        if self._is_full():
            ahead = LONGEST_SLEEP_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(ahead, 0.0), LONGEST_SLEEP_SECONDS)):
                await self._wake.wait()
        self._wake.clear()

    async def _take_on(self) -> int:
        """Begins to send what is due, as far as there is room; gives how many messages that are."""
        self._rounds += 1
        try:
            return sum([await self._take_on_channel(channel) for channel in self._senders])
        finally:
            self._rounds -= 1

    async def _take_on_channel(self, channel: Channel) -> int:
        room = MOST_AT_ONCE - len(self._sending[channel])
        if room <= 0:
            return 0
        now = int(self._clock.now())
        leased = await self._engine.change(
            lambda tx: lease_due(tx, channel, now=now, until=now + LEASE_SECONDS, most=room)
        )
        for row in leased:
            task = asyncio.create_task(self._send(row))
            self._sending[channel].add(task)
            task.add_done_callback(self._sending[channel].discard)
        return len(leased)

    async def _forget_surplus(self) -> None:
        """Forgets the oldest where too much has piled up before a sender that is down."""
        for channel in self._senders:
            if await has_surplus(self._engine, channel, MOST_WAITING):
                dropped = await self._engine.change(partial(_drop, channel))
                for _ in range(dropped):
                    self._count("messages", channel, "surplus")
                if dropped:
                    _log.warning("%s: too many messages wait; %d were given up", channel, dropped)

    def _under_way(self) -> set[asyncio.Task[None]]:
        return {task for tasks in self._sending.values() for task in tasks}

    def _is_full(self) -> bool:
        """Whether some channel has no room: what is due there waits for the end of a send."""
        return any(len(tasks) >= MOST_AT_ONCE for tasks in self._sending.values())

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
        self._wake.set()

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


async def _drop(channel: Channel, tx: Transaction) -> int:
    return await drop_oldest(tx, channel, MOST_WAITING)
