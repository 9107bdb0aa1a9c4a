"""Medals: which there are, who wears which."""

import re

from hupan.domain.refusals import InvalidField, UnknownUser
from hupan.domain.text import in_normal_form, is_clean, nickname
from hupan.model import AccountId, Medal
from hupan.store.accounts import hold_account
from hupan.store.engine import Engine, Transaction
from hupan.store.medals import (
    define_medal,
    find_medal,
    give_medal,
    last_sort,
    list_all_medals,
    list_medals,
    take_medal,
)

HIGHEST_SORT = 1_000_000
MOST_DESCRIPTION_CHARACTERS = 200
_IMAGE = re.compile("https?://[!-~]{1,500}")


class Medals:
    """Defines medals, gives them and takes them away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def worn_by(self, account: AccountId) -> list[Medal]:
        """The medals of an account, in their order."""
        return await list_medals(self._engine, account)

    async def all(self) -> list[Medal]:
        """Every medal that there is, in their order."""
        return await list_all_medals(self._engine)

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
        called, line = nickname(name, "name"), _description(description)
        if image_url and not _IMAGE.fullmatch(image_url):
            raise InvalidField("image")
        if sort is not None and not 0 <= sort <= HIGHEST_SORT:
            raise InvalidField("sort")

        async def change(tx: Transaction) -> Medal:
            place = sort if sort is not None else await _place(tx, called)
            return await define_medal(tx, called, place, line, image_url)

        return await self._engine.change(change)

    async def give(self, account: AccountId, name: str) -> Medal:
        """Gives a medal that was defined; giving it twice changes nothing.

        Raises:
            InvalidField: there is no medal of this `name`.
            UnknownUser: there is no such account.
        """

        async def change(tx: Transaction) -> Medal:
            medal = await _named(tx, account, name)
            await give_medal(tx, account, medal)
            return medal

        return await self._engine.change(change)

    async def take(self, account: AccountId, name: str) -> Medal:
        """Takes a medal away; where it is not worn nothing changes.

        Raises:
            InvalidField: there is no medal of this `name`.
            UnknownUser: there is no such account.
        """

        async def change(tx: Transaction) -> Medal:
            medal = await _named(tx, account, name)
            await take_medal(tx, account, medal)
            return medal

        return await self._engine.change(change)


async def _place(tx: Transaction, name: str) -> int:
    """Where a medal stands already, else behind all others."""
    known = await find_medal(tx, name)
    return await last_sort(tx) + 1 if known is None else known.sort


async def _named(tx: Transaction, account: AccountId, name: str) -> Medal:
    medal = await find_medal(tx, nickname(name, "name"))
    if medal is None:
        raise InvalidField("name")
    if await hold_account(tx, account) is None:
        raise UnknownUser
    return medal


def _description(text: str) -> str:
    line = in_normal_form(text, "description", most_characters=MOST_DESCRIPTION_CHARACTERS)
    if not is_clean(line) or len(line) > MOST_DESCRIPTION_CHARACTERS:
        raise InvalidField("description")
    return line
