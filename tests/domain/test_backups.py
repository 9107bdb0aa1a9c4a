"""Scheduled backups: one process makes them when they are due (security L6)."""

import asyncio
from pathlib import Path

import pytest

from hupan.domain.backups import GRACE_SECONDS, RETRY_SECONDS, BackupFailedError, BackupSchedule
from hupan.rules import DAY_SECONDS, HOUR_SECONDS
from hupan.store.backups import CLAIMED_NAME, set_last_backup
from hupan.store.database import Database
from tests.support.stores import open_engine
from tests.support.world import StandingClock


class Maker:
    """Makes a backup, like the process, or fails."""

    def __init__(self, store: Database, clock: StandingClock) -> None:
        self._store = store
        self._clock = clock
        self.made = 0
        self.fails = False

    async def __call__(self) -> str:
        """Make a backup."""
        if self.fails:
            raise BackupFailedError("the disk is full")
        self.made += 1
        now = int(self._clock.now())
        await self._store.run_transaction(lambda tx: set_last_backup(tx, now))
        return "there"


def schedule(store: Database, clock: StandingClock, make: Maker) -> BackupSchedule:
    """Return the daily schedule of one process."""
    return BackupSchedule(
        store, clock, make, every_seconds=DAY_SECONDS, max_age_seconds=2 * DAY_SECONDS
    )


async def test_a_backup_is_made_when_it_is_due(tmp_path: Path) -> None:
    """It is made at once on a new store, then once a day, by one of two processes."""
    clock = StandingClock()
    async with open_engine(tmp_path / "hupan.db") as store:
        make = Maker(store, clock)
        first, second = schedule(store, clock, make), schedule(store, clock, make)
        assert [await first.run_when_due(), await second.run_when_due()] == [True, False]
        clock.time += DAY_SECONDS - 1
        assert not await first.run_when_due()
        clock.time += 1
        assert [await second.run_when_due(), await first.run_when_due()] == [True, False]
        assert make.made == 2


async def test_a_failed_backup_is_tried_again(tmp_path: Path) -> None:
    """Any process retries it after an hour, and none before."""
    clock = StandingClock()
    async with open_engine(tmp_path / "hupan.db") as store:
        make = Maker(store, clock)
        make.fails = True
        first, second = schedule(store, clock, make), schedule(store, clock, make)
        with pytest.raises(BackupFailedError):
            await first.run_when_due()
        clock.time += RETRY_SECONDS - 1
        make.fails = False
        assert not await second.run_when_due()
        clock.time += 1
        assert await second.run_when_due()


async def test_a_backup_that_takes_hours_is_made_once(tmp_path: Path) -> None:
    """The process that makes it reports progress; no other process begins meanwhile."""
    clock, is_begun, may_end = StandingClock(), asyncio.Event(), asyncio.Event()
    async with open_engine(tmp_path / "hupan.db") as store:
        make = Maker(store, clock)

        async def make_slowly() -> str:
            is_begun.set()
            await may_end.wait()
            return await make()

        first = BackupSchedule(
            store,
            clock,
            make_slowly,
            every_seconds=DAY_SECONDS,
            max_age_seconds=0,
            hold_seconds=0.01,
        )
        making = asyncio.create_task(first.run_when_due())
        await is_begun.wait()
        clock.time += 3 * RETRY_SECONDS
        async with asyncio.timeout(60):
            while await _claimed_at(store) != int(clock.now()):  # noqa: ASYNC110 - the state is in the store
                await asyncio.sleep(0.01)
        clock.time += RETRY_SECONDS - 1
        assert not await schedule(store, clock, make).run_when_due()
        may_end.set()
        assert await making
        assert make.made == 1


async def _claimed_at(store: Database) -> int:
    row = await store.fetch_one("SELECT value FROM counters WHERE name = ?1", CLAIMED_NAME)
    assert row is not None
    return int(row[0])


async def test_an_old_backup_makes_a_server_unready(tmp_path: Path) -> None:
    """This applies an hour after the start, unless a newer one exists or no age is set."""
    clock = StandingClock()
    async with open_engine(tmp_path / "hupan.db") as store:
        make = Maker(store, clock)
        one = schedule(store, clock, make)
        any_age = BackupSchedule(store, clock, make, every_seconds=HOUR_SECONDS, max_age_seconds=0)
        assert not await one.is_stale()
        clock.time += GRACE_SECONDS
        assert await one.is_stale()
        assert not await any_age.is_stale()
        await make()
        clock.time += 2 * DAY_SECONDS
        assert not await one.is_stale()
        clock.time += 1
        assert await one.is_stale()
