"""Entry point of the server: one serving process, or a supervisor of several."""

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import uvloop

from hupan.localized import LocalizedText
from hupan.server.connection import ASGIApp, ServerLimits
from hupan.server.output import nonblocking_output
from hupan.server.serve import (
    BindError,
    StartupFailedError,
    block_sighup,
    handle_stop_signals,
    listen,
    serve,
    socket_urls,
)

# After a sync the writer needs the GIL, and a busy loop holds it for a whole switch interval:
# with Python's 5 ms a write waits ten times as long as for its disk (docs/performance.md).
_SWITCH_INTERVAL_SECONDS = 0.0005

# Takes the loop and the function that stops; listens for the order to stop in its context.
StopListener = Callable[
    [asyncio.AbstractEventLoop, Callable[[], None]], AbstractContextManager[None]
]


def run_process(
    app: ASGIApp,
    sockets: list[socket.socket],
    limits: ServerLimits,
    on_ready: Callable[[], None],
    listen_for_stop: StopListener,
) -> int:
    """Serve an app until it gets a signal to stop.

    Args:
        app: handles the requests.
        sockets: listening sockets; closed at the end.
        limits: the limits of peers, and the duration of the shutdown.
        on_ready: is called once requests are served.
        listen_for_stop: returns a context in which this process can be stopped.

    Returns:
        The exit status.

    Raises:
        StartupFailedError: the app cannot start.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    # Even if a thread of the app or the loop itself hangs, this process ends in time.
    watchdog = threading.Timer(limits.stop_timeout_seconds, os._exit, (1,))
    watchdog.daemon = True
    stop = asyncio.Event()

    def ready() -> None:
        # Objects that exist now live to the end: the garbage collector can skip them.
        gc.freeze()
        on_ready()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            loop = runner.get_loop()

            def request_stop() -> None:
                if watchdog.ident is None:
                    watchdog.start()
                loop.call_soon_threadsafe(stop.set)

            with listen_for_stop(loop, request_stop):
                return 0 if runner.run(serve(app, sockets, limits, stop, ready)) else 1
    finally:
        watchdog.cancel()


_LOGGER = logging.getLogger("hupan.listener")
_SPAWN_CONTEXT = multiprocessing.get_context("spawn")
_BACKOFF_SECONDS = 0.25
_MAX_BACKOFF_SECONDS = 30.0
# A worker that ran this long did not crash on startup, so the back-off is reset.
_STABLE_SECONDS = 60.0
_READY = ""


def _run_worker(
    factory: Callable[[], ASGIApp],
    sockets: list[socket.socket],
    limits: ServerLimits,
    pipe: Connection,
) -> None:
    # Ctrl+C reaches the whole process group; the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    @contextlib.contextmanager
    def listen_for_stop(
        loop: asyncio.AbstractEventLoop, stop: Callable[[], None]
    ) -> Iterator[None]:
        def on_parent_signal() -> None:
            loop.remove_reader(pipe.fileno())
            stop()

        # The parent only closes its end, or dies: both mean the same here.
        loop.add_reader(pipe.fileno(), on_parent_signal)
        signal.signal(signal.SIGTERM, lambda _number, _frame: stop())
        yield

    def report(message: str | LocalizedText) -> None:
        # A parent that is gone or stops does not read it.
        with contextlib.suppress(OSError):
            pipe.send(message)

    with nonblocking_output():
        try:
            status = run_process(
                factory(), sockets, limits, lambda: report(_READY), listen_for_stop
            )
        except (BindError, StartupFailedError) as refusal:
            report(refusal.localized)
            status = 1
    sys.exit(status)


@dataclass(eq=False)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    started_at: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    startup_error: LocalizedText | None = None

    def read_status(self) -> None:
        """Read what the worker has reported."""
        with contextlib.suppress(EOFError, OSError):
            while self.pipe.poll():
                status = self.pipe.recv()
                self.is_ready = status == _READY
                self.startup_error = status if isinstance(status, LocalizedText) else None


class Supervisor:
    """Keeps a number of workers running."""

    def __init__(
        self,
        factory: Callable[[], ASGIApp],
        sockets: list[socket.socket],
        limits: ServerLimits,
        count: int,
        on_ready: Callable[[], None],
        *,
        english: bool = False,
    ) -> None:
        """Start nothing yet.

        Args:
            factory: makes the app in each worker; can be pickled.
            sockets: listening sockets; closed at the end.
            limits: the limits of peers, and the duration of the shutdown.
            count: the number of workers.
            on_ready: is called once, when all workers are ready.
            english: the language of a startup error on the terminal.
        """
        self._factory = factory
        self._sockets = sockets
        self._limits = limits
        self._count = count
        self._on_ready = on_ready
        self._english = english
        self._workers: list[_Worker] = []
        self._all_were_ready = False
        self._quick_exits = 0
        self._spawn_at = 0.0

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT.

        Returns:
            The exit status.
        """
        stop_receiver, stop_sender = _SPAWN_CONTEXT.Pipe(duplex=False)
        with (
            stop_receiver,
            stop_sender,
            handle_stop_signals(lambda: stop_sender.send(None), self._kill),
        ):
            try:
                while not stop_receiver.poll():
                    self._spawn()
                    self._wait(stop_receiver)
                    if not self._reap():
                        return 1
                return 0
            finally:
                self._stop()

    def _spawn(self) -> None:
        if time.monotonic() < self._spawn_at:
            return
        while len(self._workers) < self._count:
            parent_pipe, child_pipe = _SPAWN_CONTEXT.Pipe()
            arguments = (self._factory, self._sockets, self._limits, child_pipe)
            process = _SPAWN_CONTEXT.Process(target=_run_worker, args=arguments, daemon=True)
            with block_sighup():  # the parent handles it as well
                process.start()
            child_pipe.close()
            self._workers.append(_Worker(process, parent_pipe))

    def _wait(self, stop_receiver: Connection) -> None:
        missing = len(self._workers) < self._count
        timeout = max(0.0, self._spawn_at - time.monotonic()) if missing else None
        sentinels = [worker.process.sentinel for worker in self._workers]
        pipes = [worker.pipe for worker in self._workers if not worker.is_ready]
        multiprocessing.connection.wait([stop_receiver, *sentinels, *pipes], timeout)

    def _reap(self) -> bool:
        """Collect ready and exited workers; return False if the workers cannot start."""
        for worker in tuple(self._workers):
            # Checked first: what it wrote before it died is then certainly in the pipe.
            is_gone = not worker.process.is_alive()
            worker.read_status()
            if is_gone:
                self._workers.remove(worker)
                if not self._all_were_ready:
                    _print_error(worker.startup_error, english=self._english)
                    return False
                self._on_exit(worker)
        ready = sum(worker.is_ready for worker in self._workers)
        if ready == self._count and not self._all_were_ready:
            self._all_were_ready = True
            self._on_ready()
        return True

    def _on_exit(self, worker: _Worker) -> None:
        now = time.monotonic()
        lived_well = now - worker.started_at > _STABLE_SECONDS
        self._quick_exits = 0 if lived_well else self._quick_exits + 1
        delay = min(_BACKOFF_SECONDS * 2**self._quick_exits, _MAX_BACKOFF_SECONDS)
        self._spawn_at = now + (0 if lived_well else delay)
        worker.pipe.close()
        _LOGGER.warning(
            "Worker %s ended with status %s; a new one replaces it. %s",
            worker.process.pid,
            worker.process.exitcode,
            worker.startup_error.en if worker.startup_error else "",
        )

    def _stop(self) -> None:
        deadline = time.monotonic() + self._limits.stop_timeout_seconds
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


