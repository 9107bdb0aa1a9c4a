"""VIP: given for days, until a time, and ended."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from hupan.errors import InvalidField, UnknownUser
from hupan.model import AccountId
from hupan.rules import MAX_UNIX_TIME
from tests.domain.standing import NOW, Standing, open_standing

DAY_SECONDS = 86_400
NOBODY = AccountId(7)


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Standing]:
    """Accounts that can be VIP."""
    with open_standing(tmp_path / "hupan.db") as standing:
        yield standing


def test_days_are_added_to_what_is_left(standing: Standing) -> None:
    """Days begin now where there is none or no more, else where the old ones end."""

    async def story() -> None:
        account = await standing.account()
        assert await standing.set_vip.extend(account.id, 1) == NOW + DAY_SECONDS
        assert await standing.set_vip.extend(account.id, 2) == NOW + 3 * DAY_SECONDS
        assert (await standing.is_retryable(account.id)).vip_until == NOW + 3 * DAY_SECONDS
        standing.clock.time += 10 * DAY_SECONDS
        assert await standing.set_vip.extend(account.id, 1) == NOW + 11 * DAY_SECONDS

    asyncio.run(story())


def test_two_who_give_at_once_both_give(standing: Standing) -> None:
    """No day is lost."""

    async def story() -> None:
        account = await standing.account()
        await asyncio.gather(*(standing.set_vip.extend(account.id, 1) for _ in range(20)))
        assert (await standing.is_retryable(account.id)).vip_until == NOW + 20 * DAY_SECONDS

    asyncio.run(story())


def test_an_end_is_set_or_brought_forward(standing: Standing) -> None:
    """Whatever was left; an end that is now leaves an account whose VIP has expired."""

    async def story() -> None:
        account = await standing.account()
        await standing.set_vip.end(account.id)
        assert (await standing.is_retryable(account.id)).vip_until == 0
        await standing.set_vip.extend(account.id, 30)
        await standing.set_vip.set_end(account.id, NOW + 5)
        ends = await standing.is_retryable(account.id)
        assert (ends.is_vip(NOW + 4), ends.is_vip(NOW + 5)) == (True, False)
        await standing.set_vip.end(account.id)
        ended = await standing.is_retryable(account.id)
        assert (ended.vip_until, ended.is_vip(NOW)) == (NOW, False)
        standing.clock.time += 50
        await standing.set_vip.end(account.id)
        assert (await standing.is_retryable(account.id)).vip_until == NOW

    asyncio.run(story())


def test_bounds(standing: Standing) -> None:
    """What cannot be is refused, and nothing of it is kept."""

    async def story() -> None:
        account = await standing.account()
        for days in (0, -1, 36_501):
            with pytest.raises(InvalidField):
                await standing.set_vip.extend(account.id, days)
        for until in (NOW, 0, -1, MAX_UNIX_TIME + 1):
            with pytest.raises(InvalidField):
                await standing.set_vip.set_end(account.id, until)
        await standing.set_vip.set_end(account.id, MAX_UNIX_TIME)
        with pytest.raises(InvalidField):
            await standing.set_vip.extend(account.id, 1)
        assert (await standing.is_retryable(account.id)).vip_until == MAX_UNIX_TIME

    asyncio.run(story())


def test_nobody_has_no_vip(standing: Standing) -> None:
    """An unknown account is refused."""

    async def story() -> None:
        for given in (
            standing.set_vip.extend(NOBODY, 1),
            standing.set_vip.set_end(NOBODY, NOW + 1),
            standing.set_vip.end(NOBODY),
        ):
            with pytest.raises(UnknownUser):
                await given

    asyncio.run(story())
