"""The total memory of socket relays while a message server hangs (wire.md 8.5).

The story: a message server was stopped in a debugger. Each of ten thousand sockets could have
128 KiB waiting for it, and the account server was killed for lack of memory.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest

from hupan.api.socket_relay import MAX_WAITING_BYTES, SocketRelay, SocketRelays
from hupan.api.upstream import CallerSigner
from hupan.ratelimit.memory import RequestLimiter
from hupan.upstream import UpstreamSocketAddress

pytestmark = pytest.mark.one_engine

BOUND = 300_000
Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Client:
    """The client's side of a relay."""

    codes: list[int] = field(default_factory=list)

    def deliver(self, message: bytes, *, is_text: bool) -> bool:
        """Record a message."""
        del message, is_text
        return True

    def relay_ended(self, code: int, reason: str) -> None:
        """Record why the socket is closed."""
        del reason
        self.codes.append(code)


@dataclass
class Relays:
    """Relays to one message server."""

    relays: SocketRelays
    counted: list[str]
    clients: list[Client] = field(default_factory=list)

    def open(self) -> tuple[SocketRelay, Client]:
        """Open a relay for a client."""
        client = Client()
        relay = SocketRelay(self.relays, client, list)
        self.relays._relays.add(relay)  # noqa: SLF001 - `open` does this for a signed-in caller
        relay.start()
        self.clients.append(client)
        return relay, client


@asynccontextmanager
async def relays_to(behave: Behave) -> AsyncIterator[Relays]:
    """Start a message server with a given behaviour."""
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await behave(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    counted: list[str] = []
    relays = SocketRelays(
        UpstreamSocketAddress(f"ws://127.0.0.1:{port}/ws", None, 30),
        cast("CallerSigner", None),
        cast("RequestLimiter", None),
        lambda: 1,
        lambda _name, *kinds: counted.extend(kinds),
        max_connecting=64,
        max_held_bytes=BOUND,
    )
    try:
        yield Relays(relays, counted)
    finally:
        relays.close()
        for writer in writers:
            writer.transport.abort()
        server.close()
        await asyncio.sleep(0.05)
    assert len(relays) == 0
    assert relays.held_bytes == 0


async def say_nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Only accept connections."""
    await asyncio.Event().wait()


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept the handshake of a socket."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n") if b": " in line)
    original = dict(line.split(b": ", 1) for line in head.split(b"\r\n") if b": " in line)
    key = next(value for name, value in original.items() if name.lower() == b"sec-websocket-key")
    assert b"websocket" in lines[b"upgrade"]
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324 - RFC 6455
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        b"sec-websocket-accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Open a socket and send most of a message, but not its end."""
    await accept(reader, writer)
    writer.write(b"\x82\x7f" + (120_000).to_bytes(8, "big") + bytes(100_000))
    await asyncio.Event().wait()


async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Open a socket and read everything."""
    await accept(reader, writer)
    while await reader.read(65536):
        pass


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


async def test_what_waits_for_a_hanging_server_is_bounded_in_all() -> None:
    """Those with the most waiting bytes are closed with 1013; others stay (wire.md 8.5)."""
    async with relays_to(say_nothing) as opened:
        quiet = [opened.open() for _ in range(10)]
        busy = [opened.open() for _ in range(4)]
        for relay, _ in quiet:
            relay.send(b"x" * 1000)
        for relay, _ in busy:
            assert opened.relays.held_bytes <= BOUND
            relay.send(b"x" * (MAX_WAITING_BYTES - 100_000))
            for _ in range(10):
                relay.send(b"x" * 6000)
        assert opened.relays.held_bytes <= BOUND
        assert [client.codes for _, client in quiet] == [[]] * 10
        closed = [client.codes for _, client in busy if client.codes]
        assert closed
        assert {code for codes in closed for code in codes} == {1013}
        assert set(opened.counted) == {"relay-failed"}


async def test_messages_that_break_off_are_bounded_in_all() -> None:
    """Incomplete messages count as well (wire.md 8.5)."""
    async with relays_to(break_off) as opened:
        for _ in range(4):
            opened.open()
        await until(lambda: any(client.codes for client in opened.clients))
        assert opened.relays.held_bytes <= BOUND
        assert sum(bool(client.codes) for client in opened.clients) <= 2
        assert {code for client in opened.clients for code in client.codes} == {1013}


async def test_a_server_that_reads_closes_nobody() -> None:
    """The sum is recomputed before a socket is closed for it (8.5)."""
    async with relays_to(answer_all) as opened:
        pairs = [opened.open() for _ in range(8)]
        await until(lambda: opened.counted.count("relayed") == 8)
        for _ in range(20):
            for relay, _ in pairs:
                relay.send(b"x" * 10_000)
            await until(lambda: all(relay.measure() == 0 for relay, _ in pairs))
        assert [client.codes for client in opened.clients] == [[]] * 8
