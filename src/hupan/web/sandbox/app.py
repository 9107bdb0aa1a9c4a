"""Assembles the pages of the sandbox; they are clients of its routes."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hupan.domain.accounts import AccountDirectory
from hupan.domain.snapshots import MAX_SNAPSHOT_BYTES
from hupan.sandbox.clock import SandboxClock
from hupan.sandbox.faults import Faults
from hupan.sandbox.requests import JournalRoutes
from hupan.sandbox.routes import PAGES_PREFIX, SandboxRoutes
from hupan.sandbox.rules import RuleRoutes
from hupan.sandbox.snapshots import Snapshots
from hupan.web.assets import load_assets
from hupan.web.live import ChangeStreams
from hupan.web.pages import NavigationEntry, PageSet
from hupan.web.sandbox.accounts import AccountPages
from hupan.web.sandbox.clock import ClockPages
from hupan.web.sandbox.faults import FaultPages
from hupan.web.sandbox.journal import JournalPages
from hupan.web.sandbox.outbox import OutboxPages
from hupan.web.sandbox.overview import OverviewPages
from hupan.web.sandbox.requests import explained
from hupan.web.sandbox.rules import RulePages
from hupan.web.sandbox.snapshots import SnapshotPages
from hupan.web.sandbox.texts import SANDBOX_TEXTS

NAVIGATION = (
    NavigationEntry("overview", "/"),
    NavigationEntry("outbox", "/outbox"),
    NavigationEntry("requests", "/requests"),
    NavigationEntry("accounts", "/accounts"),
    NavigationEntry("clock", "/clock"),
    NavigationEntry("faults", "/faults"),
    NavigationEntry("snapshots", "/snapshots"),
    NavigationEntry("connect", "/connect"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSources:
    """What the pages show and change: the objects behind the routes."""

    routes: SandboxRoutes
    directory: AccountDirectory
    zone: ZoneInfo
    clock: SandboxClock
    faults: Faults
    journal: JournalRoutes
    snapshots: Snapshots
    rules: RuleRoutes

    def layout_values(self) -> Mapping[str, object]:
        """Return the state that every page shows."""
        clock = self.clock.clock
        return {
            "is_frozen": clock.is_frozen,
            "clock_lead": clock.lead_seconds,
            "fault_count": len(self.faults),
        }

    def fingerprint(self) -> Hashable:
        """Return what differs when a page would show something else."""
        clock = self.clock.clock
        return (
            self.routes.outbox_messages.last_id,
            self.routes.known_accounts.change_count,
            self.journal.journal.version,
            self.rules.rules.generation,
            tuple(one.hits for one in self.rules.rules.active),
            self.faults.generation,
            self.faults.hit_count,
            clock.is_frozen,
            int(clock.now() if clock.is_frozen else clock.lead_seconds + 0.5),
        )


def make_sandbox_pages(sources: PageSources) -> ASGIApp:
    """Return the application of `/` and of all that is below the prefix of the pages."""
    routes = sources.routes
    changes = ChangeStreams(sources.fingerprint)
    pages = PageSet(
        load_assets(PAGES_PREFIX),
        "sandbox/layout.html",
        SANDBOX_TEXTS,
        NAVIGATION,
        routes.clock,
        sources.zone,
        lambda: {**sources.layout_values(), "state": changes.state()},
    )
    outbox = OutboxPages(pages, routes.outbox_messages, routes.deliver_outbox)
    accounts = AccountPages(pages, routes, sources.directory)
    overview = OverviewPages(pages, routes, accounts)
    clock = ClockPages(pages, sources.clock, sources.zone)
    faults = FaultPages(pages, sources.faults)
    journal = JournalPages(pages, sources.journal)
    rules = RulePages(pages, sources.rules)
    snapshots = SnapshotPages(pages, sources.snapshots)
    return pages.build_app(
        [
            Route("/changes", changes.respond, methods=["GET"]),
            pages.page("/", overview.show),
            pages.page("/connect", overview.show_connect),
            pages.page("/outbox", outbox.show),
            pages.page("/requests", journal.show),
            pages.page("/requests/{number:int}", journal.show_entry),
            pages.action("/requests", explained(journal.clear), journal.show),
            pages.page("/rules", rules.show),
            pages.action("/rules", explained(rules.change), rules.show),
            pages.page("/accounts", accounts.show),
            pages.action("/accounts", explained(accounts.create), accounts.show),
            pages.page("/seed", accounts.show),
            pages.action("/seed", explained(accounts.seed), accounts.show),
            pages.page("/reset", accounts.show_reset),
            pages.action("/reset", explained(accounts.reset), accounts.show_reset),
            pages.page("/clock", clock.show),
            pages.action("/clock", explained(clock.move), clock.show),
            pages.page("/faults", faults.show),
            pages.action("/faults", explained(faults.change), faults.show),
            pages.page("/snapshots", snapshots.show),
            pages.action("/snapshots", explained(snapshots.change), snapshots.show),
            pages.page("/snapshots/file", snapshots.show),
            pages.file_action(
                "/snapshots/file", explained(snapshots.upload), snapshots.show, MAX_SNAPSHOT_BYTES
            ),
        ],
        [Route("/", _lead_to_pages, methods=["GET"])],
    )


async def _lead_to_pages(_request: Request) -> Response:
    return RedirectResponse(f"{PAGES_PREFIX}/", 303)
