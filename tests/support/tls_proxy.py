"""TLS in front of a PostgreSQL whose build has none, as a pooler or a proxy provides it."""

import asyncio
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.support.ports import LOOPBACK

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""The first message of a client that wants TLS (PostgreSQL's protocol, 55.2.10)."""
WAIT_SECONDS = 60


class TlsFront:
    """Accept only TLS connections, and pass their content on."""

    def __init__(self, behind: int, context: ssl.SSLContext) -> None:
        self.port = 0
        self.refused = 0
        self._behind = behind
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        started = asyncio.start_server(self._serve, LOOPBACK, 0)
        self._server = asyncio.run_coroutine_threadsafe(started, self._loop).result(WAIT_SECONDS)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and close every connection."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(WAIT_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_SECONDS)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                    self.refused += 1
                    return
                writer.write(b"S")
                await writer.start_tls(self._context)
                await self._join(reader, writer)
        finally:
            await _end(writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, self._behind)
        try:
            await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))
        finally:
            await _end(inner_writer)


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    target.close()


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
