"""Mail servers and SMS gateways that fail in one way, in their own thread (security R07)."""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

from tests.support.ports import LOOPBACK

_MESSAGE_ID = re.compile(rb"^Message-ID: <([^@>]+)", re.MULTILINE | re.IGNORECASE)
_FOR_EVER = 3600.0

Talk: TypeAlias = Callable[
    ["Failing", asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]
]


class Failing:
    """The counters of a failing sender.

    Attributes:
        open: its current connections.
        connections: all connections so far.
        mails: how often each message was received completely, by its id.
    """

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.port = 0
        self.open = 0
        self.connections = 0
        self.mails: Counter[str] = Counter()

    async def serve(self, ready: threading.Event, over: asyncio.Event) -> None:
        """Accept connections until the end."""
        async with await asyncio.start_server(self._held, LOOPBACK, self.port) as server:
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await over.wait()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    async def _held(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.connections += 1
        try:
            with suppress(OSError, EOFError, asyncio.CancelledError):
                await self._talk(self, reader, writer)
        finally:
            self.open -= 1
            writer.close()


@contextmanager
def failing(talk: Talk, port: int = 0) -> Iterator[Failing]:
    """Run a failing server; its counters continue until the block ends."""
    sender, ready = Failing(talk), threading.Event()
    sender.port = port
    loop, over = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(sender.serve(ready, over),))
    thread.start()
    try:
        assert ready.wait(30)
        yield sender
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


async def _until_gone(reader: asyncio.StreamReader) -> None:
    async with asyncio.timeout(_FOR_EVER):
        while await reader.read(4096):
            pass


async def tar_pit(
    _sender: Failing, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Send one byte of the greeting, and the next one too late."""
    writer.write(b"2")
    await _until_gone(reader)


async def silent_gateway(
    _sender: Failing, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
) -> None:
    """Read a request and send nothing."""
    await _until_gone(reader)


async def _dialogue(
    sender: Failing,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    rcpt: bytes,
    after_data: bytes,
) -> None:
    writer.write(b"220 mail.test\r\n")
    while line := await reader.readline():
        word = line[:4].upper()
        if word == b"RCPT":
            writer.write(rcpt)
        elif word == b"DATA":
            writer.write(b"354 go on\r\n")
            mail = await reader.readuntil(b"\r\n.\r\n")
            found = _MESSAGE_ID.search(mail)
            assert found is not None
            sender.mails[found[1].decode()] += 1
            if not after_data:
                await _until_gone(reader)
            writer.write(after_data)
        else:
            writer.write(b"250 OK\r\n")


async def temporary(
    sender: Failing, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Refuse each recipient temporarily."""
    await _dialogue(sender, reader, writer, b"451 later\r\n", b"")


async def permanent(
    sender: Failing, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Refuse each recipient permanently."""
    await _dialogue(sender, reader, writer, b"550 never\r\n", b"")


async def mute_after_data(
    sender: Failing, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Read each mail without a response."""
    await _dialogue(sender, reader, writer, b"250 OK\r\n", b"")


async def sound(
    sender: Failing, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Accept each mail."""
    await _dialogue(sender, reader, writer, b"250 OK\r\n", b"250 taken\r\n")
