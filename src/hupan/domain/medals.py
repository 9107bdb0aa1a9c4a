"""Medals: which there are, who wears which."""

import re

from hupan.domain.text import is_clean, normalize, parse_nickname
from hupan.errors import InvalidField, UnknownUser
from hupan.model import AccountId, Medal
from hupan.store.accounts import lock_account
from hupan.store.database import Database, Transaction
from hupan.store.medals import (
    define_medal,
    find_medal,
    get_last_sort,
    grant_medal,
    list_account_medals,
    list_all_medals,
    revoke_medal,
)

MAX_SORT = 1_000_000
MAX_DESCRIPTION_CHARACTERS = 200
_IMAGE_URL = re.compile("https?://[!-~]{1,500}")


class Medals:
    """Defines medals, gives them and takes them away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_for_account(self, account: AccountId) -> list[Medal]:
        """The medals of an account, in their order."""
        return await list_account_medals(self._database, account)

    async def list_all(self) -> list[Medal]:
        """Every medal that there is, in their order."""
        return await list_all_medals(self._database)

    async def define(
        self, name: str, sort: int | None = None, description: str = "", image_url: str = ""
    ) -> Medal:
        """Makes a medal, or changes the one of that name.

        Args:
            name: what it is called and found by: as long as a nickname.
            sort: its place, 0 to a million; behind all others when left out.
            description: a line of at most 200 characters.
            image_url: an http(s) URL, or "".

        Raises:
            InvalidField: one of these cannot be.
        """
        called, line = parse_nickname(name, "name"), _parse_description(description)
        if image_url and not _IMAGE_URL.fullmatch(image_url):
            raise InvalidField("image")
        if sort is not None and not 0 <= sort <= MAX_SORT:
            raise InvalidField("sort")

        async def change(tx: Transaction) -> Medal:
            place = sort if sort is not None else await _next_sort(tx, called)
            return await define_medal(tx, called, place, line, image_url)

        return await self._database.run_transaction(change)

    async def give(self, account: AccountId, name: str) -> Medal:
        """Gives a medal that was defined; giving it twice changes nothing.

        Raises:
            InvalidField: there is no medal of this `name`.
            UnknownUser: there is no such account.
        """

        async def change(tx: Transaction) -> Medal:
            medal = await _get_medal(tx, account, name)
            await grant_medal(tx, account, medal)
            return medal

        return await self._database.run_transaction(change)

    async def remove(self, account: AccountId, name: str) -> Medal:
        """Takes a medal away; where it is not worn nothing changes.

        Raises:
            InvalidField: there is no medal of this `name`.
            UnknownUser: there is no such account.
        """

        async def change(tx: Transaction) -> Medal:
            medal = await _get_medal(tx, account, name)
            await revoke_medal(tx, account, medal)
            return medal

        return await self._database.run_transaction(change)


async def _next_sort(tx: Transaction, name: str) -> int:
    """Where a medal stands already, else behind all others."""
    known = await find_medal(tx, name)
    return await get_last_sort(tx) + 1 if known is None else known.sort


async def _get_medal(tx: Transaction, account: AccountId, name: str) -> Medal:
    medal = await find_medal(tx, parse_nickname(name, "name"))
    if medal is None:
        raise InvalidField("name")
    if await lock_account(tx, account) is None:
        raise UnknownUser
    return medal


def _parse_description(text: str) -> str:
    line = normalize(text, "description", max_characters=MAX_DESCRIPTION_CHARACTERS)
    if not is_clean(line) or len(line) > MAX_DESCRIPTION_CHARACTERS:
        raise InvalidField("description")
    return line
