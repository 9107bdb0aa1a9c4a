"""Admin operations on coins: list, grant, deduct, check the journal."""

from decimal import Decimal

from hupan.admin.views import AdminRow, coin_fault_row, coin_row
from hupan.domain.accounts import AccountDirectory
from hupan.domain.coins import CoinChange, Coins
from hupan.domain.provisioning import parse_coins
from hupan.errors import InvalidField
from hupan.model import CoinType


class CoinAdmin:
    """Lists, grants and deducts coins; raises the errors of the domain."""

    def __init__(self, directory: AccountDirectory, coins: Coins) -> None:
        self._directory = directory
        self._coins = coins

    async def list_newest(self, identifier: str, limit: int) -> list[AdminRow]:
        """Return the newest journal entries of an account; `limit` is 1 to 100."""
        account = await self._directory.get(identifier)
        page = await self._coins.list_page(account.id, size=limit, page=1)
        return [coin_row(account.id, entry) for entry in page.entries]

    async def give(
        self, identifier: str, coins: Decimal, reason: str, key: str, actor: str
    ) -> AdminRow:
        """Grant coins (typ 2); return the entry, the same one each time for the same key."""
        return await self._change(
            identifier, CoinType.REWARD, _parse_positive_cents(coins, "give"), reason, key, actor
        )

    async def take(
        self, identifier: str, coins: Decimal, reason: str, key: str, actor: str
    ) -> AdminRow:
        """Deduct coins (typ 6), never below zero; return the entry, as `give` does."""
        return await self._change(
            identifier, CoinType.REDEEM, -_parse_positive_cents(coins, "take"), reason, key, actor
        )

    async def find_faults(self, identifier: str | None) -> list[AdminRow]:
        """Return where the journal of one account, or of all, does not add up (security J3)."""
        account = None if identifier is None else (await self._directory.get(identifier)).id
        return [coin_fault_row(fault) for fault in await self._coins.list_faults(account)]

    async def _change(
        self, identifier: str, typ: CoinType, change_cents: int, reason: str, key: str, actor: str
    ) -> AdminRow:
        account = await self._directory.get(identifier)
        change = CoinChange(
            account=account.id,
            change_cents=change_cents,
            typ=typ,
            reason=reason,
            key=key,
            actor=actor,
        )
        return coin_row(account.id, await self._coins.change(change))


def _parse_positive_cents(coins: Decimal, option: str) -> int:
    change_cents = parse_coins(coins, option)
    if not change_cents:
        raise InvalidField(option)
    return change_cents
