"""Bans: with a reason, until a time or for good."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.errors import InvalidField, UnknownUser
from hupan.model import PERMANENT_BAN_END, AccountId
from tests.domain.standing import NOW, Standing, open_standing


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
