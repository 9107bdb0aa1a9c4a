"""Accounts and their standing on a store of their own, with a clock that stands."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from hupan.domain.accounts import AccountCreator, Bans, VipMemberships
from hupan.domain.coins import Coins
from hupan.domain.invitations import Invitations
from hupan.domain.medals import Medals
from hupan.domain.timekeeping import DayCalendar
from hupan.model import Account, AccountId
from hupan.rng import SeededRandomSource
from hupan.rules import InvitationRules, ServerRules
from hupan.store.accounts import find_account
from hupan.store.database import Database, Transaction
from tests.support.stores import make_engine

NOW = 1_754_669_040  # 2025-08-09 00:04:00 in Shanghai
SHANGHAI = ZoneInfo("Asia/Shanghai")


class StandingClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = float(NOW)

    def now(self) -> float:
        """The time it was set to."""
        return self.time


class Standing:
    """Everything that an account's standing is made of."""

    def __init__(self, engine: Database, rules: InvitationRules) -> None:
        self.engine = engine
        self.clock = StandingClock()
        self.coins = Coins(engine, self.clock)
        self.accounts = AccountCreator(
            self.clock, SeededRandomSource("standing"), ServerRules(zone=SHANGHAI)
        )
        self.bans = Bans(engine, self.clock)
        self.set_vip = VipMemberships(engine, self.clock)
        self.medals = Medals(engine)
        self.invitations = Invitations(engine, self.clock, DayCalendar(SHANGHAI), self.coins, rules)

    async def account(self, invited_by: str = "") -> Account:
        """A new account, as it stands once it is made."""

        async def change(tx: Transaction) -> AccountId:
            account = await self.accounts.create(tx, phone=None, email=None)
            if invited_by:
                await self.invitations.accept(tx, account.id, invited_by, "invitedBy")
            return account.id

        return await self.is_retryable(await self.engine.run_transaction(change))

    async def is_retryable(self, account: AccountId) -> Account:
        """An account as it stands now."""
        found = await find_account(self.engine, account)
        assert found is not None
        return found


@contextmanager
def open_standing(path: Path, rules: InvitationRules | None = None) -> Iterator[Standing]:
    """Standing on a new store, closed at the end; each use brings an event loop of its own."""
    engine = make_engine(path)
    try:
        yield Standing(engine, rules or InvitationRules())
    finally:
        asyncio.run(engine.close())
