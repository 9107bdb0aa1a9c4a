"""Medals: definitions and the accounts that wear them."""

import re

from hupan.domain.text import parse_nickname, parse_short_line
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
