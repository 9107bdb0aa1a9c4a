"""Ids of accounts as clients write them (wire.md 5).

A ban is read with each caller, so it holds at once on every worker (security T6); one that has
ended is none. Its sessions are kept: what a banned client is told is 7100, not that it signed out
(wire.md 2).
"""

import re
import unicodedata
from collections.abc import Callable

from msgspec import Struct

from hupan.addresses import ContactAddress, ContactParser, clean_pasted_id, fold_for_search
from hupan.clock import Clock
from hupan.domain.sessions import MAX_ACCOUNT_ID
from hupan.domain.text import is_clean, normalize
from hupan.errors import AccountCancelled, EmailTaken, InvalidField, PhoneTaken, UnknownUser
from hupan.model import PERMANENT_BAN_END, Account, AccountId, Medal
from hupan.rng import RandomSource
from hupan.rules import ServerRules
from hupan.store.accounts import (
    AccountFilter,
    ListedAccount,
    claim_identity,
    count_accounts,
    end_vip,
    extend_vip,
    find_first_registered_since,
    find_identity_owner,
    find_ids_by_contact_prefix,
    find_ids_by_name_prefix,
    find_listed_account,
    insert_account,
    list_accounts,
    lock_account,
    next_account_id,
    set_ban,
    set_vip,
)
from hupan.store.database import Database, Transaction
from hupan.store.invitations import find_inviter
from hupan.store.medals import list_account_medals

_WIRE_ACCOUNT_ID = re.compile("[1-9][0-9]{0,14}")


def parse_account_id(text: str) -> AccountId:
    """The id that a text names; whether somebody has it is another question.

    Raises:
        UnknownUser: nobody can have it.
    """
    if not _WIRE_ACCOUNT_ID.fullmatch(text):
        raise UnknownUser
    return AccountId(int(text))


# Without 0, 1, I, L, O: people read these codes to each other.
_INVITATION_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_INVITATION_LENGTH = 8


class AccountCreator:
    """Makes accounts."""

    def __init__(self, clock: Clock, chance: RandomSource, rules: ServerRules) -> None:
        self._clock = clock
        self._chance = chance
        self._rules = rules

    async def create(
        self,
        tx: Transaction,
        *,
        phone: ContactAddress | None,
        email: ContactAddress | None,
        name: str = "",
    ) -> Account:
        """Writes a new account that owns the targets.

        Raises:
            PhoneTaken, EmailTaken: a target has an owner already.
        """
        account_id = await next_account_id(tx)
        if account_id > MAX_ACCOUNT_ID:
            raise OverflowError("the ids that fit into a token are used up")
        account = self._build(
            account_id, phone, email, name, await self._claim_invitation_code(tx, account_id)
        )
        for target in (phone, email):
            if target and not await claim_identity(
                tx, target.identity_kind, target.key, account_id
            ):
                raise PhoneTaken if target is phone else EmailTaken
        await insert_account(tx, account)
        return account

    def _build(
        self,
        account: AccountId,
        phone: ContactAddress | None,
        email: ContactAddress | None,
        name: str,
        code: str,
    ) -> Account:
        now = int(self._clock.now())
        return Account(
            id=account,
            name=name or f"用户{account}",
            name_id=0,
            avatar_url=self._rules.default_avatar_url,
            avatar_id=0,
            phone=phone.address if phone else "",
            email=email.address if email else "",
            coin_cents=0,
            vip_until=0,
            banned_until=0,
            ban_reason="",
            invitation_code=code,
            registered_at=now,
            online_days=0,
            days_in_a_row=0,
            last_seen_day=0,
            last_active_at=now,
            country="",
        )

    async def _claim_invitation_code(self, tx: Transaction, account: AccountId) -> str:
        """Claims an invitation code that nobody has; 31^8 of them make a second try rare."""
        while True:
            code = "".join(
                _INVITATION_ALPHABET[self._chance.randbelow(len(_INVITATION_ALPHABET))]
                for _ in range(_INVITATION_LENGTH)
            )
            if await claim_identity(tx, "invitation", code, account):
                return code


MAX_BAN_REASON_CHARACTERS = 200


class Ban(Struct, frozen=True):
    """A ban that may be put on an account.

    Attributes:
        until: when it ends, in unix seconds; `NEVER_ENDS` for good.
    """

    until: int
    reason: str


