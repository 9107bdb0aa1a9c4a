"""Which codes are sent, and what refuses them, without a server (security C11, C12)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hupan.counting import Counts
from hupan.domain.alarms import Alarms
from hupan.domain.destinations import Destinations, number_block
from hupan.domain.limiter import Limiter
from hupan.domain.refusals import Refusal, SendingStopped, TooManyTries
from hupan.domain.send_limits import SendLimits
from hupan.domain.settings import Limits
from hupan.domain.targets import Targets
from hupan.model import Limit
from hupan.store.engine import Engine
from tests.domain.standing import NOW, StandingClock
from tests.stores import make_engine

DAY, TEN_MINUTES = 86_400, 600
LIMITS = Limits(
    enabled=True,
    wrong_codes=(),
    wrong_passwords=(),
    sends=(Limit("sends-minute", 2, 60),),
    sends_in_all={"sms": (Limit("sms-day", 20, DAY),)},
    adjacent=(Limit("adjacent-numbers", 3, TEN_MINUTES),),
)
TARGETS = Targets(international=True)


class Sending:
    """Send limits on a store of their own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.counts = Counts()
        clock = StandingClock()
        self.limits = SendLimits(
            Limiter(enabled=True, count=self.counts),
            LIMITS,
            Destinations((), enabled=True),
            Alarms(self.counts, clock),
        )

    async def ask(self, address: str, now: int = NOW) -> Refusal | None:
        """Ask for a code."""
        target = TARGETS.email(address, "") if "@" in address else TARGETS.phone(address, "")
        return await self.engine.change(lambda tx: self.limits.refusal(tx, target, now))

    def rung(self) -> dict[tuple[str, ...], int]:
        """Which alarms rang, and how often."""
        return self.counts.of("alarms")


def play(path: Path, scenario: Callable[[Sending], Awaitable[None]]) -> None:
    """Run something on a new store."""

    async def run() -> None:
        engine = make_engine(path)
        try:
            await scenario(Sending(engine))
        finally:
            await engine.close()

    asyncio.run(run())


def test_neighbours_are_counted_once_each(tmp_path: Path) -> None:
    """Three numbers of a block may be sent to, each as often as its own limit says (C12)."""

    async def scenario(on: Sending) -> None:
        block = [f"1390000000{number}" for number in range(5)]
        for number in block[:3]:
            assert await on.ask(number) is None
            assert await on.ask(number) is None
            assert isinstance(await on.ask(number), TooManyTries)
        for number in block[3:] * 2:
            assert isinstance(await on.ask(number, NOW + 60), TooManyTries)
        assert await on.ask(block[0], NOW + 60) is None
        assert await on.ask("13900010000", NOW) is None
        assert on.rung() == {("adjacent-numbers",): 4}
        assert on.counts.of("limit_refusals") == {("sends-minute",): 3, ("adjacent-numbers",): 4}
        assert await on.ask(block[3], NOW + TEN_MINUTES) is None

    play(tmp_path / "hupan.db", scenario)


def test_many_at_once_never_pass_the_servers_limit(tmp_path: Path) -> None:
    """Of fifty codes at once to as many numbers twenty are sent, and not one more (C11, R11)."""

    async def scenario(on: Sending) -> None:
        asked = [on.ask(f"13{number:05d}0000") for number in range(50)]
        told = await asyncio.gather(*asked)
        assert sum(refusal is None for refusal in told) == 20
        assert all(isinstance(refusal, SendingStopped) for refusal in told if refusal)
        assert await on.ask("somebody@example.com") is None  # another channel
        assert isinstance(await on.ask("13999990000", NOW + DAY - 1), SendingStopped)
        assert await on.ask("13999980000", NOW + DAY) is None
        assert on.rung() == {("sending-stopped",): 31}

    play(tmp_path / "hupan.db", scenario)


@pytest.mark.parametrize(
    ("number", "regions", "leaves"),
    [
        ("13900000001", (), True),
        ("+8619912345678", (), True),
        ("10000000000", (), False),
        ("12900000001", (), False),
        ("+85261234567", ("HK",), True),
        ("+85261234567", ("SG",), False),
        ("+85223456789", ("HK",), False),
        ("+12015550123", ("US",), True),
        ("+18765123456", ("US",), False),
        ("+447911123456", ("HK",), False),
    ],
)
def test_which_numbers_are_sent_to(number: str, regions: tuple[str, ...], *, leaves: bool) -> None:
    """Mobile ones of China and of listed countries; to share a code is not enough (C12)."""
    target = TARGETS.phone(number, "")
    assert Destinations(regions, enabled=True).allow(target) is leaves
    assert Destinations((), enabled=False).allow(target)


def test_blocks_of_numbers() -> None:
    """The first seven digits, of a number abroad with its country's; addresses have none."""
    assert number_block(TARGETS.phone("13900010002", "")) == "1390001"
    assert number_block(TARGETS.phone("+85261234567", "")) == "8526123"
    assert number_block(TARGETS.email("a@example.com", "")) == ""
