"""Changing the nickname and the avatar; the first change of each may be rewarded."""

from typing import Literal, TypeAlias

from hupan.domain.avatars import avatar_url
from hupan.domain.coin_change import CoinChange
from hupan.domain.coins import Coins
from hupan.domain.settings import EditRules
from hupan.domain.text import nickname
from hupan.model import AccountId, CoinType
from hupan.store.engine import Engine, Transaction
from hupan.store.profiles import set_avatar, set_name

Edited: TypeAlias = Literal["nickname", "avatar"]

_REASONS: dict[Edited, str] = {"nickname": "首次修改昵称", "avatar": "首次修改头像"}


class ProfileEdits:
    """Changes what accounts are known by."""

    def __init__(self, engine: Engine, coins: Coins, rules: EditRules) -> None:
        self._engine = engine
        self._coins = coins
        self._avatar_hosts = rules.avatar_hosts
        self._reward_cents: dict[Edited, int] = {
            "nickname": rules.first_nickname_cents,
            "avatar": rules.first_avatar_cents,
        }

    async def rename(self, account: AccountId, name: str) -> None:
        """Gives an account another nickname; its own one changes and counts nothing.

        Raises:
            InvalidField: it is no nickname.
        """
        new = nickname(name, "name")

        async def change(tx: Transaction) -> None:
            await self._reward(tx, account, "nickname", await set_name(tx, account, new))

        await self._engine.change(change)

    async def change_avatar(self, account: AccountId, url: str) -> None:
        """Gives an account another avatar; its own one changes and counts nothing.

        Raises:
            InvalidField: it is no address that the server takes for an avatar.
        """
        new = avatar_url(url, "url", self._avatar_hosts)

        async def change(tx: Transaction) -> None:
            await self._reward(tx, account, "avatar", await set_avatar(tx, account, new))

        await self._engine.change(change)

    async def _reward(
        self, tx: Transaction, account: AccountId, edited: Edited, times: int | None
    ) -> None:
        """Rewards the first change; one that the balance has no room for goes on without."""
        cents = self._reward_cents[edited]
        if times != 1 or cents == 0:
            return
        reward = CoinChange(
            account=account,
            change_cents=cents,
            typ=CoinType.FIRST_EDIT,
            reason=_REASONS[edited],
            key=f"first-{edited}",
        )
        await self._coins.post(tx, reward)
