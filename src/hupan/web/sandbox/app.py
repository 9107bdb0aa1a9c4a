"""Puts the pages of the sandbox together; they are clients of its routes."""

from collections.abc import Hashable, Mapping
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hupan.domain.accounts import AccountDirectory
from hupan.sandbox.routes import PAGES_PREFIX, SandboxRoutes
from hupan.web.assets import load_assets
from hupan.web.live import ChangeStreams
from hupan.web.pages import NavigationEntry, PageSet
from hupan.web.sandbox.accounts import AccountPages
from hupan.web.sandbox.outbox import OutboxPages
from hupan.web.sandbox.overview import OverviewPages
from hupan.web.sandbox.requests import explained
from hupan.web.sandbox.texts import SANDBOX_TEXTS

NAVIGATION = (
    NavigationEntry("overview", "/"),
    NavigationEntry("outbox", "/outbox"),
    NavigationEntry("accounts", "/accounts"),
    NavigationEntry("connect", "/connect"),
)


def make_sandbox_pages(
    routes: SandboxRoutes, directory: AccountDirectory, zone: ZoneInfo
) -> ASGIApp:
    """Return the application of `/` and of all that is below the prefix of the pages."""

    def layout_values() -> Mapping[str, object]:
        return {"is_live": True}

    def fingerprint() -> Hashable:
        return (routes.outbox_messages.last_id, routes.known_accounts.change_count)

    pages = PageSet(
        load_assets(PAGES_PREFIX),
        "sandbox/layout.html",
        SANDBOX_TEXTS,
        NAVIGATION,
        routes.clock,
        zone,
        layout_values,
    )
    outbox = OutboxPages(pages, routes.outbox_messages, routes.deliver_outbox)
    accounts = AccountPages(pages, routes, directory)
    overview = OverviewPages(pages, routes, accounts)
    return pages.build_app(
        [
            Route("/changes", ChangeStreams(fingerprint).respond, methods=["GET"]),
            pages.page("/", overview.show),
            pages.page("/outbox", outbox.show),
            pages.page("/accounts", accounts.show),
            pages.action("/accounts", explained(accounts.create), accounts.show),
            pages.page("/seed", accounts.show),
            pages.action("/seed", explained(accounts.seed), accounts.show),
            pages.page("/reset", accounts.show_reset),
            pages.action("/reset", explained(accounts.reset), accounts.show_reset),
            pages.page("/connect", overview.show_connect),
        ],
        [Route("/", _lead_to_pages, methods=["GET"])],
    )


async def _lead_to_pages(_request: Request) -> Response:
    return RedirectResponse(f"{PAGES_PREFIX}/", 303)
