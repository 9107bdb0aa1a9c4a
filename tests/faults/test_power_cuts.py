"""Acknowledged writes survive power cuts, because every commit is synced (security R02, D7)."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from hupan.model import AccountId
from hupan.store.database import Row
from hupan.store.migrate import migrate_file
from hupan.store.sqlite import SqliteDatabase, connect
from hupan.store.wal import count_lost_commits
from tests.support.invariants import broken_coins
from tests.support.power_cuts import Disk, recorded
from tests.support.world import World, coin_change

CUTS = 500
CLIENTS = 6
CHANGES = 40
PAGES_TO_CHECKPOINT = 24
NAME = "hupan.db"
pytestmark = [pytest.mark.one_engine, pytest.mark.slow]


@dataclass
class Run:
    """A recorded run: the disk operations, and when each change was acknowledged.

    Attributes:
        acknowledged: account and key -> the number of operations before its response.
    """

    disk: Disk
    acknowledged: list[tuple[int, AccountId, str]] = field(default_factory=list)

    async def client(self, world: World, account: AccountId) -> None:
        """Change a balance again and again."""
        for number in range(CHANGES):
            await world.coins.change(coin_change(account, 100, str(number)))
            self.acknowledged.append((len(self.disk.acts), account, str(number)))

    async def play(self, path: Path, open_file: Callable[[Path], apsw.Connection]) -> None:
        """Run several clients at once, so that commits are grouped."""
        engine = SqliteDatabase(path, open_file)
        world = World(engine)
        accounts = [await world.bare_account() for _ in range(CLIENTS)]
        await asyncio.gather(*(self.client(world, account) for account in accounts))
        await engine.close()


def record(folder: Path, synchronous: str) -> Run:
    """Record a run on a store with a synchronous mode."""
    path = folder / "played" / NAME
    path.parent.mkdir()
    with recorded() as (vfs, disk):

        def open_file(place: Path) -> apsw.Connection:
            connection = connect(place, vfs)
            connection.execute(f"PRAGMA synchronous = {synchronous}").fetchall()
            connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES_TO_CHECKPOINT}").fetchall()
            return connection

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hupan.store.migrate.connect", lambda place: connect(place, vfs))
            migrate_file(path)
        run = Run(disk)
        asyncio.run(run.play(path, open_file))
    return run


def lost(run: Run, acts: int, files: dict[str, bytes], folder: Path) -> int:
    """Return how many acknowledged changes a cut lost; check that the rest is sound (J3, J7)."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    connection = connect(folder / NAME, "unix")  # the recorded writes have no checksums
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

        def rows(sql: str) -> list[Row]:
            return connection.execute(sql).fetchall()

        assert broken_coins(rows) == []
        kept = set(rows("SELECT account_id, key FROM coin_entries"))
        return sum(
            (account, key) not in kept for at, account, key in run.acknowledged if at <= acts
        )
    finally:
        connection.close()
        for file in folder.iterdir():
            file.unlink()


def cut_often(run: Run, folder: Path, cuts: int, seed: int) -> tuple[Counter[str], int]:
    """Cut at random points; return them, and how many of them lost something."""
    chance = random.Random(seed)  # noqa: S311 - where to cut
    folder.mkdir()
    begin = min(at for at, _, _ in run.acknowledged)
    fell: Counter[str] = Counter()
    losses = 0
    for _ in range(cuts):
        acts = chance.randrange(begin, len(run.disk.acts))
        act = run.disk.acts[acts]
        fell[f"{act.kind} {'log' if act.name.endswith('-wal') else 'file'}"] += 1
        losses += lost(run, acts, run.disk.image(acts, chance), folder) > 0
    return fell, losses


def test_a_cut_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """500 cuts, within transactions and checkpoints, lose 0 changes (security R02, J1)."""
    run = record(tmp_path, "FULL")
    fell, losses = cut_often(run, tmp_path / "cut", CUTS, seed=2)
    assert losses == 0
    assert fell["write log"] > 50, fell  # within a transaction
    assert fell["write file"] > 5, fell  # within a checkpoint
    assert fell["sync log"] > 5, fell


def test_a_cut_is_no_damage(tmp_path: Path) -> None:
    """The log after a cut is never reported as damaged, which would prevent a start (R05)."""
    run = record(tmp_path, "FULL")
    chance = random.Random(5)  # noqa: S311 - where to cut
    for _ in range(CUTS // 10):
        files = run.disk.image(chance.randrange(len(run.disk.acts)), chance)
        assert count_lost_commits(files.get(f"{NAME}-wal", b"")) == 0


def test_unsynced_commits_are_lost(tmp_path: Path) -> None:
    """Without synced commits the same cuts lose acknowledged changes (security R02, D7)."""
    run = record(tmp_path, "NORMAL")
    _, losses = cut_often(run, tmp_path / "cut", CUTS // 5, seed=2)
    assert losses > CUTS // 50
