"""What others may see of an account."""

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain.account_ids import read_account_id
from hupan.domain.days import Days
from hupan.domain.privacy import ALL_SHOWN, Privacy, Shown, as_shown
from hupan.domain.refusals import Banned, UnknownUser
from hupan.model import (
    NOTHING_NOTED,
    AccountId,
    Medal,
    PersonalData,
    PublicAccount,
    Remark,
    Viewer,
)
from hupan.store.engine import Engine
from hupan.store.medals import list_medals
from hupan.store.profiles import Seen, find_seen
from hupan.store.remarks import find_remark


class Profile(Struct, frozen=True):
    """An account as one viewer sees it; "" and 0 stand for what is not there or not shown.

    Attributes:
        days_in_a_row: of the run of days online that has not been broken yet.
        last_active_at: unix seconds.
        country: where it last signed in.
        remark: what the viewer noted about it; None for a viewer without a session.
    """

    account: PublicAccount
    days_in_a_row: int
    medals: list[Medal]
    data: PersonalData
    last_active_at: int
    country: str
    remark: Remark | None


class Profiles:
    """Shows accounts."""

    def __init__(self, engine: Engine, clock: Clock, days: Days, privacy: Privacy) -> None:
        self._days = days
        self._engine = engine
        self._clock = clock
        self._privacy = privacy

    async def show(self, user_id: str, viewer: Viewer | None) -> Profile:
        """The side of an account that a viewer may see; its owner sees all (security D4).

        Args:
            user_id: the account's id as clients write it.
            viewer: who looks; None for somebody without a session.

        Raises:
            UnknownUser: nobody has this id.
            Banned: the account is banned (wire.md 2, 7100).
        """
        found = await find_seen(self._engine, read_account_id(user_id))
        if found is None:
            raise UnknownUser
        account, now = found.account, self._clock.now()
        if account.is_banned(now):
            raise Banned
        shown = self._shown(found, viewer)
        return Profile(
            account,
            self._days.unbroken(account, now),
            await list_medals(self._engine, account.id) if account.wears_medals else [],
            as_shown(found.data, shown),
            account.last_active_at if shown.last_active else 0,
            account.country if shown.country else "",
            await self._remark(account.id, viewer),
        )

    def _shown(self, found: Seen, viewer: Viewer | None) -> Shown:
        if viewer is not None and viewer.id == found.account.id:
            return ALL_SHOWN
        return self._privacy.shown(found.choice)

    async def _remark(self, account: AccountId, viewer: Viewer | None) -> Remark | None:
        if viewer is None:
            return None
        if not viewer.has_remarks:  # as most: one read less
            return NOTHING_NOTED
        return await find_remark(self._engine, viewer.id, account) or NOTHING_NOTED
