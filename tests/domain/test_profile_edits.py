"""Changes of nickname and avatar, and the reward for the first one (wire.md 4)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.domain.coins import MAX_BALANCE_CENTS, CoinChange
from hupan.domain.media import AvatarPictures, PictureAddresses
from hupan.domain.profiles import ProfileEdits
from hupan.errors import InvalidField
from hupan.model import AccountId, CoinType
from hupan.rules import ProfileEditRules
from tests.support.world import World, open_world

REWARDED = ProfileEditRules(first_nickname_cents=300, first_avatar_cents=200)
PICTURE = "https://img.example.com/a.png"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield a world with an empty store."""
    with open_world(tmp_path / "hupan.db") as world:
        yield world


def edits(world: World, rules: ProfileEditRules = REWARDED) -> ProfileEdits:
    """Return the service under test."""
    pictures = AvatarPictures(PictureAddresses(""), world.clock, max_pictures=20)
    return ProfileEdits(world.engine, world.coins, rules, pictures)


async def rewards(world: World, account: AccountId) -> list[tuple[CoinType, str, int]]:
    """Return type, reason and cents of every entry, oldest first."""
    page = await world.coins.list_page(account, size=100, page=1)
    return [(entry.typ, entry.reason, entry.change_cents) for entry in reversed(page.entries)]


async def test_changes_are_counted(world: World) -> None:
    """name_id and avatar_id count changes; the same value again does not count."""
    account = (await world.account()).id
    for name in ("湖", "湖", " 湖 ", "畔", "湖"):
        await edits(world).change_nickname(account, name)
    for url in (PICTURE, "HTTPS://img.example.com:443/a.png", f"{PICTURE}?v=2"):
        await edits(world).change_avatar(account, url)
    after = await world.reload(account)
    assert (after.name, after.name_id) == ("湖", 3)
    assert (after.avatar_url, after.avatar_id) == (f"{PICTURE}?v=2", 2)


async def test_the_first_change_of_each_is_rewarded_once(world: World) -> None:
    """Nickname and avatar each get one entry of type 4."""
    account = (await world.account()).id
    for name in ("湖", "畔", "湖"):
        await edits(world).change_nickname(account, name)
    for url in (PICTURE, f"{PICTURE}?v=2"):
        await edits(world).change_avatar(account, url)
    assert await rewards(world, account) == [
        (CoinType.FIRST_EDIT, "首次修改昵称", 300),
        (CoinType.FIRST_EDIT, "首次修改头像", 200),
    ]


async def test_parallel_first_changes_are_rewarded_once(world: World) -> None:
    """Twenty concurrent changes get one reward."""
    account = (await world.account()).id
    service = edits(world)
    await asyncio.gather(*(service.change_nickname(account, f"湖{number}") for number in range(20)))
    assert len(await rewards(world, account)) == 1
    assert (await world.reload(account)).name_id == 20


async def test_keeping_the_first_name_is_no_change(world: World) -> None:
    """Sending the current name gets no reward, and does not use it up."""
    account = await world.account()
    await edits(world).change_nickname(account.id, account.name)
    assert await rewards(world, account.id) == []
    await edits(world).change_nickname(account.id, "湖")
    assert len(await rewards(world, account.id)) == 1


async def test_a_later_change_is_not_rewarded(world: World) -> None:
    """Enabling rewards pays nothing to accounts whose first change is past."""
    account = (await world.account()).id
    await edits(world, ProfileEditRules()).change_nickname(account, "湖")
    assert await rewards(world, account) == []
    await edits(world).change_nickname(account, "畔")
    assert await rewards(world, account) == []


async def test_a_full_balance_does_not_stop_a_change(world: World) -> None:
    """The name changes, the coins that do not fit are not granted."""
    account = (await world.account()).id
    await world.coins.change(
        CoinChange(
            account=account,
            change_cents=MAX_BALANCE_CENTS,
            typ=CoinType.REWARD,
            reason="奖励",
            key="full",
        )
    )
    await edits(world).change_nickname(account, "湖")
    after = await world.reload(account)
    assert (after.name, after.coin_cents) == ("湖", MAX_BALANCE_CENTS)


async def test_what_is_refused_changes_nothing(world: World) -> None:
    """The name, the avatar and the counts stay, and no coins are granted."""
    account = await world.account()
    listed = ProfileEditRules(avatar_hosts=("cdn.example",), first_avatar_cents=200)
    with pytest.raises(InvalidField, match="name"):
        await edits(world).change_nickname(account.id, "\u202e")
    with pytest.raises(InvalidField, match="url"):
        await edits(world, listed).change_avatar(account.id, PICTURE)
    assert await world.reload(account.id) == account
    await edits(world, listed).change_avatar(account.id, "https://cdn.example/a.png")
    assert len(await rewards(world, account.id)) == 1
