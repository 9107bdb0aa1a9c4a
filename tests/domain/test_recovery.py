"""An operator undoes a change of a number or an address (security A2)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hupan.domain.sessions import Device
from hupan.errors import NotSignedIn, PhoneTaken, TooLateToUndo, UnknownUser
from hupan.model import AccountId, Session
from hupan.store.accounts import find_identity_owner, find_password_hash, set_password_hash
from tests.support.world import NOW, World, open_world

OLD, NEW, THIRD = "13900000001", "13900000002", "13900000003"
DAY = 86_400
Scenario = Callable[[World], Awaitable[None]]


def run(tmp_path: Path, scenario: Scenario) -> None:
    """Run a scenario on an empty store."""

    async def played(world: World) -> None:
        await scenario(world)

    with open_world(tmp_path / "hupan.db") as world:
        asyncio.run(played(world))


async def change(world: World, session: Session, phone: str) -> None:
    """Change the number of a fresh session's account."""
    await world.contacts.change_phone(session, phone, await world.code(phone))


async def owners(world: World) -> list[AccountId | None]:
    """Return the owners of the three numbers."""
    return [await find_identity_owner(world.engine, "phone", phone) for phone in (OLD, NEW, THIRD)]


def test_it_restores_and_revokes(tmp_path: Path) -> None:
    """The old number is back, the new one free; later sessions and the thief's have ended."""

    async def scenario(world: World) -> None:
        account = await world.account(phone=OLD, email="a@example.com")
        await world.engine.run_transaction(
            lambda tx: set_password_hash(tx, account.id, "the thief's")
        )
        thief = await world.session(account.id)
        await change(world, thief, NEW)
        await world.session(account.id, Device("another", ""))
        assert await world.count("sessions") == 2
        world.clock.time = NOW + 7 * DAY - 1
        (kept,) = await world.undo.list_changes(account.id)
        assert (kept.number, kept.old_address, kept.new_address) == (1, OLD, NEW)
        await world.undo.undo(account.id, 1)
        assert (await world.reload(account.id)).phone == OLD
        assert await owners(world) == [account.id, None, None]
        assert await world.count("sessions") == 0
        assert await find_password_hash(world.engine, account.id) == ""
        with pytest.raises(NotSignedIn):
            await world.contacts.change_phone(thief, NEW, "000000")

    run(tmp_path, scenario)


def test_both_sides_are_notified(tmp_path: Path) -> None:
    """The old and the new owner get one notice each."""

    async def scenario(world: World) -> None:
        account = await world.account(phone=OLD, email="a@example.com")
        await change(world, await world.session(account.id), NEW)
        await world.engine.run_transaction(lambda tx: tx.execute("DELETE FROM outbox"))
        await world.undo.undo(account.id, 1)
        expected = sorted((to, "notice-phone-changed") for to in (OLD, NEW, "a@example.com"))
        assert await world.queued_notices() == expected

    run(tmp_path, scenario)


def test_codes_of_both_die(tmp_path: Path) -> None:
    """No code sent before the undo works afterwards (security D1)."""

    async def scenario(world: World) -> None:
        account = await world.account(phone=OLD)
        await change(world, await world.session(account.id), NEW)
        await world.code(OLD)
        await world.code(NEW)
        await world.undo.undo(account.id, 1)
        assert await world.count("codes") == 0

    run(tmp_path, scenario)


def test_seven_days(tmp_path: Path) -> None:
    """After seven days the undo is refused, and the numbers are deleted."""

    async def scenario(world: World) -> None:
        account = await world.account(phone=OLD)
        await change(world, await world.session(account.id), NEW)
        world.clock.time = NOW + 7 * DAY - 1
        await world.undo.purge_expired()
        assert await world.count("contact_changes") == 1
        world.clock.time = NOW + 7 * DAY
        with pytest.raises(TooLateToUndo):
            await world.undo.undo(account.id, 1)
        await world.undo.purge_expired()
        assert await world.count("contact_changes") == 0
        assert (await world.reload(account.id)).phone == NEW

    run(tmp_path, scenario)


