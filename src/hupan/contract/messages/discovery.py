"""Messages of discovery and advertisements (wire.md 4: recommend-*, get-user-show-adv)."""

from typing import Annotated

from msgspec import Meta, Struct

from hupan.contract.messages.fields import PageNumber, PageSize, ShortText

KeywordText = Annotated[str, Meta(max_length=32)]
"""What groups are searched for (security I8)."""


class CategoriesRequest(Struct, rename="camel"):
    """Asks for the categories; the channel of the app changes nothing."""

    app_channel: ShortText


class CategoryList(Struct):
    """The categories, in the order in which they are shown."""

    categories: list[str]


class GroupsRequest(Struct):
    """Asks for a page of groups.

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
    """A page of groups, by headcount."""

    group_list: list[ListedGroup]


class ListedBot(Struct, rename="camel"):
    """A bot; here chatType and headcount are strings (wire.md 4).

    Attributes:
        chat_id: eight digits.
        chat_type: always "3".
        headcount: how many use it.
        introductions: always "".
        is_add: 1 when it can be added, else 0.
        is_apply: 1 when adding it is an application, else 0.
        always_agree: 1 when it agrees to each, else 0.
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
    """What the advertising services know the app by, and whether to show any.

    Attributes:
        is_show: 1 or 0; always 0 for VIP.
    """

    android_code_id: str
    bottom_height: int
    ios_code_id: str
    is_show: int
