"""Puts the pages of the sandbox together; they are clients of its routes."""

from collections.abc import Hashable, Mapping
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hupan.sandbox.routes import PAGES_PREFIX, SandboxRoutes
from hupan.web.assets import load_assets
from hupan.web.live import ChangeStreams
from hupan.web.pages import NavigationEntry, PageSet
from hupan.web.sandbox.outbox import OutboxPages
from hupan.web.sandbox.texts import SANDBOX_TEXTS

NAVIGATION = (NavigationEntry("outbox", "/outbox"),)


def make_sandbox_pages(routes: SandboxRoutes, zone: ZoneInfo) -> ASGIApp:
    """Return the application of `/` and of all that is below the prefix of the pages."""

    def layout_values() -> Mapping[str, object]:
        return {"is_live": True}

    def fingerprint() -> Hashable:
        return routes.outbox_messages.last_id

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
    return pages.build_app(
        [
            Route("/changes", ChangeStreams(fingerprint).respond, methods=["GET"]),
            pages.page("/outbox", outbox.show),
        ],
        [Route("/", _lead_to_pages, methods=["GET"])],
    )


async def _lead_to_pages(_request: Request) -> Response:
    return RedirectResponse(f"{PAGES_PREFIX}/outbox", 303)
