"""Changing nickname and avatar, and what the first change is worth (wire.md 4)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.domain.coins import MAX_BALANCE_CENTS, CoinChange
from hupan.domain.profiles import ProfileEdits
from hupan.errors import InvalidField
from hupan.model import AccountId, CoinType
from hupan.rules import ProfileEditRules
from tests.support.world import Standing, open_standing

REWARDED = ProfileEditRules(first_nickname_cents=300, first_avatar_cents=200)
PICTURE = "https://img.example.com/a.png"


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Standing]:
    """A store of its own."""
    with open_standing(tmp_path / "hupan.db") as standing:
        yield standing


def edits(standing: Standing, rules: ProfileEditRules = REWARDED) -> ProfileEdits:
    """The service under test."""
    return ProfileEdits(standing.engine, standing.coins, rules)


async def rewards(standing: Standing, account: AccountId) -> list[tuple[CoinType, str, int]]:
    """Type, reason and cents of every entry, oldest first."""
    page = await standing.coins.list_page(account, size=100, page=1)
    return [(entry.typ, entry.reason, entry.change_cents) for entry in reversed(page.entries)]


def test_changes_are_counted(standing: Standing) -> None:
    """name_id and avatar_id count changes; the same value again is none."""

    async def story() -> None:
        account = (await standing.account()).id
        for name in ("湖", "湖", " 湖 ", "畔", "湖"):
            await edits(standing).change_nickname(account, name)
        for url in (PICTURE, "HTTPS://img.example.com:443/a.png", f"{PICTURE}?v=2"):
            await edits(standing).change_avatar(account, url)
        after = await standing.is_retryable(account)
        assert (after.name, after.name_id) == ("湖", 3)
        assert (after.avatar_url, after.avatar_id) == (f"{PICTURE}?v=2", 2)

    asyncio.run(story())


def test_the_first_change_of_each_is_rewarded_once(standing: Standing) -> None:
    """Entries of type 4, one for the nickname and one for the avatar."""

    async def story() -> None:
        account = (await standing.account()).id
        for name in ("湖", "畔", "湖"):
            await edits(standing).change_nickname(account, name)
        for url in (PICTURE, f"{PICTURE}?v=2"):
            await edits(standing).change_avatar(account, url)
        assert await rewards(standing, account) == [
            (CoinType.FIRST_EDIT, "首次修改昵称", 300),
            (CoinType.FIRST_EDIT, "首次修改头像", 200),
        ]

    asyncio.run(story())


def test_parallel_first_changes_are_rewarded_once(standing: Standing) -> None:
    """Twenty at once: one reward."""

    async def story() -> None:
        account = (await standing.account()).id
        service = edits(standing)
        await asyncio.gather(
            *(service.change_nickname(account, f"湖{number}") for number in range(20))
        )
        assert len(await rewards(standing, account)) == 1
        assert (await standing.is_retryable(account)).name_id == 20

    asyncio.run(story())


def test_keeping_the_first_name_is_no_change(standing: Standing) -> None:
    """Sending the name that one has is worth nothing, and leaves the reward for later."""

    async def story() -> None:
        account = await standing.account()
        await edits(standing).change_nickname(account.id, account.name)
        assert await rewards(standing, account.id) == []
        await edits(standing).change_nickname(account.id, "湖")
        assert len(await rewards(standing, account.id)) == 1

    asyncio.run(story())


def test_a_later_change_is_not_rewarded(standing: Standing) -> None:
    """Turning rewards on pays nobody whose first change lies behind."""

    async def story() -> None:
        account = (await standing.account()).id
        await edits(standing, ProfileEditRules()).change_nickname(account, "湖")
        assert await rewards(standing, account) == []
        await edits(standing).change_nickname(account, "畔")
        assert await rewards(standing, account) == []

    asyncio.run(story())


def test_a_full_purse_does_not_stop_a_change(standing: Standing) -> None:
    """The name changes, the coins that have no room are not given."""

    async def story() -> None:
        account = (await standing.account()).id
        await standing.coins.change(
            CoinChange(
                account=account,
                change_cents=MAX_BALANCE_CENTS,
                typ=CoinType.REWARD,
                reason="奖励",
                key="full",
            )
        )
        await edits(standing).change_nickname(account, "湖")
        after = await standing.is_retryable(account)
        assert (after.name, after.coin_cents) == ("湖", MAX_BALANCE_CENTS)

    asyncio.run(story())


def test_what_is_refused_changes_nothing(standing: Standing) -> None:
    """The name, the avatar and the counts stay, and nothing is given."""

    async def story() -> None:
        account = await standing.account()
        listed = ProfileEditRules(avatar_hosts=("cdn.example",), first_avatar_cents=200)
        with pytest.raises(InvalidField, match="name"):
            await edits(standing).change_nickname(account.id, "\u202e")
        with pytest.raises(InvalidField, match="url"):
            await edits(standing, listed).change_avatar(account.id, PICTURE)
        assert await standing.is_retryable(account.id) == account
        await edits(standing, listed).change_avatar(account.id, "https://cdn.example/a.png")
        assert len(await rewards(standing, account.id)) == 1

    asyncio.run(story())
