"""How long sessions live, and how many an account may have (security T4).

Tokens carry their account, and look like chance (wire.md 5, security T1).
"""

import asyncio
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.crypto import KEY_BYTES, SecretBox
from hupan.domain.maintenance import Housekeeping
from hupan.domain.sessions import MAX_ACCOUNT_ID, Tokens
from hupan.errors import NotSignedIn
from hupan.model import AccountId
from hupan.rng import SystemRandomSource
from hupan.rules import DAY_SECONDS, SessionPolicy
from tests.support.lives import Lives, open_lives

ENDED = "notice-session-ended"


@pytest.mark.parametrize(
    ("days", "lives"), [(29.9, True), (30 - 1 / DAY_SECONDS, True), (30, False), (400, False)]
)
def test_a_session_without_use_ends(tmp_path: Path, days: float, *, lives: bool) -> None:
    """Thirty days after its last use a session is over, at the read."""

    async def scenario(home: Lives) -> None:
        token = await home.open(await home.account())
        home.pass_days(days)
        assert await home.lives(token) is lives

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_use_keeps_a_session_until_half_a_year(tmp_path: Path) -> None:
    """A session used every third week ends 180 days after its sign-in all the same."""

    async def scenario(home: Lives) -> None:
        token = await home.open(await home.account())
        for _ in range(8):
            home.pass_days(22)
            assert await home.lives(token)
        home.pass_days(4 - 1 / DAY_SECONDS)
        assert await home.lives(token)
        home.pass_days(1 / DAY_SECONDS)
        assert not await home.lives(token)

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_each_session_counts_its_own_use(tmp_path: Path) -> None:
    """A session stays alive by its own use, also on days that another one began."""

    async def scenario(home: Lives) -> None:
        account = await home.account()
        first, second, idle = [await home.open(account) for _ in range(3)]
        for _ in range(3):
            home.pass_days(20)
            assert await home.lives(first)
            assert await home.lives(second)
        assert not await home.lives(idle)

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_a_session_writes_once_a_day(tmp_path: Path) -> None:
    """The first request of a session on a day is written down, no other one."""

    async def scenario(home: Lives) -> None:
        account = await home.account()
        tokens = [await home.open(account) for _ in range(2)]
        for day in range(3):
            before = home.engine.transactions
            for _ in range(5):
                for token in tokens:
                    assert await home.lives(token)
            # On the day of the sign-in only the account's own day is news.
            assert home.engine.transactions - before == (2 if day else 1)
            home.pass_days(1)

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_an_expired_session_is_refused_without_a_write(tmp_path: Path) -> None:
    """Whether a session is over is seen in the row that is read anyway; nothing is written."""

    async def scenario(home: Lives) -> None:
        token = await home.open(await home.account())
        home.pass_days(31)
        before = home.engine.transactions
        with pytest.raises(NotSignedIn):
            await home.sessions.get(token)
        assert home.engine.transactions == before

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_one_too_many_ends_the_oldest(tmp_path: Path) -> None:
    """Of eleven sessions opened within one second the first has ended, and its owner is told."""

    async def scenario(home: Lives) -> None:
        account = await home.account(phone="13900000001", email="Who@example.com")
        tokens = [await home.open(account) for _ in range(13)]
        assert [await home.lives(token) for token in tokens] == [False] * 3 + [True] * 10
        assert await home.told(ENDED) == ["Who@example.com"]

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_who_has_no_address_is_told_by_sms(tmp_path: Path) -> None:
    """The notice goes to the number where there is no address, and nowhere without both."""

    async def scenario(home: Lives) -> None:
        for account in [await home.account(phone="13900000001"), await home.account()]:
            for _ in range(11):
                await home.open(account)
        assert await home.told(ENDED) == ["13900000001"]

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_a_device_that_signs_in_again_ends_no_other(tmp_path: Path) -> None:
    """A new session of a device takes the place of its old one, and counts as the newest."""

    async def scenario(home: Lives) -> None:
        account = await home.account(phone="13900000001")
        tokens = [await home.open(account, str(device)) for device in range(10)]
        again = await home.open(account, "0")
        assert [await home.lives(token) for token in tokens] == [False] + [True] * 9
        assert await home.told(ENDED) == []
        await home.open(account)
        assert await home.lives(again)
        assert not await home.lives(tokens[1])

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_expired_sessions_take_no_place(tmp_path: Path) -> None:
    """Sessions that are over end none that live, though they were opened later, nor are told of."""

    async def scenario(home: Lives) -> None:
        account = await home.account(phone="13900000001")
        used = await home.open(account)
        for _ in range(9):
            await home.open(account)
        for _ in range(2):
            home.pass_days(20)
            assert await home.lives(used)
        await home.open(account)
        assert await home.lives(used)
        assert await home.told(ENDED) == []

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_the_settings_decide(tmp_path: Path) -> None:
    """Other bounds than the defaults hold as well."""

    async def scenario(home: Lives) -> None:
        account = await home.account()
        tokens = [await home.open(account) for _ in range(3)]
        assert [await home.lives(token) for token in tokens] == [False, True, True]
        home.pass_days(0.9)
        assert await home.lives(tokens[1])
        home.pass_days(1)
        assert not await home.lives(tokens[2])
        home.pass_days(0.2)
        assert not await home.lives(tokens[1])

    with open_lives(
        tmp_path / "db", SessionPolicy(DAY_SECONDS, 2 * DAY_SECONDS, max_sessions=2)
    ) as home:
        asyncio.run(scenario(home))


