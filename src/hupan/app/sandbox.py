"""The application of `hupan sandbox`: the real server, with a moved clock and an open outbox."""

from dataclasses import dataclass

from hupan.app.application import Application, ASGIApp
from hupan.app.building import Server, build
from hupan.app.logs import log_to_stderr
from hupan.app.metrics import metrics_sockets
from hupan.app.outside import Outside
from hupan.chance import Chance, SeededChance, SystemChance
from hupan.clock import SystemClock, WoundClock
from hupan.config import Settings
from hupan.domain.arrivals import Arrivals
from hupan.domain.captchas import IssuedCaptcha
from hupan.domain.listings import Listings
from hupan.domain.provisioning import Provisioning
from hupan.sandbox.doors import Doors
from hupan.sandbox.guard import Guard
from hupan.sandbox.inbox import Entry, Inbox
from hupan.sandbox.printing import CodePrinter
from hupan.sandbox.seeding import Seeding
from hupan.store.reset import empty


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """What only a sandbox knows.

    Attributes:
        seed: repeats codes, tokens and captchas; "" for chance.
        names: host names that lead to the sandbox, besides localhost.
        prints: whether codes are printed on the terminal, too.
        english: whether that is in English.
    """

    seed: str = ""
    names: tuple[str, ...] = ()
    prints: bool = True
    english: bool = False


def sandbox_application(settings: Settings, options: SandboxOptions) -> Application:
    """Made once in the serving process; the store was prepared before."""
    log_to_stderr(settings.log_level, settings.log_format)
    metrics = metrics_sockets(settings)
    clock = WoundClock(SystemClock())
    printer = CodePrinter(english=options.english)
    inbox = Inbox(clock, settings.brand, printer.show if options.prints else _print_nothing)

    def show(captcha: IssuedCaptcha) -> None:
        inbox.add("captcha", captcha.id, "captcha", captcha.answer, captcha.answer)

    def chance(purpose: str) -> Chance:
        return SeededChance(f"{options.seed}/{purpose}") if options.seed else SystemChance()

    async def open_server() -> Server:
        outside = Outside(clock, chance, {"sms": inbox, "email": inbox}, show, is_sandbox=True)
        return await build(settings, outside, metrics)

    def make_doors(server: Server) -> dict[str, ASGIApp]:
        return {"/sandbox/": Guard(_doors(server, clock, inbox).application(), options.names)}

    return Application(open_server, make_doors, waits=settings.is_postgres)


def _print_nothing(_entry: Entry) -> None:
    """For whom asked for quiet."""


def _doors(server: Server, clock: WoundClock, inbox: Inbox) -> Doors:
    parts = server.parts
    provisioning = Provisioning(
        parts.engine,
        clock,
        parts.targets,
        parts.accounts,
        parts.passwords,
        parts.coins,
        server.services.invitations,
    )
    arrivals = Arrivals(parts.engine, provisioning, parts.sessions)

    async def forget() -> None:
        await parts.engine.change(empty)
        parts.floods.forget_everything()

    seeding = Seeding(arrivals, parts.coins, Listings(parts.engine))
    return Doors(
        inbox, clock, arrivals, seeding, parts.courier.drain, forget, server.housekeeping.purge
    )
