"""Personal data, and what others see of it (wire.md 4, security D4)."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from hupan.domain.profiles import (
    PersonalDataService,
    PersonalDataUpdate,
    Privacy,
    Profile,
    Profiles,
    VisibleFields,
)
from hupan.domain.timekeeping import DayCalendar
from hupan.errors import InvalidField, UnknownUser
from hupan.model import Account, AccountId, PersonalData, PrivacyChoice, Session, Viewer
from hupan.store.sessions import put_session
from tests.support.world import NOW, SHANGHAI, World, open_world

WHOLE = PersonalDataUpdate(
    introduction="你好\nHello",
    gender=3,
    birthday=946_656_000,
    province="北京市",
    city="北京城区",
    district="东城区",
    location_code="110101",
)
KEPT = PersonalData("你好\nHello", 3, 946_656_000, "北京市", "北京城区", "东城区", "110101", NOW)
# Data that is shown to no one is not read for others: the place's number, and the edit time.
TOLD_TO_OTHERS = PersonalData("你好\nHello", 3, 946_656_000, "北京市", "北京城区", "东城区")
HIDDEN = PrivacyChoice(
    birthday=False, address=False, last_active=False, country=False, search=False
)
NOTHING_SHOWN = VisibleFields(
    birthday=False, address=False, last_active=False, country=False, search=False
)
SET_COUNTRY = "UPDATE accounts SET country = '中国' WHERE id = ?1"
STRANGER = AccountId(9_999_999)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield a world with an empty store."""
    with open_world(tmp_path / "hupan.db") as world:
        yield world


def keeper(world: World) -> PersonalDataService:
    """Return the service that stores personal data."""
    return PersonalDataService(world.engine, world.clock)


async def account_with_data(world: World) -> Account:
    """Return an account with all data saved."""
    account = await world.account()
    await keeper(world).save(account.id, WHOLE)
    await world.engine.run_transaction(lambda tx: tx.execute(SET_COUNTRY, account.id))
    return account


def viewer_of(account: AccountId) -> Viewer:
    """Return a viewer with a session."""
    return Viewer(account, NOW, NOW, 0, 0, has_remarks=0)


async def seen(
    world: World, account: Account, viewer: AccountId | None, shown: VisibleFields
) -> Profile:
    """Return what a viewer sees on a server with this default."""
    privacy = Privacy(world.engine, shown)
    profiles = Profiles(world.engine, world.clock, DayCalendar(SHANGHAI), privacy)
    looks = None if viewer is None else viewer_of(viewer)
    return await profiles.show(str(account.id), looks)


async def test_a_fresh_account_has_no_data(world: World) -> None:
    """All values are empty; the times are those of the account's creation."""
    own = await keeper(world).get(await world.account())
    assert own.data == PersonalData()
    assert (own.saved_at, own.last_sign_in_at) == (NOW, NOW)


async def test_the_last_sign_in_is_that_of_any_device(world: World) -> None:
    """The last sign-in may precede the calling session."""
    account = await world.account()
    for device, at in (("a", NOW + 10), ("b", NOW + 30), ("c", NOW + 20)):
        session = Session(account.id, device.encode(), device, "web", at, at)
        await world.engine.run_transaction(partial(put_session, session=session))
    assert (await keeper(world).get(account)).last_sign_in_at == NOW + 30


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        (PersonalDataUpdate(introduction=""), {"introduction": ""}),
        (PersonalDataUpdate(gender=0), {"gender": 0}),
        (PersonalDataUpdate(birthday=0), {"birthday": 0}),
        (PersonalDataUpdate(city="", district=""), {"city": "", "district": ""}),
        (PersonalDataUpdate(province=" 上海市 "), {"province": "上海市"}),
        (PersonalDataUpdate(location_code=""), {"location_code": ""}),
        (PersonalDataUpdate(gender=1, introduction="a"), {"gender": 1, "introduction": "a"}),
    ],
)
async def test_what_is_not_given_stays(
    world: World, edit: PersonalDataUpdate, changed: dict[str, object]
) -> None:
    """An edit of some values keeps all others; "" and 0 clear a value."""
    account = await account_with_data(world)
    world.clock.time += 60
    await keeper(world).save(account.id, edit)
    data = (await keeper(world).get(account)).data
    names = PersonalData.__struct_fields__
    before = {name: getattr(KEPT, name) for name in names}
    assert {name: getattr(data, name) for name in names} == {
        **before,
        **changed,
        "updated_at": NOW + 60,
    }


async def test_an_empty_edit_is_none(world: World) -> None:
    """The time of the last edit stays unchanged."""
    account = await account_with_data(world)
    world.clock.time += 60
    await keeper(world).save(account.id, PersonalDataUpdate())
    assert (await keeper(world).get(account)).data == KEPT


async def test_parallel_edits_of_different_values_all_stay(world: World) -> None:
    """Concurrent edits do not overwrite each other's values."""
    account = await world.account()
    parts = [
        PersonalDataUpdate(introduction=WHOLE.introduction, gender=WHOLE.gender),
        PersonalDataUpdate(birthday=WHOLE.birthday),
        PersonalDataUpdate(province=WHOLE.province, city=WHOLE.city),
        PersonalDataUpdate(district=WHOLE.district, location_code=WHOLE.location_code),
    ]
    await asyncio.gather(*(keeper(world).save(account.id, part) for part in parts))
    assert (await keeper(world).get(account)).data == KEPT


