"""Account creation, lookup for operators, bans, VIP and medals.

A ban is read together with the caller, so it applies at once in every worker (security T6); an
expired ban has no effect. The sessions of a banned account are kept: its clients get 7100, not
"signed out" (wire.md 2).
"""

import re
import unicodedata
from collections.abc import Callable

from msgspec import Struct

from hupan.addresses import ContactAddress, ContactParser, clean_pasted_id, fold_for_search
from hupan.clock import Clock
from hupan.domain.text import parse_nickname, parse_short_line
from hupan.errors import AccountCancelled, EmailTaken, InvalidField, PhoneTaken, UnknownUser
from hupan.model import PERMANENT_BAN_END, Account, AccountFilter, AccountId, Medal
from hupan.rng import RandomSource
from hupan.rules import DAY_SECONDS, MAX_UNIX_TIME, ServerRules
from hupan.store.accounts import (
    ListedAccount,
    claim_identity,
    count_accounts,
    define_medal,
    end_vip,
    extend_vip,
    find_first_registered_since,
    find_identity_owner,
    find_ids_by_contact_prefix,
    find_ids_by_name_prefix,
    find_listed_account,
    find_medal,
    get_last_sort,
    grant_medal,
    insert_account,
    list_account_medals,
    list_accounts,
    list_all_medals,
    lock_account,
    next_account_id,
    revoke_medal,
    set_ban,
    set_vip,
)
from hupan.store.database import Database, Transaction
from hupan.store.invitations import find_inviter
from hupan.store.sessions import record_banned_sessions

_WIRE_ACCOUNT_ID = re.compile("[1-9][0-9]{0,14}")

MAX_ACCOUNT_ID = 2**32 - 1
"""A token carries 32 bits of it (decision 0005)."""


def parse_account_id(text: str) -> AccountId:
    """Parse an account id as clients write it (wire.md 5); the account need not exist.

    Raises:
        UnknownUser: no account can have this id.
    """
    if not _WIRE_ACCOUNT_ID.fullmatch(text):
        raise UnknownUser
    return AccountId(int(text))


# Without 0, 1, I, L, O, which are confused when a code is read aloud.
_INVITATION_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_INVITATION_LENGTH = 8


class AccountCreator:
    """Creates accounts."""

    def __init__(self, clock: Clock, random_source: RandomSource, rules: ServerRules) -> None:
        self._clock = clock
        self._random_source = random_source
        self._rules = rules

    async def create(
        self,
        tx: Transaction,
        *,
        phone: ContactAddress | None,
        email: ContactAddress | None,
        name: str = "",
    ) -> Account:
        """Insert a new account that owns the given contacts.

        Raises:
            PhoneTaken, EmailTaken: a contact belongs to another account.
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
        # 31^8 possible codes make a second attempt rare.
        while True:
            code = "".join(
                _INVITATION_ALPHABET[self._random_source.randbelow(len(_INVITATION_ALPHABET))]
                for _ in range(_INVITATION_LENGTH)
            )
            if await claim_identity(tx, "invitation", code, account):
                return code


MAX_BAN_REASON_CHARACTERS = 200


class Ban(Struct, frozen=True):
    """A validated ban.

    Attributes:
        until: when it ends, in unix seconds; `PERMANENT_BAN_END` if never.
    """

    until: int
    reason: str


class Bans:
    """Bans and unbans accounts."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def ban(self, account: AccountId, reason: str, until: int = PERMANENT_BAN_END) -> Ban:
        """Ban an account permanently or until a time; replaces an earlier ban.

        Raises:
            InvalidField: `reason` is not one line of 1 to 200 characters, or `until` is past.
            UnknownUser: there is no such account.
        """
        now = int(self._clock.now())
        ban = parse_ban(reason, "reason", until, now)

        async def change(tx: Transaction) -> None:
            await apply_ban(tx, account, ban)
            await record_banned_sessions(tx, account, now)

        await self._database.run_transaction(change)
        return ban

    async def unban(self, account: AccountId) -> None:
        """End a ban, if there is one.

        Raises:
            UnknownUser: there is no such account.
        """
        await self._database.run_transaction(lambda tx: apply_ban(tx, account, Ban(0, "")))