def test_accounts_do_not_share_the_bound(tmp_path: Path) -> None:
    """What one account opens ends nothing of another's."""

    async def scenario(home: Lives) -> None:
        mine, others = await home.account(), await home.account()
        token = await home.open(mine)
        for _ in range(12):
            await home.open(others)
        assert await home.lives(token)

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_devices_show_live_sessions_alone(tmp_path: Path) -> None:
    """A session that is over is not among the devices, purged or not; the newest comes first."""

    async def scenario(home: Lives) -> None:
        account = await home.account()
        await home.open(account, "forgotten")
        home.pass_days(20)
        await home.open(account, "one")
        await home.open(account, "two")
        home.pass_days(15)
        shown = await home.devices.list_live(account)
        assert [session.device_id for session in shown] == ["two", "one"]

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


def test_housekeeping_forgets_expired_sessions(tmp_path: Path) -> None:
    """Rows of sessions that are over go, by either bound; winding the clock back revives none."""

    async def scenario(home: Lives) -> None:
        account = await home.account()
        idle, live = await home.open(account), await home.open(account)
        for _ in range(9):
            home.pass_days(20)
            assert await home.lives(live) is (home.clock.now() - start < 180 * DAY_SECONDS)
        await Housekeeping(home.engine, home.clock, [home.devices.purge_expired]).purge()
        assert await home.rows("SELECT 1 FROM sessions") == []
        home.pass_days(-179)
        assert [await home.lives(token) for token in (idle, live)] == [False, False]

    with open_lives(tmp_path / "db") as home:
        start = home.clock.now()
        asyncio.run(scenario(home))


def test_a_device_offline_signs_out_like_any_other(tmp_path: Path) -> None:
    """Its token opens nothing more, and signing out with it once more succeeds (security T5)."""

    async def scenario(home: Lives) -> None:
        account = await home.account()
        token, other = await home.open(account, "a"), await home.open(account, "b")
        await home.devices.take_offline(account, "a")
        assert [await home.lives(one) for one in (token, other)] == [False, True]
        assert await home.sessions.was_logged_out(token)
        assert not await home.sessions.was_logged_out(other)

    with open_lives(tmp_path / "db") as home:
        asyncio.run(scenario(home))


SHAPE = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TOKENS = Tokens(SecretBox(b"k" * KEY_BYTES), SystemRandomSource())
OTHERS = Tokens(SecretBox(b"o" * KEY_BYTES), SystemRandomSource())


@pytest.mark.one_engine
@given(st.integers(0, MAX_ACCOUNT_ID))
def test_a_token_leads_to_its_account(account: int) -> None:
    """The account goes in and comes out; the text is UUID-shaped lower-case hex."""
    token = TOKENS.make(AccountId(account))
    assert SHAPE.fullmatch(token)
    assert TOKENS.account_of(token) == account


@pytest.mark.one_engine
@given(st.text(max_size=60))
def test_other_text_leads_nowhere(text: str) -> None:
    """Whatever has not the shape of a token names no account, and never fails."""
    assert SHAPE.fullmatch(text) or TOKENS.account_of(text) is None


@pytest.mark.one_engine
def test_tokens_share_nothing() -> None:
    """Ten thousand tokens of one account: none twice, every place takes every digit (T1)."""
    tokens = [TOKENS.make(AccountId(1_000_001)).replace("-", "") for _ in range(10_000)]
    assert len(set(tokens)) == len(tokens)
    for place in range(32):
        assert {token[place] for token in tokens} == set("0123456789abcdef")


@pytest.mark.one_engine
def test_without_the_key_the_account_is_hidden() -> None:
    """Another server's key reads other accounts out of a token."""
    tokens = [TOKENS.make(AccountId(1_000_001)) for _ in range(100)]
    assert all(OTHERS.account_of(token) != 1_000_001 for token in tokens)
