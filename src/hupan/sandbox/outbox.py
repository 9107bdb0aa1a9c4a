"""Captures the messages that the sandbox would send, and prints their codes on the terminal."""

import asyncio
import contextlib
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Literal, TextIO, TypeAlias

from msgspec import Struct

from hupan.addresses import fold_for_search
from hupan.background import ensure_task
from hupan.clock import Clock
from hupan.delivery.sender import Message
from hupan.delivery.texts import render

MAX_CAPTURED_MESSAGES = 10_000
CapturedChannel: TypeAlias = Literal["sms", "email", "captcha", "push"]


class CapturedMessage(Struct, frozen=True, rename="camel"):
    """One message. A captcha's `to` is its id, its `code` the answer."""

    id: int
    channel: CapturedChannel
    to: str
    purpose: str
    code: str
    text: str
    created_at: int


class MessageFilter(Struct, frozen=True):
    """Which messages a request asks for; empty and 0 match all.

    Targets are compared in their normal form.
    """

    channel: str = ""
    to: str = ""
    since: int = 0


class MessageCapture:
    """Keeps the last messages; the sender of both channels.

    They are also kept by target, in its normal form: a test asks for those of one target after
    each step, and would read all others too.
    """

    def __init__(
        self,
        clock: Clock,
        brand: str,
        on_message: Callable[[CapturedMessage], None] = lambda _entry: None,
    ) -> None:
        self._on_message = on_message
        self._clock = clock
        self._brand = brand
        self._entries: deque[CapturedMessage] = deque()
        self._by_target: dict[str, deque[CapturedMessage]] = {}
        self._last_id = 0
        self._shown: set[int] = set()
        self._waiters: set[asyncio.Future[None]] = set()

    async def send(self, message: Message) -> None:
        text = render(message, self._brand)
        body = f"{text.subject}\n{text.body}".strip()
        self.add(message.channel, message.to, message.purpose, message.code, body)

    async def close(self) -> None:
        """Do nothing: no resource is held."""

    def add(self, channel: CapturedChannel, to: str, purpose: str, code: str, text: str) -> None:
        """Store a message and wake those that wait for one."""
        self._last_id += 1
        now = int(self._clock.now())
        entry = CapturedMessage(self._last_id, channel, to, purpose, code, text, now)
        self._keep(entry)
        self._on_message(entry)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    @property
    def last_id(self) -> int:
        """The id of the newest message, 0 before the first."""
        return self._last_id

    def list_page(
        self, message_filter: MessageFilter, below_id: int, page_size: int
    ) -> list[CapturedMessage]:
        """Return the newest matching messages below an id, 0 for all; none counts as shown."""
        matching = self._iterate_matching(message_filter)
        below = (entry for entry in matching if not below_id or entry.id < below_id)
        return list(islice(below, page_size))

    def newest_code(self) -> CapturedMessage | None:
        """Return the newest code by SMS or e-mail; it does not count as shown."""
        return next(
            (
                entry
                for entry in reversed(self._entries)
                if entry.code and entry.channel in _CHANNEL_NAMES
            ),
            None,
        )

    def list_matching(self, message_filter: MessageFilter) -> list[CapturedMessage]:
        """Return the matching messages, newest first, and mark them as shown."""
        found = list(self._iterate_matching(message_filter))
        self._shown.update(entry.id for entry in found)
        return found

    async def wait_for_match(
        self, message_filter: MessageFilter, timeout_seconds: float
    ) -> CapturedMessage | None:
        """Return the newest matching message that was not shown yet, or else the next one.

        So the order of the message and the request for it does not matter.
        """
        await ensure_task()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while not (fresh := self._unshown(message_filter)):
                    await self._wait_for_next()
                self._shown.update(entry.id for entry in fresh)
                return fresh[0]
        return None

    def export(self) -> list[CapturedMessage]:
        """Return all messages, oldest first."""
        return list(self._entries)

    def restore(self, messages: Iterable[CapturedMessage]) -> None:
        """Replace all messages; ids keep growing, so that two messages never have the same one."""
        self.clear()
        for entry in messages:
            self._keep(entry)
        self._last_id = max(self._last_id, *(entry.id for entry in self._entries), 0)

    def clear(self) -> None:
        self._entries.clear()
        self._by_target.clear()
        self._shown.clear()

    def _keep(self, entry: CapturedMessage) -> None:
        if len(self._entries) == MAX_CAPTURED_MESSAGES:
            self._forget_oldest()
        self._entries.append(entry)
        self._by_target.setdefault(fold_for_search(entry.to), deque()).append(entry)

    def _forget_oldest(self) -> None:
        oldest = self._entries.popleft()
        self._shown.discard(oldest.id)
        target = fold_for_search(oldest.to)
        self._by_target[target].popleft()
        if not self._by_target[target]:
            del self._by_target[target]

    def _iterate_matching(self, message_filter: MessageFilter) -> Iterator[CapturedMessage]:
        """Yield the matching messages, newest first."""
        entries = self._entries
        if message_filter.to:
            entries = self._by_target.get(fold_for_search(message_filter.to), deque())
        for entry in reversed(entries):
            if (
                message_filter.channel in ("", entry.channel)
                and entry.created_at >= message_filter.since
            ):
                yield entry

    def _unshown(self, message_filter: MessageFilter) -> list[CapturedMessage]:
        matching = self._iterate_matching(message_filter)
        return [entry for entry in matching if entry.id not in self._shown]

    async def _wait_for_next(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)


MAX_QUEUED_LINES = 1000
"""Maximum lines that wait for a blocked terminal; more are dropped (security X6)."""
_CHANNEL_NAMES = {"sms": ("短信", "SMS"), "email": ("邮件", "e-mail")}


class CodePrinter:
    """Writes lines in its own thread.

    Args:
        stream: where to write; None for the current standard output.
        english: the language of the lines.
    """

    def __init__(self, stream: TextIO | None = None, *, english: bool = False) -> None:
        self._stream = stream
        self._english = english
        self._lines: queue.Queue[str] = queue.Queue(MAX_QUEUED_LINES)
        self._thread: threading.Thread | None = None

    @property
    def queued(self) -> int:
        """How many lines wait to be written."""
        return self._lines.qsize()

    def print_code(self, entry: CapturedMessage) -> None:
        """Queue a line for a message with a code; captchas and notices have none."""
        names = _CHANNEL_NAMES.get(entry.channel)
        if names is None or not entry.code:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="codes", daemon=True)
            self._thread.start()
        label = "code" if self._english else "验证码"
        line = f"{names[self._english]}  {_printable(entry.to)}  {label} {entry.code}"
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(line)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            stream = self._stream or sys.stdout
            encoding = getattr(stream, "encoding", None) or "utf-8"
            with contextlib.suppress(OSError, ValueError):  # the reader is gone
                stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
                stream.flush()


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
