"""Upper bounds: bare responses from our listener, with and without a look-up, and uvicorn's.

    python -m bench.harness.bare answer PORT
    python -m bench.harness.bare uvicorn PORT
    python -m bench.harness.bare sqlite PORT FILE
    python -m bench.harness.bare asyncpg PORT URL
    python -m bench.harness.bare prepared PORT URL

A look-up reads the session and its account by the hash of the token in one joined statement, and
responds with the name only: no routing, no codec, no rules.
"""

import asyncio
import hashlib
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from hupan.server.connection import ASGIApp, Receive, Scope, Send, ServerLimits
from hupan.server.workers import run_server

Find: TypeAlias = Callable[[int, bytes], Awaitable[bytes]]
BARE = b'{"code":1,"msg":"success"}'
CONNECTIONS = 10
"""To PostgreSQL: the default maximum of a server."""
SQL = """
SELECT a.name, a.coin_cents, a.vip_until, a.banned_until, s.last_used_at, s.signed_in_at
FROM sessions s JOIN accounts a ON a.id = s.account_id
WHERE s.account_id = {} AND s.token_hash = {}
"""


def head(body: bytes) -> dict[str, Any]:
    """Return the start of a response."""
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    return {"type": "http.response.start", "status": 200, "headers": headers}


async def take_part_in_life(receive: Receive, send: Send) -> None:
    """Handle the lifespan protocol without doing anything."""
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})


def answer() -> ASGIApp:
    """Respond with 26 bytes to every request."""
    start, end = head(BARE), {"type": "http.response.body", "body": BARE}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await take_part_in_life(receive, send)
            return
        await send(start)
        await send(end)

    return app


def lookup(find: Find) -> ASGIApp:
    """Return what is stored for the headers `account` and `token`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await take_part_in_life(receive, send)
            return
        headers = dict(scope["headers"])
        account, token = int(headers.get(b"account", 0)), headers.get(b"token", b"")
        body = await find(account, hashlib.sha256(token).digest())
        await send(head(body))
        await send({"type": "http.response.body", "body": body})

    return app


def sqlite(file: str) -> ASGIApp:
    """Look up with the module of the standard library, in the event loop."""
    sql = SQL.format("?1", "?2")
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)
    connection.execute("PRAGMA cache_size = -65536")
    connection.execute("PRAGMA mmap_size = 1073741824")

    async def find(account: int, digest: bytes) -> bytes:
        row = connection.execute(sql, (account, digest)).fetchone()
        return b"" if row is None else str(row[0]).encode()

    return lookup(find)


def asyncpg(url: str) -> ASGIApp:
    """Look up through a connection pool, as in asyncpg's documentation."""
    import asyncpg as driver  # noqa: PLC0415 - the other bare responders do not need it

    sql = SQL.format("$1", "$2")
    opening: list[asyncio.Future[Any]] = []

    async def open_pool() -> Any:  # noqa: ANN401 - asyncpg has no types
        return await driver.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS)

    async def find(account: int, digest: bytes) -> bytes:
        if not opening:
            opening.append(asyncio.create_task(open_pool()))
        pool = await opening[0]
        row = await pool.fetchrow(sql, account, digest)
        return b"" if row is None else str(row[0]).encode()

    return lookup(find)


def prepared(url: str) -> ASGIApp:
    """Look up by a statement that is prepared once per connection."""
    import asyncpg as driver  # noqa: PLC0415 - the other bare responders do not need it

    sql = SQL.format("$1", "$2")
    free: asyncio.LifoQueue[Any] = asyncio.LifoQueue()
    opened: list[asyncio.Task[None]] = []

    async def open_all() -> None:
        for _ in range(CONNECTIONS):
            connection = await driver.connect(url)
            free.put_nowait(await connection.prepare(sql))

    async def find(account: int, digest: bytes) -> bytes:
        if not opened:
            opened.append(asyncio.create_task(open_all()))
        statement = await free.get()
        try:
            row = await statement.fetchrow(account, digest)
        finally:
            free.put_nowait(statement)
        return b"" if row is None else str(row[0]).encode()

    return lookup(find)


def on_uvicorn(port: int) -> None:
    """Run the bare response on stock uvicorn: uvloop and httptools, without an access log."""
    import uvicorn  # noqa: PLC0415 - the others do not need its command line

    uvicorn.run(
        answer(),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
    )


def main() -> None:
    """Serve until terminated."""
    kind, port, place = sys.argv[1], int(sys.argv[2]), "".join(sys.argv[3:])
    if kind == "uvicorn":
        on_uvicorn(port)
        return
    makers: dict[str, Callable[[], ASGIApp]] = {
        "answer": answer,
        "sqlite": lambda: sqlite(place),
        "asyncpg": lambda: asyncpg(place),
        "prepared": lambda: prepared(place),
    }
    status = run_server(
        makers[kind],
        host="127.0.0.1",
        port=port,
        workers=1,
        limits=ServerLimits(),
        on_listening=lambda _urls: None,
    )
    sys.exit(status)


if __name__ == "__main__":
    main()
