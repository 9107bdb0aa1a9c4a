"""Connections that send requests at a given rate, and time each response."""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_LENGTH = re.compile(rb"content-length: (\d+)")
_OUTCOME = re.compile(rb"x-result: (\w+)")
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its kind in the results, and its bytes."""

    kind: str
    wire: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The outcome of one request.

    Attributes:
        outcome: `x-result`, or "broken" when the connection ended instead.
        due_at: when it should have been sent, in the loop's time.
        sent_at: when it was sent.
        ended_at: when the whole response had arrived.
    """

    kind: str
    outcome: str
    due_at: float
    sent_at: float
    ended_at: float


class Line(asyncio.Protocol):
    """One kept connection; one request at a time."""

    def __init__(self, on_answer: Callable[["Line", Answered], None]) -> None:
        self._on_answer = on_answer
        self._transport: asyncio.Transport | None = None
        self._held = b""
        self._asked: tuple[Request, float, float] | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is one for TCP
        """Record the transport."""
        self._transport = transport

    def send(self, request: Request, due_at: float) -> None:
        """Send a request; the response is passed to `on_answer`."""
        assert self._transport is not None
        self._asked = (request, due_at, self._loop.time())
        self._transport.write(request.wire)

    def data_received(self, data: bytes) -> None:
        """Read a response, in one piece or in many."""
        self._held += data
        end = self._held.find(_HEAD_END)
        if end < 0:
            return
        length = _LENGTH.search(self._held, 0, end)
        if length is None or len(self._held) < end + len(_HEAD_END) + int(length[1]):
            return
        outcome = _OUTCOME.search(self._held, 0, end)
        is_ok = self._held.startswith(b"HTTP/1.1 200 ") and outcome is not None
        self._held = b""
        self._finish(outcome[1].decode() if is_ok and outcome is not None else "other")

    def connection_lost(self, error: Exception | None) -> None:
        """Report a waiting request as broken."""
        del error
        if self._asked is not None:
            self._finish("broken")

    def close(self) -> None:
        """Close the connection."""
        self._asked = None
        if self._transport is not None:
            self._transport.close()

    @property
    def is_open(self) -> bool:
        """Return whether it can still be used."""
        return self._transport is not None and not self._transport.is_closing()

    def _finish(self, outcome: str) -> None:
        assert self._asked is not None
        request, due_at, sent_at = self._asked
        self._asked = None
        self._on_answer(self, Answered(request.kind, outcome, due_at, sent_at, self._loop.time()))


class Switchboard:
    """Lines to one port; those without a request are free."""

    def __init__(self, port: int, on_answer: Callable[[Answered], None]) -> None:
        """Create it without lines.

        Args:
            port: of the loopback address.
            on_answer: called with every response, before its line is free again.
        """
        self._port = port
        self._on_answer = on_answer
        self._lines: set[Line] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self.free: deque[Line] = deque()
        self.on_free: Callable[[Line], None] = self.free.append

    async def open(self, count: int) -> None:
        """Open lines up to this number."""
        while len(self._lines) < count:
            await self._open_one()

    async def _open_one(self) -> None:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(
            lambda: Line(self._answered), "127.0.0.1", self._port
        )
        self._lines.add(line)
        self.on_free(line)

    def _answered(self, line: Line, answered: Answered) -> None:
        self._on_answer(answered)
        if line.is_open:
            self.on_free(line)
        else:
            self.replace(line)

    def replace(self, line: Line) -> None:
        """Open a line for one that the server closed."""
        self._lines.discard(line)
        task = asyncio.create_task(self._open_one())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    @property
    def is_quiet(self) -> bool:
        """Return whether no request waits for a response."""
        return len(self.free) == len(self._lines) and not self._opening

    def close(self) -> None:
        """Close all lines."""
        for task in self._opening:
            task.cancel()
        for line in self._lines:
            line.close()
        self._lines.clear()
        self.free.clear()
