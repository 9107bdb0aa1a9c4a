"""The roster of accounts, as operators see it."""

import re
import unicodedata
from collections.abc import Callable

from msgspec import Struct

from hupan.domain.refusals import AccountCancelled, InvalidField, UnknownUser
from hupan.domain.targets import Targets, folded, unmarked
from hupan.model import Account, AccountId, Medal
from hupan.store.accounts import find_owner
from hupan.store.engine import Engine
from hupan.store.invitations import find_inviter
from hupan.store.medals import list_medals
from hupan.store.roster import (
    ListedAccount,
    Standing,
    count_accounts,
    find_any,
    first_since,
    ids_by_contact,
    ids_by_name,
    list_accounts,
)

MOST_ON_A_PAGE = 10_000
MOST_FOUND = 1000
"""Accounts that a search looks at, of those that are named so and of those that are reached so."""
MOST_SEARCHED_CHARACTERS = 128
_LATEST_TIME = 253_402_300_800
_STEERING = frozenset({"Cc", "Cs", "Zl", "Zp"})
_HIGHEST_ID = 9_999_999_999
_ID = re.compile("[1-9][0-9]{0,9}")  # at most ten digits (tokens.py); a phone number has eleven


class RosterEntry(Struct, frozen=True):
    """An account with what else an operator asks of it.

    Attributes:
        erase_at: when it is erased, 0 unless it was cancelled.
        inviter: None when nobody invited it.
    """

    account: Account
    erase_at: int
    medals: list[Medal]
    inviter: AccountId | None


class RosterQuery(Struct, frozen=True):
    """Which accounts are asked for.

    Attributes:
        find: the beginning of a nickname, a number or an address, or an id; "" for all.
        since: when they registered at the earliest, in unix seconds.
        below: only ids below this one; 0 for all.
    """

    find: str = ""
    standing: Standing = "any"
    since: int = 0
    below: int = 0
    most: int = 100


class RosterPage(Struct, frozen=True):
    """Accounts, the newest first.

    Attributes:
        total: how many match in all, on this page or another.
        follow: whether some of those with lower ids are not on this page.
        is_cut: whether the search looked at no more than `MOST_FOUND`, so that there may be others.
    """

    accounts: list[ListedAccount]
    total: int
    follow: bool
    is_cut: bool = False


class Roster:
    """Finds accounts by whatever an operator knows of them."""

    def __init__(self, engine: Engine, targets: Targets) -> None:
        self._engine = engine
        self._targets = targets

    async def find(self, who: str) -> Account:
        """The account with an id, a phone number or an e-mail address.

        Raises:
            UnknownUser: there is none, or `who` is nothing of these.
            AccountCancelled: it was cancelled and waits to be erased.
        """
        found = await self.find_any(who)
        if found.erase_at:
            raise AccountCancelled
        return found.account

    async def find_any(self, who: str) -> ListedAccount:
        """The same, also one that was cancelled.

        Raises:
            UnknownUser: there is none, or `who` is nothing of these.
        """
        account_id = await self._id(who.strip())
        found = None if account_id is None else await find_any(self._engine, account_id)
        if found is None:
            raise UnknownUser
        return found

    async def entry(self, who: str) -> RosterEntry:
        """The same, with medals and inviter.

        Raises:
            UnknownUser: there is none, or `who` is nothing of these.
        """
        found = await self.find_any(who)
        medals = await list_medals(self._engine, found.account.id)
        inviter = await find_inviter(self._engine, found.account.id)
        return RosterEntry(found.account, found.erase_at, medals, inviter)

    async def page(self, query: RosterQuery, now: int) -> RosterPage:
        """Accounts as they are asked for, the newest first.

        Raises:
            InvalidField: `limit` is not 1 to 10,000, or `find` cannot be part of anything.
        """
        if not 1 <= query.most <= MOST_ON_A_PAGE:
            raise InvalidField("limit")
        if not 0 <= query.since < _LATEST_TIME:
            raise InvalidField("since")
        below = query.below or _HIGHEST_ID + 1
        if query.find:
            return await self._search(query, below, now)
        lowest = await first_since(self._engine, query.since) if query.since else AccountId(0)
        if lowest is None:
            return RosterPage([], 0, follow=False)
        accounts = await list_accounts(
            self._engine,
            query.standing,
            below=below,
            lowest=lowest,
            most=query.most + 1,
            now=now,
        )
        total = await count_accounts(
            self._engine, query.standing, since=query.since, lowest=lowest, now=now
        )
        return RosterPage(accounts[: query.most], total, follow=len(accounts) > query.most)

    async def _search(self, query: RosterQuery, below: int, now: int) -> RosterPage:
        ids, is_cut = await self._ids(_searched(query.find))
        matches = _test(query, now)
        found = [await find_any(self._engine, one) for one in sorted(ids, reverse=True)]
        all_found = [one for one in found if one is not None and matches(one)]
        rest = [one for one in all_found if one.account.id < below]
        return RosterPage(
            rest[: query.most], len(all_found), follow=len(rest) > query.most, is_cut=is_cut
        )

    async def _ids(self, text: str) -> tuple[set[AccountId], bool]:
        """Accounts that a text may mean, and whether there may be more of them."""
        exact = await self._id(text)
        named = await ids_by_name(self._engine, text, MOST_FOUND + 1)
        reached = await ids_by_contact(self._engine, folded(text), MOST_FOUND + 1)
        is_cut = max(len(named), len(reached)) > MOST_FOUND
        found = {*named[:MOST_FOUND], *reached[:MOST_FOUND]}
        return found if exact is None else found | {exact}, is_cut

    async def _id(self, who: str) -> AccountId | None:
        if _ID.fullmatch(unmarked(who)):
            return AccountId(int(unmarked(who)))
        try:
            target = self._targets.named(who, "")
        except InvalidField:
            return None
        return await find_owner(self._engine, target.kind, target.key)


def _searched(find: str) -> str:
    text = unicodedata.normalize("NFC", find[: MOST_SEARCHED_CHARACTERS + 1].strip())
    # No more than that: names hold joiners, and ideographs that this Python does not know yet.
    is_steering = any(unicodedata.category(one) in _STEERING for one in text)
    if is_steering or not 1 <= len(text) <= MOST_SEARCHED_CHARACTERS:
        raise InvalidField("find")
    return text


def _test(query: RosterQuery, now: int) -> Callable[[ListedAccount], bool]:
    def matches(found: ListedAccount) -> bool:
        standing = {
            "any": True,
            "banned": found.account.is_banned(now),
            "vip": found.account.is_vip(now),
            "cancelled": found.erase_at > 0,
        }
        return standing[query.standing] and found.account.registered_at >= query.since

    return matches
