"""Discovery (wire.md 4: recommend-category-list, recommend-list, recommend)."""

from typing import Annotated

from msgspec import Meta, Struct

from hupan.contract.messages.fields import PageNumber, PageSize, ShortText

Keyword = Annotated[str, Meta(max_length=32)]
"""What groups are searched for (security I8)."""


class CategoriesWanted(Struct, rename="camel"):
    """Asks for the categories; the channel of the app changes nothing."""

    app_channel: ShortText


class Categories(Struct):
    """The categories, in the order in which they are shown."""

    categories: list[str]


class GroupsWanted(Struct):
    """Asks for a page of groups; an empty category or keyword means any."""

    category: ShortText
    keyword: Keyword
    size: PageSize
    page: PageNumber


class ListedGroup(Struct, rename="camel"):
    """A group; its id is a string, its counts and times are numbers (wire.md 4)."""

    chat_id: str
    ban_id: int
    nickname: str
    introduction: str
    avatar_url: str
    headcount: int
    create_time: int


class GroupList(Struct, rename="camel"):
    """A page of groups, by headcount."""

    group_list: list[ListedGroup]


class ListedBot(Struct, rename="camel"):
    """A bot; here chatType and headcount are strings (wire.md 4)."""

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