def test_an_earlier_change_undoes_later_ones(tmp_path: Path) -> None:
    """Undoing the first of two changes undoes both; nothing is undone twice."""

    async def scenario(world: World) -> None:
        account = await world.account(phone=OLD)
        session = await world.session(account.id)
        await change(world, session, NEW)
        await change(world, session, THIRD)
        await world.undo.undo(account.id, 1)
        assert await owners(world) == [account.id, None, None]
        for number in (1, 2):
            with pytest.raises(TooLateToUndo):
                await world.undo.undo(account.id, number)

    run(tmp_path, scenario)


def test_the_last_of_two_changes(tmp_path: Path) -> None:
    """Undoing the second of two changes keeps the first."""

    async def scenario(world: World) -> None:
        account = await world.account(phone=OLD)
        session = await world.session(account.id)
        await change(world, session, NEW)
        await change(world, session, THIRD)
        await world.undo.undo(account.id, 2)
        assert await owners(world) == [None, account.id, None]
        await world.undo.undo(account.id, 1)
        assert await owners(world) == [account.id, None, None]

    run(tmp_path, scenario)


def test_a_number_that_is_free_again(tmp_path: Path) -> None:
    """A number in use by another account is not taken; once it is free, it is restored."""

    async def scenario(world: World) -> None:
        account = await world.account(phone=OLD)
        await change(world, await world.session(account.id), NEW)
        other = await world.account(phone=OLD)
        with pytest.raises(PhoneTaken):
            await world.undo.undo(account.id, 1)
        assert await owners(world) == [other.id, account.id, None]
        await change(world, await world.session(other.id), THIRD)
        await world.undo.undo(account.id, 1)
        assert await owners(world) == [account.id, None, other.id]
        with pytest.raises(PhoneTaken):
            await world.undo.undo(other.id, 1)

    run(tmp_path, scenario)


def test_a_first_binding(tmp_path: Path) -> None:
    """Nothing is bound afterwards; the other contact stays."""

    async def scenario(world: World) -> None:
        account = await world.account(email="a@example.com")
        session = await world.session(account.id)
        await world.contacts.bind_phone(session, NEW, await world.code(NEW))
        await world.undo.undo(account.id, 1)
        again = await world.reload(account.id)
        assert (again.phone, again.email) == ("", "a@example.com")
        assert await owners(world) == [None, None, None]

    run(tmp_path, scenario)


def test_a_number_with_a_new_owner(tmp_path: Path) -> None:
    """It stays with its new owner, and nothing changes."""

    async def scenario(world: World) -> None:
        account = await world.account(phone=OLD)
        await change(world, await world.session(account.id), NEW)
        taker = await world.account(phone=OLD)
        with pytest.raises(PhoneTaken):
            await world.undo.undo(account.id, 1)
        assert await owners(world) == [taker.id, account.id, None]
        assert await world.count("sessions") == 1

    run(tmp_path, scenario)


def test_back_by_hand(tmp_path: Path) -> None:
    """After a manual change back the sessions of that time can still be ended."""

    async def scenario(world: World) -> None:
        account = await world.account(phone=OLD)
        session = await world.session(account.id)
        await change(world, session, NEW)
        await change(world, session, OLD)
        await world.undo.undo(account.id, 1)
        assert await owners(world) == [account.id, None, None]
        assert await world.count("sessions") == 0

    run(tmp_path, scenario)


@pytest.mark.parametrize(("account", "error"), [(0, TooLateToUndo), (99, UnknownUser)])
def test_nothing_to_undo(tmp_path: Path, account: int, error: type[Exception]) -> None:
    """A missing account or change is refused."""

    async def scenario(world: World) -> None:
        made = await world.account(phone=OLD)
        with pytest.raises(error):
            await world.undo.undo(AccountId(account) if account else made.id, 1)

    run(tmp_path, scenario)
