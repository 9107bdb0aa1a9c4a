"""Messages of the search of the home screen (wire.md 8.3: search/home-search)."""

from msgspec import Struct

from hupan.contract.messages.discovery import KeywordText


class HomeSearchRequest(Struct):
    """Searches users, groups and bots.

    Attributes:
        word: the id of a user, group or bot, the beginning of a nickname, or part of the name or
            the introduction of a group or a bot.
    """

    word: KeywordText


class SearchHit(Struct, rename="camel"):
    """A user, a group or a bot.

    Attributes:
        friend_type: 1 a user, 2 a group, 3 a bot.
        name: the same as `nickname`.
        hit: what was searched for.
    """

    friend_id: str
    friend_type: int
    nickname: str
    name: str
    avatar_url: str
    hit: str


class SearchHits(Struct, rename={"hits": "list"}):
    """The hits of one kind.

    Attributes:
        title: 用户, 群组 or 机器人.
        hits: at most 20; null for none.
    """

    title: str
    hits: list[SearchHit] | None


class HomeSearchResult(Struct, rename={"kinds": "list"}):
    """The hits.

    Attributes:
        kinds: users, groups and bots, in this order.
    """

    kinds: list[SearchHits]
