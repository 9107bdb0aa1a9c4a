"""The clock of a server never goes back before a reported time (security R08, L7).

Days begin at midnight in the server's zone (wire.md 5).
A jump of the system clock ends nothing until it is confirmed or has lasted (security X10).
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan import application as building
from hupan.application import Server
from hupan.clock import MAX_JUMP_SECONDS, SteadyClock
from hupan.domain.timekeeping import ClockSync, DayCalendar, load_store_clock
from hupan.errors import NotSignedIn
from hupan.model import AccountId
from hupan.store.accounts import schedule_erasure
from hupan.store.cluster_state import get_clock_state
from hupan.store.database import Database, Transaction
from tests.model.inprocess_server import InProcessServer
from tests.support.stores import open_engine

NOW = 1_795_000_000.0
DAY = 86_400
YEAR_2038 = 2**31
JUMPS = [-1, 1, -3600, 3600, -DAY, DAY, -int(NOW), YEAR_2038 - int(NOW)]
LIVE = """
INSERT INTO sessions (account_id, token_hash, device_id, platform, signed_in_at, last_used_at)
VALUES (?1, ?2, ?3, '', ?4, ?4)
"""


class Machine:
    """The two clocks of a machine: wall clock and monotonic clock."""

    def __init__(self) -> None:
        self.wall = NOW
        self.counted = 0.0

    def clock(self) -> SteadyClock:
        """Return the clock of a new process."""
        return SteadyClock(lambda: self.wall, lambda: self.counted)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.counted += seconds


async def begin(engine: Database, machine: Machine, *, trusting: bool = False) -> SteadyClock:
    """Start a process."""
    clock = machine.clock()
    await ClockSync(engine, clock).initialize(trust_clock=trusting)
    return clock


@pytest.mark.one_engine
@pytest.mark.parametrize("jump", JUMPS)
def test_a_jump_back_takes_nothing_back(jump: int) -> None:
    """Wherever the system clock jumps, ours continues second by second (R08, X10)."""
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
    """It never goes back, nor runs slower than real time: nothing lives too long (R08)."""
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


async def test_a_restart_goes_on_from_the_latest_time(tmp_path: Path) -> None:
    """What had ended before a restart stays ended, with any wall clock (R08)."""
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


async def test_one_process_follows_the_other(tmp_path: Path) -> None:
    """The processes of one store agree on the later time (R08)."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        machine, ahead = Machine(), Machine()
        ahead.wall += 90
        clock = await begin(engine, machine)
        await begin(engine, ahead)
        await ClockSync(engine, clock).sync()
        assert clock.now() == NOW + 90


async def test_an_operator_may_set_it_back(tmp_path: Path) -> None:
    """Sessions of the false time end; the rest stays (R08)."""
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


ZONES = [
    "Asia/Shanghai",
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Cairo",
    "Australia/Lord_Howe",
]


