"""Bans have a reason and an optional end.

VIP is granted for days or until a time, and can be ended.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.errors import InvalidField, UnknownUser
from hupan.model import PERMANENT_BAN_END, AccountId
from hupan.rules import MAX_UNIX_TIME
from tests.support.world import NOW, World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield accounts that can be banned or become VIP."""
    with open_world(tmp_path / "hupan.db") as world:
        yield world


async def test_a_ban_ends_by_itself(world: World) -> None:
    """It applies before its end and no longer from its end on."""
    account = await world.account()
    await world.bans.ban(account.id, " 刷屏 ", until=NOW + 60)
    banned = await world.reload(account.id)
    assert (banned.banned_until, banned.ban_reason) == (NOW + 60, "刷屏")
    assert banned.is_banned(NOW + 59.9)
    assert not banned.is_banned(NOW + 60)


async def test_a_permanent_ban(world: World) -> None:
    """A ban without an end is permanent, and its end fits the wire (wire.md 1.10)."""
    account = await world.account()
    await world.bans.ban(account.id, "垃圾广告")
    banned = await world.reload(account.id)
    assert banned.banned_until == PERMANENT_BAN_END < 2**53
    assert banned.is_banned(253_402_300_799)


async def test_a_later_ban_replaces_an_earlier_one(world: World) -> None:
    """The latest ban applies, even a milder one; an unban leaves no trace."""
    account = await world.account()
    await world.bans.ban(account.id, "first")
    await world.bans.ban(account.id, "second", until=NOW + 10)
    banned = await world.reload(account.id)
    assert (banned.banned_until, banned.ban_reason) == (NOW + 10, "second")
    for _ in range(2):
        await world.bans.unban(account.id)
        assert await world.reload(account.id) == account


@pytest.mark.parametrize("reason", ["", " ", "a\nb", "a\u202eb", "\x1b[31m", "长" * 201])
async def test_a_reason_is_one_line(world: World, reason: str) -> None:
    """A reason is required, and is text that a log and a page can show (security U5)."""
    account = await world.account()
    with pytest.raises(InvalidField) as refused:
        await world.bans.ban(account.id, reason)
    assert refused.value.field == "reason"
    assert await world.reload(account.id) == account


@pytest.mark.parametrize("until", [NOW, NOW - 1, 0, -1, PERMANENT_BAN_END + 1])
async def test_a_ban_ends_in_the_future(world: World, until: int) -> None:
    """A ban whose end has passed is refused."""
    account = await world.account()
    with pytest.raises(InvalidField) as refused:
        await world.bans.ban(account.id, "x", until=until)
    assert refused.value.field == "until"


async def test_no_account_is_banned_by_mistake(world: World) -> None:
    """An unknown account is refused, and no other one is changed."""
    account = await world.account()
    with pytest.raises(UnknownUser):
        await world.bans.ban(AccountId(7), "x")
    with pytest.raises(UnknownUser):
        await world.bans.unban(AccountId(7))
    assert await world.reload(account.id) == account


DAY_SECONDS = 86_400
NOBODY = AccountId(7)


async def test_days_are_added_to_what_is_left(world: World) -> None:
    """Days begin now if no VIP is left, otherwise at its current end."""
    account = await world.account()
    assert await world.vip.extend(account.id, 1) == NOW + DAY_SECONDS
    assert await world.vip.extend(account.id, 2) == NOW + 3 * DAY_SECONDS
    assert (await world.reload(account.id)).vip_until == NOW + 3 * DAY_SECONDS
    world.clock.time += 10 * DAY_SECONDS
    assert await world.vip.extend(account.id, 1) == NOW + 11 * DAY_SECONDS


async def test_concurrent_extensions_add_up(world: World) -> None:
    """Concurrent extensions all count; no day is lost."""
    account = await world.account()
    await asyncio.gather(*(world.vip.extend(account.id, 1) for _ in range(20)))
    assert (await world.reload(account.id)).vip_until == NOW + 20 * DAY_SECONDS


async def test_an_end_is_set_or_brought_forward(world: World) -> None:
    """The end may be earlier or later; an end right now means that VIP has expired."""
    account = await world.account()
    await world.vip.end(account.id)
    assert (await world.reload(account.id)).vip_until == 0
    await world.vip.extend(account.id, 30)
    await world.vip.set_end(account.id, NOW + 5)
    ends = await world.reload(account.id)
    assert (ends.is_vip(NOW + 4), ends.is_vip(NOW + 5)) == (True, False)
    await world.vip.end(account.id)
    ended = await world.reload(account.id)
    assert (ended.vip_until, ended.is_vip(NOW)) == (NOW, False)
    world.clock.time += 50
    await world.vip.end(account.id)
    assert (await world.reload(account.id)).vip_until == NOW


async def test_bounds(world: World) -> None:
    """Values out of bounds are refused, and nothing is stored."""
    account = await world.account()
    for days in (0, -1, 36_501):
        with pytest.raises(InvalidField):
            await world.vip.extend(account.id, days)
    for until in (NOW, 0, -1, MAX_UNIX_TIME + 1):
        with pytest.raises(InvalidField):
            await world.vip.set_end(account.id, until)
    await world.vip.set_end(account.id, MAX_UNIX_TIME)
    with pytest.raises(InvalidField):
        await world.vip.extend(account.id, 1)
    assert (await world.reload(account.id)).vip_until == MAX_UNIX_TIME


async def test_an_unknown_account_has_no_vip(world: World) -> None:
    """An unknown account is refused."""
    for given in (
        world.vip.extend(NOBODY, 1),
        world.vip.set_end(NOBODY, NOW + 1),
        world.vip.end(NOBODY),
    ):
        with pytest.raises(UnknownUser):
            await given
