"""The store is looked at now and then, and what is found turns readiness red (security R05)."""

import asyncio
from pathlib import Path

import pytest

from hupan.domain.maintenance import IntegrityChecker
from hupan.model import StoreUnavailable
from hupan.store.database import Database
from hupan.store.integrity import check_rows
from tests.domain.purses import Purses, StandingClock, wish
from tests.stores import open_engine

DAY = 86_400
LEAD = "INSERT INTO identities (kind, value, account_id) VALUES ('phone', '13900000001', ?1)"
SHOW = "UPDATE accounts SET {} WHERE id = 1000001"
BREAKS = {
    "coin_entries: the balance": SHOW.format("coin_cents = coin_cents + 1"),
    "accounts: shows a phone number": SHOW.format("phone = '13900000002'"),
    "accounts: shows an address": SHOW.format("email = 'a@example.com'"),
    "accounts: a password hash": SHOW.format("password_hash = 'secret'"),
    "identities: leads to no account": LEAD.replace("?1", "5"),
    "identities: a phone number": LEAD.replace("?1", "1000001"),
    "sessions: of no account": "INSERT INTO sessions VALUES (5, {hash}, 'd', '', 1, 1, 1, '')",
    "sessions: a hash": "INSERT INTO sessions VALUES (1000001, {short}, 'd', '', 1, 1, 1, '')",
    "codes: more tries": "INSERT INTO codes VALUES ('t', 'sms', 'own', 1, {short}, 6, 9)",
}


def parts(engine: Database, clock: StandingClock) -> IntegrityChecker:
    """What looks once a day."""
    return IntegrityChecker(engine, clock, lambda: check_rows(engine), DAY)


async def fill(engine: Database) -> None:
    """An account with a balance."""
    purses = Purses(engine)
    account = await purses.account()
    await purses.coins.change(wish(account, 100, "a"))


@pytest.mark.parametrize("fault", BREAKS)
def test_what_is_wrong_is_found(tmp_path: Path, fault: str) -> None:
    """Each kind of fault is told by its table, and nobody's data with it."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            await fill(engine)
            soundness = parts(engine, StandingClock())
            assert await soundness.run() == []
            await soundness.check()
            sql = BREAKS[fault]
            hash_, short = b"h" * 32, b"h"
            values = [one for name, one in (("{hash}", hash_), ("{short}", short)) if name in sql]
            sql = sql.replace("{hash}", "?1").replace("{short}", "?1")
            await engine.run_transaction(lambda tx: tx.execute(sql, *values))
            found = await soundness.run()
            assert any(text.startswith(fault) for text in found), found
            assert not any("1390" in text or "secret" in text for text in found)
            with pytest.raises(StoreUnavailable):
                await soundness.check()

    asyncio.run(scenario())


def test_every_process_knows_and_it_ends(tmp_path: Path) -> None:
    """What one process found all of them tell, until a look finds nothing any more."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            await fill(engine)
            first, second = (parts(engine, StandingClock()) for _ in range(2))
            await engine.run_transaction(lambda tx: tx.execute(BREAKS["coin_entries: the balance"]))
            await first.run()
            for one in (first, second):
                with pytest.raises(StoreUnavailable):
                    await one.check()
            undo = BREAKS["coin_entries: the balance"].replace("+", "-")
            await engine.run_transaction(lambda tx: tx.execute(undo))
            await first.run()
            for one in (first, second):
                await one.check()

    asyncio.run(scenario())


def test_one_process_looks_once_a_day(tmp_path: Path) -> None:
    """Of several processes one looks, and none again before a day has passed."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            clock = StandingClock()
            first, second = parts(engine, clock), parts(engine, clock)
            assert [await one.run_when_due() for one in (first, second, first)] == [
                True,
                False,
                False,
            ]
            clock.time += DAY - 1
            assert not await second.run_when_due()
            clock.time += 1
            assert await second.run_when_due()
            clock.time -= 10 * DAY  # a clock that was ahead stops nobody from looking
            assert await first.run_when_due()

    asyncio.run(scenario())