def parse_ban(reason: str, field: str, until: int, now: int) -> Ban:
    """Validate a ban; `field` names the reason in errors.

    Raises:
        InvalidField: the reason is not one line of 1 to 200 characters, or `until` is in the past.
    """
    line = parse_short_line(
        reason, field, min_characters=1, max_characters=MAX_BAN_REASON_CHARACTERS
    )
    if not now < until <= PERMANENT_BAN_END:
        raise InvalidField("until")
    return Ban(until, line)


async def apply_ban(tx: Transaction, account: AccountId, ban: Ban) -> None:
    """Store a ban in the current transaction.

    Raises:
        UnknownUser: there is no such account.
    """
    if not await set_ban(tx, account, ban.until, ban.reason):
        raise UnknownUser


MAX_VIP_DAYS = 36_500


class VipMemberships:
    """Extends, sets and ends VIP memberships."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def extend(self, account: AccountId, days: int) -> int:
        """Add days to a membership, from now if it has ended; return the new end.

        Raises:
            InvalidField: `days` is not 1 to 36,500, or the end would be after the year 9999.
            UnknownUser: there is no such account.
        """
        if not 1 <= days <= MAX_VIP_DAYS:
            raise InvalidField("days")
        now = int(self._clock.now())

        async def change(tx: Transaction) -> int:
            until = await extend_vip(tx, account, now, days * DAY_SECONDS)
            if until is None:
                raise UnknownUser
            if until > MAX_UNIX_TIME:
                raise InvalidField("days")
            return until

        return await self._database.run_transaction(change)

    async def set_end(self, account: AccountId, until: int) -> None:
        """Replace the end of a membership.

        Raises:
            InvalidField: `until` is in the past, or after the year 9999.
            UnknownUser: there is no such account.
        """
        if not self._clock.now() < until <= MAX_UNIX_TIME:
            raise InvalidField("until")
        if not await self._database.run_transaction(lambda tx: set_vip(tx, account, until)):
            raise UnknownUser

    async def end(self, account: AccountId) -> None:
        """End a membership now, if there is one.

        Raises:
            UnknownUser: there is no such account.
        """
        now = int(self._clock.now())

        async def change(tx: Transaction) -> None:
            if await lock_account(tx, account) is None:
                raise UnknownUser
            await end_vip(tx, account, now)

        await self._database.run_transaction(change)


MAX_ACCOUNTS_PER_PAGE = 10_000
MAX_SEARCH_MATCHES = 1000
"""Maximum number of accounts that a search reads by name, and again by contact."""
MAX_SEARCH_CHARACTERS = 128
_CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_MAX_TYPED_ACCOUNT_ID = 9_999_999_999
# At most ten digits (`MAX_ACCOUNT_ID`); a phone number has eleven.
_TYPED_ACCOUNT_ID = re.compile("[1-9][0-9]{0,9}")


class AccountDetails(Struct, frozen=True):
    """An account with its medals, inviter and pending erasure.

    Attributes:
        erase_at: when it is erased, 0 unless it was cancelled.
        inviter: None if the account was not invited.
    """

    account: Account
    erase_at: int
    medals: list[Medal]
    inviter: AccountId | None


class AccountQuery(Struct, frozen=True):
    """Filter and page of a list of accounts.

    Attributes:
        search: an id, or the beginning of a nickname, phone number or address; "" for all.
        registered_since: the earliest registration, in unix seconds.
        below_id: only ids below this one; 0 for all.
    """

    search: str = ""
    standing: AccountFilter = "any"
    registered_since: int = 0
    below_id: int = 0
    page_size: int = 100


class AccountPage(Struct, frozen=True):
    """One page of accounts, newest first.

    Attributes:
        total: number of matches on all pages.
        has_more: whether matches with lower ids follow.
        is_truncated: whether the search hit `MAX_SEARCH_MATCHES`, so that more accounts may match.
    """

    accounts: list[ListedAccount]
    total: int
    has_more: bool
    is_truncated: bool = False


class AccountDirectory:
    """Looks up accounts by id, contact or nickname."""

    def __init__(self, database: Database, contact_parser: ContactParser) -> None:
        self._database = database
        self._contact_parser = contact_parser

    async def get(self, identifier: str) -> Account:
        """Return the account with this id, phone number or e-mail address.

        Raises:
            UnknownUser: there is none, or `identifier` is not one of these.
            AccountCancelled: it was cancelled and waits to be erased.
        """
        found = await self.get_any(identifier)
        if found.erase_at:
            raise AccountCancelled
        return found.account

    async def get_any(self, identifier: str) -> ListedAccount:
        """Return the account as `get` does, even if it is cancelled.

        Raises:
            UnknownUser: there is none, or `identifier` is not one of these.
        """
        account_id = await self._find_id(identifier.strip())
        found = (
            None if account_id is None else await find_listed_account(self._database, account_id)
        )
        if found is None:
            raise UnknownUser
        return found

    async def get_details(self, identifier: str) -> AccountDetails:
        """Return the account as `get_any` does, with its medals and inviter.

        Raises:
            UnknownUser: there is none, or `identifier` is not one of these.
        """
        found = await self.get_any(identifier)
        medals = await list_account_medals(self._database, found.account.id)
        inviter = await find_inviter(self._database, found.account.id)
        return AccountDetails(found.account, found.erase_at, medals, inviter)

    async def list_page(self, query: AccountQuery, now: int) -> AccountPage:
        """Return a page of the matching accounts, newest first.

        Raises:
            InvalidField: `limit` is not 1 to 10,000, or `search` matches nothing by its form.
        """
        if not 1 <= query.page_size <= MAX_ACCOUNTS_PER_PAGE:
            raise InvalidField("limit")
        if not 0 <= query.registered_since <= MAX_UNIX_TIME:
            raise InvalidField("since")
        below = query.below_id or _MAX_TYPED_ACCOUNT_ID + 1
        if query.search:
            return await self._search(query, below, now)
        lowest = (
            await find_first_registered_since(self._database, query.registered_since)
            if query.registered_since
            else AccountId(0)
        )
        if lowest is None:
            return AccountPage([], 0, has_more=False)
        accounts = await list_accounts(
            self._database,
            query.standing,
            below_id=below,
            min_id=lowest,
            max_rows=query.page_size + 1,
            now=now,
        )
        total = await count_accounts(
            self._database, query.standing, since=query.registered_since, min_id=lowest, now=now
        )
        return AccountPage(
            accounts[: query.page_size], total, has_more=len(accounts) > query.page_size
        )

    async def list_newest(self, below_id: int, page_size: int) -> list[ListedAccount]:
        """Return the newest accounts below an id, 0 for all; counts nothing, however many exist."""
        return await list_accounts(
            self._database,
            "any",
            below_id=below_id or _MAX_TYPED_ACCOUNT_ID + 1,
            min_id=0,
            max_rows=page_size,
            now=0,
        )

    async def _search(self, query: AccountQuery, below: int, now: int) -> AccountPage:
        ids, is_truncated = await self._search_ids(_parse_search(query.search))
        matches = _query_filter(query, now)
        found = [
            await find_listed_account(self._database, account)
            for account in sorted(ids, reverse=True)
        ]
        all_found = [entry for entry in found if entry is not None and matches(entry)]
        rest = [entry for entry in all_found if entry.account.id < below]
        return AccountPage(
            rest[: query.page_size],
            len(all_found),
            has_more=len(rest) > query.page_size,
            is_truncated=is_truncated,
        )

    async def _search_ids(self, text: str) -> tuple[set[AccountId], bool]:
        exact = await self._find_id(text)
        by_name = await find_ids_by_name_prefix(self._database, text, MAX_SEARCH_MATCHES + 1)
        by_contact = await find_ids_by_contact_prefix(
            self._database, fold_for_search(text), MAX_SEARCH_MATCHES + 1
        )
        is_truncated = max(len(by_name), len(by_contact)) > MAX_SEARCH_MATCHES
        found = {*by_name[:MAX_SEARCH_MATCHES], *by_contact[:MAX_SEARCH_MATCHES]}
        return found if exact is None else found | {exact}, is_truncated

    async def _find_id(self, identifier: str) -> AccountId | None:
        if _TYPED_ACCOUNT_ID.fullmatch(clean_pasted_id(identifier)):
            return AccountId(int(clean_pasted_id(identifier)))
        try:
            target = self._contact_parser.parse_contact(identifier, "")
        except InvalidField:
            return None
        return await find_identity_owner(self._database, target.identity_kind, target.key)


def _parse_search(search: str) -> str:
    text = unicodedata.normalize("NFC", search[: MAX_SEARCH_CHARACTERS + 1].strip())
    # Nothing else: names contain joiners, and ideographs unknown to this version of Python.
    has_control_characters = any(
        unicodedata.category(character) in _CONTROL_CATEGORIES for character in text
    )
    if has_control_characters or not 1 <= len(text) <= MAX_SEARCH_CHARACTERS:
        raise InvalidField("find")
    return text


def _query_filter(query: AccountQuery, now: int) -> Callable[[ListedAccount], bool]:
    def matches(found: ListedAccount) -> bool:
        has_status = {
            "any": True,
            "banned": found.account.is_banned(now),
            "vip": found.account.is_vip(now),
            "cancelled": found.erase_at > 0,
        }
        return has_status[query.standing] and found.account.registered_at >= query.registered_since

    return matches


MAX_SORT = 1_000_000
MAX_DESCRIPTION_CHARACTERS = 200
_IMAGE_URL = re.compile("https?://[!-~]{1,500}")


class Medals:
    """Defines, grants and revokes medals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_for_account(self, account: AccountId) -> list[Medal]:
        """Return the medals of an account, in their order."""
        return await list_account_medals(self._database, account)

    async def list_all(self) -> list[Medal]:
        """Return all medals, in their order."""
        return await list_all_medals(self._database)

    async def define(
        self, name: str, sort: int | None = None, description: str = "", image_url: str = ""
    ) -> Medal:
        """Define a medal, or change the one with this name.

        Args:
            name: unique; as long as a nickname.
            sort: its position, 0 to a million; after all others if omitted.
            description: one line of at most 200 characters.
            image_url: an http(s) URL, or "".

        Raises:
            InvalidField: an argument is invalid.
        """
        normalized_name, line = (
            parse_nickname(name, "name"),
            parse_short_line(description, "description", max_characters=MAX_DESCRIPTION_CHARACTERS),
        )
        if image_url and not _IMAGE_URL.fullmatch(image_url):
            raise InvalidField("image")
        if sort is not None and not 0 <= sort <= MAX_SORT:
            raise InvalidField("sort")

        async def change(tx: Transaction) -> Medal:
            position = sort if sort is not None else await _next_sort(tx, normalized_name)
            return await define_medal(tx, normalized_name, position, line, image_url)

        return await self._database.run_transaction(change)

    async def give(self, account: AccountId, name: str) -> Medal:
        """Grant a medal; granting it twice changes nothing.

        Raises:
            InvalidField: there is no medal with this `name`.
            UnknownUser: there is no such account.
        """

        async def change(tx: Transaction) -> Medal:
            medal = await _get_medal(tx, account, name)
            await grant_medal(tx, account, medal)
            return medal

        return await self._database.run_transaction(change)

    async def remove(self, account: AccountId, name: str) -> Medal:
        """Revoke a medal, if the account has it.

        Raises:
            InvalidField: there is no medal with this `name`.
            UnknownUser: there is no such account.
        """

        async def change(tx: Transaction) -> Medal:
            medal = await _get_medal(tx, account, name)
            await revoke_medal(tx, account, medal)
            return medal

        return await self._database.run_transaction(change)


async def _next_sort(tx: Transaction, name: str) -> int:
    existing = await find_medal(tx, name)
    return await get_last_sort(tx) + 1 if existing is None else existing.sort


async def _get_medal(tx: Transaction, account: AccountId, name: str) -> Medal:
    medal = await find_medal(tx, parse_nickname(name, "name"))
    if medal is None:
        raise InvalidField("name")
    if await lock_account(tx, account) is None:
        raise UnknownUser
    return medal
