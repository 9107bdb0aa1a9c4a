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


class GroupInfoRequest(Struct, rename="camel"):
    """Requests what is public of a group."""

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
    """Requests what is public of a bot."""

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
