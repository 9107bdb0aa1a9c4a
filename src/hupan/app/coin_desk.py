"""What operators do with coins."""

from decimal import Decimal

from hupan.app.account_rows import Row, coin_row, fault_row
from hupan.domain.coin_change import CoinChange
from hupan.domain.coins import Coins
from hupan.domain.provisioning import cents
from hupan.domain.refusals import InvalidField
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
        return [coin_row(account.id, entry) for entry in page.entries]

    async def give(self, who: str, coins: Decimal, reason: str, key: str, actor: str) -> Row:
        """Gives coins (typ 2): → the entry, the same one whenever the key comes again."""
        return await self._change(who, CoinType.REWARD, _some(coins, "give"), reason, key, actor)

    async def take(self, who: str, coins: Decimal, reason: str, key: str, actor: str) -> Row:
        """Takes coins (typ 6), never below nothing: → the entry, likewise."""
        return await self._change(who, CoinType.REDEEM, -_some(coins, "take"), reason, key, actor)

    async def faults(self, who: str | None) -> list[Row]:
        """Where the journal of one account, or of all, does not add up (security J3)."""
        account = None if who is None else (await self._roster.find(who)).id
        return [fault_row(fault) for fault in await self._coins.faults(account)]

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
        return coin_row(account.id, await self._coins.change(change))


def _some(coins: Decimal, option: str) -> int:
    """Hundredths of a coin, at least one.

    Raises:
        InvalidField: they are none, too many, or have more than two decimals.
    """
    change_cents = cents(coins, option)
    if not change_cents:
        raise InvalidField(option)
    return change_cents
