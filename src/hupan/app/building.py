"""Builds a server from its settings and its outside."""

import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
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
from hupan.domain.settings import DAY, HOUR
from hupan.domain.soundness import Soundness
from hupan.domain.timekeeping import Timekeeping
from hupan.seal import Seal
from hupan.store.copying import refuse_half_a_copy
from hupan.store.engine import MeasuredEngine
from hupan.store.processes import next_process_number


@dataclass(frozen=True, slots=True)
class Server:
    """A server with all its parts; `start` and `stop` run on the event loop."""

    parts: Parts
    services: Services
    timekeeping: Timekeeping | None
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
        if self.timekeeping is not None:
            self.timekeeping.start()
        self.housekeeping.start()
        self.soundness.start()

    async def stop(self) -> None:
        """Ends it and lets go of the store, once every request has its answer.

        Each part is ended also when another one fails (security X7).
        """
        async with AsyncExitStack() as last_to_first:
            last_to_first.callback(self.access_log.flush)
            last_to_first.push_async_callback(self.parts.engine.close)
            last_to_first.callback(self.metrics.close)
            last_to_first.callback(self.parts.passwords.close)
            last_to_first.callback(self.parts.pictures.stop)
            last_to_first.push_async_callback(self.parts.courier.stop)
            if self.timekeeping is not None:
                last_to_first.push_async_callback(self.timekeeping.stop)
            last_to_first.push_async_callback(self.housekeeping.stop)
            last_to_first.push_async_callback(self.soundness.stop)


async def build(
    settings: Settings, outside: Outside, metrics_sockets: Sequence[socket.socket] = ()
) -> Server:
    """Opens the store, which must be up to date, and joins the parts.

    What was opened is closed again when something fails on the way.

    Raises:
        StoreRefused, KeyFileError: the store or the key cannot be used.
    """
    async with AsyncExitStack() as opened:
        engine = await open_to_serve(settings)
        opened.push_async_callback(engine.close)
        await refuse_half_a_copy(engine)
        seal = await own_seal(settings.secret_key_path, engine, is_sandbox=outside.is_sandbox)
        server = await _join(settings, outside, engine, seal)
        opened.callback(server.parts.passwords.close)
        opened.callback(server.metrics.close)
        await server.metrics.open(list(metrics_sockets))
        opened.pop_all()
        return server


async def _join(settings: Settings, outside: Outside, engine: MeasuredEngine, seal: Seal) -> Server:
    timekeeping: Timekeeping | None = None
    if outside.steady is not None:
        erase_after_seconds = settings.account_erasure_days * DAY
        timekeeping = Timekeeping(engine, outside.steady, erase_after_seconds)
        await timekeeping.begin(trusting=settings.trust_clock)
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
    housekeeping = _housekeeping(parts, services, timekeeping)
    soundness = Soundness(
        engine,
        parts.clock,
        look_at(settings, engine),
        settings.integrity_check_hours * HOUR,
        parts.counts,
    )
    health = Health(soundness.check)
    metrics = Metrics(table, dispatcher, parts)
    return Server(
        parts=parts,
        services=services,
        timekeeping=timekeeping,
        housekeeping=housekeeping,
        soundness=soundness,
        dispatcher=dispatcher,
        health=health,
        access_log=access_log,
        metrics=metrics,
    )


def _housekeeping(
    parts: Parts, services: Services, timekeeping: Timekeeping | None
) -> Housekeeping:
    """What is done now and then, once the time is sure."""
    chores: list[Chore] = [
        services.devices.forget_expired,
        services.contact_undo.forget_expired,
        services.endings.erase_due,
        services.gates.watch.look,
        Forgetting(parts.engine, parts.clock, parts.floods).look,
        Claims(parts.engine, parts.clock).repair,
    ]
    return Housekeeping(
        parts.engine,
        parts.clock,
        chores,
        parts.counts,
        may_purge=lambda: timekeeping is None or timekeeping.may_purge,
    )
