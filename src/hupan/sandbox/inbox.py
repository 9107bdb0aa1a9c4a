"""Where the sandbox shows what it "sent": codes, notices and the answers of captchas."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Literal, TypeAlias

from msgspec import Struct

from hupan.clock import Clock
from hupan.delivery.message import Message
from hupan.delivery.texts import render
from hupan.domain.targets import folded
from hupan.turns import be_a_task

MOST_ENTRIES = 10_000
EntryChannel: TypeAlias = Literal["sms", "email", "captcha", "push"]


class Entry(Struct, frozen=True, rename="camel"):
    """One message. A captcha's `to` is its id, its `code` the answer."""

    id: int
    channel: EntryChannel
    to: str
    purpose: str
    code: str
    text: str
    created_at: int


class Wanted(Struct, frozen=True):
    """Which entries somebody asks for; empty and 0 match all."""

    channel: str = ""
    to: str = ""
    since: int = 0

    def matches(self, entry: Entry) -> bool:
        """Whether an entry is asked for: targets are compared in their normal form."""
        return (
            self.channel in ("", entry.channel)
            and (self.to == "" or folded(self.to) == folded(entry.to))
            and entry.created_at >= self.since
        )


class Inbox:
    """Keeps the last messages; it is the sender of both channels."""

    def __init__(
        self,
        clock: Clock,
        brand: str,
        on_message: Callable[[Entry], None] = lambda _entry: None,
    ) -> None:
        self._on_message = on_message
        self._clock = clock
        self._brand = brand
        self._entries: deque[Entry] = deque(maxlen=MOST_ENTRIES)
        self._last_id = 0
        self._shown: set[int] = set()
        self._waiters: set[asyncio.Future[None]] = set()

    async def send(self, message: Message) -> None:
        """Takes a message as a sender does."""
        text = render(message, self._brand)
        body = f"{text.subject}\n{text.body}".strip()
        self.add(message.channel, message.to, message.purpose, message.code, body)

    async def close(self) -> None:
        """Nothing is held open."""

    def add(self, channel: EntryChannel, to: str, purpose: str, code: str, text: str) -> None:
        """Keeps a message and tells whoever waits for one."""
        self._last_id += 1
        now = int(self._clock.now())
        entry = Entry(self._last_id, channel, to, purpose, code, text, now)
        self._entries.append(entry)
        self._on_message(entry)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def show(self, wanted: Wanted) -> list[Entry]:
        """The matching messages, newest first; from now on they count as shown."""
        found = self._find(wanted)
        self._shown.update(entry.id for entry in found)
        return found

    async def wait(self, wanted: Wanted, timeout_seconds: float) -> Entry | None:
        """The newest matching message that was never shown, or else the next that comes.

        So it does not matter whether the code or the question for it was first.
        """
        await be_a_task()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while not (fresh := self._unshown(wanted)):
                    await self._next()
                self._shown.update(entry.id for entry in fresh)
                return fresh[0]
        return None

    def clear(self) -> None:
        """Forgets every message."""
        self._entries.clear()
        self._shown.clear()

    def _find(self, wanted: Wanted) -> list[Entry]:
        return [entry for entry in reversed(self._entries) if wanted.matches(entry)]

    def _unshown(self, wanted: Wanted) -> list[Entry]:
        return [entry for entry in self._find(wanted) if entry.id not in self._shown]

    async def _next(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
