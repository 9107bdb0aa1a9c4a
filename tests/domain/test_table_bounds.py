"""Whoever goes on and on fills no table: each bound of docs/limits.md is reached (security X5)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from hupan.domain.coins import Coins
from hupan.domain.contacts import MAX_CONTACT_CHANGES
from hupan.domain.devices import MAX_DEVICES_WITH_SETTINGS as MOST_SET_DEVICES
from hupan.domain.devices import DeviceSettings
from hupan.domain.invitations import Invitations
from hupan.domain.sessions import MAX_KNOWN_DEVICES, Device
from hupan.domain.timekeeping import DayCalendar
from hupan.errors import TooManyTries
from hupan.model import AccountId
from hupan.rules import InvitationRules, SessionPolicy
from hupan.store.contacts import list_contact_changes
from hupan.store.database import Transaction
from hupan.store.sessions import MAX_LOGGED_OUT_TOKENS, has_device, log_out_number
from tests.domain.holding import Holding, open_holding
from tests.domain.lives import SHANGHAI

Grow: TypeAlias = Callable[[Holding, AccountId], Awaitable[object]]
PHONE, EMAIL = "13900000001", "own@example.com"
MORE = 10


NEWEST = "SELECT max(number) FROM sessions WHERE account_id = ?1"


async def end_one(account: AccountId, number: int, now: int, tx: Transaction) -> None:
    """End a session as an operator does."""
    assert await log_out_number(tx, account, number, now) == 1


def on(number: int) -> Device:
    """A device."""
    return Device(f"device {number}", "android")


async def sign_in_everywhere(home: Holding, account: AccountId) -> None:
    """On one device after the other, a second apart."""
    for number in range(MAX_KNOWN_DEVICES + MORE):
        home.clock.time += 1
        await home.session(account, on(number))


async def sign_in_and_out(home: Holding, account: AccountId) -> None:
    """Again and again on one device."""
    for _ in range(MAX_LOGGED_OUT_TOKENS + MORE):
        home.clock.time += 1
        await home.sessions.logout(await home.session(account))


async def change_phone(home: Holding, account: AccountId) -> None:
    """To one number after the other, until that is refused; the code is not used up."""
    session = await home.session(account)
    for number in range(MAX_CONTACT_CHANGES):
        phone = f"138{number:08}"
        await home.contacts.change_phone(session, phone, await home.code(phone))
    code = await home.code("13700000000")
    with pytest.raises(TooManyTries):
        await home.contacts.change_phone(session, "13700000000", code)
    oldest = (await list_contact_changes(home.engine, account))[-1]
    assert oldest.old_address == PHONE  # an operator can still undo the first one


async def identify(home: Holding, account: AccountId) -> None:
    """Change what is bound some times, and the invitation code once."""
    session = await home.session(account)
    for number in range(MORE):
        phone = f"138{number:08}"
        await home.contacts.change_phone(session, phone, await home.code(phone))
    rules = InvitationRules()
    coins = Coins(home.engine, home.clock)
    invitations = Invitations(home.engine, home.clock, DayCalendar(SHANGHAI), coins, rules)
    await invitations.change_code(account, "lake2026")


async def prove(home: Holding, account: AccountId) -> None:
    """Prove both targets again and again."""
    session = await home.session(account)
    for _ in range(MORE):
        await home.contacts.change_phone(session, PHONE, await home.code(PHONE))
        await home.contacts.change_email(session, EMAIL, await home.code(EMAIL))


async def ask(home: Holding, account: AccountId) -> None:
    """Ask for codes to one number."""
    del account
    for _ in range(MORE):
        await home.code(PHONE)


async def hide_modules(home: Holding, account: AccountId) -> None:
    """On one device after the other."""
    settings = DeviceSettings(home.engine, home.clock)
    for number in range(MOST_SET_DEVICES + MORE):
        await settings.set_ignored_modules(account, f"device {number}", "10")


async def set_notifications(home: Holding, account: AccountId) -> None:
    """On one device after the other."""
    settings = DeviceSettings(home.engine, home.clock)
    for number in range(MOST_SET_DEVICES + MORE):
        await settings.set_notification(account, f"device {number}", "id", is_open=1, type_=0)


GROWN: Mapping[str, tuple[Grow, int]] = {
    "sessions": (sign_in_everywhere, SessionPolicy().max_sessions),
    "devices": (sign_in_everywhere, MAX_KNOWN_DEVICES),
    "left_sessions": (sign_in_and_out, MAX_LOGGED_OUT_TOKENS),
    "contact_changes": (change_phone, MAX_CONTACT_CHANGES),
    "identities": (identify, 4),
    "step_ups": (prove, 2),
    "codes": (ask, 1),
    "ignored_modules": (hide_modules, MOST_SET_DEVICES),
    "notification_settings": (set_notifications, MOST_SET_DEVICES),
}
"""How a table is made to grow, and how many rows are left of one account or target."""

OTHERWISE: Mapping[str, str] = {
    "accounts": "tests/domain/test_send_limits.py",
    "spent_captchas": "tests/domain/test_housekeeping.py",
    "tallies": "tests/domain/test_housekeeping.py",
    "outbox": "tests/domain/test_outbox_priority.py",
    "profiles": "tests/domain/test_personal_data.py",
    "remarks": "tests/domain/test_remarks.py",
    "invitation_changes": "tests/domain/test_invitations.py",
    "invitations": "tests/domain/test_invitations.py",
    "inviters": "tests/domain/test_invitations.py",
    "coin_entries": "tests/domain/test_profile_edits.py",
    "coin_refusals": "tests/domain/test_housekeeping.py",
}
"""Tables whose bound another file of tests reaches."""


@pytest.mark.parametrize("table", GROWN)
def test_a_table_ends_where_the_list_says(tmp_path: Path, table: str) -> None:
    """Whatever an account does again and again leaves it so many rows (security X5)."""
    grow, most = GROWN[table]

    async def scenario(home: Holding) -> None:
        account = await home.account(phone=PHONE, email=EMAIL)
        await grow(home, account.id)
        assert await home.count(table) == most

    with open_holding(tmp_path / "hupan.db") as home:
        asyncio.run(scenario(home))


@pytest.mark.one_engine
def test_what_is_tried_elsewhere_is_there() -> None:
    """The files of tests that are named exist."""
    root = Path(__file__).parents[2]
    assert [path for path in OTHERWISE.values() if not (root / path).is_file()] == []


def test_the_devices_in_use_are_remembered(tmp_path: Path) -> None:
    """Of many devices those that signed in last are known, for their guesses count apart (C5)."""

    async def scenario(home: Holding) -> None:
        account = (await home.account(phone=PHONE)).id
        await home.session(account, Device("the owner's", "ios"))
        for number in range(MAX_KNOWN_DEVICES + MORE):
            home.clock.time += 1
            await home.session(account, on(number))
            if number % 20 == 0:
                await home.session(account, Device("the owner's", "ios"))
        assert await has_device(home.engine, account, "the owner's")
        assert not await has_device(home.engine, account, "device 0")
        assert await has_device(home.engine, account, f"device {MAX_KNOWN_DEVICES + MORE - 1}")

    with open_holding(tmp_path / "hupan.db") as home:
        asyncio.run(scenario(home))


def test_many_at_one_moment_push_out_no_newcomer(tmp_path: Path) -> None:
    """The device that signs in now is known, whatever its name and however many there are (C5)."""

    async def scenario(home: Holding) -> None:
        account = (await home.account(phone=PHONE)).id
        for number in range(MAX_KNOWN_DEVICES + MORE):
            await home.session(account, on(number))
        await home.session(account, Device("zz", "ios"))
        assert await has_device(home.engine, account, "zz")
        assert await home.count("devices") <= MAX_KNOWN_DEVICES + 1

    with open_holding(tmp_path / "hupan.db") as home:
        asyncio.run(scenario(home))


def test_what_an_operator_signs_out_is_bounded_too(tmp_path: Path) -> None:
    """One session after the other, by its number (security X5)."""

    async def scenario(home: Holding) -> None:
        account = (await home.account(phone=PHONE)).id
        for _ in range(MAX_LOGGED_OUT_TOKENS + MORE):
            home.clock.time += 1
            await home.session(account)
            row = await home.engine.fetch_one(NEWEST, account)
            assert row is not None
            number, now = int(row[0]), int(home.clock.time)
            await home.engine.run_transaction(partial(end_one, account, number, now))
        assert await home.count("left_sessions") == MAX_LOGGED_OUT_TOKENS

    with open_holding(tmp_path / "hupan.db") as home:
        asyncio.run(scenario(home))


def test_a_token_that_signed_out_lately_does_so_again(tmp_path: Path) -> None:
    """However often an account signs out, its last tokens are remembered (security T5, X5)."""

    async def scenario(home: Holding) -> None:
        account = (await home.account(phone=PHONE)).id
        tokens = []
        for _ in range(MAX_LOGGED_OUT_TOKENS + MORE):
            home.clock.time += 1
            token = await home.engine.run_transaction(
                lambda tx: home.sessions.open(tx, account, on(0))
            )
            await home.sessions.logout((await home.sessions.get(token)).session)
            tokens.append(token)
        assert await home.sessions.was_logged_out(tokens[-1])
        assert await home.sessions.was_logged_out(tokens[-MAX_LOGGED_OUT_TOKENS])
        assert not await home.sessions.was_logged_out(tokens[0])

    with open_holding(tmp_path / "hupan.db") as home:
        asyncio.run(scenario(home))
