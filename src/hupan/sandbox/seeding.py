"""Seed packs: sample accounts, coins, groups and bots for the sandbox."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from itertools import cycle, islice
from typing import Literal, TypeAlias, get_args

from msgspec import Struct
from msgspec.structs import replace

from hupan.domain.coins import CoinChange, Coins
from hupan.domain.discovery import DEFAULT_CATEGORIES, FEATURED_CATEGORY, DiscoveryImporter
from hupan.domain.provisioning import NewAccount, SandboxAccounts
from hupan.domain.sessions import Device
from hupan.model import AccountId, Bot, BotId, CoinType, Group, GroupId
from hupan.rules import DAY_SECONDS

PackName: TypeAlias = Literal["minimal", "vip", "banned", "coins", "discovery", "unicode"]
PACK_NAMES: tuple[PackName, ...] = get_args(PackName)
MAX_SEEDED_ACCOUNTS = 200
"""Maximum accounts per request."""

ACCOUNT_WITH_COINS = NewAccount(nickname="许多金币")
"""The account with all of `COIN_HISTORY`."""

PACKS: dict[PackName, tuple[NewAccount, ...]] = {
    "minimal": (NewAccount(nickname="湖边的人"),),
    "vip": (
        NewAccount(nickname="会员", vip_days=30),
        NewAccount(nickname="会员将到期", vip_days=1),
        NewAccount(nickname="会员已过期", vip_days=-1),
    ),
    "banned": (
        NewAccount(nickname="永久封禁", ban_reason="发布垃圾广告"),
        NewAccount(nickname="封禁一天", ban_days=1, ban_reason="刷屏"),
    ),
    "coins": (
        NewAccount(nickname="没有金币"),
        ACCOUNT_WITH_COINS,
    ),
    "discovery": (NewAccount(nickname="群主"),),
    "unicode": tuple(
        NewAccount(nickname=name)
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
"""Type, hundredths of a coin and reason of each change, repeated."""

COIN_HISTORY_REPEATS = 9


def numbered_account(pack: PackName, template: NewAccount, number: int) -> NewAccount:
    """Return an account of a pack; contacts follow from its number, from 1 to 99,999,999."""
    return replace(
        template,
        phone=f"17{PACK_NAMES.index(pack)}{number:08}",
        email=f"{pack}-{number}@example.com",
        password=f"lakeside {pack}",
    )


DEFAULT_GROUP_COUNT = 120
MAX_SEEDED_GROUPS = 100_000
"""Maximum groups per request."""
BOT_COUNT = 12
FIRST_GROUP_ID, FIRST_BOT_ID = 100_000_000, 10_000_000
FIRST_CREATED_AT, CREATED_WITHIN_DAYS = 1_700_000_000, 600
_LAKE_NAMES = ("西湖", "东湖", "太湖", "鄱阳湖", "洞庭湖", "青海湖", "千岛湖", "滇池", "Lake")
_NAME_SUFFIXES = ("交流群", "的家", "同好会", " Club", "小屋")
_CATEGORIES = ("", *(name for name in DEFAULT_CATEGORIES if name != FEATURED_CATEGORY))
_BOT_NAMES = ("天气", "翻译", "点歌", "签到", "记账", "骰子")


def make_groups(first: int, count: int) -> list[Group]:
    """Return groups; everything in them follows from their index, which starts with `first`."""
    return [_make_group(index) for index in range(first, first + count)]


def make_bots(first: int, count: int) -> list[Bot]:
    """Return bots; everything in them follows from their index, which starts with `first`."""
    return [_make_bot(index) for index in range(first, first + count)]


def _make_group(index: int) -> Group:
    name = _LAKE_NAMES[index % len(_LAKE_NAMES)] + _NAME_SUFFIXES[index % len(_NAME_SUFFIXES)]
    return Group(
        id=GroupId(FIRST_GROUP_ID + index),
        ban_id=0,
        name=name,
        introduction=f"欢迎来到{name}，第 {index + 1} 个群聊。",
        avatar_url="",
        headcount=1 + 5000 // (index + 1),
        created_at=FIRST_CREATED_AT + index % CREATED_WITHIN_DAYS * DAY_SECONDS,
        category=_CATEGORIES[index % len(_CATEGORIES)],
        is_featured=int(index % 4 == 0),
    )


def _make_bot(index: int) -> Bot:
    name = _BOT_NAMES[index % len(_BOT_NAMES)]
    return Bot(
        id=BotId(FIRST_BOT_ID + index),
        name=f"{name}机器人",
        introduction=f"发送“{name}”试试",
        avatar_url="",
        headcount=1 + 1000 // (index + 1),
        may_add=int(index % 5 != 4),  # noqa: PLR2004 - every fifth cannot be added
        applies=int(index % 3 == 0),
        always_agrees=int(index % 2 == 0),
    )


class SeededAccount(Struct, frozen=True):
    """A seeded account, with all that is needed to sign in to it."""

    id: str
    phone: str
    email: str
    password: str
    token: str


def max_count(pack: PackName) -> int:
    """Return how many accounts, or groups of `discovery`, one request may seed."""
    return MAX_SEEDED_GROUPS if pack == "discovery" else MAX_SEEDED_ACCOUNTS


class Seeder:
    """Seeds packs, one after the other.

    A pack continues where its last seeding ended. Taken phone numbers and e-mail addresses are
    skipped: `--data-dir` keeps those of an earlier start.
    """

    def __init__(
        self, sandbox_accounts: SandboxAccounts, coins: Coins, listings: DiscoveryImporter
    ) -> None:
        self._sandbox_accounts = sandbox_accounts
        self._coins = coins
        self._listings = listings
        self._seed_lock = asyncio.Lock()
        self._last_numbers: Counter[PackName] = Counter()
        self._groups = 0
        self._bots = 0

    async def seed(self, pack: PackName, count: int) -> list[SeededAccount]:
        """Create the accounts of a pack, and what belongs to them.

        Args:
            pack: its kinds of accounts are created in turn.
            count: accounts, or groups of `discovery`, at most `max_count`; 0 for one of each kind.

        Raises:
            PhoneTaken, EmailTaken: another request took one meanwhile; no account was created.
            Overtaken: another request began to store groups meanwhile; none is listed.
            Busy: too many passwords wait to be hashed.
        """
        async with self._seed_lock:
            if pack == "discovery":
                await self._seed_discovery(count or DEFAULT_GROUP_COUNT)
                count = 0
            return await self._create_accounts(pack, count or len(PACKS[pack]))

    @property
    def lock(self) -> asyncio.Lock:
        """The lock that is held while something is seeded."""
        return self._seed_lock

    def export(self) -> dict[str, int]:
        """Return the numbers that seeding continues from."""
        packs: dict[str, int] = dict(self._last_numbers.items())
        return packs | {"groups": self._groups, "bots": self._bots}

    def restore(self, numbers: Mapping[str, int]) -> None:
        """Continue from other numbers."""
        self._last_numbers = Counter({pack: numbers.get(pack, 0) for pack in PACK_NAMES})
        self._groups, self._bots = numbers.get("groups", 0), numbers.get("bots", 0)

    def reset(self) -> None:
        """Reset all numbers."""
        self._last_numbers.clear()
        self._groups = self._bots = 0

    async def _create_accounts(self, pack: PackName, count: int) -> list[SeededAccount]:
        templates = list(islice(cycle(PACKS[pack]), count))
        requests = [await self._next_free_account(pack, template) for template in templates]
        created = await self._sandbox_accounts.create_all(requests, Device("seed", ""))
        with_coins = [
            account.id
            for account, kind in zip(created, templates, strict=True)
            if kind is ACCOUNT_WITH_COINS
        ]
        await asyncio.gather(*map(self._add_coin_history, with_coins))
        return [
            SeededAccount(
                str(account.id), request.phone, request.email, request.password, account.token
            )
            for request, account in zip(requests, created, strict=True)
        ]

    async def _next_free_account(self, pack: PackName, template: NewAccount) -> NewAccount:
        while True:
            self._last_numbers[pack] += 1
            candidate = numbered_account(pack, template, self._last_numbers[pack])
            if await self._sandbox_accounts.is_available(candidate):
                return candidate

    async def _add_coin_history(self, account: AccountId) -> None:
        for index, (typ, cents, reason) in enumerate(COIN_HISTORY * COIN_HISTORY_REPEATS):
            change = CoinChange(
                account=account, change_cents=cents, typ=typ, reason=reason, key=f"seed:{index}"
            )
            await self._coins.change(change)

    async def _seed_discovery(self, count: int) -> None:
        await self._listings.import_groups(make_groups(self._groups, count))
        self._groups += count
        await self._listings.import_bots(make_bots(self._bots, BOT_COUNT))
        self._bots += BOT_COUNT
