"""Admin operations on accounts: create, list, ban, VIP, medals, visibility, deletion."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from hupan.addresses import fold_for_search
from hupan.admin.views import AdminRow, account_detail_row, account_row, parse_time
from hupan.clock import Clock
from hupan.domain.accounts import MAX_VIP_DAYS, AccountDirectory, AccountQuery, Bans, VipMemberships
from hupan.domain.deletion import AccountDeletion
from hupan.domain.medals import Medals
from hupan.domain.passwords import PasswordPolicy
from hupan.domain.profiles import Privacy
from hupan.domain.provisioning import AccountProvisioner, NewAccount
from hupan.errors import InvalidField
from hupan.model import PERMANENT_BAN_END, Medal, PrivacyChoice
from hupan.opening import OperationRefused
from hupan.rules import DAY_SECONDS
from hupan.store.accounts import AccountFilter


@dataclass(frozen=True, slots=True)
class AccountRowPage:
    """Rows, how many there are in all, whether more follow, and whether a search was cut off."""

    rows: list[AdminRow]
    total: int
    has_more: bool
    is_truncated: bool


class AccountAdmin:
    """Finds accounts by id, phone number or e-mail address (`who`), and changes them.

    Every change answers with the account as it stands afterwards. What cannot be is raised as the
    domain's refusal.
    """

    def __init__(
        self,
        clock: Clock,
        zone: ZoneInfo,
        directory: AccountDirectory,
        bans: Bans,
        vip: VipMemberships,
        medals: Medals,
        provisioning: AccountProvisioner,
        strength: PasswordPolicy,
    ) -> None:
        self._clock = clock
        self._zone = zone
        self._directory = directory
        self._bans = bans
        self._vip = vip
        self._medals = medals
        self._provisioning = provisioning
        self._strength = strength

    async def show(self, who: str) -> AdminRow:
        """One account."""
        return account_detail_row(await self._directory.get_details(who), self._clock.now())

    async def list_page(
        self, search: str, standing: AccountFilter, since: str | None, after_id: int, limit: int
    ) -> AccountRowPage:
        """Accounts as they are asked for, the newest first; `after_id` is an id or 0."""
        registered_since = 0 if since is None else max(0, parse_time(since, self._zone))
        query = AccountQuery(search, standing, registered_since, after_id, limit)
        now = self._clock.now()
        page = await self._directory.list_page(query, int(now))
        rows = [account_row(one.account, one.erase_at, now) for one in page.accounts]
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
        """Makes an account; "" and 0 leave a thing out."""
        if not 0 <= vip_days <= MAX_VIP_DAYS:
            raise InvalidField("vip_days")
        if password:
            self._strength.check(
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
        return await self.show(str(await self._provisioning.create(new_account)))

    async def ban(self, who: str, reason: str, days: int | None, until: str | None) -> AdminRow:
        """Bans for some days, until a time, or else for good."""
        account = await self._directory.get(who)
        await self._bans.ban(account.id, reason, self._banned_until(days, until))
        return await self.show(str(account.id))

    async def unban(self, who: str) -> AdminRow:
        """Ends a ban."""
        account = await self._directory.get(who)
        await self._bans.unban(account.id)
        return await self.show(str(account.id))

    async def set_vip(self, who: str, days: int | None, until: str | None) -> AdminRow:
        """Adds days to what is left, or sets the end, or else ends VIP now."""
        account = await self._directory.get(who)
        if days is not None:
            await self._vip.extend(account.id, days)
        elif until is not None:
            await self._vip.set_end(account.id, parse_time(until, self._zone))
        else:
            await self._vip.end(account.id)
        return await self.show(str(account.id))

    async def set_medal(self, who: str, name: str, *, take: bool) -> AdminRow:
        """Gives a medal that was defined, or takes it away."""
        account = await self._directory.get(who)
        try:
            await (self._medals.remove if take else self._medals.give)(account.id, name)
        except InvalidField as error:
            raise OperationRefused(
                "没有这个勋章，请先用 hupan medal define 定义",
                "no such medal: define it first with hupan medal define",
            ) from error
        return await self.show(str(account.id))

    def _banned_until(self, days: int | None, until: str | None) -> int:
        if until is not None:
            return parse_time(until, self._zone)
        if days is None:
            return PERMANENT_BAN_END
        if not 1 <= days <= MAX_VIP_DAYS:
            raise InvalidField("days")
        return int(self._clock.now()) + days * DAY_SECONDS


class DeletionAdmin:
    """Cancels accounts as their owners do, but without a code.

    Args:
        clock: tells what is in force.
        directory: finds them.
        make_deletion: is asked only when an account ends, for it needs the server's key.
    """

    def __init__(
        self,
        clock: Clock,
        directory: AccountDirectory,
        make_deletion: Callable[[], AccountDeletion],
    ) -> None:
        self._clock = clock
        self._directory = directory
        self._make_deletion = make_deletion

    async def delete(self, who: str) -> AdminRow:
        """Ends an account at once; tells when it is erased.

        Raises:
            UnknownUser: there is none.
            OperationRefused: the server's key cannot be read.
        """
        account = await self._directory.get(who)
        erased_at = await self._make_deletion().cancel_by_operator(account.id)
        return {"id": str(account.id), "nickname": account.name, "erasedAt": erased_at}

    async def restore(self, who: str) -> AdminRow:
        """Takes a cancellation back, until the account is erased; tells of it as it is then.

        Raises:
            UnknownUser: there is none, or it is to be erased now.
            OperationRefused: it was not cancelled, or the server's key cannot be read.
        """
        found = await self._directory.get_any(who)
        if not found.erase_at:
            raise OperationRefused("该账号未注销", "this account was not cancelled")
        await self._make_deletion().restore(found.account.id)
        return account_detail_row(
            await self._directory.get_details(str(found.account.id)), self._clock.now()
        )


class MedalAdmin:
    """Defines and lists medals; what cannot be is raised as the domain's refusal."""

    def __init__(self, medals: Medals) -> None:
        self._medals = medals

    async def define(
        self, name: str, sort: int | None, description: str, image_url: str
    ) -> AdminRow:
        """Makes a medal, or changes the one of that name."""
        return _medal_row(await self._medals.define(name, sort, description, image_url))

    async def list_medals(self) -> list[AdminRow]:
        """Every medal, in their order."""
        return [_medal_row(medal) for medal in await self._medals.list_all()]


