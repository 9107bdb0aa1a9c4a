"""An operator undoes a change of a number or an address (security A2)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hupan.domain.sessions import Device
from hupan.errors import NotSignedIn, PhoneTaken, TooLateToUndo, UnknownUser
from hupan.model import AccountId, Session
from hupan.store.accounts import find_identity_owner, find_password_hash, set_password_hash
from tests.support.holding import Holding, open_holding
from tests.support.world import NOW

OLD, NEW, THIRD = "13900000001", "13900000002", "13900000003"
DAY = 86_400
Scenario = Callable[[Holding], Awaitable[None]]


def run(tmp_path: Path, scenario: Scenario) -> None:
    """Play a scenario on a store of its own."""

    async def played(holding: Holding) -> None:
        await scenario(holding)

    with open_holding(tmp_path / "hupan.db") as holding:
        asyncio.run(played(holding))


async def change(holding: Holding, session: Session, phone: str) -> None:
    """Change the number of a fresh session's account."""
    await holding.contacts.change_phone(session, phone, await holding.code(phone))


async def owners(holding: Holding) -> list[AccountId | None]:
    """Whom the three numbers belong to."""
    return [
        await find_identity_owner(holding.engine, "phone", phone) for phone in (OLD, NEW, THIRD)
    ]


def test_it_restores_and_revokes(tmp_path: Path) -> None:
    """The old number is back, the new one free; sessions since, and the thief's, have ended."""

    async def scenario(holding: Holding) -> None:
        account = await holding.account(phone=OLD, email="a@example.com")
        await holding.engine.run_transaction(
            lambda tx: set_password_hash(tx, account.id, "the thief's")
        )
        thief = await holding.session(account.id)
        await change(holding, thief, NEW)
        await holding.session(account.id, Device("another", ""))
        assert await holding.count("sessions") == 2
        holding.clock.time = NOW + 7 * DAY - 1
        (kept,) = await holding.undo.list_changes(account.id)
        assert (kept.number, kept.old_address, kept.new_address) == (1, OLD, NEW)
        await holding.undo.undo(account.id, 1)
        assert (await holding.is_retryable(account.id)).phone == OLD
        assert await owners(holding) == [account.id, None, None]
        assert await holding.count("sessions") == 0
        assert await find_password_hash(holding.engine, account.id) == ""
        with pytest.raises(NotSignedIn):
            await holding.contacts.change_phone(thief, NEW, "000000")

    run(tmp_path, scenario)


def test_both_sides_are_told(tmp_path: Path) -> None:
    """Whoever had the account and whoever has it again learn of it, each once."""

    async def scenario(holding: Holding) -> None:
        account = await holding.account(phone=OLD, email="a@example.com")
        await change(holding, await holding.session(account.id), NEW)
        await holding.engine.run_transaction(lambda tx: tx.execute("DELETE FROM outbox"))
        await holding.undo.undo(account.id, 1)
        expected = sorted((to, "notice-phone-changed") for to in (OLD, NEW, "a@example.com"))
        assert await holding.told() == expected

    run(tmp_path, scenario)


def test_codes_of_both_die(tmp_path: Path) -> None:
    """No code that was sent before the undoing serves after it (security D1)."""

    async def scenario(holding: Holding) -> None:
        account = await holding.account(phone=OLD)
        await change(holding, await holding.session(account.id), NEW)
        await holding.code(OLD)
        await holding.code(NEW)
        await holding.undo.undo(account.id, 1)
        assert await holding.count("codes") == 0

    run(tmp_path, scenario)


def test_seven_days(tmp_path: Path) -> None:
    """After seven days it is too late, and the numbers are forgotten."""

    async def scenario(holding: Holding) -> None:
        account = await holding.account(phone=OLD)
        await change(holding, await holding.session(account.id), NEW)
        holding.clock.time = NOW + 7 * DAY - 1
        await holding.undo.purge_expired()
        assert await holding.count("contact_changes") == 1
        holding.clock.time = NOW + 7 * DAY
        with pytest.raises(TooLateToUndo):
            await holding.undo.undo(account.id, 1)
        await holding.undo.purge_expired()
        assert await holding.count("contact_changes") == 0
        assert (await holding.is_retryable(account.id)).phone == NEW

    run(tmp_path, scenario)


