"""Admin operations on accounts: create, list, ban, VIP, medals, visibility, deletion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from hupan.addresses import fold_for_search
from hupan.admin.views import AdminRow, account_detail_row, account_row, parse_time
from hupan.clock import Clock
from hupan.domain.accounts import (
    MAX_VIP_DAYS,
    AccountDirectory,
    AccountQuery,
    Bans,
    Medals,
    VipMemberships,
)
from hupan.domain.deletion import AccountDeletion
from hupan.domain.passwords import PasswordPolicy
from hupan.domain.profiles import Privacy
from hupan.domain.provisioning import AccountProvisioner, NewAccount
from hupan.errors import InvalidField
from hupan.model import PERMANENT_BAN_END, AccountFilter, Medal, PrivacyChoice
from hupan.opening import OperationRefused
from hupan.rules import DAY_SECONDS

VisibilityChoice: TypeAlias = Literal["show", "hide", "default"]
PRIVACY_FIELDS = {
    "birthday": "birthday",
    "address": "address",
    "last_active": "lastActive",
    "country": "country",
    "search": "search",
}
"""The fields of a privacy choice, and their names in JSON."""

_VISIBILITY_BY_CHOICE: dict[VisibilityChoice, bool | None] = {
    "show": True,
    "hide": False,
    "default": None,
}
_CHOICE_BY_VISIBILITY: dict[bool | None, VisibilityChoice] = {
    shown: choice for choice, shown in _VISIBILITY_BY_CHOICE.items()
}


@dataclass(frozen=True, slots=True)
class AccountRowPage:
    """A page of accounts; `is_truncated` if the search stopped before it had seen them all."""

    rows: list[AdminRow]
    total: int
    has_more: bool
    is_truncated: bool


class AccountAdmin:
    """Finds accounts by id, phone number or e-mail address (`identifier`), and changes them.

    Changes return the account as it is afterwards, and raise the errors of the domain.
    `get_deletion` reads the server's key, so it is called only if an account is deleted.
    """

    def __init__(
        self,
        clock: Clock,
        zone: ZoneInfo,
        directory: AccountDirectory,
        bans: Bans,
        vip: VipMemberships,
        medals: Medals,
        privacy: Privacy,
        provisioner: AccountProvisioner,
        password_policy: PasswordPolicy,
        get_deletion: Callable[[], AccountDeletion],
    ) -> None:
        self._clock = clock
        self._zone = zone
        self._directory = directory
        self._bans = bans
        self._vip = vip
        self._medals = medals
        self._privacy = privacy
        self._provisioner = provisioner
        self._password_policy = password_policy
        self._get_deletion = get_deletion

    async def show(self, identifier: str) -> AdminRow:
        return account_detail_row(await self._directory.get_details(identifier), self._clock.now())

    async def list_page(
        self, search: str, standing: AccountFilter, since: str | None, after_id: int, limit: int
    ) -> AccountRowPage:
        """Return accounts, newest first; `after_id` is an id, or 0 for the first page."""
        registered_since = 0 if since is None else max(0, parse_time(since, self._zone))
        query = AccountQuery(search, standing, registered_since, after_id, limit)
        now = self._clock.now()
        page = await self._directory.list_page(query, int(now))
        rows = [account_row(found.account, found.erase_at, now) for found in page.accounts]
        return AccountRowPage(
            rows, page.total, has_more=page.has_more, is_truncated=page.is_truncated
        )

    async def create(
        self,
        *,
        phone: str,
        email: str,
        password: str,
        nickname: str,
        vip_days: int,
        invited_by: str,
    ) -> AdminRow:
        """Create an account; "" and 0 omit a value."""
        if not 0 <= vip_days <= MAX_VIP_DAYS:
            raise InvalidField("vip_days")
        if password:
            self._password_policy.check(
                password, nickname, fold_for_search(phone), email.partition("@")[0]
            )
        new_account = NewAccount(
            phone=phone,
            email=email,
            password=password,
            nickname=nickname,
            vip_days=vip_days,
            invited_by=invited_by,
        )
        return await self.show(str(await self._provisioner.create(new_account)))

    async def ban(
        self, identifier: str, reason: str, days: int | None, until: str | None
    ) -> AdminRow:
        """Ban an account for some days or until a time, permanently if neither is set."""
        account = await self._directory.get(identifier)
        await self._bans.ban(account.id, reason, self._banned_until(days, until))
        return await self.show(str(account.id))

    async def unban(self, identifier: str) -> AdminRow:
        account = await self._directory.get(identifier)
        await self._bans.unban(account.id)
        return await self.show(str(account.id))

    async def set_vip(self, identifier: str, days: int | None, until: str | None) -> AdminRow:
        """Add days to VIP or set its end; end it now if neither is set."""
        account = await self._directory.get(identifier)
        if days is not None:
            await self._vip.extend(account.id, days)
        elif until is not None:
            await self._vip.set_end(account.id, parse_time(until, self._zone))
        else:
            await self._vip.end(account.id)
        return await self.show(str(account.id))

    async def set_medal(self, identifier: str, name: str, *, take: bool) -> AdminRow:
        """Award a defined medal, or revoke it."""
        account = await self._directory.get(identifier)
        try:
            await (self._medals.remove if take else self._medals.give)(account.id, name)
        except InvalidField as error:
            raise OperationRefused(
                "没有这个勋章，请先用 hupan medal define 定义",
                "no such medal: define it first with hupan medal define",
            ) from error
        return await self.show(str(account.id))

    async def delete(self, identifier: str) -> AdminRow:
        """Cancel an account without a code; return when it is erased.

        Raises:
            UnknownUser: there is no such account.
            OperationRefused: the server's key cannot be read.
        """
        account = await self._directory.get(identifier)
        erased_at = await self._get_deletion().cancel_by_operator(account.id)
        return {"id": str(account.id), "nickname": account.name, "erasedAt": erased_at}

    async def restore(self, identifier: str) -> AdminRow:
        """Undo a cancellation, as long as the account is not erased.

        Raises:
            UnknownUser: there is no such account, or its erasure is due.
            OperationRefused: it is not cancelled, or the server's key cannot be read.
        """
        found = await self._directory.get_any(identifier)
        if not found.erase_at:
            raise OperationRefused("该账号未注销", "this account is not cancelled")
        await self._get_deletion().restore(found.account.id)
        return account_detail_row(
            await self._directory.get_details(str(found.account.id)), self._clock.now()
        )

    async def define_medal(
        self, name: str, sort: int | None, description: str, image_url: str
    ) -> AdminRow:
        """Create a medal, or change the one with this name."""
        return _medal_row(await self._medals.define(name, sort, description, image_url))

    async def list_medals(self) -> list[AdminRow]:
        return [_medal_row(medal) for medal in await self._medals.list_all()]

    async def set_visibility(
        self, identifier: str, requested: Mapping[str, VisibilityChoice]
    ) -> AdminRow:
        """Change some of `PRIVACY_FIELDS`, or none, and return them all.

        Raises:
            UnknownUser: there is no such account.
        """
        account = await self._directory.get(identifier)
        changes = {field: _VISIBILITY_BY_CHOICE[choice] for field, choice in requested.items()}
        if changes:
            await self._privacy.update_choice(account.id, lambda choice: replace(choice, **changes))
        choice = await self._privacy.get_choice(account.id)
        return {"id": str(account.id), "nickname": account.name, **self._privacy_row(choice)}

    def _banned_until(self, days: int | None, until: str | None) -> int:
        if until is not None:
            return parse_time(until, self._zone)
        if days is None:
            return PERMANENT_BAN_END
        if not 1 <= days <= MAX_VIP_DAYS:
            raise InvalidField("days")
        return int(self._clock.now()) + days * DAY_SECONDS

    def _privacy_row(self, choice: PrivacyChoice) -> AdminRow:
        shown = self._privacy.visible_fields(choice)
        return {
            **{
                name: _CHOICE_BY_VISIBILITY[getattr(choice, field)]
                for field, name in PRIVACY_FIELDS.items()
            },
            "shown": [name for field, name in PRIVACY_FIELDS.items() if getattr(shown, field)],
        }


def _medal_row(medal: Medal) -> AdminRow:
    return {
        "id": medal.id,
        "name": medal.name,
        "sort": medal.sort,
        "description": medal.description,
        "imageUrl": medal.image_url,
    }