def _medal_row(medal: Medal) -> AdminRow:
    return {
        "id": medal.id,
        "name": medal.name,
        "sort": medal.sort,
        "description": medal.description,
        "imageUrl": medal.image_url,
    }


VisibilityChoice: TypeAlias = Literal["show", "hide", "default"]
PRIVACY_FIELDS = {
    "birthday": "birthday",
    "address": "address",
    "last_active": "lastActive",
    "country": "country",
}
"""The parts of a choice, and what they are called for programs."""

_VISIBILITY_BY_CHOICE: dict[VisibilityChoice, bool | None] = {
    "show": True,
    "hide": False,
    "default": None,
}
_CHOICE_BY_VISIBILITY: dict[bool | None, VisibilityChoice] = {
    shown: choice for choice, shown in _VISIBILITY_BY_CHOICE.items()
}


class PrivacyAdmin:
    """Tells what an account chose, and chooses for it."""

    def __init__(self, directory: AccountDirectory, privacy: Privacy) -> None:
        self._directory = directory
        self._privacy = privacy

    async def set_visibility(self, who: str, requested: Mapping[str, VisibilityChoice]) -> AdminRow:
        """Sets some parts of `PARTS`, or none, and tells what holds then.

        Raises:
            UnknownUser: there is none.
        """
        account = await self._directory.get(who)
        changes = {part: _VISIBILITY_BY_CHOICE[choice] for part, choice in requested.items()}
        if changes:
            await self._privacy.update_choice(account.id, lambda choice: replace(choice, **changes))
        choice = await self._privacy.get_choice(account.id)
        return {"id": str(account.id), "nickname": account.name, **self._privacy_row(choice)}

    def _privacy_row(self, choice: PrivacyChoice) -> AdminRow:
        """Each part as it was chosen, and which of them others see."""
        shown = self._privacy.visible_fields(choice)
        return {
            **{
                name: _CHOICE_BY_VISIBILITY[getattr(choice, part)]
                for part, name in PRIVACY_FIELDS.items()
            },
            "shown": [name for part, name in PRIVACY_FIELDS.items() if getattr(shown, part)],
        }
