"""Plants packs: after a start or a reset, the same ones in the same order are the same."""

import asyncio
from collections import Counter
from itertools import cycle, islice

from msgspec import Struct

from hupan.domain.arrivals import Arrivals
from hupan.domain.coin_change import CoinChange
from hupan.domain.coins import Coins
from hupan.domain.listings import Listings
from hupan.domain.provisioning import AccountWanted
from hupan.domain.sessions import Device
from hupan.model import AccountId
from hupan.sandbox.discovery_pack import BOTS, GROUPS, MOST_GROUPS, bots_from, groups_from
from hupan.sandbox.packs import (
    COIN_HISTORY,
    COIN_ROUNDS,
    FULL_PURSE,
    MOST_ACCOUNTS,
    PACKS,
    PackName,
    numbered,
)


class Seeded(Struct, frozen=True):
    """An account that was planted, with all that it takes to sign in to it."""

    id: str
    phone: str
    email: str
    password: str
    token: str


def most_of(pack: PackName) -> int:
    """How many accounts, or groups of `discovery`, are planted at most at once."""
    return MOST_GROUPS if pack == "discovery" else MOST_ACCOUNTS


class Seeding:
    """Plants packs, one after the other.

    What is planted goes on where the last planting of its pack ended. A number or an address that
    is taken is passed over: `--data-dir` keeps those of an earlier start.
    """

    def __init__(self, arrivals: Arrivals, coins: Coins, listings: Listings) -> None:
        self._arrivals = arrivals
        self._coins = coins
        self._listings = listings
        self._planting = asyncio.Lock()
        self._last_numbers: Counter[PackName] = Counter()
        self._groups = 0
        self._bots = 0

    async def plant(self, pack: PackName, number: int) -> list[Seeded]:
        """Makes the accounts of a pack, and what belongs to them.

        Args:
            pack: its kinds of accounts are made in turn.
            number: accounts, or groups of `discovery`, at most `most_of` the pack; 0 for as many
                as show all of it once.

        Raises:
            PhoneTaken, EmailTaken: somebody else took one meanwhile; no account was made.
            Overtaken: somebody else began to put groups meanwhile; none of these is listed.
            Busy: too many passwords wait to be hashed.
        """
        async with self._planting:
            if pack == "discovery":
                await self._list(number or GROUPS)
                number = 0
            return await self._make(pack, number or len(PACKS[pack]))

    def forget(self) -> None:
        """Begins again with the first of everything."""
        self._last_numbers.clear()
        self._groups = self._bots = 0

    async def _make(self, pack: PackName, number: int) -> list[Seeded]:
        kinds = list(islice(cycle(PACKS[pack]), number))
        wanted = [await self._next_free(pack, kind) for kind in kinds]
        made = await self._arrivals.make_all(wanted, Device("seed", ""))
        full = [one.id for one, kind in zip(made, kinds, strict=True) if kind is FULL_PURSE]
        await asyncio.gather(*map(self._fill_purse, full))
        return [
            Seeded(str(account.id), one.phone, one.email, one.password, account.token)
            for one, account in zip(wanted, made, strict=True)
        ]

    async def _next_free(self, pack: PackName, kind: AccountWanted) -> AccountWanted:
        while True:
            self._last_numbers[pack] += 1
            wanted = numbered(pack, kind, self._last_numbers[pack])
            if await self._arrivals.is_free(wanted):
                return wanted

    async def _fill_purse(self, account: AccountId) -> None:
        for place, (typ, cents, reason) in enumerate(COIN_HISTORY * COIN_ROUNDS):
            change = CoinChange(
                account=account, change_cents=cents, typ=typ, reason=reason, key=f"seed:{place}"
            )
            await self._coins.change(change)

    async def _list(self, number: int) -> None:
        await self._listings.put_groups(groups_from(self._groups, number))
        self._groups += number
        await self._listings.put_bots(bots_from(self._bots, BOTS))
        self._bots += BOTS
