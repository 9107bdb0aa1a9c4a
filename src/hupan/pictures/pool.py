"""Keeps captcha pictures ready, so that a request takes one instead of drawing it (security C10).

One thread draws. It shares the interpreter lock with the event loop, so it rests after every single
picture: the loop then waits for the lock as long as one picture takes, and never for a whole switch
interval of 5 ms. Pillow is loaded by the drawer, in this thread: to import this module costs
neither its start time nor its memory.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Thread

from hupan.pictures.drawing import Drawer

_log = logging.getLogger("hupan.pictures")

_REST_SECONDS = 0.002  # nobody waits: the loop has three quarters of the lock
_HURRY_SECONDS = 0.0001  # somebody waits: just long enough to let the loop have the lock


class PicturesBusy(Exception):  # noqa: N818 - a state of the pool, not a fault
    """Too many wait for a picture already, or the pool was stopped."""


class PicturesFailed(Exception):  # noqa: N818 - named like its sister
    """The drawer failed; what it raised is the cause."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An answer, and the PNG that shows it."""

    answer: str = field(repr=False)  # a secret until redeemed, so in no log (security C9)
    png: bytes = field(repr=False)


class PicturePool:
    """Up to `size` pictures (3 kB each), drawn ahead by one background thread.

    `draw` and `answer` are called in that thread alone, so a seeded source of answers repeats
    itself as long as it is not shared with others. One refill begins at half the size. `on_failure`
    is told of each error, in the thread.
    """

    def __init__(
        self,
        draw: Drawer,
        answer: Callable[[], str],
        *,
        size: int = 64,
        most_waiters: int = 256,
        retry_seconds: float = 1.0,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._draw = draw
        self._answer = answer
        self._size = size
        self._most_waiters = most_waiters
        self._retry_seconds = retry_seconds
        self._on_failure = on_failure
        self._ready: deque[Picture] = deque()  # appended to by the thread, taken from by the loop
        self._waiters: deque[asyncio.Future[Picture]] = deque()  # changed by the loop alone
        self._wanted = Event()
        self._stopping = Event()
        self._thread: Thread | None = None

    @property
    def ready(self) -> int:
        """How many pictures can be taken without waiting, 0 to `size`."""
        return len(self._ready)

    def start(self) -> None:
        """Begins to draw. Called once, on the event loop that takes the pictures.

        Raises:
            RuntimeError: It was started before, or no event loop runs.
        """
        if self._thread is not None:
            raise RuntimeError("a picture pool starts once")
        loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._run, args=(loop,), name="hupan-pictures", daemon=True)
        self._wanted.set()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and waits for it, at most for the picture it is at; refuses all waiters.

        Called on the event loop, before that is closed. To stop twice does nothing more.
        """
        self._stopping.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
        self._refuse(lambda: PicturesBusy("the picture pool was stopped"))

    async def take(self) -> Picture:
        """A picture that nobody else gets: at once, or when it is drawn if none is ready.

        Raises:
            PicturesBusy: None is ready and `most_waiters` wait already, or the pool was stopped.
            PicturesFailed: None is ready and the drawer failed.
        """
        if self._stopping.is_set() or self._is_crowded():
            raise PicturesBusy("no picture to be had now")
        waiter: asyncio.Future[Picture] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._hand_out()
        try:
            return await waiter  # does not suspend if the picture was ready
        except asyncio.CancelledError:
            with suppress(ValueError):  # it was handed a picture in the same turn of the loop
                self._waiters.remove(waiter)
            raise

    def _is_crowded(self) -> bool:
        return not self._ready and len(self._waiters) >= self._most_waiters

    def _hand_out(self) -> None:
        while self._waiters and self._ready:
            waiter = self._waiters.popleft()
            if not waiter.done():  # a cancelled one has not been removed yet
                waiter.set_result(self._ready.popleft())
        if len(self._ready) <= self._size // 2:
            self._wanted.set()

    def _refuse(self, reason: Callable[[], Exception]) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(reason())

    def _fail(self, cause: Exception) -> None:
        def failure() -> PicturesFailed:
            failed = PicturesFailed("a picture could not be drawn")
            failed.__cause__ = cause
            return failed

        self._refuse(failure)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stopping.is_set():
            self._wanted.wait()
            self._wanted.clear()
            while len(self._ready) < self._size and not self._stopping.is_set():
                self._stopping.wait(self._add_picture(loop))

    def _add_picture(self, loop: asyncio.AbstractEventLoop) -> float:
        """Draws one picture and returns the seconds to rest after it."""
        try:
            answer = self._answer()
            self._ready.append(Picture(answer, self._draw(answer)))
        except Exception as error:  # noqa: BLE001 - else any fault of a drawer would end the pool
            self._report(loop, error)
            return self._retry_seconds
        if not self._waiters:  # looked at after the append, as take() looks for one after its own
            return _REST_SECONDS
        _call(loop, self._hand_out)
        return _HURRY_SECONDS

    def _report(self, loop: asyncio.AbstractEventLoop, error: Exception) -> None:
        # The kind alone: a drawer's text could hold the answer (security C9).
        _log.error("a captcha picture could not be drawn: %s", type(error).__name__)
        self._on_failure()
        _call(loop, lambda: self._fail(error))


def _call(loop: asyncio.AbstractEventLoop, turn: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop was closed without stop(): nobody is left to be told
        loop.call_soon_threadsafe(turn)
