"""Builds a server from its settings and its outside."""

from dataclasses import dataclass

from hupan.api.access_log import AccessLog
from hupan.api.cors import Cors
from hupan.api.dispatch import Dispatcher
from hupan.api.health import Health
from hupan.api.routes import routes
from hupan.api.services import Services
from hupan.app.engines import open_to_serve
from hupan.app.logs import make_access_log
from hupan.app.outside import Outside
from hupan.app.parts import Parts, make_parts
from hupan.app.services import make_services
from hupan.config import Settings
from hupan.domain.housekeeping import Housekeeping
from hupan.seal import Seal, load_key
from hupan.store.processes import next_process_number


@dataclass(frozen=True, slots=True)
class Server:
    """A server with all its parts; `start` and `stop` run on the event loop."""

    parts: Parts
    services: Services
    housekeeping: Housekeeping
    dispatcher: Dispatcher
    health: Health
    access_log: AccessLog

    def start(self) -> None:
        """Begins the work that no request asks for."""
        self.parts.pictures.start()
        self.parts.courier.start()
        self.housekeeping.start()

    async def stop(self) -> None:
        """Ends it and lets go of the store, once every request has its answer."""
        await self.housekeeping.stop()
        await self.parts.courier.stop()
        self.parts.pictures.stop()
        self.parts.passwords.close()
        await self.parts.engine.close()
        self.access_log.flush()


async def build(settings: Settings, outside: Outside) -> Server:
    """Opens the store, which must be up to date, and joins the parts.

    Raises:
        StoreRefused, KeyFileError: the store or the key cannot be used.
    """
    seal = Seal(load_key(settings.secret_key_path))
    engine = await open_to_serve(settings)
    process_number = await engine.change(next_process_number)
    parts = make_parts(settings, outside.in_process(process_number), engine, seal)
    services = make_services(parts)
    access_log = make_access_log(settings)
    dispatcher = Dispatcher(
        routes(services).table,
        Cors(settings.cors_origins),
        access_log,
        process_number=process_number,
        web_host_prefix=settings.web_host_prefix,
    )
    housekeeping = _housekeeping(parts, services)
    return Server(parts, services, housekeeping, dispatcher, Health(engine.check), access_log)


def _housekeeping(parts: Parts, services: Services) -> Housekeeping:
    """What is done now and then."""
    chores = [
        services.devices.forget_expired,
        services.contact_undo.forget_expired,
        services.endings.erase_due,
    ]
    return Housekeeping(parts.engine, parts.clock, chores)