def at(text: str, zone: str) -> float:
    """Return the unix seconds of a wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.one_engine
@pytest.mark.parametrize("zone", ZONES)
def test_midnight_turns_the_day(zone: str) -> None:
    """The last second of a day belongs to it, the next one to the next day."""
    days = DayCalendar(ZoneInfo(zone))
    before, after = at("2026-02-28 23:59:59", zone), at("2026-03-01 00:00:00", zone)
    assert days.today(after) == days.today(before) + 1
    assert days.today(before) == days.today(at("2026-02-28 00:00:00", zone))


@pytest.mark.one_engine
def test_days_are_counted_from_1970() -> None:
    """2026-03-01 is day 20,513, in every zone where it is 2026-03-01."""
    for zone in ZONES:
        assert DayCalendar(ZoneInfo(zone)).today(at("2026-03-01 12:00:00", zone)) == 20_513


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        # Clocks go from 23:59:59 to 01:00:00: this day has no midnight.
        ("America/Sao_Paulo", "2018-11-04 01:00:00", "2018-11-04 23:59:59"),
        # 23:00 to 24:00 occurs twice; both hours belong to the old day.
        ("America/Sao_Paulo", "2018-02-17 00:00:00", "2018-02-17 23:59:59"),
        # 01:00 to 02:00 occurs twice.
        ("America/New_York", "2026-11-01 00:00:00", "2026-11-01 23:59:59"),
        # 00:00 to 01:00 is skipped.
        ("Africa/Cairo", "2026-04-24 01:00:00", "2026-04-24 23:59:59"),
    ],
)
def test_odd_days(zone: str, first: str, last: str) -> None:
    """A day of 23 or 25 hours is one day."""
    days = DayCalendar(ZoneInfo(zone))
    begins, ends = at(first, zone), at(last, zone)
    today = days.today(begins)
    assert days.today(ends) == today
    assert (days.today(begins - 1), days.today(ends + 3601)) == (today - 1, today + 1)


@pytest.mark.one_engine
@given(
    zone=st.sampled_from(ZONES),
    moments=st.lists(st.floats(0, 4_000_000_000), min_size=2, max_size=10),
)
def test_what_is_remembered_is_right(zone: str, moments: list[float]) -> None:
    """Times in any order each get the date of the wall clock."""
    days, tz = DayCalendar(ZoneInfo(zone)), ZoneInfo(zone)
    for moment in moments:
        date = datetime.fromtimestamp(moment, UTC).astimezone(tz).date()
        assert days.today(moment) == date.toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()


MINUTE, HOUR, YEAR = 60, 3600, 365 * 86_400
STEP = 5 * MINUTE
TEN_YEARS = 10 * YEAR
CANCELLED = """
INSERT INTO accounts (id, name, invitation_code, registered_at, erase_at)
VALUES (?1, 'a', ?2, ?3, ?4)
"""


class Process:
    """A process of a store, on a machine that several may share."""

    def __init__(self, engine: Database, machine: Machine) -> None:
        self.machine = machine
        self.engine = engine
        self.clock = machine.clock()
        self.keeping = ClockSync(engine, self.clock)

    async def begin(self, *, trusting: bool = False) -> "Process":
        """Start the process."""
        await self.keeping.initialize(trust_clock=trusting)
        return self

    async def command_time(self) -> float:
        """Return the time that a command on the same store uses."""
        return (await load_store_clock(self.engine, self.machine.clock())).now()


async def live(seconds: int, *processes: Process) -> None:
    """Let time pass on all machines; each process stores its time every five minutes."""
    machines = {process.machine for process in processes}
    while seconds > 0:
        for machine in machines:
            machine.pass_time(min(seconds, STEP))
        for process in processes:
            await process.keeping.sync()
        seconds -= STEP


@pytest.mark.parametrize("leap", [HOUR + 1, DAY, 20 * DAY, TEN_YEARS])
async def test_a_jump_that_does_not_last(
    tmp_path: Path, leap: int, caplog: pytest.LogCaptureFixture
) -> None:
    """For 75 s as for 59 minutes it is logged, and neither server nor command follows (X10)."""
    with caplog.at_level(logging.WARNING, "hupan.clock"):
        async with open_engine(tmp_path / "hupan.db") as engine:
            one = await Process(engine, Machine()).begin()
            passed = 0
            for lasting in (75, 58 * MINUTE):
                one.machine.wall += leap
                await live(lasting, one)
                passed += lasting
                assert one.clock.now() == NOW + passed
                assert one.clock.jump_seconds() == leap
                assert abs(await one.command_time() - one.clock.now()) <= MINUTE
                one.machine.wall -= leap
                await live(2 * MINUTE, one)
                passed += 2 * MINUTE
                assert one.clock.now() == one.machine.wall == NOW + passed
                assert await one.command_time() == one.clock.now()
            again = await Process(engine, one.machine).begin()
            assert again.clock.now() == one.machine.wall
    assert caplog.text.count(f"jumped {leap} s ahead") == 2
    assert caplog.text.count("has jumped back") == 2


async def test_commands_know_of_a_jump_at_once(tmp_path: Path) -> None:
    """The clock is checked every few seconds, the store updated each minute or on a jump (X10)."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        one = await Process(engine, Machine()).begin()
        one.machine.pass_time(30)
        await one.keeping.sync_when_due()
        assert (await get_clock_state(engine)).latest == NOW
        one.machine.wall += 2 * DAY
        await one.keeping.sync_when_due()
        assert (await get_clock_state(engine)).latest == NOW + 30
        assert await one.command_time() == NOW + 30
        one.machine.wall -= 2 * DAY
        await one.keeping.sync_when_due()
        assert await one.command_time() == NOW + 30
        one.machine.pass_time(MINUTE)
        await one.keeping.sync_when_due()
        assert (await get_clock_state(engine)).latest == NOW + 90


