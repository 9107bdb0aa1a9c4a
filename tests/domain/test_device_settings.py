"""Settings of single devices in a store (wire.md 4)."""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hupan.api.devices import ROW_IDS_PER_ACCOUNT
from hupan.domain import devices as device_settings
from hupan.domain.devices import DeviceSettings, parse_modules
from hupan.errors import InvalidField
from hupan.model import IgnoredModules, NotificationSetting
from tests.support.world import NOW, World, open_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield a world with an empty store."""
    with open_world(tmp_path / "hupan.db") as world:
        yield world


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_known_modules_come_in_any_order(count: int) -> None:
    """Each occurs once, with or without a leading comma; the given order is kept."""
    for chosen in permutations(["10", "20", "30"], count):
        text = ",".join(chosen)
        kept = "," + text if text else ""
        assert parse_modules(text, "ignore") == parse_modules(kept, "ignore") == kept


@given(st.text(alphabet="0123,", max_size=12) | st.text(max_size=6))
def test_nothing_else_is_taken(text: str) -> None:
    """Only a list of known modules without repetition is accepted, and it is stored unchanged."""
    try:
        kept = parse_modules(text, "ignore")
    except InvalidField:
        return
    modules = kept.split(",")[1:]
    assert set(modules) <= {"10", "20", "30"}
    assert len(modules) == len(set(modules))
    assert kept.removeprefix(",") == text.removeprefix(",")
    assert parse_modules(kept, "ignore") == kept


async def test_a_row_is_changed_in_its_place(world: World) -> None:
    """Number and creation time stay; the rest is replaced."""
    settings = DeviceSettings(world.engine, world.clock)
    account = (await world.account()).id
    await settings.set_notification(account, "a", "r1", is_open=1, type_=2)
    await settings.set_notification(account, "b", "r2", is_open=0, type_=1)
    await settings.set_ignored_modules(account, "b", "30,10")
    world.clock.time += 60
    await settings.set_notification(account, "a", "r3", is_open=0, type_=3)
    await settings.set_ignored_modules(account, "b", "")
    changed = NotificationSetting(1, "a", "r3", 0, 3, NOW, NOW + 60)
    assert await settings.get_notification(account, "a", "other") == changed
    untouched = NotificationSetting(2, "b", "r2", 0, 1, NOW, NOW)
    assert await settings.get_notification(account, "b", "r2") == untouched
    assert await settings.get_ignored_modules(account, "b") == IgnoredModules(1, "b", "", NOW + 60)


async def test_accounts_do_not_see_each_other(world: World) -> None:
    """The same device id in another account is another device (wire.md 5)."""
    settings = DeviceSettings(world.engine, world.clock)
    one, two = (await world.account()).id, (await world.account()).id
    await settings.set_ignored_modules(one, "a", "10")
    await settings.set_notification(one, "a", "r", is_open=0, type_=2)
    assert await settings.get_ignored_modules(two, "a") == IgnoredModules(0, "a", "", 0)
    fresh = NotificationSetting(0, "a", "mine", 1, 0, 0, 0)
    assert await settings.get_notification(two, "a", "mine") == fresh


async def test_an_account_keeps_so_many_devices(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more replaces the one set longest ago and takes over its number."""
    monkeypatch.setattr(device_settings, "MAX_DEVICES_WITH_SETTINGS", 3)

    settings = DeviceSettings(world.engine, world.clock)
    account, other = (await world.account()).id, (await world.account()).id
    await settings.set_ignored_modules(other, "a", "10")
    for device in ("a", "b", "c", "a", "d"):
        world.clock.time += 1
        await settings.set_ignored_modules(account, device, "10")
        await settings.set_notification(account, device, "r", is_open=0, type_=0)
    ignored = [await settings.get_ignored_modules(account, device) for device in "abcd"]
    assert [row.number for row in ignored] == [1, 0, 3, 2]
    notified = [await settings.get_notification(account, device, "r") for device in "abcd"]
    assert [row.number for row in notified] == [1, 0, 3, 2]
    assert notified[3].created_at == NOW + 5
    assert (await settings.get_ignored_modules(other, "a")).number == 1


def test_numbers_fit_into_ids() -> None:
    """Row numbers are bounded, so two accounts never share an id on the wire."""
    assert device_settings.MAX_DEVICES_WITH_SETTINGS < ROW_IDS_PER_ACCOUNT
