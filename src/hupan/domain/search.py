"""The search of the home screen: users, groups and bots (wire.md 8.3)."""

import re
import unicodedata
from functools import lru_cache, partial

from msgspec import Struct

from hupan.background import DONE
from hupan.clock import Clock
from hupan.domain.discovery import MAX_KEYWORD_CHARACTERS, Discovery
from hupan.errors import InvalidField
from hupan.model import AccountId, Bot, FoundAccount, Group
from hupan.store.account_search import (
    fill_search_rows,
    find_searchable,
    search_accounts,
)
from hupan.store.accounts import NO_ACCOUNT_YET
from hupan.store.database import Database
from hupan.store.discovery import list_bots, normalize_search_text

MAX_HITS = 20
"""The maximum of each kind."""
MAX_SEARCHED_BOTS = 500
"""The bots with the most users; others are found by their id."""
ACCOUNTS_PER_FILL = 200
_ACCOUNT_ID = re.compile("[1-9][0-9]{6,9}")
_normalize_cached = lru_cache(4 * MAX_SEARCHED_BOTS)(normalize_search_text)


class Hits(Struct, frozen=True):
    """What was found; `word` is what was searched for, without surrounding blanks."""

    word: str
    users: list[FoundAccount]
    groups: list[Group]
    bots: list[Bot]


class HomeSearch:
    """Finds accounts by exact id or the beginning of a nickname, groups and bots as discovery does.

    Args:
        database: the store.
        clock: determines bans that have ended.
        discovery: finds the groups.
        shows_by_default: whether accounts that made no choice are found.
    """

    def __init__(
        self, database: Database, clock: Clock, discovery: Discovery, *, shows_by_default: bool
    ) -> None:
        self._database = database
        self._clock = clock
        self._discovery = discovery
        self._shows_by_default = shows_by_default

    async def search(self, text: str) -> Hits:
        """Return up to 20 users, groups and bots each.

        Raises:
            InvalidField: the word is empty, too long or contains control characters.
        """
        word = text.strip()
        folded = normalize_search_text(word) if len(word) <= MAX_KEYWORD_CHARACTERS else ""
        if not folded or any(unicodedata.category(sign) in ("Cc", "Cs") for sign in folded):
            raise InvalidField("word")
        return Hits(
            word,
            await self._users(folded),
            await self._discovery.groups("", word, page=1, size=MAX_HITS),
            await self._bots(folded),
        )

    async def _users(self, folded: str) -> list[FoundAccount]:
        now, by_default = int(self._clock.now()), self._shows_by_default
        found = await search_accounts(
            self._database, folded, by_default=by_default, now=now, max_rows=MAX_HITS
        )
        if not _ACCOUNT_ID.fullmatch(folded):
            return found
        exact = await find_searchable(
            self._database, AccountId(int(folded)), by_default=by_default, now=now
        )
        if exact is None:
            return found
        return [exact, *(one for one in found if one.id != exact.id)][:MAX_HITS]

    async def _bots(self, folded: str) -> list[Bot]:
        exact = await self._discovery.find_bot(folded) if folded.isdecimal() else None
        found = [] if exact is None else [exact]
        for bot in await list_bots(self._database, MAX_SEARCHED_BOTS):
            if len(found) == MAX_HITS:
                break
            texts = (_normalize_cached(bot.name), _normalize_cached(bot.introduction))
            if bot != exact and any(folded in text for text in texts):
                found.append(bot)
        return found


class SearchFill:
    """Makes accounts from before the search table searchable, some in each round."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> object:
        """Run one round; DONE after the last."""
        fill = partial(fill_search_rows, start=NO_ACCOUNT_YET, max_accounts=ACCOUNTS_PER_FILL)
        return None if await self._database.run_transaction(fill) else DONE
