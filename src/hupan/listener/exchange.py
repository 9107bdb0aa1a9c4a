"""One request and its answer: uvicorn's, begun at once and answered in one step.

A task for each request costs as much as many a request: one that never waits needs none. What waits
goes on in a task from there (docs/decisions/0019-begun-at-once.md).
"""

import asyncio
import contextlib
import inspect
import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any, cast

from hupan.listener.asgi import ASGIApp, Message, Receive, Scope
from hupan.listener.uvicorn_parts import STATUS_LINE, RequestResponseCycle


class Exchange(RequestResponseCycle):
    """A request that is answered; an app gets it as its `send`."""

    async def __call__(self, message: Message) -> None:
        """Sends as ASGI has it."""
        await self.send(message)  # type: ignore[arg-type]  # uvicorn's union of typed dicts

    def take_body(self) -> bytes | None:
        """The whole body if it is here already, else None; taken, it is not received again."""
        if self.more_body or self.disconnected or self.waiting_for_100_continue:
            return None
        body, self.body = bytes(self.body), bytearray()
        return body

    def answer(self, http_status: int, headers: bytes, body: bytes) -> bool:
        """Sends a whole answer without waiting.

        Args:
            http_status: of the answer.
            headers: whole lines, `content-length` among them; nobody checks them.
            body: as long as the headers say.

        Returns:
            Whether that was possible; else `send` is, which waits until the peer reads.
        """
        if self.response_started or self.flow.write_paused:
            return False
        if self.disconnected:
            return True
        self.response_started = self.response_complete = True
        if self.waiting_for_100_continue:  # whose body nobody will read
            self.waiting_for_100_continue = self.keep_alive = False
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        head = STATUS_LINE[http_status] + headers + end
        self.transport.write(head if self.scope["method"] == "HEAD" else head + body)
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

    async def run_asgi(self, app: ASGIApp) -> None:  # type: ignore[override]  # as above
        """Runs an app; a request that it left without an answer gets 500."""
        try:
            await app(cast("Scope", self.scope), cast("Receive", self.receive), self)
        except Exception as error:
            self.logger.error("Exception in ASGI application", exc_info=error)  # noqa: TRY400 - once
        if self.response_complete or self.disconnected:
            self.on_response = _nothing  # it refers to the connection, and that to this
            return
        if self.response_started:
            self.transport.close()
        else:
            await self.send_500_response()


def _nothing() -> None:
    """What is called when there is nobody to be told."""


class Starts:
    """Begins requests: those that came in one turn of the loop together, once all of it was read.

    So whatever an app first sees of the world is younger than each of their bytes.
    """

    def __init__(
        self, app: ASGIApp, loop: asyncio.AbstractEventLoop, tasks: "set[asyncio.Task[None]]"
    ) -> None:
        """Begins nothing yet.

        Args:
            app: What answers.
            loop: Where it does.
            tasks: Gets those requests that wait, until they have ended.
        """
        self._app = app
        self._loop = loop
        self._tasks = tasks
        self._new: list[Exchange] = []

    def add(self, exchange: Exchange) -> None:
        """Has a request begun soon, with all that are read in this turn of the loop."""
        if not self._new:
            self._loop.call_soon(self._begin_new)
        self._new.append(exchange)

    def follow(self, exchange: Exchange) -> None:
        """Has one begun that waited for an earlier answer.

        By itself: were it to open the list, those that are read next would begin with it, while the
        read transaction of this turn is still open, and that is older than their bytes.
        """
        self._loop.call_soon(self._begin, [exchange])

    def _begin_new(self) -> None:
        new, self._new = self._new, []
        self._begin(new)

    def _begin(self, exchanges: list[Exchange]) -> None:
        for exchange in exchanges:
            running = exchange.run_asgi(self._app)
            try:
                awaited = running.send(None)
            except StopIteration:
                continue
            except asyncio.CancelledError:
                exchange.transport.close()  # the others of this turn go on
                continue
            task = self._loop.create_task(_go_on(running, awaited))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(partial(_tell_cancelled, running))


def _tell_cancelled(running: Coroutine[Any, Any, None], task: "asyncio.Task[None]") -> None:
    """A task that was cancelled before its first step has told its request nothing."""
    if task.cancelled() and inspect.getcoroutinestate(running) == inspect.CORO_SUSPENDED:
        with contextlib.suppress(StopIteration, asyncio.CancelledError):
            running.throw(asyncio.CancelledError())
        running.close()


async def _go_on(running: Coroutine[Any, Any, None], awaited: object) -> None:
    await _rest(running, awaited)


@types.coroutine
def _rest(running: Coroutine[Any, Any, None], awaited: object) -> Generator[object, Any, None]:
    """What is left of a coroutine that waits for something."""
    try:
        while True:
            try:
                value = yield awaited
            except BaseException as error:  # noqa: BLE001 - a cancellation is the coroutine's
                awaited = running.throw(error)
            else:
                awaited = running.send(value)
    except StopIteration:
        return
