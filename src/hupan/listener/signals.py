"""SIGTERM and SIGINT: the first asks for a graceful end, the second ends at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


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

    def handle(number: int, _frame: FrameType | None) -> None:
        heard.append(number)
        if len(heard) == 1:
            on_first()
            return
        on_second()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    before = {number: signal.signal(number, handle) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
