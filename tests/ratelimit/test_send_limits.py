"""Which codes are sent or refused, without a server (security C11, C12)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hupan.addresses import ContactParser, SmsDestinations, number_prefix
from hupan.config import Settings
from hupan.errors import AppError, SendingStopped, TooManyTries
from hupan.metrics import MetricCounters
from hupan.model import Limit
from hupan.ratelimit.memory import Alarms
from hupan.ratelimit.stored import CodeSendLimits, StoredLimiter
from hupan.ratelimit.table import make_message_budgets
from hupan.rules import CodeShares, StoredLimits
from hupan.store.database import Database, Row, Transaction, Value
from tests.support.stores import make_engine
from tests.support.world import NOW, StandingClock

DAY, TEN_MINUTES = 86_400, 600
LIMITS = StoredLimits(
    enabled=True,
    wrong_codes=(),
    wrong_passwords=(),
    code_sends=(Limit("sends-minute", 2, 60),),
    server_code_sends={"sms": (Limit("sms-day", 20, DAY),)},
    adjacent_numbers=(Limit("adjacent-numbers", 3, TEN_MINUTES),),
)
SHARED = StoredLimits(
    enabled=True,
    wrong_codes=(),
    wrong_passwords=(),
    code_sends=(Limit("sends-day", 10, DAY),),
    server_code_sends={"sms": (Limit("sms-day", 12, DAY),)},
    code_shares={
        "sms": CodeShares(
            without_account=Limit("codes-to-strangers-day", 5, DAY),
            with_account=Limit("codes-to-accounts-day", 12, DAY),
        )
    },
)
TARGETS = ContactParser(allow_international=True)


class Sending:
    """Send limits on their own store."""

    def __init__(self, engine: Database, limits: StoredLimits = LIMITS) -> None:
        self.engine = engine
        self.metric_counters = MetricCounters()
        clock = StandingClock()
        self.limits = CodeSendLimits(
            StoredLimiter(enabled=True, count=self.metric_counters),
            limits,
            SmsDestinations((), enabled=True),
            Alarms(self.metric_counters, clock),
        )

    async def run(
        self, address: str, now: int = NOW, *, has_account: bool = False
    ) -> AppError | bool:
        """Request a code; return whether it is sent, or its refusal."""
        target = (
            TARGETS.parse_email(address, "") if "@" in address else TARGETS.parse_phone(address, "")
        )
        return await self.engine.run_transaction(
            lambda tx: self.limits.admit(tx, target, now, has_account=has_account)
        )

    def rung(self) -> dict[tuple[str, ...], int]:
        """Return the raised alerts, and how often."""
        return self.metric_counters.counts_by_labels("alarms")


def play(
    path: Path, scenario: Callable[[Sending], Awaitable[None]], limits: StoredLimits = LIMITS
) -> None:
    """Run a scenario on a new store."""

    async def run() -> None:
        engine = make_engine(path)
        try:
            await scenario(Sending(engine, limits))
        finally:
            await engine.close()

    asyncio.run(run())


def test_neighbours_are_counted_once_each(tmp_path: Path) -> None:
    """Three numbers of a block get codes, each up to its own limit (C12)."""

    async def scenario(on: Sending) -> None:
        block = [f"1390000000{number}" for number in range(5)]
        for number in block[:3]:
            assert await on.run(number) is True
            assert await on.run(number) is True
            assert isinstance(await on.run(number), TooManyTries)
        for number in block[3:] * 2:
            assert isinstance(await on.run(number, NOW + 60), TooManyTries)
        assert await on.run(block[0], NOW + 60) is True
        assert await on.run("13900010000", NOW) is True
        assert on.rung() == {("adjacent-numbers",): 4}
        assert on.metric_counters.counts_by_labels("limit_refusals") == {
            ("sends-minute",): 3,
            ("adjacent-numbers",): 4,
        }
        assert await on.run(block[3], NOW + TEN_MINUTES) is True

    play(tmp_path / "hupan.db", scenario)


def test_many_at_once_never_pass_the_servers_limit(tmp_path: Path) -> None:
    """Of fifty concurrent codes to as many numbers exactly twenty are sent (C11, R11)."""

    async def scenario(on: Sending) -> None:
        asked = [on.run(f"13{number:05d}0000") for number in range(50)]
        told = await asyncio.gather(*asked)
        assert sum(refusal is True for refusal in told) == 20
        assert all(isinstance(refusal, SendingStopped) for refusal in told if refusal is not True)
        assert await on.run("somebody@example.com") is True  # another channel
        assert isinstance(await on.run("13999990000", NOW + DAY - 1), SendingStopped)
        assert await on.run("13999980000", NOW + DAY) is True
        assert on.rung() == {("sending-stopped",): 31}

    play(tmp_path / "hupan.db", scenario)


def test_strangers_leave_the_accounts_their_share(tmp_path: Path) -> None:
    """Strangers get five codes, accounts seven more, then all are refused (X4, E1)."""

    async def scenario(on: Sending) -> None:
        asked = await asyncio.gather(*(on.run(f"13{number:05d}0000") for number in range(50)))
        assert sorted(map(str, asked)) == ["False"] * 45 + ["True"] * 5
        assert on.rung() == {("codes-to-strangers-stopped",): 45}
        for number in range(7):
            phone = f"14{number:05d}0000"
            assert await on.run(phone, has_account=True) is True
        for has_account in (True, False):
            refused = await on.run(f"17{has_account:05d}0000", has_account=has_account)
            assert isinstance(refused, SendingStopped)
        assert await on.run("13999980000", NOW + DAY) is True

    play(tmp_path / "hupan.db", scenario, SHARED)


def test_what_is_dropped_uses_nothing_up(tmp_path: Path) -> None:
    """However many strangers ask after their part is spent, accounts lose nothing (X4)."""

    async def scenario(on: Sending) -> None:
        for number in range(5):
            assert await on.run(f"13{number:05d}0000") is True
        for number in range(7):
            for vain in range(20):
                assert await on.run(f"16{number:03d}{vain:02d}0000") is False
            assert await on.run(f"14{number:05d}0000", has_account=True) is True

    play(tmp_path / "hupan.db", scenario, SHARED)


def test_one_account_uses_little_of_the_share(tmp_path: Path) -> None:
    """Its fourth code of a day uses the strangers' part: accounts get three each (X4)."""

    async def scenario(on: Sending) -> None:
        for number in range(5):
            assert await on.run(f"13{number:05d}0000") is True
        told = [await on.run("14000000000", has_account=True) for _ in range(6)]
        assert told == [True] * 3 + [False] * 3
        assert await on.run("14000010000", has_account=True) is True
        assert await on.run("14000000000", NOW + DAY, has_account=True) is True

    play(tmp_path / "hupan.db", scenario, SHARED)


