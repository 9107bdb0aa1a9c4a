"""Repeated requests fill no table: each bound of docs/limits.md applies (security X5)."""

from functools import partial
from pathlib import Path

import pytest

from hupan.domain.sessions import MAX_KNOWN_DEVICES, Device
from hupan.store.sessions import MAX_LOGGED_OUT_TOKENS, has_device
from tests.support.table_growth import (
    EMAIL,
    GROWN,
    MORE,
    NEWEST,
    OTHERWISE,
    PHONE,
    end_one,
    on,
)
from tests.support.world import open_world


@pytest.mark.parametrize("table", GROWN)
async def test_a_table_ends_where_the_list_says(tmp_path: Path, table: str) -> None:
    """Repeated requests leave an account as many rows as the list says (security X5)."""
    grow, most = GROWN[table]

    async with open_world(tmp_path / "hupan.db") as world:
        account = await world.account(phone=PHONE, email=EMAIL)
        await grow(world, account.id)
        assert await world.count(table) == most


@pytest.mark.one_engine
def test_what_is_tried_elsewhere_is_there() -> None:
    """The test files that the list names exist."""
    root = Path(__file__).parents[2]
    assert [path for path in OTHERWISE.values() if not (root / path).is_file()] == []


async def test_the_devices_in_use_are_remembered(tmp_path: Path) -> None:
    """The devices that signed in last are known, so their guesses count separately (C5)."""
    async with open_world(tmp_path / "hupan.db") as world:
        account = (await world.account(phone=PHONE)).id
        await world.session(account, Device("the owner's", "ios"))
        for number in range(MAX_KNOWN_DEVICES + MORE):
            world.clock.time += 1
            await world.session(account, on(number))
            if number % 20 == 0:
                await world.session(account, Device("the owner's", "ios"))
        assert await has_device(world.engine, account, "the owner's")
        assert not await has_device(world.engine, account, "device 0")
        assert await has_device(world.engine, account, f"device {MAX_KNOWN_DEVICES + MORE - 1}")


async def test_many_at_one_moment_push_out_no_newcomer(tmp_path: Path) -> None:
    """The newest device stays known, with any name and any number of devices (C5)."""
    async with open_world(tmp_path / "hupan.db") as world:
        account = (await world.account(phone=PHONE)).id
        for number in range(MAX_KNOWN_DEVICES + MORE):
            await world.session(account, on(number))
        await world.session(account, Device("zz", "ios"))
        assert await has_device(world.engine, account, "zz")
        assert await world.count("devices") <= MAX_KNOWN_DEVICES + 1


@pytest.mark.slow
async def test_what_an_operator_signs_out_is_bounded_too(tmp_path: Path) -> None:
    """An operator signs out one session after the other, by number (security X5)."""
    async with open_world(tmp_path / "hupan.db") as world:
        account = (await world.account(phone=PHONE)).id
        for _ in range(MAX_LOGGED_OUT_TOKENS + MORE):
            world.clock.time += 1
            await world.session(account)
            row = await world.engine.fetch_one(NEWEST, account)
            assert row is not None
            number, now = int(row[0]), int(world.clock.time)
            await world.engine.run_transaction(partial(end_one, account, number, now))
        assert await world.count("left_sessions") == MAX_LOGGED_OUT_TOKENS


@pytest.mark.slow
async def test_a_token_that_signed_out_lately_does_so_again(tmp_path: Path) -> None:
    """However often an account signs out, its last tokens are remembered (security T5, X5)."""
    async with open_world(tmp_path / "hupan.db") as world:
        account = (await world.account(phone=PHONE)).id
        tokens = []
        for _ in range(MAX_LOGGED_OUT_TOKENS + MORE):
            world.clock.time += 1
            token = await world.engine.run_transaction(
                lambda tx: world.sessions.open(tx, account, on(0))
            )
            await world.sessions.logout((await world.sessions.get(token)).session)
            tokens.append(token)
        assert await world.sessions.was_logged_out(tokens[-1])
        assert await world.sessions.was_logged_out(tokens[-MAX_LOGGED_OUT_TOKENS])
        assert not await world.sessions.was_logged_out(tokens[0])
