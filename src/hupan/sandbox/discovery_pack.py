"""What the pack `discovery` lists: groups of every category, and bots."""

from hupan.domain.discovery import DEFAULT_CATEGORIES, FEATURED_CATEGORY
from hupan.model import Bot, BotId, Group, GroupId

GROUPS = 120
"""That are planted when nobody says how many."""
MOST_GROUPS = 100_000
"""That are planted at once."""
BOTS = 12
FIRST_GROUP, FIRST_BOT = 100_000_000, 10_000_000
CREATED_AT, DAYS = 1_700_000_000, 600
SECONDS_IN_A_DAY = 86_400
_PLACES = ("西湖", "东湖", "太湖", "鄱阳湖", "洞庭湖", "青海湖", "千岛湖", "滇池", "Lake")
_ENDS = ("交流群", "的家", "同好会", " Club", "小屋")
_CATEGORIES = ("", *(name for name in DEFAULT_CATEGORIES if name != FEATURED_CATEGORY))
_BOTS = ("天气", "翻译", "点歌", "签到", "记账", "骰子")


def groups_from(first: int, number: int) -> list[Group]:
    """So many groups; all of each follows from its place, of which the first is given."""
    return [_group(place) for place in range(first, first + number)]


def bots_from(first: int, number: int) -> list[Bot]:
    """So many bots, likewise."""
    return [_bot(place) for place in range(first, first + number)]


def _group(place: int) -> Group:
    name = _PLACES[place % len(_PLACES)] + _ENDS[place % len(_ENDS)]
    return Group(
        id=GroupId(FIRST_GROUP + place),
        ban_id=0,
        name=name,
        introduction=f"欢迎来到{name}，第 {place + 1} 个群聊。",
        avatar_url="",
        headcount=1 + 5000 // (place + 1),
        created_at=CREATED_AT + place % DAYS * SECONDS_IN_A_DAY,
        category=_CATEGORIES[place % len(_CATEGORIES)],
        is_featured=int(place % 4 == 0),
    )


def _bot(place: int) -> Bot:
    name = _BOTS[place % len(_BOTS)]
    return Bot(
        id=BotId(FIRST_BOT + place),
        name=f"{name}机器人",
        introduction=f"发送“{name}”试试",
        avatar_url="",
        headcount=1 + 1000 // (place + 1),
        may_add=int(place % 5 != 4),  # noqa: PLR2004 - every fifth cannot be added
        applies=int(place % 3 == 0),
        always_agrees=int(place % 2 == 0),
    )