async def test_a_jump_that_lasts_is_followed(tmp_path: Path) -> None:
    """After an hour all processes of the machine and commands follow it (X10)."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        machine = Machine()
        both = [await Process(engine, machine).begin() for _ in range(2)]
        machine.wall += TEN_YEARS
        await live(STEP, *both)
        await live(HOUR - MINUTE, *both)
        assert {process.clock.now() for process in both} == {NOW + HOUR + STEP - MINUTE}
        await live(MINUTE, *both)
        assert {process.clock.now() for process in both} == {machine.wall}
        assert await both[0].command_time() == machine.wall
        await live(HOUR, *both)
        assert await both[0].command_time() == machine.wall


async def test_a_jump_that_is_confirmed(tmp_path: Path) -> None:
    """`trust_clock` at a start accepts it, and also takes it back (X10)."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        machine = Machine()
        one = await Process(engine, machine).begin()
        machine.wall += TEN_YEARS
        await live(5 * MINUTE, one)
        one = await Process(engine, machine).begin(trusting=True)
        assert one.clock.now() == machine.wall
        assert one.keeping.may_purge
        machine.wall -= TEN_YEARS
        one = await Process(engine, machine).begin(trusting=True)
        assert one.clock.now() == machine.wall == await one.command_time()


async def test_what_a_wrong_time_promised(tmp_path: Path) -> None:
    """After the clock is set back, used sessions stay, and a cancellation does not wait longer."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        machine, now = Machine(), int(NOW)
        one = await Process(engine, machine).begin()
        machine.wall += TEN_YEARS
        one = await Process(engine, machine).begin(trusting=True)
        late = int(one.clock.now())

        async def change(tx: Transaction) -> None:
            for number, erase_at in ((1, late + DAY), (2, now + DAY), (3, 0)):
                await tx.execute(CANCELLED, number, f"code{number}", now, erase_at)
            await tx.execute(LIVE, 3, b"used", "d", now - 5)
            await tx.execute("UPDATE sessions SET last_used_at = ?1", late)

        await engine.run_transaction(change)
        machine.wall = NOW
        await Process(engine, machine).begin(trusting=True)
        found = await engine.fetch_all("SELECT id, erase_at FROM accounts ORDER BY id")
        assert [tuple(row) for row in found] == [(1, now + 30 * DAY), (2, now + DAY), (3, 0)]
        used = await engine.fetch_one("SELECT signed_in_at, last_used_at FROM sessions")
        assert used is not None
        assert tuple(used) == (now - 5, now)


async def test_a_restart_does_not_accept_a_jump(tmp_path: Path) -> None:
    """A restart neither accepts it nor restarts its hour (X10)."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        machine = Machine()
        one = await Process(engine, machine).begin()
        machine.wall += TEN_YEARS
        for _ in range(3):
            await live(15 * MINUTE, one)
            one = await Process(engine, machine).begin()
            assert one.clock.now() <= NOW + HOUR
        await live(20 * MINUTE, one)
        assert one.clock.now() == machine.wall


@pytest.mark.parametrize("pause", [HOUR + 1, 2 * DAY, 29 * DAY])
async def test_a_pause_is_believed_but_purges_nothing(tmp_path: Path, pause: int) -> None:
    """A restarted server has the right time at once, and deletes nothing for an hour (X10)."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        machine = Machine()
        await Process(engine, machine).begin()
        machine.pass_time(pause)
        one = await Process(engine, machine).begin()
        assert one.clock.now() == machine.wall == await one.command_time()
        may_purge = [one.keeping.may_purge]
        await live(30 * MINUTE, one)
        one = await Process(engine, machine).begin()
        may_purge.append(one.keeping.may_purge)
        await live(31 * MINUTE, one)
        may_purge.append(one.keeping.may_purge)
        assert may_purge == [False, False, True]
        assert (await Process(engine, machine).begin()).keeping.may_purge


async def test_a_wrong_clock_at_a_start(tmp_path: Path) -> None:
    """Ten years ahead at a start: server and commands use the store's time (X10)."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        machine = Machine()
        await Process(engine, machine).begin()
        machine.wall += TEN_YEARS
        assert await Process(engine, machine).command_time() == NOW
        one = await Process(engine, machine).begin()
        assert one.clock.now() == NOW
        await live(5 * MINUTE, one)
        machine.wall -= TEN_YEARS
        await live(MINUTE, one)
        assert one.clock.now() == NOW + 6 * MINUTE


