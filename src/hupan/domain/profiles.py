"""What others may see of an account."""

import re

from msgspec import Struct

from hupan.clock import Clock
from hupan.domain.days import Days
from hupan.domain.refusals import Banned, UnknownUser
from hupan.model import Account, AccountId, Medal
from hupan.store.accounts import find_account
from hupan.store.engine import Engine
from hupan.store.medals import list_medals

_ID = re.compile("[1-9][0-9]{0,14}")


class Profile(Struct, frozen=True):
    """An account as others see it.

    Attributes:
        days_in_a_row: of the run of days online that has not been broken yet.
    """

    account: Account
    days_in_a_row: int
    medals: list[Medal]


class Profiles:
    """Shows accounts."""

    def __init__(self, engine: Engine, clock: Clock, days: Days) -> None:
        self._days = days
        self._engine = engine
        self._clock = clock

    async def show(self, user_id: str) -> Profile:
        """The public side of the account with an id as clients write it.

        Raises:
            UnknownUser: nobody has this id.
            Banned: the account is banned (wire.md 2, 7100).
        """
        if not _ID.fullmatch(user_id):
            raise UnknownUser
        account = await find_account(self._engine, AccountId(int(user_id)))
        if account is None:
            raise UnknownUser
        if account.is_banned(self._clock.now()):
            raise Banned
        run = self._days.unbroken(account, self._clock.now())
        return Profile(account, run, await list_medals(self._engine, account.id))
