"""The ASGI application of `hupan sandbox`: that of a server, and the routes of the sandbox.

`hupan serve` never imports this file, so nothing of a sandbox can be reached in a server.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from hupan.api.codecs import Receive, Scope, Send
from hupan.api.media import match_media
from hupan.api.responses import Cors
from hupan.application import (
    Application,
    ASGIApp,
    Server,
    build_server,
    open_metrics_sockets,
)
from hupan.clock import AdjustableClock, SystemClock
from hupan.config import Settings
from hupan.domain.accounts import AccountDirectory
from hupan.domain.captchas import IssuedCaptcha
from hupan.domain.discovery import DiscoveryImporter
from hupan.domain.provisioning import SandboxAccounts
from hupan.environment import Environment
from hupan.logs import configure_logging
from hupan.sandbox.client_base import ClientBase
from hupan.sandbox.decoding import Explainer
from hupan.sandbox.fault_injector import FaultInjector
from hupan.sandbox.faults import Faults
from hupan.sandbox.journal import Journal
from hupan.sandbox.outbox import CapturedMessage, CodePrinter, MessageCapture
from hupan.sandbox.randomness import SandboxRandomness
from hupan.sandbox.requests import JournalRoutes
from hupan.sandbox.routes import PAGES_PREFIX, SameOriginMiddleware, SandboxRoutes
from hupan.sandbox.rules import RuleApp, RuleRoutes, Rules
from hupan.sandbox.seeding import Seeder
from hupan.sandbox.tap import JournalTap
from hupan.sandbox_tools import SandboxTools, make_sandbox_tools
from hupan.store.tables import delete_all_data
from hupan.web.sandbox.app import PageSources, make_sandbox_pages


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Options of a sandbox.

    Attributes:
        seed: repeats codes, tokens and captchas; "" for random ones.
        host_names: host names of the sandbox, besides localhost.
        print_codes: whether codes are printed on the terminal.
        is_english: whether they are printed in English.
    """

    seed: str = ""
    host_names: tuple[str, ...] = ()
    print_codes: bool = True
    is_english: bool = False


def make_sandbox_application(settings: Settings, options: SandboxOptions) -> JournalTap:
    """Return the application, once in the serving process; the store was prepared before."""
    configure_logging(settings.log_level, settings.log_format)
    metrics_sockets = open_metrics_sockets(settings)
    clock = AdjustableClock(SystemClock())
    client_base = ClientBase()
    journal = Journal()
    explainer = Explainer(journal, settings.web_host_prefix)
    rules = Rules()
    journal_routes = JournalRoutes(journal, explainer, rules.find)
    rule_routes = RuleRoutes(rules, explainer.serves)
    printer = CodePrinter(english=options.is_english)
    inbox = MessageCapture(
        clock, settings.brand, printer.print_code if options.print_codes else _ignore_entry
    )

    def record_captcha(captcha: IssuedCaptcha[Any]) -> None:
        inbox.add("captcha", captcha.id, "captcha", captcha.answer, captcha.answer)

    randomness = SandboxRandomness(options.seed)

    async def open_server() -> Server:
        environment = Environment(
            clock,
            randomness.make_source,
            {"sms": inbox, "email": inbox},
            record_captcha,
            is_sandbox=True,
            client_base=client_base,
        )
        return await build_server(settings, environment, metrics_sockets)

    def make_mounts(server: Server) -> dict[str, ASGIApp]:
        journal.token_account = server.infrastructure.sessions.account_of
        routes = _make_sandbox_routes(server, clock, inbox)
        routes.on_reset.extend((journal.clear, rules.clear))
        tools = make_sandbox_tools(server, routes, injector, randomness)
        pages = _make_pages(server, routes, tools, journal_routes, rule_routes)
        listed = [*tools.routes, *journal_routes.build_routes(), *rule_routes.build_routes()]
        mounts: dict[str, ASGIApp] = {
            PAGES_PREFIX: pages,
            "/sandbox/": routes.build_app(listed),
        }
        unserved = RuleApp(
            client_base.wrap(server.dispatcher),
            rules,
            partial(_is_served, explainer),
            Cors(settings.cors_origins),
        )
        return {
            **{path: SameOriginMiddleware(app, options.host_names) for path, app in mounts.items()},
            "/": _lead_to_pages(
                SameOriginMiddleware(pages, options.host_names),
                unserved,
            ),
        }

    application = Application(open_server, make_mounts, retry_store=settings.is_postgres)
    injector = FaultInjector(application, Faults(randomness.make_source))
    return JournalTap(injector, journal, clock)


def _lead_to_pages(pages: ASGIApp, app: ASGIApp) -> ASGIApp:
    """Return an application that passes `/` to the pages and everything else to `app`.

    A POST to `/` uploads a picture (wire.md 8.4), and a browser may send OPTIONS before.
    """

    async def select(scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["path"] == "/" and scope["method"] not in ("POST", "OPTIONS")
        await (pages if is_page else app)(scope, receive, send)

    return select


def _make_pages(
    server: Server,
    routes: SandboxRoutes,
    tools: SandboxTools,
    journal_routes: JournalRoutes,
    rule_routes: RuleRoutes,
) -> ASGIApp:
    infrastructure = server.infrastructure
    return make_sandbox_pages(
        PageSources(
            routes=routes,
            directory=AccountDirectory(infrastructure.database, infrastructure.contact_parser),
            zone=infrastructure.rules.zone,
            clock=tools.clock,
            faults=tools.faults,
            journal=journal_routes,
            snapshots=tools.snapshots,
            rules=rule_routes,
        )
    )


def _is_served(explainer: Explainer, scope: Scope) -> bool:
    """Return whether a request is for an endpoint or a picture."""
    header_map = dict(scope["headers"])
    method, path = scope["method"], scope["path"]
    return (
        explainer.route_key(method, path, header_map.get(b"host", b"")) in explainer.endpoints
        or match_media(method, path, header_map) is not None
    )


def _ignore_entry(_entry: CapturedMessage) -> None:
    """Do nothing."""


def _make_sandbox_routes(
    server: Server, clock: AdjustableClock, inbox: MessageCapture
) -> SandboxRoutes:
    infrastructure = server.infrastructure
    sandbox_accounts = SandboxAccounts(
        infrastructure.database, infrastructure.provisioner, infrastructure.sessions
    )

    async def reset_store() -> None:
        await infrastructure.database.run_transaction(delete_all_data)
        infrastructure.memory_limits.reset_all()
        await infrastructure.presence.recheck_all()

    seeding = Seeder(
        sandbox_accounts, infrastructure.coins, DiscoveryImporter(infrastructure.database)
    )
    return SandboxRoutes(
        inbox,
        clock,
        sandbox_accounts,
        seeding,
        infrastructure.outbox_worker.drain,
        reset_store,
    )
