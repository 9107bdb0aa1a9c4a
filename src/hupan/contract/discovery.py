"""Messages of discovery and advertisements (wire.md 4: recommend-*, get-user-show-adv)."""

from typing import Annotated

from msgspec import Meta, Struct

from hupan.contract.endpoints import PUBLIC, SESSION, IgnoredBody, Note, app, web
from hupan.contract.fields import PageNumber, PageSize, ShortText

KeywordText = Annotated[str, Meta(max_length=32)]
"""The keyword of a search for groups (security I8)."""


class CategoriesRequest(Struct, rename="camel"):
    """Requests the categories; `appChannel` is ignored."""

    app_channel: ShortText


class CategoryList(Struct):
    """The categories, in display order."""

    categories: list[str]


class GroupsRequest(Struct):
    """Requests one page of groups.

    Attributes:
        category: "" for all; 精选 for the featured ones.
        keyword: part of a name or an introduction, or an exact id; "" for all.
        page: the first is 1.
    """

    category: ShortText
    keyword: KeywordText
    size: PageSize
    page: PageNumber


class ListedGroup(Struct, rename="camel"):
    """A group; its id is a string, its counts and times are numbers (wire.md 4).

    Attributes:
        chat_id: nine digits.
        ban_id: 0 when the group is not banned.
        create_time: unix seconds.
    """

    chat_id: str
    ban_id: int
    nickname: str
    introduction: str
    avatar_url: str
    headcount: int
    create_time: int


class GroupList(Struct, rename="camel"):
    """One page of groups, by headcount."""

    group_list: list[ListedGroup]


class ListedBot(Struct, rename="camel"):
    """A bot; here chatType and headcount are strings (wire.md 4).

    Attributes:
        chat_id: eight digits.
        chat_type: always "3".
        headcount: number of users.
        introductions: always "".
        is_add: 1 if users can add it, else 0.
        is_apply: 1 if adding it needs approval, else 0.
        always_agree: 1 if it always approves, else 0.
    """

    chat_id: str
    chat_type: str
    headcount: str
    nickname: str
    introduction: str
    introductions: str
    avatar_url: str
    is_add: int
    is_apply: int
    always_agree: int


class BotList(Struct, rename="camel"):
    """The bots, by headcount."""

    bot_list: list[ListedBot]


class AdvertConfig(Struct, rename="camel"):
    """The ids of the app at advertising services, and whether to show advertisements.

    Attributes:
        is_show: 1 or 0; always 0 for VIP.
    """

    android_code_id: str
    bottom_height: int
    ios_code_id: str
    is_show: int


class GroupInfoRequest(Struct, rename="camel"):
    """Requests the public data of a group."""

    group_id: ShortText


class PublicGroup(Struct, rename="camel"):
    """A group of discovery; an unknown one has "" and 0 (wire.md 8.3).

    Attributes:
        id: the same as `groupId`, as a number.
        create_by: always "".
        create_time: unix seconds.
        avatar_id: always 0.
        read_history: always 0.
        category: "" for none.
        ban_id: 0 when the group is not banned.
    """

    id: int = 0
    group_id: str = ""
    name: str = ""
    introduction: str = ""
    create_by: str = ""
    create_time: int = 0
    avatar_id: int = 0
    avatar_url: str = ""
    headcount: int = 0
    read_history: int = 0
    category: str = ""
    ban_id: int = 0


class GroupInfo(Struct):
    """The group in its wrapper."""

    group: PublicGroup


class BotInfoRequest(Struct, rename="camel"):
    """Requests the public data of a bot."""

    bot_id: ShortText


class PublicBot(Struct, rename="camel"):
    """A bot of discovery; an unknown one has "" and 0 (wire.md 8.3).

    Attributes:
        id: the same as `botId`, as a number.
        nickname_id: always 0.
        avatar_id: always 0.
        token: always "".
        link: always "".
        create_by: always "".
        create_time: always 0.
        headcount: number of users.
        private: 1 if users cannot add it, else 0.
    """

    id: int = 0
    bot_id: str = ""
    nickname: str = ""
    nickname_id: int = 0
    avatar_id: int = 0
    avatar_url: str = ""
    token: str = ""
    link: str = ""
    introduction: str = ""
    create_by: str = ""
    create_time: int = 0
    headcount: int = 0
    private: int = 0


class BotInfo(Struct):
    """The bot in its wrapper."""

    bot: PublicBot


list_categories = app.post(
    "/v1/user/recommend-category-list",
    SESSION,
    CategoriesRequest,
    CategoryList,
    sample=CategoriesRequest(app_channel="default"),
    source="R",
)
list_groups = app.post(
    "/v1/user/recommend-list",
    SESSION,
    GroupsRequest,
    GroupList,
    sample=GroupsRequest(category="", keyword="", size=20, page=1),
    source="R",
    notes=(
        Note(
            "D",
            "No category means all groups, 精选 the featured ones, an unknown one none. Ordered by "
            "headcount; for a keyword of three or more characters the list ends after the first "
            "4,000 candidates ([decision 7](decisions/0007-discovery-search.md)).",
            "分区为空即全部，“精选”为精选群聊，未知分区为空列表；按人数排列。三个字以上的关键词，列"
            "表止于前 4000 个候选群聊（[决定 7](decisions/0007-discovery-search.md)）。",
        ),
    ),
)
list_bots = app.post(
    "/v1/user/recommend",
    SESSION,
    IgnoredBody,
    BotList,
    source="R",
    notes=(
        Note(
            "C",
            "`chatType` and `headcount` are strings, unlike in the list of groups.",
            "`chatType` 与 `headcount` 为文本，与群聊列表不同。",
        ),
        Note(
            "D",
            "The 100 bots with the most users; there are no pages.",
            "使用人数最多的 100 个，不分页。",
        ),
    ),
)
get_adverts = app.post(
    "/v1/user/get-user-show-adv",
    SESSION,
    IgnoredBody,
    AdvertConfig,
    source="R",
    notes=(
        Note(
            "D",
            "From settings, 0 by default; always 0 for VIP.",
            "由设置决定，默认 0；对会员总是 0。",
        ),
    ),
)
_WEB_GET_LISTED = (
    Note(
        "C",
        "An unknown id is a success with empty strings and 0.",
        "编号未知时返回成功，文本为空，数字为 0。",
    ),
    Note(
        "D",
        "What discovery lists; there is no more about a group or a bot here.",
        "只有发现列表中的资料，没有更多内容。",
    ),
)
web_get_group = web.post(
    "/v1/group/group-info",
    PUBLIC,
    GroupInfoRequest,
    GroupInfo,
    limit="profile_views",
    reveals=("groupId",),
    sample=GroupInfoRequest(group_id="100000001"),
    source="C",
    notes=_WEB_GET_LISTED,
)
web_get_bot = web.post(
    "/v1/bot/bot-info",
    PUBLIC,
    BotInfoRequest,
    BotInfo,
    limit="profile_views",
    reveals=("botId",),
    sample=BotInfoRequest(bot_id="10000001"),
    source="C",
    notes=_WEB_GET_LISTED,
)
