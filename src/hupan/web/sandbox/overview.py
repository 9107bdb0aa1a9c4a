"""The overview: what a new user needs first, and how to reach the sandbox from a client."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from hupan.sandbox.routes import SandboxRoutes
from hupan.web.forms import FormState
from hupan.web.pages import PageSet
from hupan.web.sandbox.accounts import AccountPages
from hupan.web.sandbox.requests import base_url

CLIENT_HOSTS: Final = ("chat-go.jwzhd.com", "chat-web-go.jwzhd.com", "chat-ws-go.jwzhd.com")
"""The names that existing clients have built in (wire.md 6)."""


@dataclass(frozen=True, slots=True)
class OverviewPages:
    """The first page and the one about clients."""

    pages: PageSet
    routes: SandboxRoutes
    accounts: AccountPages

    async def show(self, request: Request, form: FormState) -> Response:
        """Show the base URL, one code and one account."""
        await self.routes.deliver_outbox()
        newest = await self.accounts.find("", 0, 1)
        return self.pages.render(
            request,
            "sandbox/overview.html",
            page="overview",
            form=form,
            base_url=base_url(request),
            message=self.routes.outbox_messages.newest_code(),
            account=newest[0] if newest else None,
            known=self.routes.known_accounts.newest(),
            is_reset=request.query_params.get("reset") == "1",
        )

    async def show_connect(self, request: Request, form: FormState) -> Response:
        """Show how a client, a script and a test reach the sandbox."""
        return self.pages.render(
            request,
            "sandbox/connect.html",
            page="connect",
            form=form,
            base_url=base_url(request),
            hosts=CLIENT_HOSTS,
        )
