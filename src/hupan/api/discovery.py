"""Handlers that list categories, groups, recommended bots and advertisements."""

from hupan.api.context import RequestContext
from hupan.api.routing import Services
from hupan.contract.endpoints import IgnoredBody
from hupan.contract.messages.discovery import (
    AdvertConfig,
    BotInfo,
    BotInfoRequest,
    BotList,
    CategoriesRequest,
    CategoryList,
    GroupInfo,
    GroupInfoRequest,
    GroupList,
    GroupsRequest,
    ListedBot,
    ListedGroup,
    PublicBot,
    PublicGroup,
)
from hupan.model import Bot, Caller, Group

CHAT_TYPE_BOT = "3"


async def list_categories(
    services: Services, _caller: Caller, _request: CategoriesRequest
) -> CategoryList:
    """List the categories in their order."""
    return CategoryList(await services.discovery.categories())


async def list_groups(services: Services, _caller: Caller, request: GroupsRequest) -> GroupList:
    """List one page of the groups of a category or a search."""
    found = await services.discovery.groups(
        request.category, request.keyword, page=request.page, size=request.size
    )
    return GroupList([_group(group) for group in found])


async def list_bots(services: Services, _caller: Caller, _request: IgnoredBody) -> BotList:
    """List the recommended bots."""
    return BotList([_bot(bot) for bot in await services.discovery.bots()])


def _group(group: Group) -> ListedGroup:
    return ListedGroup(
        chat_id=str(group.id),
        ban_id=group.ban_id,
        nickname=group.name,
        introduction=group.introduction,
        avatar_url=group.avatar_url,
        headcount=group.headcount,
        create_time=group.created_at,
    )


def _bot(bot: Bot) -> ListedBot:
    return ListedBot(
        chat_id=str(bot.id),
        chat_type=CHAT_TYPE_BOT,
        headcount=str(bot.headcount),
        nickname=bot.name,
        introduction=bot.introduction,
        introductions="",  # always "" (wire.md 4)
        avatar_url=bot.avatar_url,
        is_add=bot.may_add,
        is_apply=bot.applies,
        always_agree=bot.always_agrees,
    )


async def get_adverts(services: Services, caller: Caller, _request: IgnoredBody) -> AdvertConfig:
    """Return whether the client shows advertisements; never for VIP (wire.md 4)."""
    adverts, is_vip = services.adverts, caller.account.is_vip(services.clock.now())
    return AdvertConfig(
        android_code_id=adverts.android_code_id,
        bottom_height=adverts.bottom_height,
        ios_code_id=adverts.ios_code_id,
        is_show=int(adverts.shown and not is_vip),
    )


async def web_get_group(
    services: Services, _context: RequestContext, request: GroupInfoRequest
) -> GroupInfo:
    """Return a listed group; an empty one for an unknown id (wire.md 8.3)."""
    group = await services.discovery.find_group(request.group_id)
    if group is None:
        return GroupInfo(PublicGroup())
    return GroupInfo(
        PublicGroup(
            id=group.id,
            group_id=str(group.id),
            name=group.name,
            introduction=group.introduction,
            create_time=group.created_at,
            avatar_url=group.avatar_url,
            headcount=group.headcount,
            category=group.category,
            ban_id=group.ban_id,
        )
    )


async def web_get_bot(
    services: Services, _context: RequestContext, request: BotInfoRequest
) -> BotInfo:
    """Return a listed bot; an empty one for an unknown id (wire.md 8.3)."""
    bot = await services.discovery.find_bot(request.bot_id)
    if bot is None:
        return BotInfo(PublicBot())
    return BotInfo(
        PublicBot(
            id=bot.id,
            bot_id=str(bot.id),
            nickname=bot.name,
            avatar_url=bot.avatar_url,
            introduction=bot.introduction,
            headcount=bot.headcount,
            private=int(not bot.may_add),
        )
    )