class Bans:
    """Bans accounts and lets them back in."""

    def __init__(self, engine: Database, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def ban(self, account: AccountId, reason: str, until: int = PERMANENT_BAN_END) -> Ban:
        """Bans an account for good or until a time; an earlier ban is replaced.

        Raises:
            InvalidField: `reason` is no line of 1 to 200 characters, or `until` is not ahead.
            UnknownUser: there is no such account.
        """
        ban = parse_ban(reason, "reason", until, int(self._clock.now()))
        await self._engine.run_transaction(lambda tx: apply_ban(tx, account, ban))
        return ban

    async def unban(self, account: AccountId) -> None:
        """Ends a ban; where there is none nothing changes.

        Raises:
            UnknownUser: there is no such account.
        """
        await self._engine.run_transaction(lambda tx: apply_ban(tx, account, Ban(0, "")))


def parse_ban(reason: str, field: str, until: int, now: int) -> Ban:
    """A ban from what somebody wrote.

    Raises:
        InvalidField: the reason is no line of 1 to 200 characters, or `until` is not ahead.
    """
    line = normalize(reason, field, max_characters=MAX_BAN_REASON_CHARACTERS)
    if not is_clean(line) or not 1 <= len(line) <= MAX_BAN_REASON_CHARACTERS:
        raise InvalidField(field)
    if not now < until <= PERMANENT_BAN_END:
        raise InvalidField("until")
    return Ban(until, line)


async def apply_ban(tx: Transaction, account: AccountId, ban: Ban) -> None:
    """Puts a ban on an account inside a change.

    Raises:
        UnknownUser: there is no such account.
    """
    if not await set_ban(tx, account, ban.until, ban.reason):
        raise UnknownUser


SECONDS_PER_DAY = 86_400
MAX_VIP_DAYS = 36_500
MAX_VIP_UNTIL = 253_402_300_799
"""The end of the year 9999, the last that text times can show."""


class VipMemberships:
    """Says until when accounts are VIP."""

    def __init__(self, engine: Database, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def extend(self, account: AccountId, days: int) -> int:
        """Adds days to what is left; gives the new end.

        Raises:
            InvalidField: `days` is not 1 to 36,500, or the end would pass the year 9999.
            UnknownUser: there is no such account.
        """
        if not 1 <= days <= MAX_VIP_DAYS:
            raise InvalidField("days")
        now = int(self._clock.now())

        async def change(tx: Transaction) -> int:
            until = await extend_vip(tx, account, now, days * SECONDS_PER_DAY)
            if until is None:
                raise UnknownUser
            if until > MAX_VIP_UNTIL:
                raise InvalidField("days")
            return until

        return await self._engine.run_transaction(change)

    async def set_end(self, account: AccountId, until: int) -> None:
        """Sets the end, whatever was left.

        Raises:
            InvalidField: `until` is not ahead, or past the year 9999.
            UnknownUser: there is no such account.
        """
        if not self._clock.now() < until <= MAX_VIP_UNTIL:
            raise InvalidField("until")
        if not await self._engine.run_transaction(lambda tx: set_vip(tx, account, until)):
            raise UnknownUser

    async def end(self, account: AccountId) -> None:
        """Ends VIP now; where none is in force nothing changes.

        Raises:
            UnknownUser: there is no such account.
        """
        now = int(self._clock.now())

        async def change(tx: Transaction) -> None:
            if await lock_account(tx, account) is None:
                raise UnknownUser
            await end_vip(tx, account, now)

        await self._engine.run_transaction(change)


MAX_ACCOUNTS_PER_PAGE = 10_000
MAX_SEARCH_MATCHES = 1000
"""Accounts that a search looks at, of those that are named so and of those that are reached so."""
MAX_SEARCH_CHARACTERS = 128
_TIME_END = 253_402_300_800
_CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_MAX_TYPED_ACCOUNT_ID = 9_999_999_999
_TYPED_ACCOUNT_ID = re.compile(
    "[1-9][0-9]{0,9}"
)  # at most ten digits (tokens.py); a phone number has eleven


class AccountDetails(Struct, frozen=True):
    """An account with what else an operator asks of it.

    Attributes:
        erase_at: when it is erased, 0 unless it was cancelled.
        inviter: None when nobody invited it.
    """

    account: Account
    erase_at: int
    medals: list[Medal]
    inviter: AccountId | None


class AccountQuery(Struct, frozen=True):
    """Which accounts are asked for.

    Attributes:
        search: the beginning of a nickname, a number or an address, or an id; "" for all.
        registered_since: when they registered at the earliest, in unix seconds.
        below_id: only ids below this one; 0 for all.
    """

    search: str = ""
    standing: AccountFilter = "any"
    registered_since: int = 0
    below_id: int = 0
    page_size: int = 100


class AccountPage(Struct, frozen=True):
    """Accounts, the newest first.

    Attributes:
        total: how many match in all, on this page or another.
        has_more: whether some of those with lower ids are not on this page.
        is_truncated: whether the search looked at no more than `MOST_FOUND`, so that there may be others.
    """

    accounts: list[ListedAccount]
    total: int
    has_more: bool
    is_truncated: bool = False


class AccountDirectory:
    """Finds accounts by whatever an operator knows of them."""

    def __init__(self, engine: Database, targets: ContactParser) -> None:
        self._engine = engine
        self._targets = targets

    async def get(self, who: str) -> Account:
        """The account with an id, a phone number or an e-mail address.

        Raises:
            UnknownUser: there is none, or `who` is nothing of these.
            AccountCancelled: it was cancelled and waits to be erased.
        """
        found = await self.get_any(who)
        if found.erase_at:
            raise AccountCancelled
        return found.account

    async def get_any(self, who: str) -> ListedAccount:
        """The same, also one that was cancelled.

        Raises:
            UnknownUser: there is none, or `who` is nothing of these.
        """
        account_id = await self._find_id(who.strip())
        found = None if account_id is None else await find_listed_account(self._engine, account_id)
        if found is None:
            raise UnknownUser
        return found

    async def get_details(self, who: str) -> AccountDetails:
        """The same, with medals and inviter.

        Raises:
            UnknownUser: there is none, or `who` is nothing of these.
        """
        found = await self.get_any(who)
        medals = await list_account_medals(self._engine, found.account.id)
        inviter = await find_inviter(self._engine, found.account.id)
        return AccountDetails(found.account, found.erase_at, medals, inviter)

    async def list_page(self, query: AccountQuery, now: int) -> AccountPage:
        """Accounts as they are asked for, the newest first.

        Raises:
            InvalidField: `limit` is not 1 to 10,000, or `search` cannot be part of anything.
        """
        if not 1 <= query.page_size <= MAX_ACCOUNTS_PER_PAGE:
            raise InvalidField("limit")
        if not 0 <= query.registered_since < _TIME_END:
            raise InvalidField("since")
        below = query.below_id or _MAX_TYPED_ACCOUNT_ID + 1
        if query.search:
            return await self._search(query, below, now)
        lowest = (
            await find_first_registered_since(self._engine, query.registered_since)
            if query.registered_since
            else AccountId(0)
        )
        if lowest is None:
            return AccountPage([], 0, has_more=False)
        accounts = await list_accounts(
            self._engine,
            query.standing,
            below_id=below,
            min_id=lowest,
            max_rows=query.page_size + 1,
            now=now,
        )
        total = await count_accounts(
            self._engine, query.standing, since=query.registered_since, min_id=lowest, now=now
        )
        return AccountPage(
            accounts[: query.page_size], total, has_more=len(accounts) > query.page_size
        )

    async def _search(self, query: AccountQuery, below: int, now: int) -> AccountPage:
        ids, is_cut = await self._search_ids(_parse_search(query.search))
        matches = _query_filter(query, now)
        found = [await find_listed_account(self._engine, one) for one in sorted(ids, reverse=True)]
        all_found = [one for one in found if one is not None and matches(one)]
        rest = [one for one in all_found if one.account.id < below]
        return AccountPage(
            rest[: query.page_size],
            len(all_found),
            has_more=len(rest) > query.page_size,
            is_truncated=is_cut,
        )

    async def _search_ids(self, text: str) -> tuple[set[AccountId], bool]:
        """Accounts that a text may mean, and whether there may be more of them."""
        exact = await self._find_id(text)
        named = await find_ids_by_name_prefix(self._engine, text, MAX_SEARCH_MATCHES + 1)
        reached = await find_ids_by_contact_prefix(
            self._engine, fold_for_search(text), MAX_SEARCH_MATCHES + 1
        )
        is_cut = max(len(named), len(reached)) > MAX_SEARCH_MATCHES
        found = {*named[:MAX_SEARCH_MATCHES], *reached[:MAX_SEARCH_MATCHES]}
        return found if exact is None else found | {exact}, is_cut

    async def _find_id(self, who: str) -> AccountId | None:
        if _TYPED_ACCOUNT_ID.fullmatch(clean_pasted_id(who)):
            return AccountId(int(clean_pasted_id(who)))
        try:
            target = self._targets.parse_contact(who, "")
        except InvalidField:
            return None
        return await find_identity_owner(self._engine, target.identity_kind, target.key)


def _parse_search(search: str) -> str:
    text = unicodedata.normalize("NFC", search[: MAX_SEARCH_CHARACTERS + 1].strip())
    # No more than that: names hold joiners, and ideographs that this Python does not know yet.
    has_control_characters = any(unicodedata.category(one) in _CONTROL_CATEGORIES for one in text)
    if has_control_characters or not 1 <= len(text) <= MAX_SEARCH_CHARACTERS:
        raise InvalidField("find")
    return text


def _query_filter(query: AccountQuery, now: int) -> Callable[[ListedAccount], bool]:
    def matches(found: ListedAccount) -> bool:
        standing = {
            "any": True,
            "banned": found.account.is_banned(now),
            "vip": found.account.is_vip(now),
            "cancelled": found.erase_at > 0,
        }
        return standing[query.standing] and found.account.registered_at >= query.registered_since

    return matches