def run_server(  # everything that a server needs, by keyword
    factory: Callable[[], ASGIApp],
    *,
    host: str,
    port: int,
    workers: int,
    limits: ServerLimits,
    on_listening: Callable[[list[str]], None],
    english: bool = False,
    explain: Callable[[BindError], LocalizedText] = lambda error: error.localized,
) -> int:
    """Serve until SIGTERM or SIGINT; a second one ends the process at once.

    If the address cannot be used or the app cannot start, one line on stderr says why.

    Args:
        factory: makes the app, once in each serving process. With several workers it must be
            picklable.
        host: a name, an IPv4 or IPv6 address, or several with commas between; "*" is every address
            of the machine, of both families.
        port: 0 lets the system choose.
        workers: the number of serving processes; a single one is this process itself.
        limits: the limits of peers, and the duration of the shutdown.
        on_listening: is called once with the URLs, when requests are served.
        english: the language of that line.
        explain: returns what it says about an address that cannot be used.

    Returns:
        The exit status: 0 after a graceful stop, 1 if it could not start or stop without an error.
    """
    with nonblocking_output():
        try:
            sockets = listen(host, port)
            found = socket_urls(sockets)
            if workers > 1:
                return Supervisor(
                    factory,
                    sockets,
                    limits,
                    workers,
                    lambda: on_listening(found),
                    english=english,
                ).run()
            return run_process(
                factory(), sockets, limits, lambda: on_listening(found), _listen_for_signals
            )
        except BindError as refusal:
            _print_error(explain(refusal), english=english)
            return 1
        except StartupFailedError as refusal:
            _print_error(refusal.localized, english=english)
            return 1


def _print_error(error: LocalizedText | None, *, english: bool) -> None:
    if error and error.en:
        sys.stderr.write(f"{error.text(english)}\n")


def _listen_for_signals(
    _loop: asyncio.AbstractEventLoop, request_stop: Callable[[], None]
) -> AbstractContextManager[None]:
    return handle_stop_signals(request_stop, lambda: None)
