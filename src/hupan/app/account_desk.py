"""What operators do with accounts: look at them, make them, ban them, give them things."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hupan.app.account_rows import Row, account_row, account_sheet
from hupan.app.moments import moment
from hupan.app.operating import OperationRefused
from hupan.clock import Clock
from hupan.domain.bans import Bans
from hupan.domain.medals import Medals
from hupan.domain.password_strength import PasswordStrength
from hupan.domain.provisioning import SECONDS_IN_A_DAY, AccountWanted, Provisioning
from hupan.domain.refusals import InvalidField
from hupan.domain.roster import Roster, RosterQuery
from hupan.domain.targets import folded
from hupan.domain.vip import MOST_DAYS, VipTerms
from hupan.model import NEVER_ENDS
from hupan.store.roster import Standing


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Rows, how many there are in all, whether more follow, and whether a search was cut off."""

    rows: list[Row]
    total: int
    follow: bool
    is_cut: bool


class AccountDesk:
    """Finds accounts by id, phone number or e-mail address (`who`), and changes them.

    Every change answers with the account as it stands afterwards. What cannot be is raised as the
    domain's refusal.
    """

    def __init__(
        self,
        clock: Clock,
        zone: ZoneInfo,
        roster: Roster,
        bans: Bans,
        vip: VipTerms,
        medals: Medals,
        provisioning: Provisioning,
        strength: PasswordStrength,
    ) -> None:
        self._clock = clock
        self._zone = zone
        self._roster = roster
        self._bans = bans
        self._vip = vip
        self._medals = medals
        self._provisioning = provisioning
        self._strength = strength

    async def show(self, who: str) -> Row:
        """One account."""
        return account_sheet(await self._roster.entry(who), self._clock.now())

    async def page(
        self, find: str, standing: Standing, since: str | None, after: int, most: int
    ) -> AccountPage:
        """Accounts as they are asked for, the newest first; `after` is an id or 0."""
        start = 0 if since is None else max(0, moment(since, self._zone))
        query = RosterQuery(find, standing, start, after, most)
        now = self._clock.now()
        page = await self._roster.page(query, int(now))
        rows = [account_row(one.account, one.erase_at, now) for one in page.accounts]
        return AccountPage(rows, page.total, follow=page.follow, is_cut=page.is_cut)

    async def create(
        self,
        *,
        phone: str,
        email: str,
        password: str,
        nickname: str,
        vip_days: int,
        invited_by: str,
    ) -> Row:
        """Makes an account; "" and 0 leave a thing out."""
        if not 0 <= vip_days <= MOST_DAYS:
            raise InvalidField("vip_days")
        if password:
            self._strength.check(password, nickname, folded(phone), email.partition("@")[0])
        wanted = AccountWanted(
            phone=phone,
            email=email,
            password=password,
            nickname=nickname,
            vip_days=vip_days,
            invited_by=invited_by,
        )
        return await self.show(str(await self._provisioning.create(wanted)))

    async def ban(self, who: str, reason: str, days: int | None, until: str | None) -> Row:
        """Bans for some days, until a time, or else for good."""
        account = await self._roster.find(who)
        await self._bans.ban(account.id, reason, self._end_of_ban(days, until))
        return await self.show(str(account.id))

    async def unban(self, who: str) -> Row:
        """Ends a ban."""
        account = await self._roster.find(who)
        await self._bans.unban(account.id)
        return await self.show(str(account.id))

    async def vip(self, who: str, days: int | None, until: str | None) -> Row:
        """Adds days to what is left, or sets the end, or else ends VIP now."""
        account = await self._roster.find(who)
        if days is not None:
            await self._vip.extend(account.id, days)
        elif until is not None:
            await self._vip.set_end(account.id, moment(until, self._zone))
        else:
            await self._vip.end(account.id)
        return await self.show(str(account.id))

    async def medal(self, who: str, name: str, *, take: bool) -> Row:
        """Gives a medal that was defined, or takes it away."""
        account = await self._roster.find(who)
        try:
            await (self._medals.take if take else self._medals.give)(account.id, name)
        except InvalidField as error:
            raise OperationRefused(
                "没有这个勋章，请先用 hupan medal define 定义 / no such medal: define it first"
            ) from error
        return await self.show(str(account.id))

    def _end_of_ban(self, days: int | None, until: str | None) -> int:
        if until is not None:
            return moment(until, self._zone)
        if days is None:
            return NEVER_ENDS
        if not 1 <= days <= MOST_DAYS:
            raise InvalidField("days")
        return int(self._clock.now()) + days * SECONDS_IN_A_DAY
