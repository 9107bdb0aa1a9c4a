"""What the pack `discovery` lists: groups of every category, and bots."""

from hupan.domain.discovery import DEFAULT_CATEGORIES, FEATURED_CATEGORY
from hupan.model import Bot, BotId, Group, GroupId

GROUPS = 120
BOTS = 12
FIRST_GROUP, FIRST_BOT = 100_000_000, 10_000_000
CREATED_AT = 1_700_000_000
SECONDS_IN_A_DAY = 86_400
_PLACES = ("西湖", "东湖", "太湖", "鄱阳湖", "洞庭湖", "青海湖", "千岛湖", "滇池", "Lake")
_ENDS = ("交流群", "的家", "同好会", " Club", "小屋")
_CATEGORIES = ("", *(name for name in DEFAULT_CATEGORIES if name != FEATURED_CATEGORY))
_BOTS = ("天气", "翻译", "点歌", "签到", "记账", "骰子")


def groups_of(number: int) -> list[Group]:
    """The groups; their ids follow from the number."""
    first = FIRST_GROUP + number * GROUPS
    return [_group(GroupId(first + place), place) for place in range(GROUPS)]


def bots_of(number: int) -> list[Bot]:
    """The bots, likewise."""
    first = FIRST_BOT + number * BOTS
    return [_bot(BotId(first + place), place) for place in range(BOTS)]


def _group(group: GroupId, place: int) -> Group:
    name = _PLACES[place % len(_PLACES)] + _ENDS[place % len(_ENDS)]
    return Group(
        id=group,
        ban_id=0,
        name=name,
        introduction=f"欢迎来到{name}，第 {place + 1} 个群聊。",
        avatar_url="",
        headcount=5000 // (place + 1),
        created_at=CREATED_AT + place * SECONDS_IN_A_DAY,
        category=_CATEGORIES[place % len(_CATEGORIES)],
        is_featured=int(place % 4 == 0),
    )


def _bot(bot: BotId, place: int) -> Bot:
    name = _BOTS[place % len(_BOTS)]
    return Bot(
        id=bot,
        name=f"{name}机器人",
        introduction=f"发送“{name}”试试",
        avatar_url="",
        headcount=1000 // (place + 1),
        may_add=int(place % 5 != 4),  # noqa: PLR2004 - every fifth cannot be added
        applies=int(place % 3 == 0),
        always_agrees=int(place % 2 == 0),
    )
