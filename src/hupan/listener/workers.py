"""Several processes on the same sockets; who dies is replaced."""

import asyncio
import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from hupan.listener.asgi import ASGIApp
from hupan.listener.lifespan import StartupRefusedError
from hupan.listener.limits import ListenerLimits
from hupan.listener.output import output_apart
from hupan.listener.process import work
from hupan.listener.signals import hangups_kept_from_children, stop_signals
from hupan.listener.sockets import BindRefusedError

_LOGGER = logging.getLogger("hupan.listener")
_SPAWN = multiprocessing.get_context("spawn")
_BACKOFF_SECONDS = 0.25
_BACKOFF_SECONDS_MAX = 30.0
# Who lived this long did not die of its start: the next replacement comes at once again.
_LIVED_WELL_SECONDS = 60.0
_READY = ""


def _serve_as_worker(
    factory: Callable[[], ASGIApp],
    sockets: list[socket.socket],
    limits: ListenerLimits,
    pipe: Connection,
) -> None:
    # Ctrl+C reaches the whole group; it is the parent's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    @contextlib.contextmanager
    def hear_stop(loop: asyncio.AbstractEventLoop, told: Callable[[], None]) -> Iterator[None]:
        def parent_said_so() -> None:
            loop.remove_reader(pipe.fileno())
            told()

        # The parent only ever closes its end, or dies: both mean the same here.
        loop.add_reader(pipe.fileno(), parent_said_so)
        signal.signal(signal.SIGTERM, lambda _number, _frame: told())
        yield

    def tell(said: str) -> None:
        # A parent that is gone, or is ending, does not hear it.
        with contextlib.suppress(OSError):
            pipe.send(said)

    with output_apart():
        try:
            status = work(factory(), sockets, limits, lambda: tell(_READY), hear_stop)
        except (BindRefusedError, StartupRefusedError) as refusal:
            tell(str(refusal))
            status = 1
    sys.exit(status)


@dataclass(eq=False)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    hired_at: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    refusal: str = ""

    def hear(self) -> None:
        """Takes in what the worker said, if anything."""
        with contextlib.suppress(EOFError, OSError):
            while self.pipe.poll():
                said = str(self.pipe.recv())
                self.is_ready = said == _READY
                self.refusal = said


class Crew:
    """A number of workers, kept at that number."""

    def __init__(
        self,
        factory: Callable[[], ASGIApp],
        sockets: list[socket.socket],
        limits: ListenerLimits,
        count: int,
        on_ready: Callable[[], None],
    ) -> None:
        """Starts nobody yet.

        Args:
            factory: Makes the app in each worker; can be pickled.
            sockets: Listening sockets; closed at the end.
            limits: What peers may do, and how long the end may take.
            count: How many workers.
            on_ready: Called once, when all answer.
        """
        self._factory = factory
        self._sockets = sockets
        self._limits = limits
        self._count = count
        self._on_ready = on_ready
        self._workers: list[_Worker] = []
        self._all_were_ready = False
        self._quick_deaths = 0
        self._hire_at = 0.0

    def run(self) -> int:
        """Serves until SIGTERM or SIGINT.

        Returns:
            The exit status.
        """
        heard, wake = _SPAWN.Pipe(duplex=False)
        with heard, wake, stop_signals(lambda: wake.send(None), self._kill):
            try:
                while not heard.poll():
                    self._hire()
                    self._wait(heard)
                    if not self._muster():
                        return 1
                return 0
            finally:
                self._dismiss()

    def _hire(self) -> None:
        if time.monotonic() < self._hire_at:
            return
        while len(self._workers) < self._count:
            ours, theirs = _SPAWN.Pipe()
            arguments = (self._factory, self._sockets, self._limits, theirs)
            process = _SPAWN.Process(target=_serve_as_worker, args=arguments, daemon=True)
            with hangups_kept_from_children():  # they are the parent's to answer too
                process.start()
            theirs.close()
            self._workers.append(_Worker(process, ours))

    def _wait(self, heard: Connection) -> None:
        missing = len(self._workers) < self._count
        timeout = max(0.0, self._hire_at - time.monotonic()) if missing else None
        sentinels = [worker.process.sentinel for worker in self._workers]
        pipes = [worker.pipe for worker in self._workers if not worker.is_ready]
        multiprocessing.connection.wait([heard, *sentinels, *pipes], timeout)

    def _muster(self) -> bool:
        """Sees who is ready and who is gone; False when the crew cannot start at all."""
        for worker in tuple(self._workers):
            # Asked first: what it said before it died is then certain to be in the pipe.
            is_gone = not worker.process.is_alive()
            worker.hear()
            if is_gone:
                self._workers.remove(worker)
                if not self._all_were_ready:
                    sys.stderr.write(f"{worker.refusal}\n" if worker.refusal else "")
                    return False
                self._mourn(worker)
        ready = sum(worker.is_ready for worker in self._workers)
        if ready == self._count and not self._all_were_ready:
            self._all_were_ready = True
            self._on_ready()
        return True

    def _mourn(self, worker: _Worker) -> None:
        now = time.monotonic()
        lived_well = now - worker.hired_at > _LIVED_WELL_SECONDS
        self._quick_deaths = 0 if lived_well else self._quick_deaths + 1
        delay = min(_BACKOFF_SECONDS * 2**self._quick_deaths, _BACKOFF_SECONDS_MAX)
        self._hire_at = now + (0 if lived_well else delay)
        worker.pipe.close()
        _LOGGER.warning(
            "Worker %s ended with status %s; another takes its place. %s",
            worker.process.pid,
            worker.process.exitcode,
            worker.refusal,
        )

    def _dismiss(self) -> None:
        deadline = time.monotonic() + self._limits.stop_seconds
        for listener in self._sockets:
            listener.close()
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
        self._kill()

    def _kill(self) -> None:
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.kill()