@pytest.mark.one_engine
@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (PersonalDataUpdate(introduction="湖" * 501), "introduction"),
        (PersonalDataUpdate(introduction="a\x00"), "introduction"),
        (PersonalDataUpdate(gender=4), "gender"),
        (PersonalDataUpdate(gender=-1), "gender"),
        (PersonalDataUpdate(birthday=-2_208_988_801), "birthday"),
        (PersonalDataUpdate(birthday=NOW + 1), "birthday"),
        (PersonalDataUpdate(birthday=NOW * 1000), "birthday"),
        (PersonalDataUpdate(province="湖" * 33), "province"),
        (PersonalDataUpdate(city="北京\n城区"), "city"),
        (PersonalDataUpdate(district="\u202e区"), "district"),
        (PersonalDataUpdate(location_code="11010"), "locationCode"),
        (PersonalDataUpdate(location_code="1101011"), "locationCode"),
        (PersonalDataUpdate(location_code="11010a"), "locationCode"),
        (PersonalDataUpdate(location_code=" 110101"), "locationCode"),
        (PersonalDataUpdate(location_code="110101\n"), "locationCode"),
        (PersonalDataUpdate(location_code="１１０１０１"), "locationCode"),
    ],
)
async def test_what_cannot_be_is_named_and_nothing_saved(
    world: World, edit: PersonalDataUpdate, field: str
) -> None:
    """One invalid value refuses the whole edit."""
    account = await account_with_data(world)
    with pytest.raises(InvalidField) as refusal:
        await keeper(world).save(account.id, edit)
    assert refusal.value.field == field
    assert (await keeper(world).get(account)).data == KEPT


@pytest.mark.parametrize("viewer", [None, STRANGER])
async def test_all_is_shown_without_a_choice(world: World, viewer: AccountId | None) -> None:
    """If the server shows all by default, it shows all of an account without a choice."""
    account = await account_with_data(world)
    profile = await seen(world, account, viewer, VisibleFields())
    assert profile.data == TOLD_TO_OTHERS
    assert (profile.last_active_at, profile.country) == (NOW, "中国")


@pytest.mark.parametrize("viewer", [None, STRANGER])
@pytest.mark.parametrize("by", ["the account", "the server"])
async def test_what_is_hidden_is_not_there(world: World, viewer: AccountId | None, by: str) -> None:
    """Birthday, place, last activity and country are hidden; introduction and gender stay."""
    account = await account_with_data(world)
    if by == "the account":
        await Privacy(world.engine, VisibleFields()).update_choice(account.id, lambda _: HIDDEN)
    shown = VisibleFields() if by == "the account" else NOTHING_SHOWN
    profile = await seen(world, account, viewer, shown)
    assert profile.data == PersonalData("你好\nHello", 3)
    assert (profile.last_active_at, profile.country) == (0, "")


async def test_the_owner_sees_all(world: World) -> None:
    """Hidden data is only hidden from others."""
    account = await account_with_data(world)
    await Privacy(world.engine, VisibleFields()).update_choice(account.id, lambda _: HIDDEN)
    profile = await seen(world, account, account.id, NOTHING_SHOWN)
    assert profile.data == TOLD_TO_OTHERS
    assert (profile.last_active_at, profile.country) == (NOW, "中国")


@pytest.mark.parametrize("part", PrivacyChoice.__struct_fields__)
def test_a_choice_goes_before_the_servers_setting(world: World, part: str) -> None:
    """Each part is independent, in both directions; None follows the server."""
    privacy = Privacy(world.engine, NOTHING_SHOWN)
    shown = privacy.visible_fields(PrivacyChoice(**{part: True}))
    assert {name for name in VisibleFields.__struct_fields__ if getattr(shown, name)} == {part}
    shown = Privacy(world.engine, VisibleFields()).visible_fields(PrivacyChoice(**{part: False}))
    assert {name for name in VisibleFields.__struct_fields__ if not getattr(shown, name)} == {part}


async def test_a_choice_is_kept_and_saves_leave_it(world: World) -> None:
    """A choice can be read and replaced, and is independent of the saved data."""
    privacy = Privacy(world.engine, VisibleFields())
    account = (await world.account()).id
    assert await privacy.get_choice(account) == PrivacyChoice()
    choice = PrivacyChoice(birthday=False, country=True)
    await privacy.update_choice(account, lambda _: choice)
    await keeper(world).save(account, WHOLE)
    assert await privacy.get_choice(account) == choice
    await privacy.update_choice(account, lambda _: PrivacyChoice(address=False))
    assert await privacy.get_choice(account) == PrivacyChoice(address=False)
    assert (await keeper(world).get(await world.reload(account))).data == KEPT
    with pytest.raises(UnknownUser):
        await privacy.update_choice(STRANGER, lambda _: choice)
