"""What POST `/sandbox/seed` can plant: packs of accounts, each of which shows one thing."""

from typing import Literal, TypeAlias, get_args

from msgspec.structs import replace

from hupan.domain.provisioning import AccountWanted
from hupan.model import CoinType

PackName: TypeAlias = Literal["minimal", "vip", "banned", "coins", "discovery", "unicode"]
PACK_NAMES: tuple[PackName, ...] = get_args(PackName)
MOST_ACCOUNTS = 200
"""That are planted at once."""

FULL_PURSE = AccountWanted(nickname="许多金币")
"""Got and gave all of `COIN_HISTORY`."""

PACKS: dict[PackName, tuple[AccountWanted, ...]] = {
    "minimal": (AccountWanted(nickname="湖边的人"),),
    "vip": (
        AccountWanted(nickname="会员", vip_days=30),
        AccountWanted(nickname="会员将到期", vip_days=1),
        AccountWanted(nickname="会员已过期", vip_days=-1),
    ),
    "banned": (
        AccountWanted(nickname="永久封禁", ban_reason="发布垃圾广告"),
        AccountWanted(nickname="封禁一天", ban_days=1, ban_reason="刷屏"),
    ),
    "coins": (
        AccountWanted(nickname="没有金币"),
        FULL_PURSE,
    ),
    "discovery": (AccountWanted(nickname="群主"),),
    "unicode": tuple(
        AccountWanted(nickname=name)
        for name in (
            "湖畔的月亮",
            "𠮷野家",
            "ひらがな カタカナ",
            "한국어 이름",
            "Zoë Ångström",
            "Кириллица",
            "مرحبا",
            "שלום",
            "สวัสดี",
            "👩\u200d👩\u200d👧\u200d👦一家人",
            "👍🏽点赞",
            "🇨🇳国旗",
            "<b>&amp;</b> \"'\\ %s",
            "湖" * 32,
        )
    ),
}

COIN_HISTORY: tuple[tuple[CoinType, int, str], ...] = (
    (CoinType.REWARD, 10_000, "新人奖励"),
    (CoinType.AD, 50, "观看广告"),
    (CoinType.POST, -200, "发布文章"),
    (CoinType.INVITE, 500, "邀请好友奖励"),
    (CoinType.RAFFLE, -100, "参加抽奖"),
    (CoinType.REDEEM, -999, "兑换会员"),
    (CoinType.FIRST_EDIT, 1, "首次修改昵称"),
)
"""Type, hundredths of a coin and reason of each change; again and again."""

COIN_ROUNDS = 9


def numbered(pack: PackName, kind: AccountWanted, number: int) -> AccountWanted:
    """An account of a pack; phone and address follow from its number, from 1 to 99,999,999."""
    return replace(
        kind,
        phone=f"17{PACK_NAMES.index(pack)}{number:08}",
        email=f"{pack}-{number}@example.com",
        password=f"lakeside {pack}",
    )
