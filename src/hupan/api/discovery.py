"""Handlers of discovery: categories, groups, recommended bots."""

from hupan.api.services import Services
from hupan.contract.messages.discovery import (
    BotList,
    Categories,
    CategoriesWanted,
    GroupList,
    GroupsWanted,
    ListedBot,
    ListedGroup,
)
from hupan.contract.table import Anything
from hupan.model import Bot, Caller, Group

CHAT_TYPE_BOT = "3"


async def categories(services: Services, _caller: Caller, _request: CategoriesWanted) -> Categories:
    """The categories in their order."""
    return Categories(await services.discovery.categories())


async def groups(services: Services, _caller: Caller, request: GroupsWanted) -> GroupList:
    """A page of the groups that are asked for."""
    found = await services.discovery.groups(
        request.category, request.keyword, page=request.page, size=request.size
    )
    return GroupList([_group(group) for group in found])


async def bots(services: Services, _caller: Caller, _request: Anything) -> BotList:
    """The recommended bots."""
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
