"""What operators do with coins."""

from decimal import Decimal

from hupan.app.account_rows import Row, coin_row
from hupan.domain.coin_change import CoinChange
from hupan.domain.coins import Coins
from hupan.domain.provisioning import cents
from hupan.domain.roster import Roster
from hupan.model import CoinType


class CoinDesk:
    """Lists, gives and takes; what cannot be is raised as the domain's refusal."""

    def __init__(self, roster: Roster, coins: Coins) -> None:
        self._roster = roster
        self._coins = coins

    async def newest(self, who: str, most: int) -> list[Row]:
        """The newest entries of an account's journal, 1 to 100 of them."""
        account = await self._roster.find(who)
        page = await self._coins.page(account.id, size=most, page=1)
        return [coin_row(entry) for entry in page.entries]

    async def give(self, who: str, coins: Decimal, reason: str, key: str, actor: str) -> Row:
        """Gives coins (typ 2): → the entry, the same one whenever the key comes again."""
        return await self._change(who, CoinType.REWARD, cents(coins, "coins"), reason, key, actor)

    async def take(self, who: str, coins: Decimal, reason: str, key: str, actor: str) -> Row:
        """Takes coins (typ 6), never below nothing: → the entry, likewise."""
        return await self._change(who, CoinType.REDEEM, -cents(coins, "coins"), reason, key, actor)

    async def _change(
        self, who: str, typ: CoinType, change_cents: int, reason: str, key: str, actor: str
    ) -> Row:
        account = await self._roster.find(who)
        change = CoinChange(
            account=account.id,
            change_cents=change_cents,
            typ=typ,
            reason=reason,
            key=key,
            actor=actor,
        )
        return coin_row(await self._coins.change(change))
