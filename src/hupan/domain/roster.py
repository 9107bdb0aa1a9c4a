"""The roster of accounts, as operators see it."""

import re

from msgspec import Struct

from hupan.domain.refusals import InvalidField, UnknownUser
from hupan.domain.targets import Targets, unmarked
from hupan.model import Account, AccountId, Medal
from hupan.store.accounts import find_account, find_owner
from hupan.store.engine import Engine
from hupan.store.invitations import find_inviter
from hupan.store.medals import list_medals
from hupan.store.roster import list_accounts

MOST_ON_A_PAGE = 10_000
_ID = re.compile("[1-9][0-9]{0,9}")  # at most ten digits (tokens.py); a phone number has eleven


class RosterEntry(Struct, frozen=True):
    """An account with what else an operator asks of it; `inviter` is None when nobody was."""

    account: Account
    medals: list[Medal]
    inviter: AccountId | None


class Roster:
    """Finds accounts by whatever an operator knows of them."""

    def __init__(self, engine: Engine, targets: Targets) -> None:
        self._engine = engine
        self._targets = targets

    async def find(self, who: str) -> Account:
        """The account with an id, a phone number or an e-mail address.

        Raises:
            UnknownUser: there is none, or `who` is nothing of these.
        """
        account_id = await self._id(who.strip())
        account = None if account_id is None else await find_account(self._engine, account_id)
        if account is None:
            raise UnknownUser
        return account

    async def entry(self, who: str) -> RosterEntry:
        """The same, with medals and inviter.

        Raises:
            UnknownUser: there is none, or `who` is nothing of these.
        """
        account = await self.find(who)
        medals = await list_medals(self._engine, account.id)
        return RosterEntry(account, medals, await find_inviter(self._engine, account.id))

    async def page(self, above: AccountId, most: int) -> list[Account]:
        """Accounts with ids above one, in the order of their ids.

        Raises:
            InvalidField: `most` is not 1 to 10,000.
        """
        if not 1 <= most <= MOST_ON_A_PAGE:
            raise InvalidField("most")
        return await list_accounts(self._engine, above, most)

    async def _id(self, who: str) -> AccountId | None:
        if _ID.fullmatch(unmarked(who)):
            return AccountId(int(unmarked(who)))
        try:
            target = self._targets.named(who, "")
        except InvalidField:
            return None
        return await find_owner(self._engine, target.kind, target.key)
