"""Medals: which there are, who wears which, in which order."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.errors import InvalidField, UnknownUser
from hupan.model import AccountId, Medal
from tests.support.world import Standing, open_standing


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Standing]:
    """Accounts that can wear medals."""
    with open_standing(tmp_path / "hupan.db") as standing:
        yield standing


def test_a_name_is_one_medal(standing: Standing) -> None:
    """Defining it again changes it, keeps its id, and its place unless one is given."""

    async def story() -> None:
        first = await standing.medals.define("元老", 30, "最早的用户", "https://example.com/1.png")
        assert first == Medal(1, "元老", 30, "最早的用户", "https://example.com/1.png")
        assert await standing.medals.define("贡献者") == Medal(2, "贡献者", 31, "", "")
        assert await standing.medals.define(" 元老 ") == Medal(1, "元老", 30, "", "")
        assert await standing.medals.define("元老", 99) == Medal(1, "元老", 99, "", "")
        assert [medal.name for medal in await standing.medals.list_all()] == ["贡献者", "元老"]

    asyncio.run(story())


def test_medals_are_worn_in_their_order(standing: Standing) -> None:
    """By `sort`, whatever the order in which they were given; twice is once."""

    async def story() -> None:
        account, other = await standing.account(), await standing.account()
        for name, sort in (("丙", 3), ("甲", 1), ("乙", 2)):
            await standing.medals.define(name, sort)
        for name in ("乙", "丙", "甲", "乙"):
            await standing.medals.give(account.id, name)
        assert [m.name for m in await standing.medals.list_for_account(account.id)] == [
            "甲",
            "乙",
            "丙",
        ]
        assert await standing.medals.list_for_account(other.id) == []
        for _ in range(2):
            await standing.medals.remove(account.id, "乙")
            assert [m.name for m in await standing.medals.list_for_account(account.id)] == [
                "甲",
                "丙",
            ]

    asyncio.run(story())


def test_what_cannot_be(standing: Standing) -> None:
    """A medal that was never defined is not given, and nobody wears one."""

    async def story() -> None:
        account = await standing.account()
        await standing.medals.define("甲")
        for act in (standing.medals.give, standing.medals.remove):
            with pytest.raises(InvalidField):
                await act(account.id, "乙")
            with pytest.raises(UnknownUser):
                await act(AccountId(7), "甲")
        assert await standing.engine.fetch_one("SELECT count(*) FROM account_medals") == (0,)

    asyncio.run(story())


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
def test_bad_medals_are_refused(
    standing: Standing, field: str, given: dict[str, str | int]
) -> None:
    """Each part has its form, and the refusal names it."""

    async def story() -> None:
        with pytest.raises(InvalidField) as refused:
            await standing.medals.define(**given)  # type: ignore[arg-type] # a row of the table
        assert refused.value.field == field
        assert await standing.medals.list_all() == []

    asyncio.run(story())
