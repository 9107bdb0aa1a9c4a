"""Messages of discovery and advertisements (wire.md 4: recommend-*, get-user-show-adv)."""

from typing import Annotated

from msgspec import Meta, Struct

from hupan.contract.messages.fields import PageNumber, PageSize, ShortText

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
