"""The courier: takes messages from the outbox and hands them to a sender, never inline.

A slow sender slows nobody (security R07). A message is taken under a lease, so one of several
servers sends it; sure failures are tried again with longer and longer waits until the message is
of no use any more; an unknown outcome is not, so a code never arrives twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from hupan.clock import Clock
from hupan.delivery.message import Message
from hupan.delivery.protocol import NotSent, OutcomeUnknown, Sender
from hupan.domain.messages import DISCARDED, SEAL_PURPOSE
from hupan.model import Channel, StoreUnavailable
from hupan.seal import Seal
from hupan.store.engine import Engine
from hupan.store.outbox import (
    OutboxMessage,
    find_next_due,
    lease_due,
    put_off,
    remove_message,
)

MOST_AT_ONCE = 16
LEASE_SECONDS = 60
FIRST_WAIT_SECONDS = 2
LONGEST_SLEEP_SECONDS = 5.0
DRAIN_PAUSE_SECONDS = 0.001
_log = logging.getLogger("hupan.courier")


class Courier:
    """Empties the outbox as long as it runs."""

    def __init__(
        self, engine: Engine, clock: Clock, seal: Seal, senders: Mapping[Channel, Sender]
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._seal = seal
        self._senders = senders
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._rounds = 0  # calls of send_due that have not ended yet

    def start(self) -> None:
        """Begins to look after the outbox."""
        self._task = asyncio.create_task(self._run(), name="courier")

    async def stop(self) -> None:
        """Ends; what has not left stays in the outbox."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for sender in self._senders.values():
            await sender.close()

    def wake(self) -> None:
        """Says that something new may be due."""
        self._wake.set()

    async def send_due(self) -> int:
        """Sends what is due now; gives how many messages it took on."""
        self._rounds += 1
        try:
            now = int(self._clock.now())
            leased = await self._engine.change(
                lambda tx: lease_due(tx, now=now, until=now + LEASE_SECONDS, most=MOST_AT_ONCE)
            )
            await asyncio.gather(*(self._send(message) for message in leased))
        finally:
            self._rounds -= 1
        return len(leased)

    async def drain(self) -> None:
        """Returns once nothing is due and nothing under way; for senders that never fail."""
        while await self.send_due() or self._rounds:
            await asyncio.sleep(DRAIN_PAUSE_SECONDS)

    async def _run(self) -> None:
        while True:
            try:
                await self._sleep()
                while await self.send_due():
                    pass
            except StoreUnavailable:
                _log.exception("the outbox cannot be read; trying again")
                await asyncio.sleep(LONGEST_SLEEP_SECONDS)

    async def _sleep(self) -> None:
        """Waits for a call, or for the next message that is due."""
        due_at = await find_next_due(self._engine)
        ahead = LONGEST_SLEEP_SECONDS if due_at is None else due_at - self._clock.now()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(max(ahead, 0.0), LONGEST_SLEEP_SECONDS)):
                await self._wake.wait()
        self._wake.clear()

    async def _send(self, row: OutboxMessage) -> None:
        """Sends one message and writes down how that went."""
        again_at = await self._outcome(row)
        if again_at is None:
            await self._engine.change(lambda tx: remove_message(tx, row))
        else:
            await self._engine.change(lambda tx: put_off(tx, row, again_at))

    async def _outcome(self, row: OutboxMessage) -> int | None:
        """Hands a message over; gives when to try again, or None when it is done with."""
        now = int(self._clock.now())
        message = self._message(row)
        if message is None or row.expires_at <= now:
            return None
        try:
            await self._senders[row.channel].send(message)
        except NotSent as failure:
            _log.warning("%s %s was not sent: %s", row.channel, row.id, failure)
            wait_seconds: int = FIRST_WAIT_SECONDS * 2**row.tries
            return now + wait_seconds if failure.again else None
        except OutcomeUnknown as failure:
            _log.warning("%s %s may have been sent: %s", row.channel, row.id, failure)
        except Exception:  # noqa: BLE001 - a broken sender must not end the courier
            _log.exception("%s %s: the sender broke", row.channel, row.id)
        return None

    def _message(self, row: OutboxMessage) -> Message | None:
        """The message to send; None when there is nothing to send, or another key sealed it."""
        if row.purpose == DISCARDED:
            return None
        code = self._seal.open(SEAL_PURPOSE, row.sealed_code) if row.sealed_code else b""
        if code is None:
            _log.error("%s %s was sealed with another key", row.channel, row.id)
            return None
        return Message(row.id, row.channel, row.target, row.purpose, code.decode(), row.created_at)
