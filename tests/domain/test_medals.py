"""Medals: their definitions, their wearers and their order."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.errors import InvalidField, UnknownUser
from hupan.model import AccountId, Medal
from tests.support.world import World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield accounts that can wear medals."""
    with open_world(tmp_path / "hupan.db") as world:
        yield world


async def test_a_name_is_one_medal(world: World) -> None:
    """A second definition changes the medal and keeps its id, and its position unless given."""
    first = await world.medals.define("元老", 30, "最早的用户", "https://example.com/1.png")
    assert first == Medal(1, "元老", 30, "最早的用户", "https://example.com/1.png")
    assert await world.medals.define("贡献者") == Medal(2, "贡献者", 31, "", "")
    assert await world.medals.define(" 元老 ") == Medal(1, "元老", 30, "", "")
    assert await world.medals.define("元老", 99) == Medal(1, "元老", 99, "", "")
    assert [medal.name for medal in await world.medals.list_all()] == ["贡献者", "元老"]


async def test_medals_are_worn_in_their_order(world: World) -> None:
    """Medals are ordered by `sort`, not by time; a second grant changes nothing."""
    account, other = await world.account(), await world.account()
    for name, sort in (("丙", 3), ("甲", 1), ("乙", 2)):
        await world.medals.define(name, sort)
    for name in ("乙", "丙", "甲", "乙"):
        await world.medals.give(account.id, name)
    assert [m.name for m in await world.medals.list_for_account(account.id)] == [
        "甲",
        "乙",
        "丙",
    ]
    assert await world.medals.list_for_account(other.id) == []
    for _ in range(2):
        await world.medals.remove(account.id, "乙")
        assert [m.name for m in await world.medals.list_for_account(account.id)] == [
            "甲",
            "丙",
        ]


async def test_what_cannot_be(world: World) -> None:
    """An undefined medal is not granted, nor any medal to an unknown account."""
    account = await world.account()
    await world.medals.define("甲")
    for act in (world.medals.give, world.medals.remove):
        with pytest.raises(InvalidField):
            await act(account.id, "乙")
        with pytest.raises(UnknownUser):
            await act(AccountId(7), "甲")
    assert await world.engine.fetch_one("SELECT count(*) FROM account_medals") == (0,)


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "x" * 33}),
        ("sort", {"name": "x", "sort": -1}),
        ("sort", {"name": "x", "sort": 1_000_001}),
        ("description", {"name": "x", "description": "a\nb"}),
        ("image", {"name": "x", "image_url": "javascript:alert(1)"}),
        ("image", {"name": "x", "image_url": "https://a b"}),
    ],
)
def test_bad_medals_are_refused(world: World, field: str, given: dict[str, str | int]) -> None:
    """Each field has its bounds, and the refusal names it."""

    async def story() -> None:
        with pytest.raises(InvalidField) as refused:
            await world.medals.define(**given)  # type: ignore[arg-type] # a row of the table
        assert refused.value.field == field
        assert await world.medals.list_all() == []

    asyncio.run(story())
