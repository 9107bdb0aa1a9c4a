"""How long sessions live, and how many an account may have (security T4).

Tokens contain their account, and look random (wire.md 5, security T1).
"""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.crypto import KEY_BYTES, SecretBox
from hupan.domain.accounts import MAX_ACCOUNT_ID
from hupan.domain.maintenance import Housekeeping
from hupan.domain.sessions import SessionPolicy, Tokens
from hupan.errors import NotSignedIn
from hupan.model import AccountId
from hupan.rng import SystemRandomSource
from hupan.rules import DAY_SECONDS
from tests.support.world import open_world

ENDED = "notice-session-ended"


@pytest.mark.parametrize(
    ("days", "is_valid"), [(29.9, True), (30 - 1 / DAY_SECONDS, True), (30, False), (400, False)]
)
async def test_a_session_without_use_ends(tmp_path: Path, days: float, *, is_valid: bool) -> None:
    """Thirty days after its last use a session is over, at the next read."""
    async with open_world(tmp_path / "db") as world:
        token = await world.sign_in(await world.account_id())
        world.pass_days(days)
        assert await world.is_signed_in(token) is is_valid


async def test_use_keeps_a_session_until_half_a_year(tmp_path: Path) -> None:
    """Even with regular use a session ends 180 days after its sign-in."""
    async with open_world(tmp_path / "db") as world:
        token = await world.sign_in(await world.account_id())
        for _ in range(8):
            world.pass_days(22)
            assert await world.is_signed_in(token)
        world.pass_days(4 - 1 / DAY_SECONDS)
        assert await world.is_signed_in(token)
        world.pass_days(1 / DAY_SECONDS)
        assert not await world.is_signed_in(token)


async def test_each_session_counts_its_own_use(tmp_path: Path) -> None:
    """Its own use extends a session, even on days when another one was used first."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id()
        first, second, idle = [await world.sign_in(account) for _ in range(3)]
        for _ in range(3):
            world.pass_days(20)
            assert await world.is_signed_in(first)
            assert await world.is_signed_in(second)
        assert not await world.is_signed_in(idle)


async def test_a_session_writes_once_a_day(tmp_path: Path) -> None:
    """Only the first request of a session on a day is written."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id()
        tokens = [await world.sign_in(account) for _ in range(2)]
        for day in range(3):
            before = world.engine.transactions
            for _ in range(5):
                for token in tokens:
                    assert await world.is_signed_in(token)
            # On the day of the sign-in only the account's own day is new.
            assert world.engine.transactions - before == (2 if day else 1)
            world.pass_days(1)


async def test_an_expired_session_is_refused_without_a_write(tmp_path: Path) -> None:
    """The row that is read anyway shows the end; nothing is written."""
    async with open_world(tmp_path / "db") as world:
        token = await world.sign_in(await world.account_id())
        world.pass_days(31)
        before = world.engine.transactions
        with pytest.raises(NotSignedIn):
            await world.sessions.get(token)
        assert world.engine.transactions == before


async def test_one_too_many_ends_the_oldest(tmp_path: Path) -> None:
    """The first of eleven sessions opened in one second ends, and its owner is notified."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id(phone="13900000001", email="Who@example.com")
        tokens = [await world.sign_in(account) for _ in range(13)]
        assert [await world.is_signed_in(token) for token in tokens] == [False] * 3 + [True] * 10
        assert await world.recipients(ENDED) == ["Who@example.com"]


async def test_an_account_without_an_address_is_notified_by_sms(tmp_path: Path) -> None:
    """Without an e-mail address the notice goes to the number; without both there is none."""
    async with open_world(tmp_path / "db") as world:
        for account in [await world.account_id(phone="13900000001"), await world.account_id()]:
            for _ in range(11):
                await world.sign_in(account)
        assert await world.recipients(ENDED) == ["13900000001"]


async def test_a_device_that_signs_in_again_ends_no_other(tmp_path: Path) -> None:
    """A new session of a device replaces its old one, and counts as the newest."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id(phone="13900000001")
        tokens = [await world.sign_in(account, str(device)) for device in range(10)]
        again = await world.sign_in(account, "0")
        assert [await world.is_signed_in(token) for token in tokens] == [False] + [True] * 9
        assert await world.recipients(ENDED) == []
        await world.sign_in(account)
        assert await world.is_signed_in(again)
        assert not await world.is_signed_in(tokens[1])


