"""No request reads from a snapshot older than its own bytes (decision 0019)."""

import asyncio
import socket
import time
from pathlib import Path
from threading import Event

import pytest
import uvloop

from hupan.server.connection import Receive, RequestCycle, Scope, ServerLimits
from hupan.server.serve import start_accepting
from hupan.server.uvicorn_parts import ServerState
from hupan.store.sqlite import SqliteDatabase, connect

SECONDS = 5.0
pytestmark = [pytest.mark.slow, pytest.mark.one_engine]


class Reading:
    """An app that answers with the one row of a table, or without reading it."""

    def __init__(self, path: Path) -> None:
        self.engine = SqliteDatabase(path)
        self.has_read, self.may_go_on = Event(), Event()

    async def __call__(self, scope: Scope, _receive: Receive, send: object) -> None:
        """Answer `/nothing`, `/row`, and `/slow`, which blocks the loop after its read."""
        assert isinstance(send, RequestCycle)
        row = (
            None if scope["path"] == "/nothing" else await self.engine.fetch_one("SELECT v FROM t")
        )
        if scope["path"] == "/slow":
            self.has_read.set()
            self.may_go_on.wait(SECONDS)
        body = b"none" if row is None else b"%d" % row[0]
        send.send_direct(200, b"content-length: %d\r\n" % len(body), body)


def asking(path: str) -> bytes:
    """Return a request."""
    return f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode()


@pytest.mark.parametrize("pipelined", [1, 2])
def test_a_request_sees_what_was_committed_before_it_was_sent(
    tmp_path: Path, pipelined: int
) -> None:
    """This holds even if a pipelined request starts in the same tick as another's read."""
    path = tmp_path / "t.db"
    other_process = connect(path)
    other_process.execute("CREATE TABLE t (v); INSERT INTO t VALUES (1)")

    def clients(app: Reading, loop: asyncio.AbstractEventLoop, port: int) -> bytes:
        first, second, third = (socket.create_connection(("127.0.0.1", port)) for _ in range(3))
        with first, second, third:
            third.settimeout(SECONDS)
            time.sleep(0.1)
            loop.call_soon_threadsafe(time.sleep, 0.2)  # so that both are read in one tick
            time.sleep(0.05)
            first.sendall(asking("/nothing") * pipelined)
            second.sendall(asking("/slow"))
            assert app.has_read.wait(SECONDS)
            other_process.execute("UPDATE t SET v = 2")
            third.sendall(asking("/row"))
            time.sleep(0.05)
            app.may_go_on.set()
            return third.recv(1000).rpartition(b"\n")[2]

    async def scenario() -> bytes:
        app = Reading(path)
        listening = socket.create_server(("127.0.0.1", 0))
        accepting = await start_accepting(app, [listening], ServerLimits(), ServerState(), {})
        loop, port = asyncio.get_running_loop(), listening.getsockname()[1]
        try:
            return await asyncio.to_thread(clients, app, loop, port)
        finally:
            accepting.stop()
            accepting.close_listeners()
            listening.close()
            await app.engine.close()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert runner.run(scenario()) == b"2"
    finally:
        other_process.close()
