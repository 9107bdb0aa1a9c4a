"""One process that serves: its event loop, its hearing of the end, its bound on the end."""

import asyncio
import gc
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import uvloop

from hupan.listener.asgi import ASGIApp
from hupan.listener.limits import ListenerLimits
from hupan.listener.serving import serve

# After a sync the writer asks for the interpreter lock, and a busy loop keeps it for a whole turn:
# with Python's 5 ms a change waits ten times as long as for its disk (docs/performance.md).
_TURN_SECONDS = 0.0005

# Given the loop and what is to be called to stop: for how long to listen for being told so.
HearStop = Callable[[asyncio.AbstractEventLoop, Callable[[], None]], AbstractContextManager[None]]


def work(
    app: ASGIApp,
    sockets: list[socket.socket],
    limits: ListenerLimits,
    on_ready: Callable[[], None],
    hear_stop: HearStop,
) -> int:
    """Serves an app until told to stop.

    Args:
        app: What answers.
        sockets: Listening sockets; closed at the end.
        limits: What peers may do, and how long the end may take.
        on_ready: Called once requests are being answered.
        hear_stop: How this process is told.

    Returns:
        The exit status.

    Raises:
        StartupRefusedError: The app said that it cannot start.
    """
    sys.setswitchinterval(_TURN_SECONDS)
    # Whatever hangs, be it a thread of the app or the loop itself: this process ends in time.
    watchdog = threading.Timer(limits.stop_seconds, os._exit, (1,))
    watchdog.daemon = True
    stop = asyncio.Event()

    def ready() -> None:
        # What has lived until here lives to the end: the collector need not look at it again.
        gc.freeze()
        on_ready()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            loop = runner.get_loop()

            def told() -> None:
                if watchdog.ident is None:
                    watchdog.start()
                loop.call_soon_threadsafe(stop.set)

            with hear_stop(loop, told):
                return 0 if runner.run(serve(app, sockets, limits, stop, ready)) else 1
    finally:
        watchdog.cancel()
