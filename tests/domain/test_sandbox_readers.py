"""Slow and stalled readers of the journal (K-3, web.md W-1).

The story: each open stream kept a hundred entries of up to half a megabyte. Thirty-two tabs
that hung in the debugger took a gigabyte.
"""

import asyncio
import tracemalloc
from dataclasses import dataclass, field

import pytest
from starlette.requests import Request
from starlette.types import Message

from hupan.sandbox.decoding import Explainer
from hupan.sandbox.journal import MAX_JOURNAL_BYTES, MAX_KEPT_BODY_BYTES, Entry, Journal, Payload
from hupan.sandbox.readers import MAX_UNREAD_BYTES, Readers
from hupan.sandbox.requests import JournalRoutes

pytestmark = pytest.mark.one_engine


@dataclass
class Reader:
    """A client as the listener sees it, which stops reading after some pieces."""

    patience: int = 1_000_000
    received: list[bytes] = field(default_factory=list)
    is_cut: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Message:
        await self.is_cut.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        piece = message.get("body", b"")
        if piece:
            self.received.append(piece[:60])
        if len(self.received) > self.patience:
            await self.is_cut.wait()

    def request(self, path: str) -> Request:
        """Return a request of this client for the journal."""
        state = {"cut_off": self.is_cut.set}
        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "state": state}
        return Request({**scope, "query_string": b""})


def large_entry(number: int) -> Entry:
    """Return a unique entry with bodies of the maximum size."""
    body = number.to_bytes(4, "big") * (MAX_KEPT_BODY_BYTES // 4)
    return Entry("request", 0, "POST", b"/v1/x", "/v1/x", request=Payload([], body, len(body)))


async def settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(20):
        await asyncio.sleep(0)


async def open_stream(routes: JournalRoutes, reader: Reader) -> asyncio.Task[None]:
    """Open the stream for a client."""
    request = reader.request("/sandbox/requests/stream")
    response = await routes.stream(request)
    return asyncio.create_task(response(request.scope, reader.receive, reader.send))


async def test_the_slowest_reader_is_cut_off() -> None:
    """Above the bound the reader that has been idle for longest is closed (K-3)."""
    readers, clients = Readers(100), [Reader(0) for _ in range(3)]
    waiting = []
    for client in clients[:2]:
        scope = client.request("/").scope
        waiting.append(asyncio.create_task(readers.send(b"x" * 50, scope, client.send)))
        await settle()
    assert readers.unread_bytes == 100
    last = clients[2]
    waiting.append(asyncio.create_task(readers.send(b"x", last.request("/").scope, last.send)))
    await settle()
    assert [client.is_cut.is_set() for client in clients] == [True, False, False]
    assert readers.unread_bytes == 51
    large = Reader()
    await readers.send(b"x" * 1000, large.request("/").scope, large.send)
    assert [client.is_cut.is_set() for client in clients] == [True, True, True]
    await asyncio.gather(*waiting)
    assert readers.unread_bytes == 0


@pytest.mark.slow
async def test_stalled_readers_keep_memory_flat() -> None:
    """Thirty streams and lists stall at different entries; a good reader gets all (K-3)."""
    journal = Journal()
    routes = JournalRoutes(journal, Explainer(journal, "web."))
    good, stalled = Reader(), [Reader(2 + number) for number in range(30)]
    tasks = [await open_stream(routes, reader) for reader in (good, *stalled)]
    await settle()
    tracemalloc.start()
    try:
        for number in range(150):
            journal.record(large_entry(number))
            await settle()
            if number % 5 == 0:
                reader = Reader(1)
                request = reader.request("/sandbox/requests")
                response = await routes.list_entries(request)
                tasks.append(
                    asyncio.create_task(response(request.scope, reader.receive, reader.send))
                )
                stalled.append(reader)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < MAX_JOURNAL_BYTES + MAX_UNREAD_BYTES + 4 * 1024 * 1024
    assert routes.readers.unread_bytes <= MAX_UNREAD_BYTES
    events = [piece for piece in good.received if piece.startswith(b"event: request")]
    assert len(events) == 150
    assert not good.is_cut.is_set()
    assert any(reader.is_cut.is_set() for reader in stalled)
    for reader in (good, *stalled):
        reader.is_cut.set()
    await asyncio.gather(*tasks)
    assert routes.readers.unread_bytes == 0
    assert journal.subscribers == set()


async def test_a_list_leaves_out_what_is_gone() -> None:
    """It holds no entry while its client reads, and the JSON is valid anyway (K-3)."""
    journal = Journal()
    routes = JournalRoutes(journal, Explainer(journal, "web."))
    for number in range(3):
        journal.record(Entry("request", 0, path=f"/v1/{number}"))
    reader = Reader(0)
    request = reader.request("/sandbox/requests")
    response = await routes.list_entries(request)
    task = asyncio.create_task(response(request.scope, reader.receive, reader.send))
    await settle()
    journal.clear()
    reader.patience = 1_000_000
    reader.is_cut.set()
    await task
    assert [piece[:1] for piece in reader.received] == [b"[", b"]"]
