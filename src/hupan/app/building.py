"""Builds a server from its settings and its outside."""

from dataclasses import dataclass

from hupan.api.access_log import AccessLog
from hupan.api.cors import Cors
from hupan.api.dispatch import Dispatcher
from hupan.api.health import Health
from hupan.api.routes import routes
from hupan.api.services import Services
from hupan.app.engines import look_at, open_to_serve
from hupan.app.logs import make_access_log
from hupan.app.metrics import Metrics
from hupan.app.outside import Outside
from hupan.app.parts import Parts, make_parts
from hupan.app.services import make_services
from hupan.app.storing import own_seal
from hupan.config import Settings
from hupan.domain.claims import Claims
from hupan.domain.housekeeping import Chore, Housekeeping
from hupan.domain.limit_resets import Forgetting
from hupan.domain.settings import HOUR
from hupan.domain.soundness import Soundness
from hupan.domain.timekeeping import Timekeeping
from hupan.store.copying import refuse_half_a_copy
from hupan.store.processes import next_process_number


@dataclass(frozen=True, slots=True)
class Server:
    """A server with all its parts; `start` and `stop` run on the event loop."""

    parts: Parts
    services: Services
    housekeeping: Housekeeping
    soundness: Soundness
    dispatcher: Dispatcher
    health: Health
    access_log: AccessLog
    metrics: Metrics

    def start(self) -> None:
        """Begins the work that no request asks for."""
        self.parts.pictures.start()
        self.parts.courier.start()
        self.housekeeping.start()
        self.soundness.start()

    async def stop(self) -> None:
        """Ends it and lets go of the store, once every request has its answer."""
        await self.soundness.stop()
        await self.housekeeping.stop()
        await self.parts.courier.stop()
        self.parts.pictures.stop()
        self.parts.passwords.close()
        self.metrics.close()
        await self.parts.engine.close()
        self.access_log.flush()


async def build(settings: Settings, outside: Outside) -> Server:
    """Opens the store, which must be up to date, and joins the parts.

    Raises:
        StoreRefused, KeyFileError: the store or the key cannot be used.
    """
    engine = await open_to_serve(settings)
    await refuse_half_a_copy(engine)
    seal = await own_seal(settings.secret_key_path, engine, is_sandbox=outside.is_sandbox)
    chores: list[Chore] = []
    if outside.steady is not None:
        timekeeping = Timekeeping(engine, outside.steady)
        await timekeeping.begin(trusting=settings.trust_clock)
        chores.append(timekeeping.keep)
    process_number = await engine.change(next_process_number)
    parts = make_parts(settings, outside.in_process(process_number), engine, seal)
    services = make_services(parts)
    access_log = make_access_log(settings)
    table = routes(services).table
    dispatcher = Dispatcher(
        table,
        Cors(settings.cors_origins),
        access_log,
        process_number=process_number,
        web_host_prefix=settings.web_host_prefix,
    )
    housekeeping = _housekeeping(parts, services, chores)
    soundness = Soundness(
        engine, parts.clock, look_at(settings, engine), settings.integrity_check_hours * HOUR
    )
    health = Health(soundness.check)
    metrics = Metrics(table, dispatcher, parts)
    return Server(parts, services, housekeeping, soundness, dispatcher, health, access_log, metrics)


def _housekeeping(parts: Parts, services: Services, more: list[Chore]) -> Housekeeping:
    """What is done now and then."""
    chores = [
        *more,
        services.devices.forget_expired,
        services.contact_undo.forget_expired,
        services.endings.erase_due,
        services.gates.watch.look,
        Forgetting(parts.engine, parts.clock, parts.floods).look,
        Claims(parts.engine, parts.clock).repair,
    ]
    return Housekeeping(parts.engine, parts.clock, chores)
