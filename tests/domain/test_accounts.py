"""Bans: with a reason, until a time or for good.

VIP: given for days, until a time, and ended.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.errors import InvalidField, UnknownUser
from hupan.model import PERMANENT_BAN_END, AccountId
from hupan.rules import MAX_UNIX_TIME
from tests.support.world import NOW, Standing, open_standing


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Standing]:
    """Accounts that can be banned."""
    with open_standing(tmp_path / "hupan.db") as standing:
        yield standing


def test_a_ban_ends_by_itself(standing: Standing) -> None:
    """It is in force before its end and none from its end on."""

    async def story() -> None:
        account = await standing.account()
        await standing.bans.ban(account.id, " 刷屏 ", until=NOW + 60)
        banned = await standing.is_retryable(account.id)
        assert (banned.banned_until, banned.ban_reason) == (NOW + 60, "刷屏")
        assert banned.is_banned(NOW + 59.9)
        assert not banned.is_banned(NOW + 60)

    asyncio.run(story())


def test_a_ban_for_good(standing: Standing) -> None:
    """Without an end it never ends, and its end can still be told over the wire (wire.md 1.10)."""

    async def story() -> None:
        account = await standing.account()
        await standing.bans.ban(account.id, "垃圾广告")
        banned = await standing.is_retryable(account.id)
        assert banned.banned_until == PERMANENT_BAN_END < 2**53
        assert banned.is_banned(253_402_300_799)

    asyncio.run(story())


def test_a_later_ban_replaces_an_earlier_one(standing: Standing) -> None:
    """The last word holds, also when it is the milder one; an unban leaves no trace."""

    async def story() -> None:
        account = await standing.account()
        await standing.bans.ban(account.id, "first")
        await standing.bans.ban(account.id, "second", until=NOW + 10)
        banned = await standing.is_retryable(account.id)
        assert (banned.banned_until, banned.ban_reason) == (NOW + 10, "second")
        for _ in range(2):
            await standing.bans.unban(account.id)
            assert await standing.is_retryable(account.id) == account

    asyncio.run(story())


@pytest.mark.parametrize("reason", ["", " ", "a\nb", "a\u202eb", "\x1b[31m", "长" * 201])
def test_a_reason_is_one_line(standing: Standing, reason: str) -> None:
    """A reason is asked for, and is text that a log and a page can show (security U5)."""

    async def story() -> None:
        account = await standing.account()
        with pytest.raises(InvalidField) as refused:
            await standing.bans.ban(account.id, reason)
        assert refused.value.field == "reason"
        assert await standing.is_retryable(account.id) == account

    asyncio.run(story())


@pytest.mark.parametrize("until", [NOW, NOW - 1, 0, -1, PERMANENT_BAN_END + 1])
def test_an_end_lies_ahead(standing: Standing, until: int) -> None:
    """A ban that would have ended already is refused."""

    async def story() -> None:
        account = await standing.account()
        with pytest.raises(InvalidField) as refused:
            await standing.bans.ban(account.id, "x", until=until)
        assert refused.value.field == "until"

    asyncio.run(story())


def test_nobody_is_banned_by_mistake(standing: Standing) -> None:
    """An unknown account is refused, and no other one is touched."""

    async def story() -> None:
        account = await standing.account()
        with pytest.raises(UnknownUser):
            await standing.bans.ban(AccountId(7), "x")
        with pytest.raises(UnknownUser):
            await standing.bans.unban(AccountId(7))
        assert await standing.is_retryable(account.id) == account

    asyncio.run(story())


DAY_SECONDS = 86_400
NOBODY = AccountId(7)


@pytest.fixture
def vip_standing(tmp_path: Path) -> Iterator[Standing]:
    """Accounts that can be VIP."""
    with open_standing(tmp_path / "hupan.db") as vip_standing:
        yield vip_standing


def test_days_are_added_to_what_is_left(vip_standing: Standing) -> None:
    """Days begin now where there is none or no more, else where the old ones end."""

    async def story() -> None:
        account = await vip_standing.account()
        assert await vip_standing.set_vip.extend(account.id, 1) == NOW + DAY_SECONDS
        assert await vip_standing.set_vip.extend(account.id, 2) == NOW + 3 * DAY_SECONDS
        assert (await vip_standing.is_retryable(account.id)).vip_until == NOW + 3 * DAY_SECONDS
        vip_standing.clock.time += 10 * DAY_SECONDS
        assert await vip_standing.set_vip.extend(account.id, 1) == NOW + 11 * DAY_SECONDS

    asyncio.run(story())


def test_two_who_give_at_once_both_give(vip_standing: Standing) -> None:
    """No day is lost."""

    async def story() -> None:
        account = await vip_standing.account()
        await asyncio.gather(*(vip_standing.set_vip.extend(account.id, 1) for _ in range(20)))
        assert (await vip_standing.is_retryable(account.id)).vip_until == NOW + 20 * DAY_SECONDS

    asyncio.run(story())


def test_an_end_is_set_or_brought_forward(vip_standing: Standing) -> None:
    """Whatever was left; an end that is now leaves an account whose VIP has expired."""

    async def story() -> None:
        account = await vip_standing.account()
        await vip_standing.set_vip.end(account.id)
        assert (await vip_standing.is_retryable(account.id)).vip_until == 0
        await vip_standing.set_vip.extend(account.id, 30)
        await vip_standing.set_vip.set_end(account.id, NOW + 5)
        ends = await vip_standing.is_retryable(account.id)
        assert (ends.is_vip(NOW + 4), ends.is_vip(NOW + 5)) == (True, False)
        await vip_standing.set_vip.end(account.id)
        ended = await vip_standing.is_retryable(account.id)
        assert (ended.vip_until, ended.is_vip(NOW)) == (NOW, False)
        vip_standing.clock.time += 50
        await vip_standing.set_vip.end(account.id)
        assert (await vip_standing.is_retryable(account.id)).vip_until == NOW

    asyncio.run(story())


def test_bounds(vip_standing: Standing) -> None:
    """What cannot be is refused, and nothing of it is kept."""

    async def story() -> None:
        account = await vip_standing.account()
        for days in (0, -1, 36_501):
            with pytest.raises(InvalidField):
                await vip_standing.set_vip.extend(account.id, days)
        for until in (NOW, 0, -1, MAX_UNIX_TIME + 1):
            with pytest.raises(InvalidField):
                await vip_standing.set_vip.set_end(account.id, until)
        await vip_standing.set_vip.set_end(account.id, MAX_UNIX_TIME)
        with pytest.raises(InvalidField):
            await vip_standing.set_vip.extend(account.id, 1)
        assert (await vip_standing.is_retryable(account.id)).vip_until == MAX_UNIX_TIME

    asyncio.run(story())


def test_nobody_has_no_vip(vip_standing: Standing) -> None:
    """An unknown account is refused."""

    async def story() -> None:
        for given in (
            vip_standing.set_vip.extend(NOBODY, 1),
            vip_standing.set_vip.set_end(NOBODY, NOW + 1),
            vip_standing.set_vip.end(NOBODY),
        ):
            with pytest.raises(UnknownUser):
                await given

    asyncio.run(story())