def test_every_target_costs_the_same(tmp_path: Path) -> None:
    """With or without an account, sent, dropped or refused: the same statements (E1, E2)."""

    class Counted:
        """A transaction that counts its statements."""

        def __init__(self, tx: Transaction) -> None:
            self._tx = tx
            self.statements = 0

        async def fetch_one(self, sql: str, *values: Value) -> Row | None:
            self.statements += 1
            return await self._tx.fetch_one(sql, *values)

        async def fetch_all(self, sql: str, *values: Value) -> list[Row]:
            self.statements += 1
            return await self._tx.fetch_all(sql, *values)

        async def execute(self, sql: str, *values: Value) -> int:
            self.statements += 1
            return await self._tx.execute(sql, *values)

        async def lock_tables(self, *names: str) -> None:
            await self._tx.lock_tables(*names)

    async def scenario(on: Sending) -> None:
        async def cost(address: str, *, has_account: bool) -> int:
            target = TARGETS.parse_phone(address, "")

            async def change(tx: Transaction) -> int:
                counted = Counted(tx)
                await on.limits.admit(counted, target, NOW, has_account=has_account)
                return counted.statements

            return await on.engine.run_transaction(change)

        for number in range(15):
            owner = await cost(f"14{number:05d}0000", has_account=True)
            stranger = await cost(f"13{number:05d}0000", has_account=False)
            assert owner == stranger or number == 6  # the last code was sent in between

    play(tmp_path / "hupan.db", scenario, SHARED)


def test_the_parts_of_a_budget_are_the_whole() -> None:
    """Codes and notices together never exceed the setting, however small it is (X4, C11)."""
    for cents in (5, 9, 10, 25, 29, 100, 999, 10_000):
        for notices in (1, 20, 90):
            settings = Settings(
                sms_budget_cents_per_day=cents, notices_percent=notices, emails_per_day=0
            )
            budgets = make_message_budgets(settings)
            assert set(budgets) == {"sms"}
            of = budgets["sms"]
            in_all = of.notices.first[-1].max_events
            assert of.codes.max_events + in_all == settings.max_sms_per_day
            assert 1 <= of.shares.without_account.max_events <= of.codes.max_events
            assert of.notices.other[0].max_events <= in_all // 2
            assert (in_all > 0) is (settings.max_sms_per_day > 1)
    by_default = make_message_budgets(Settings())["sms"]
    assert (by_default.codes.max_events, by_default.shares.without_account.max_events) == (
        1600,
        800,
    )


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
    """Mobile numbers of China and of listed countries; a shared calling code is no match (C12)."""
    target = TARGETS.parse_phone(number, "")
    assert SmsDestinations(regions, enabled=True).is_allowed(target) is leaves
    assert SmsDestinations((), enabled=False).is_allowed(target)


def test_blocks_of_numbers() -> None:
    """The first seven digits, with the calling code abroad; addresses have none."""
    assert number_prefix(TARGETS.parse_phone("13900010002", "")) == "1390001"
    assert number_prefix(TARGETS.parse_phone("+85261234567", "")) == "8526123"
    assert number_prefix(TARGETS.parse_email("a@example.com", "")) == ""