async def test_a_clock_that_was_never_set(tmp_path: Path) -> None:
    """If the first start is in 1970, the right time is used as soon as it is known (X10)."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        machine = Machine()
        machine.wall = 10.0
        one = await Process(engine, machine).begin()
        assert one.clock.now() == 10.0
        machine.wall = NOW
        await live(MINUTE, one)
        assert one.clock.now() == machine.wall
        machine.wall = 10.0
        again = await Process(engine, machine).begin()
        assert again.clock.now() == NOW + MINUTE == await again.command_time()


@pytest.mark.parametrize("ahead", [2 * DAY, TEN_YEARS])
@pytest.mark.parametrize("runs_already", [False, True])
async def test_one_wrong_node_does_not_lead_the_others(
    tmp_path: Path, ahead: int, *, runs_already: bool
) -> None:
    """If a node is sure of another time, a jump is not accepted, however long it lasts (X10)."""
    async with open_engine(tmp_path / "hupan.db") as engine:
        right, machine = await Process(engine, Machine()).begin(), Machine()
        if runs_already:
            wrong = await Process(engine, machine).begin()
            machine.wall += ahead
        else:
            machine.wall += ahead
            wrong = await Process(engine, machine).begin()
        await live(2 * HOUR, right, wrong)
        assert right.clock.now() == NOW + 2 * HOUR
        assert right.keeping.may_purge
        assert await right.command_time() == right.clock.now()
        if runs_already or ahead == TEN_YEARS:
            assert wrong.clock.now() == NOW + 2 * HOUR
        else:
            assert not wrong.keeping.may_purge
        again = await Process(engine, right.machine).begin()
        assert again.clock.now() == NOW + 2 * HOUR


@pytest.fixture
def served(tmp_path: Path) -> Iterator[InProcessServer]:
    """Yield a server in this process."""
    served = InProcessServer(tmp_path / "served")
    yield served
    served.close()


def signed_up(served: InProcessServer, mobile: str) -> str:
    """Return the token of a new account."""
    body = {"mobile": mobile, **served.solved()}
    assert served.post("verification/get-verification-code", body).code == 1
    body = {"mobile": mobile, "captcha": served.letters()[0].code, "deviceId": "d"}
    return served.post("user/verification-login", body).text("token")


def test_a_jump_ends_no_session_and_erases_no_account(served: InProcessServer) -> None:
    """Ten years ahead for 75 s do not, with a server's housekeeping; an hour does (X10)."""
    machine, parts = Machine(), served.server.infrastructure
    served.clock.time = machine.wall
    token, leaving = (signed_up(served, mobile) for mobile in ("13900000001", "13900000002"))

    async def leap(server: Server, clock: SteadyClock) -> None:
        sessions, engine = server.services.sessions, server.infrastructure.database
        account = (await sessions.get(leaving)).account.id
        ends_at = int(machine.wall) + DAY
        await engine.run_transaction(lambda tx: schedule_erasure(tx, account, ends_at))
        machine.wall += TEN_YEARS
        machine.pass_time(75)
        await tidy(server)
        assert await sessions.get(token)
        assert await exists(engine, account)
        machine.wall -= TEN_YEARS
        await tidy(server)
        assert await sessions.get(token)
        assert clock.now() == machine.wall
        machine.wall += TEN_YEARS
        for _ in range(HOUR // STEP):
            machine.pass_time(STEP)
            await tidy(server)
            assert await exists(engine, account)
        machine.pass_time(STEP)
        await tidy(server)
        assert clock.now() == machine.wall
        assert not await exists(engine, account)
        with pytest.raises(NotSignedIn):
            await sessions.get(token)

    async def scenario() -> None:
        clock = machine.clock()
        outside = replace(parts.environment, clock=clock, steady_clock=clock)
        server = await building.build_server(parts.settings, outside)
        try:
            await leap(server, clock)
        finally:
            await server.stop()

    served.run(scenario())


async def tidy(server: Server) -> None:
    """Run the server's task of each minute."""
    assert server.timekeeping is not None
    await server.timekeeping.sync()
    await server.housekeeping.purge()


async def exists(engine: Database, account: AccountId) -> bool:
    """Return whether an account still exists."""
    return await engine.fetch_one("SELECT 1 FROM accounts WHERE id = ?1", account) is not None
