"""The clock of a server never goes back over what it said before (security R08, L7)."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.clock import MAX_JUMP_SECONDS, SteadyClock
from hupan.domain.timekeeping import ClockSync
from hupan.store.database import Database
from tests.stores import open_engine

NOW = 1_795_000_000.0
DAY = 86_400
YEAR_2038 = 2**31
JUMPS = [-1, 1, -3600, 3600, -DAY, DAY, -int(NOW), YEAR_2038 - int(NOW)]
LIVE = """
INSERT INTO sessions (account_id, token_hash, device_id, platform, signed_in_at, last_used_at)
VALUES (?1, ?2, ?3, '', ?4, ?4)
"""


class Machine:
    """The two clocks of a machine: one on the wall, and one that counts seconds."""

    def __init__(self) -> None:
        self.wall = NOW
        self.counted = 0.0

    def clock(self) -> SteadyClock:
        """The clock of a new process."""
        return SteadyClock(lambda: self.wall, lambda: self.counted)

    def pass_time(self, seconds: float) -> None:
        """Time passes."""
        self.wall += seconds
        self.counted += seconds


async def begin(engine: Database, machine: Machine, *, trusting: bool = False) -> SteadyClock:
    """A process starts."""
    clock = machine.clock()
    await ClockSync(engine, clock).initialize(trust_clock=trusting)
    return clock


@pytest.mark.one_engine
@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_back_takes_nothing_back(jump: int) -> None:
    """Wherever the machine's clock jumps, ours goes on second by second (R08, X10)."""
    machine = Machine()
    clock = machine.clock()
    machine.pass_time(10)
    before = clock.now()
    machine.wall += jump
    is_followed = 0 < jump <= MAX_JUMP_SECONDS
    assert clock.now() == (machine.wall if is_followed else before)
    seen = clock.now()
    machine.pass_time(300)
    assert clock.now() == seen + 300
    machine.wall -= jump
    assert clock.now() >= seen + 300


@pytest.mark.one_engine
@given(st.lists(st.tuples(st.sampled_from([0, *JUMPS]), st.integers(0, 600)), max_size=20))
def test_no_order_of_jumps_turns_it_back(steps: list[tuple[int, int]]) -> None:
    """It never goes back, nor slower than seconds pass: nothing lives longer than it may (R08)."""
    machine = Machine()
    clock = machine.clock()
    times = [clock.now()]
    for jump, seconds in steps:
        machine.wall += jump
        machine.pass_time(seconds)
        times.append(clock.now())
    assert all(
        later - earlier >= seconds
        for (earlier, later), (_, seconds) in zip(pairwise(times), steps, strict=True)
    )


def test_a_restart_goes_on_from_the_latest_time(tmp_path: Path) -> None:
    """What was over before a restart is over after it, whatever the clock says then (R08)."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            machine = Machine()
            clock = await begin(engine, machine)
            machine.pass_time(DAY)
            await ClockSync(engine, clock).sync()
            machine.wall = 0.0
            clock = await begin(engine, machine)
            assert clock.now() == NOW + DAY
            machine.pass_time(5)
            assert clock.now() == NOW + DAY + 5
            assert clock.system_lag_seconds() == NOW + DAY

    asyncio.run(scenario())


def test_one_process_follows_the_other(tmp_path: Path) -> None:
    """The processes of one store agree on the later time (R08)."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            machine, ahead = Machine(), Machine()
            ahead.wall += 90
            clock = await begin(engine, machine)
            await begin(engine, ahead)
            await ClockSync(engine, clock).sync()
            assert clock.now() == NOW + 90

    asyncio.run(scenario())


def test_an_operator_may_set_it_back(tmp_path: Path) -> None:
    """After a time that never was, what it was promised to ends; the rest stays (R08)."""

    async def scenario() -> None:
        async with open_engine(tmp_path / "hupan.db") as engine:
            machine, wrong = Machine(), Machine()
            wrong.wall = float(YEAR_2038)
            await begin(engine, wrong)
            old, new = int(NOW) - 5, YEAR_2038 + 5
            await engine.run_transaction(lambda tx: tx.execute(LIVE, 1, b"old", "d", old))
            await engine.run_transaction(lambda tx: tx.execute(LIVE, 1, b"new", "e", new))
            assert (await begin(engine, machine)).now() == YEAR_2038
            assert (await begin(engine, machine, trusting=True)).now() == NOW
            assert (await begin(engine, machine)).now() == NOW
            rows = await engine.fetch_all("SELECT token_hash FROM sessions")
            assert [bytes(row[0]) for row in rows] == [b"old"]

    asyncio.run(scenario())
