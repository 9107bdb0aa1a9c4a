"""SIGTERM and SIGINT: the first asks for a graceful end, the second ends at once.

SIGHUP, SIGUSR1 and SIGUSR2, which ask other servers to open their logs anew, end nothing here: the
log is standard error, which somebody else keeps. But where SIGHUP tells that the terminal is gone
in which the server was started, nobody can press Ctrl-C any more, so it ends gracefully.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_IGNORED = (signal.SIGUSR1, signal.SIGUSR2)
_STANDARD_STREAMS = (0, 1, 2)


@contextmanager
def stop_signals(on_first: Callable[[], None], on_second: Callable[[], None]) -> Iterator[None]:
    """Hears the operator for as long as the block runs; outside the main thread it hears nothing.

    Args:
        on_first: Called at the first signal.
        on_second: Called at the second, just before it ends the process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    terminals = [stream for stream in _STANDARD_STREAMS if os.isatty(stream)]

    def handle(number: int, _frame: FrameType | None) -> None:
        heard.append(number)
        if len(heard) == 1:
            on_first()
            return
        on_second()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    def hung_up(number: int, _frame: FrameType | None) -> None:
        if not heard and not all(map(os.isatty, terminals)):
            heard.append(number)
            on_first()

    before = {number: signal.signal(number, handle) for number in _STOP_SIGNALS}
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, hung_up)
    # Ignored rather than handled: processes that are begun from here on inherit just that.
    before |= {number: signal.signal(number, signal.SIG_IGN) for number in _IGNORED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def hangups_kept_from_children() -> Iterator[None]:
    """Has SIGHUP wait meanwhile; a process that is begun meanwhile never gets one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
