"""The door of this layer: an app, an address, a number of workers; an exit status."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from hupan.listener.asgi import ASGIApp
from hupan.listener.lifespan import StartupRefusedError
from hupan.listener.limits import ListenerLimits
from hupan.listener.output import output_apart
from hupan.listener.process import work
from hupan.listener.signals import stop_signals
from hupan.listener.sockets import BindRefusedError, listen, urls
from hupan.listener.workers import Crew


def run(  # what a server needs to know; all by name
    factory: Callable[[], ASGIApp],
    *,
    host: str,
    port: int,
    workers: int,
    limits: ListenerLimits,
    on_listening: Callable[[list[str]], None],
) -> int:
    """Serves until SIGTERM or SIGINT; a second one ends at once.

    Why the address cannot be had, or why the app does not start, is one line on stderr.

    Args:
        factory: Makes the app, once in each serving process. With several workers it can be
            pickled.
        host: A name, an IPv4 or IPv6 address, or several with commas between; "*" is every address
            of the machine, of both families.
        port: 0 lets the system choose.
        workers: How many processes serve; one serves in this process itself.
        limits: What peers may do, and how long the end may take.
        on_listening: Called once with the URLs, when requests are being answered.

    Returns:
        The exit status: 0 after a graceful end, 1 when it could not start or not end well.
    """
    with output_apart():
        try:
            sockets = listen(host, port)
            found = urls(sockets)
            if workers > 1:
                return Crew(factory, sockets, limits, workers, lambda: on_listening(found)).run()
            return work(factory(), sockets, limits, lambda: on_listening(found), _hear_signals)
        except (BindRefusedError, StartupRefusedError) as refusal:
            sys.stderr.write(f"{refusal}\n" if str(refusal) else "")
            return 1


def _hear_signals(
    _loop: asyncio.AbstractEventLoop, told: Callable[[], None]
) -> AbstractContextManager[None]:
    return stop_signals(told, lambda: None)