def test_an_earlier_change_undoes_later_ones(tmp_path: Path) -> None:
    """Going back before the first of two changes undoes both; nothing is undone twice."""

    async def scenario(holding: Holding) -> None:
        account = await holding.account(phone=OLD)
        session = await holding.session(account.id)
        await change(holding, session, NEW)
        await change(holding, session, THIRD)
        await holding.undo.undo(account.id, 1)
        assert await owners(holding) == [account.id, None, None]
        for number in (1, 2):
            with pytest.raises(TooLateToUndo):
                await holding.undo.undo(account.id, number)

    run(tmp_path, scenario)


def test_the_last_of_two_changes(tmp_path: Path) -> None:
    """Undoing the second of two changes leaves the first one standing."""

    async def scenario(holding: Holding) -> None:
        account = await holding.account(phone=OLD)
        session = await holding.session(account.id)
        await change(holding, session, NEW)
        await change(holding, session, THIRD)
        await holding.undo.undo(account.id, 2)
        assert await owners(holding) == [None, account.id, None]
        await holding.undo.undo(account.id, 1)
        assert await owners(holding) == [account.id, None, None]

    run(tmp_path, scenario)


def test_a_number_that_is_free_again(tmp_path: Path) -> None:
    """What somebody else has by now is not taken from them; once they left it, it is given back."""

    async def scenario(holding: Holding) -> None:
        account = await holding.account(phone=OLD)
        await change(holding, await holding.session(account.id), NEW)
        other = await holding.account(phone=OLD)
        with pytest.raises(PhoneTaken):
            await holding.undo.undo(account.id, 1)
        assert await owners(holding) == [other.id, account.id, None]
        await change(holding, await holding.session(other.id), THIRD)
        await holding.undo.undo(account.id, 1)
        assert await owners(holding) == [account.id, None, other.id]
        with pytest.raises(PhoneTaken):
            await holding.undo.undo(other.id, 1)

    run(tmp_path, scenario)


def test_a_first_binding(tmp_path: Path) -> None:
    """Undoing one leaves nothing bound; the other contact stays."""

    async def scenario(holding: Holding) -> None:
        account = await holding.account(email="a@example.com")
        session = await holding.session(account.id)
        await holding.contacts.bind_phone(session, NEW, await holding.code(NEW))
        await holding.undo.undo(account.id, 1)
        again = await holding.is_retryable(account.id)
        assert (again.phone, again.email) == ("", "a@example.com")
        assert await owners(holding) == [None, None, None]

    run(tmp_path, scenario)


def test_a_number_that_somebody_has_by_now(tmp_path: Path) -> None:
    """It is not taken away from its new owner, and nothing at all is changed."""

    async def scenario(holding: Holding) -> None:
        account = await holding.account(phone=OLD)
        await change(holding, await holding.session(account.id), NEW)
        taker = await holding.account(phone=OLD)
        with pytest.raises(PhoneTaken):
            await holding.undo.undo(account.id, 1)
        assert await owners(holding) == [taker.id, account.id, None]
        assert await holding.count("sessions") == 1

    run(tmp_path, scenario)


def test_back_by_hand(tmp_path: Path) -> None:
    """Who changed back already can still have the sessions of that time ended."""

    async def scenario(holding: Holding) -> None:
        account = await holding.account(phone=OLD)
        session = await holding.session(account.id)
        await change(holding, session, NEW)
        await change(holding, session, OLD)
        await holding.undo.undo(account.id, 1)
        assert await owners(holding) == [account.id, None, None]
        assert await holding.count("sessions") == 0

    run(tmp_path, scenario)


@pytest.mark.parametrize(("account", "error"), [(0, TooLateToUndo), (99, UnknownUser)])
def test_nothing_to_undo(tmp_path: Path, account: int, error: type[Exception]) -> None:
    """An account or a change that is not there is a refusal."""

    async def scenario(holding: Holding) -> None:
        made = await holding.account(phone=OLD)
        with pytest.raises(error):
            await holding.undo.undo(AccountId(account) if account else made.id, 1)

    run(tmp_path, scenario)
