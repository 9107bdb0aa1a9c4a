"""Puts an application on its address."""

from collections.abc import Callable

from hupan.app.application import ASGIApp
from hupan.config import Settings
from hupan.listener.limits import ListenerLimits
from hupan.listener.run import run


def listen(
    factory: Callable[[], ASGIApp], settings: Settings, on_listening: Callable[[list[str]], None]
) -> int:
    """Serves until it is told to stop; gives the exit status."""
    return run(
        factory,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        limits=ListenerLimits(idle_seconds=settings.connection_idle_seconds),
        on_listening=on_listening,
    )
