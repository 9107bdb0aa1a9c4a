"""The proxy in front of a sandbox on loopback, for the known names, with its TLS.

The proxy answers CONNECT as the named host itself, with the authority's leaf, and passes the
traffic inside to the sandbox. It refuses every other name, so no packet leaves the machine.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from hupan.connect.names import KNOWN_NAMES

LOOPBACK: Final = "127.0.0.1"
MAX_CONNECTIONS: Final = 200
_MAX_HEAD_BYTES = 16_384
_CHUNK = 65_536
_WAIT_SECONDS = 30.0
_MAX_SHOWN = 100
_HOP_HEADERS = ("connection", "proxy-connection", "keep-alive", "proxy-authorization")


class Front:
    """Listens on loopback, in a separate thread.

    Args:
        sandbox_port: where the sandbox listens.
        context: the TLS side of the known names.
        proxy: take CONNECT first; otherwise TLS begins at once.
        listener: a socket that listens on loopback; without one, the system chooses a port.
        on_refused: called with a name that is not known.
    """

    def __init__(
        self,
        sandbox_port: int,
        context: ssl.SSLContext,
        *,
        proxy: bool,
        listener: socket.socket | None = None,
        on_refused: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._listener = listener or socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._sandbox_port = sandbox_port
        self._context = context
        self._serve = self._serve_proxy if proxy else self._serve_tls
        self._on_refused = on_refused
        self._open = asyncio.Semaphore(MAX_CONNECTIONS)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="front", daemon=True)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        begin = asyncio.start_server(self._accept, sock=self._listener, limit=_MAX_HEAD_BYTES)
        self._server = asyncio.run_coroutine_threadsafe(begin, self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and close every connection."""
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(_WAIT_SECONDS)
        self._end_thread()

    def _end_thread(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WAIT_SECONDS)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._open:
                with contextlib.suppress(
                    OSError, EOFError, ValueError, asyncio.LimitOverrunError
                ):  # ValueError: no request line
                    await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the front ends; Python 3.11 would print the end of each connection
        finally:
            writer.close()

    async def _serve_proxy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with asyncio.timeout(_WAIT_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        method, _, rest = head.partition(b" ")
        target = rest.partition(b" ")[0].decode("latin-1")
        name = _host_of(f"//{target}" if method == b"CONNECT" else target)
        if name not in KNOWN_NAMES:
            self._on_refused(ascii(name or target[:_MAX_SHOWN])[1:-1])
            writer.write(
                b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
            await writer.drain()
        elif method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            await self._serve_tls(reader, writer)
        else:
            await self._join(reader, writer, _origin_form(head))

    async def _serve_tls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_WAIT_SECONDS):
            await writer.start_tls(self._context)
        await self._join(reader, writer)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes = b""
    ) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, self._sandbox_port)
        try:
            inner_writer.write(head)
            await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))
        finally:
            inner_writer.close()


def _host_of(url: str) -> str:
    """Return the host name in a URL; "" if there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")[:_MAX_SHOWN]
    except ValueError:
        return ""


def _origin_form(head: bytes) -> bytes:
    """Return the head of a request to a proxy as a server expects it, for one request only.

    axios sends requests for https like this as well.
    """
    first, *headers = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, url, version = first.split(" ")
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept = [line for line in headers if line.partition(":")[0].strip().lower() not in _HOP_HEADERS]
    lines = [f"{method} {path} {version}", *kept, "connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
    target.close()
