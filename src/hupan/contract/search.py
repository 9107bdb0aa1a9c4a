"""Messages of the search of the home screen (wire.md 8.3: search/home-search)."""

from msgspec import Struct

from hupan.contract.discovery import KeywordText
from hupan.contract.endpoints import SESSION, Note, app


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


home_search = app.post(
    "/v1/search/home-search",
    SESSION,
    HomeSearchRequest,
    HomeSearchResult,
    limit="profile_views",
    reveals=("word",),
    sample=HomeSearchRequest(word="n"),
    source="C",
    notes=(
        Note(
            "D",
            "Users by exact id or the beginning of a nickname, in any case; groups and bots "
            "as in discovery; at most 20 of each. Banned and cancelled accounts and those that "
            "hide are never found. Each search counts as a profile view ([decision "
            "39](decisions/0039-first-screen.md)).",
            "用户按完整编号或昵称开头查找，不分大小写；群聊与机器人同发现列表；各至多 20 个。被封"
            "禁、已注销或选择隐藏的账号不会被搜到。每次搜索计为一次查看资料（[决定 "
            "39](decisions/0039-first-screen.md)）。",
        ),
        Note(
            "D",
            "`name` repeats `nickname`, and `hit` the word; `list` is null if nothing was found.",
            "`name` 与 `nickname` 相同，`hit` 为所搜的词；没有结果时 `list` 为 null。",
        ),
    ),
)
