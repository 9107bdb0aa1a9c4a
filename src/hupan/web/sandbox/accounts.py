"""Accounts: existing ones, new ones, sample data, and deleting everything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from hupan.domain.accounts import MAX_SEARCH_CHARACTERS, AccountDirectory, AccountQuery
from hupan.errors import InvalidField
from hupan.model import Account
from hupan.rules import CENTS_PER_COIN
from hupan.sandbox.known_accounts import KnownAccount
from hupan.sandbox.routes import AccountBody, SandboxRoutes, SeedBody
from hupan.sandbox.seeding import PACK_NAMES
from hupan.web.forms import FormState, read_decimal, read_integer
from hupan.web.pages import Fields, PageSet
from hupan.web.sandbox.requests import positive_number

PAGE_SIZE: Final = 25
MAX_DAYS: Final = 36_500
MAX_COINS: Final = 10**12
MAX_SEEDED: Final = 100_000


@dataclass(frozen=True, slots=True)
class ShownAccount:
    """An account as a row; `known` if the sandbox created it."""

    account: Account
    erase_at: int
    known: KnownAccount | None

    @property
    def coins(self) -> str:
        return f"{self.account.coin_cents / CENTS_PER_COIN:,.2f}"


@dataclass(frozen=True, slots=True)
class AccountPages:
    """The page of accounts, and the forms on it."""

    pages: PageSet
    routes: SandboxRoutes
    directory: AccountDirectory

    async def show(self, request: Request, form: FormState) -> Response:
        """Show accounts, newest first."""
        search = request.query_params.get("search", "").strip()[:MAX_SEARCH_CHARACTERS]
        below_id = positive_number(request, "below")
        found = await self.find(search, below_id, PAGE_SIZE + 1)
        rows = found[:PAGE_SIZE]
        older = urlencode({"search": search, "below": rows[-1].account.id}) if rows else ""
        return self.pages.render(
            request,
            "sandbox/accounts.html",
            page="accounts",
            form=form,
            rows=rows,
            older=f"{self.pages.prefix}/accounts?{older}" if found[PAGE_SIZE:] else "",
            search=search,
            is_filtered=bool(search or below_id),
            now=self.routes.clock.now(),
            packs=PACK_NAMES,
            created=self.routes.known_accounts.find(request.query_params.get("created", "")),
            seeded=positive_number(request, "seeded"),
        )

    async def find(self, search: str, below_id: int, page_size: int) -> Sequence[ShownAccount]:
        """Return the newest accounts that match; a search that can match nothing finds nothing."""
        if search:
            query = AccountQuery(search, below_id=below_id, page_size=page_size)
            try:
                page = await self.directory.list_page(query, int(self.routes.clock.now()))
            except InvalidField:
                return []
            found = page.accounts
        else:
            found = await self.directory.list_newest(below_id, page_size)
        return [
            ShownAccount(
                one.account, one.erase_at, self.routes.known_accounts.find(str(one.account.id))
            )
            for one in found
        ]

    async def create(self, _request: Request, fields: Fields) -> Response:
        """Create an account, as POST `/sandbox/accounts` does."""
        body = AccountBody(
            phone=fields.get("phone", ""),
            email=fields.get("email", ""),
            password=fields.get("password", ""),
            nickname=fields.get("nickname", ""),
            coins=float(read_decimal(fields, "coins", MAX_COINS)),
            vip_days=read_integer(fields, "vipDays", MAX_DAYS),
            medals=tuple(filter(None, map(str.strip, fields.get("medals", "").split(",")))),
            ban_days=read_integer(fields, "banDays", MAX_DAYS),
            ban_reason=fields.get("banReason", ""),
            invited_by=fields.get("invitedBy", ""),
        )
        created = await self.routes.create(body)
        return self.pages.redirect("/accounts", created=str(created.id))

    async def seed(self, _request: Request, fields: Fields) -> Response:
        """Load sample data, as POST `/sandbox/seed` does."""
        number = read_integer(fields, "number", MAX_SEEDED)
        seeded = await self.routes.seed_pack(SeedBody(fields.get("pack", ""), number))
        if fields.get("next") == "overview":
            return self.pages.redirect("/")
        return self.pages.redirect("/accounts", seeded=str(len(seeded)))

    async def show_reset(self, request: Request, form: FormState) -> Response:
        """Ask before everything is deleted."""
        return self.pages.render(request, "sandbox/reset.html", page="reset", form=form)

    async def reset(self, _request: Request, _fields: Fields) -> Response:
        """Delete everything, as POST `/sandbox/reset` does."""
        await self.routes.reset_all()
        return self.pages.redirect("/", reset="1")
