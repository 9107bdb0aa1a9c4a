"""Plants a pack: the same pack and number always make the same accounts."""

from msgspec import Struct

from hupan.domain.arrivals import Arrivals
from hupan.domain.coin_change import CoinChange
from hupan.domain.coins import Coins
from hupan.domain.listings import Listings
from hupan.domain.sessions import Device
from hupan.model import AccountId
from hupan.sandbox.discovery_pack import bots_of, groups_of
from hupan.sandbox.packs import COIN_HISTORY, COIN_ROUNDS, PackName, accounts_of


class Seeded(Struct, frozen=True):
    """An account that was planted, with all that it takes to sign in to it."""

    id: str
    phone: str
    email: str
    password: str
    token: str


class Seeding:
    """Plants packs."""

    def __init__(self, arrivals: Arrivals, coins: Coins, listings: Listings) -> None:
        self._arrivals = arrivals
        self._coins = coins
        self._listings = listings

    async def plant(self, pack: PackName, number: int) -> list[Seeded]:
        """Makes the accounts of a pack, and what belongs to them.

        Raises:
            PhoneTaken, EmailTaken: this pack was planted with this number before.
            Busy: too many passwords wait to be hashed.
        """
        wanted = accounts_of(pack, number)
        made = await self._arrivals.make_all(wanted, Device("seed", ""))
        if pack == "coins":
            await self._fill_purse(made[-1].id)
        if pack == "discovery":
            await self._listings.put_groups(groups_of(number))
            await self._listings.put_bots(bots_of(number))
        return [
            Seeded(str(account.id), one.phone, one.email, one.password, account.token)
            for one, account in zip(wanted, made, strict=True)
        ]

    async def _fill_purse(self, account: AccountId) -> None:
        for place, (typ, cents, reason) in enumerate(COIN_HISTORY * COIN_ROUNDS):
            change = CoinChange(
                account=account, change_cents=cents, typ=typ, reason=reason, key=f"seed:{place}"
            )
            await self._coins.change(change)
