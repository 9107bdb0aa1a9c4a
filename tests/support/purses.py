"""Coins on a store of their own, with accounts that have nothing yet."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from hupan.domain.coins import CoinChange, Coins
from hupan.errors import AppError
from hupan.model import AccountId, CoinEntry, CoinType
from hupan.store.database import Database, Row, Transaction, Value
from tests.support.stores import make_engine
from tests.support.world import StandingClock

NEW_ACCOUNT = """
INSERT INTO accounts (id, name, invitation_code, registered_at) VALUES (?1, 'somebody', ?2, 0)
"""
BALANCE = "SELECT coin_cents FROM accounts WHERE id = ?1"


class Purses:
    """Coins, and what a test needs to look at them."""

    def __init__(self, engine: Database) -> None:
        self.engine = engine
        self.clock = StandingClock()
        self.coins = Coins(engine, self.clock)
        self._ids = count(1_000_001)

    async def account(self, cents: int = 0) -> AccountId:
        """A new account, with coins that were given to it under the key `start`."""
        account = AccountId(next(self._ids))

        async def change(tx: Transaction) -> None:
            await tx.execute(NEW_ACCOUNT, account, str(account))

        await self.engine.run_transaction(change)
        if cents:
            await self.coins.change(wish(account, cents, "start"))
        return account

    async def answer(self, change: CoinChange) -> CoinEntry | type[AppError]:
        """The entry, or the kind of refusal."""
        try:
            return await self.coins.change(change)
        except AppError as refusal:
            return type(refusal)

    async def balance(self, account: AccountId) -> int:
        """What an account has."""
        return int((await self.row(BALANCE, account))[0])

    async def row(self, sql: str, *values: Value) -> Row:
        """The one row of a query."""
        row = await self.engine.fetch_one(sql, *values)
        assert row is not None
        return row


def wish(account: AccountId, cents: int, key: str) -> CoinChange:
    """A change of coins."""
    return CoinChange(
        account=account, change_cents=cents, typ=CoinType.REWARD, reason="奖励", key=key
    )


@contextmanager
def open_purses(path: Path) -> Iterator[Purses]:
    """Purses on a new store, closed at the end; each use brings an event loop of its own."""
    engine = make_engine(path)
    try:
        yield Purses(engine)
    finally:
        asyncio.run(engine.close())