async def test_expired_sessions_take_no_place(tmp_path: Path) -> None:
    """Expired sessions end no live one, even if opened later, and cause no notice."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id(phone="13900000001")
        used = await world.sign_in(account)
        for _ in range(9):
            await world.sign_in(account)
        for _ in range(2):
            world.pass_days(20)
            assert await world.is_signed_in(used)
        await world.sign_in(account)
        assert await world.is_signed_in(used)
        assert await world.recipients(ENDED) == []


async def test_the_settings_decide(tmp_path: Path) -> None:
    """Other bounds than the defaults apply, too."""
    async with open_world(
        tmp_path / "db", policy=SessionPolicy(DAY_SECONDS, 2 * DAY_SECONDS, max_sessions=2)
    ) as world:
        account = await world.account_id()
        tokens = [await world.sign_in(account) for _ in range(3)]
        assert [await world.is_signed_in(token) for token in tokens] == [False, True, True]
        world.pass_days(0.9)
        assert await world.is_signed_in(tokens[1])
        world.pass_days(1)
        assert not await world.is_signed_in(tokens[2])
        world.pass_days(0.2)
        assert not await world.is_signed_in(tokens[1])


async def test_accounts_do_not_share_the_bound(tmp_path: Path) -> None:
    """One account's sessions do not end another's."""
    async with open_world(tmp_path / "db") as world:
        mine, others = await world.account_id(), await world.account_id()
        token = await world.sign_in(mine)
        for _ in range(12):
            await world.sign_in(others)
        assert await world.is_signed_in(token)


async def test_devices_show_live_sessions_alone(tmp_path: Path) -> None:
    """An ended session is not listed, purged or not; the newest comes first."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id()
        await world.sign_in(account, "forgotten")
        world.pass_days(20)
        await world.sign_in(account, "one")
        await world.sign_in(account, "two")
        world.pass_days(15)
        shown = await world.devices.list_live(account)
        assert [session.device_id for session in shown] == ["two", "one"]


async def test_housekeeping_forgets_expired_sessions(tmp_path: Path) -> None:
    """Ended sessions are deleted, by either bound; setting the clock back revives none."""
    async with open_world(tmp_path / "db") as world:
        start = world.clock.now()
        account = await world.account_id()
        idle, live = await world.sign_in(account), await world.sign_in(account)
        for _ in range(9):
            world.pass_days(20)
            assert await world.is_signed_in(live) is (world.clock.now() - start < 180 * DAY_SECONDS)
        await Housekeeping(world.engine, world.clock, [world.devices.purge_expired]).purge()
        assert await world.rows("SELECT 1 FROM sessions") == []
        world.pass_days(-179)
        assert [await world.is_signed_in(token) for token in (idle, live)] == [False, False]


async def test_a_device_offline_signs_out_like_any_other(tmp_path: Path) -> None:
    """Its token no longer works, and signing out again with it succeeds (security T5)."""
    async with open_world(tmp_path / "db") as world:
        account = await world.account_id()
        token, other = await world.sign_in(account, "a"), await world.sign_in(account, "b")
        await world.devices.take_offline(account, "a")
        assert [await world.is_signed_in(one) for one in (token, other)] == [False, True]
        assert await world.sessions.was_logged_out(token)
        assert not await world.sessions.was_logged_out(other)


SHAPE = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TOKENS = Tokens(SecretBox(b"k" * KEY_BYTES), SystemRandomSource())
OTHERS = Tokens(SecretBox(b"o" * KEY_BYTES), SystemRandomSource())


@pytest.mark.one_engine
@given(st.integers(0, MAX_ACCOUNT_ID))
def test_a_token_leads_to_its_account(account: int) -> None:
    """A token encodes and decodes its account; its form is a lower-case UUID."""
    token = TOKENS.make(AccountId(account))
    assert SHAPE.fullmatch(token)
    assert TOKENS.account_of(token) == account


@pytest.mark.one_engine
@given(st.text(max_size=60))
def test_other_text_leads_nowhere(text: str) -> None:
    """Text that has no token's shape names no account, and raises nothing."""
    assert SHAPE.fullmatch(text) or TOKENS.account_of(text) is None


@pytest.mark.one_engine
def test_tokens_share_nothing() -> None:
    """Ten thousand tokens of one account are distinct, with every digit everywhere (T1)."""
    tokens = [TOKENS.make(AccountId(1_000_001)).replace("-", "") for _ in range(10_000)]
    assert len(set(tokens)) == len(tokens)
    for place in range(32):
        assert {token[place] for token in tokens} == set("0123456789abcdef")


@pytest.mark.one_engine
def test_without_the_key_the_account_is_hidden() -> None:
    """With another server's key a token decodes to another account."""
    tokens = [TOKENS.make(AccountId(1_000_001)) for _ in range(100)]
    assert all(OTHERS.account_of(token) != 1_000_001 for token in tokens)
