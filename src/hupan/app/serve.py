"""The application of `hupan serve`."""

from hupan.app.application import Application
from hupan.app.building import Server, build
from hupan.app.logs import log_to_stderr
from hupan.app.metrics import metrics_sockets
from hupan.app.outside import real_outside
from hupan.app.senders import make_senders
from hupan.config import Settings


def serve_application(settings: Settings) -> Application:
    """Made once in each serving process; the store was prepared before.

    Raises:
        BindRefusedError: the address of the metrics cannot be had.
    """
    log_to_stderr(settings.log_level, settings.log_format)
    metrics = metrics_sockets(settings)

    async def open_server() -> Server:
        return await build(settings, real_outside(make_senders(settings)), metrics)

    return Application(open_server, waits=settings.is_postgres)
