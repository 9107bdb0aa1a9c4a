"""Jumps of the system clock revive nothing and extend no lockout (security R08, L7)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.clock import MAX_JUMP_SECONDS, SteadyClock
from hupan.model import Limit
from hupan.ratelimit.stored import StoredLimiter
from tests.model.inprocess_server import InProcessServer
from tests.support.client import WireClient
from tests.support.servers import Server
from tests.support.stores import open_engine

pytestmark = pytest.mark.slow

DAY = 86_400
NOW = 1_795_000_000.0
CODE_SECONDS, IDLE_DAYS = 300, 30
WRONG_CAPTCHA, WRONG_CODE, NOT_SIGNED_IN = 1201, 1202, -101
PHONE = "13900000001"
BACK = [1, 3600, DAY, int(NOW)]
"""Seconds by which the clock goes back; the last to 1970."""
AHEAD = [1, 3600, DAY, 2**31 - int(NOW)]
"""And ahead; the last to 2038."""


class JumpingClock:
    """A server's clock on a machine whose system clock jumps."""

    def __init__(self) -> None:
        self.wall = NOW
        self.counted = 0.0
        self._steady = SteadyClock(lambda: self.wall, lambda: self.counted)
        self.now = self._steady.now

    @property
    def time(self) -> float:
        """Return its time."""
        return self.now()

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.counted += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> JumpingClock:
    """Return the clock of the server of this test."""
    clock = JumpingClock()
    monkeypatch.setattr("tests.model.inprocess_server.StandingClock", lambda: clock)
    return clock


@pytest.fixture
def served(tmp_path: Path, clock: JumpingClock) -> Iterator[InProcessServer]:
    """Yield a server with that clock."""
    assert clock.now() == NOW
    served = InProcessServer(tmp_path / "served")
    yield served
    served.close()


def code(served: InProcessServer, solved: dict[str, object] | None = None) -> str:
    """Request a code and return it."""
    body = {"mobile": PHONE, **(solved or served.solved())}
    assert served.post("verification/get-verification-code", body).code == 1
    return served.letters()[0].code


def sign_in(served: InProcessServer, text: str) -> int:
    """Return the response code of a sign-in by code; each success is another device."""
    body = {"mobile": PHONE, "captcha": text, "deviceId": text}
    return served.post("user/verification-login", body).code


def token_of(served: InProcessServer) -> str:
    """Return the token of a new session."""
    body = {"mobile": PHONE, "captcha": code(served), "deviceId": "d"}
    return served.post("user/verification-login", body).text("token")


@pytest.mark.one_engine
@pytest.mark.parametrize("seconds", BACK)
def test_what_has_expired_stays_so(
    served: InProcessServer, clock: JumpingClock, seconds: int
) -> None:
    """A clock that goes back revives no code, captcha or session, used or not (R08)."""
    token, captcha = token_of(served), served.solved()
    unused = code(served)
    clock.pass_time(CODE_SECONDS)
    clock.wall -= seconds
    assert sign_in(served, unused) == WRONG_CODE
    body = {"mobile": PHONE, **captcha}
    assert served.post("verification/get-verification-code", body).code == WRONG_CAPTCHA
    assert served.get("user/info", token).code == 1
    clock.pass_time((IDLE_DAYS + 1) * DAY)
    assert served.get("user/info", token).code == NOT_SIGNED_IN
    clock.wall -= seconds + IDLE_DAYS * DAY
    assert served.get("user/info", token).code == NOT_SIGNED_IN
    assert sign_in(served, code(served)) == 1


@pytest.mark.one_engine
@pytest.mark.parametrize("seconds", BACK)
def test_nothing_is_good_for_longer(
    served: InProcessServer, clock: JumpingClock, seconds: int
) -> None:
    """Whatever was created before a jump back keeps its lifetime (R08)."""
    unused, captcha = code(served), served.solved()
    clock.wall -= seconds
    clock.pass_time(CODE_SECONDS - 1)
    assert sign_in(served, unused) == 1
    clock.pass_time(1)
    body = {"mobile": PHONE, **captcha}
    assert served.post("verification/get-verification-code", body).code == WRONG_CAPTCHA


@pytest.mark.one_engine
@pytest.mark.parametrize("seconds", AHEAD)
def test_a_jump_ahead_and_back(served: InProcessServer, clock: JumpingClock, seconds: int) -> None:
    """What a jump ahead ended stays ended; everything later works as usual (R08)."""
    unused = code(served)
    clock.wall += seconds
    is_over = CODE_SECONDS <= seconds <= MAX_JUMP_SECONDS  # a longer one is not accepted (X10)
    assert sign_in(served, unused) == (WRONG_CODE if is_over else 1)
    clock.wall -= seconds
    assert sign_in(served, unused) == WRONG_CODE
    later = code(served)
    clock.pass_time(CODE_SECONDS - 1)
    assert sign_in(served, later) == 1
    assert served.get("user/info", token_of(served)).code == 1


@pytest.mark.parametrize("seconds", [*(-back for back in BACK), *AHEAD])
async def test_a_full_window_ends(tmp_path: Path, seconds: int) -> None:
    """A locked-out account can sign in when the window is over, and not later (R08, C5)."""
    clock, limits = JumpingClock(), [Limit("tries", 3, DAY)]
    limiter = StoredLimiter(enabled=True)

    async with open_engine(tmp_path / "hupan.db") as engine:

        async def take() -> bool:
            now = int(clock.now())
            return await engine.run_transaction(lambda tx: limiter.take(tx, "x", limits, now))

        assert [await take() for _ in range(4)] == [True, True, True, False]
        clock.wall += seconds
        assert not await take()  # a jump of a day is not accepted (X10)
        clock.pass_time(DAY)
        assert await take()


@pytest.mark.slow
@pytest.mark.one_engine
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Australia/Lord_Howe"])
def test_the_machines_zone_says_nothing(zone: str) -> None:
    """register_time uses the configured zone, whatever the machine's is (L7, wire.md 1.11).

    At both times the first of these zones changes to, or from, summer time.
    """
    with (
        Server("sandbox", environment={"TZ": zone}) as server,
        WireClient(server, is_kept=False) as client,
    ):
        for at, text in (
            (1_805_007_600, "2027-03-14 15:00:00"),  # 2027-03-14 07:00 UTC, 03:00 in New York
            (1_825_567_200, "2027-11-07 14:00:00"),  # 2027-11-07 06:00 UTC, 01:00 once more
        ):
            client.set_clock(set=at)
            shown = client.get_user(client.account().id).pb_data.text(7)
            assert shown[:17] == text[:17]
