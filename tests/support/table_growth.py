"""Operations that make each table grow, and the rows that remain."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import pytest

from hupan.domain.coins import Coins
from hupan.domain.contacts import MAX_CONTACT_CHANGES
from hupan.domain.devices import MAX_DEVICES_WITH_SETTINGS as MOST_SET_DEVICES
from hupan.domain.devices import DeviceSettings
from hupan.domain.invitations import Invitations
from hupan.domain.sessions import MAX_KNOWN_DEVICES, Device, SessionPolicy
from hupan.domain.timekeeping import DayCalendar
from hupan.errors import TooManyTries
from hupan.model import AccountId
from hupan.rules import InvitationRules
from hupan.store.contacts import list_contact_changes
from hupan.store.database import Transaction
from hupan.store.sessions import MAX_LOGGED_OUT_TOKENS, log_out_number
from tests.support.world import SHANGHAI, World
from tools.docs.table_bounds import TABLE_BOUNDS

Grow: TypeAlias = Callable[[World, AccountId], Awaitable[object]]
PHONE, EMAIL = "13900000001", "own@example.com"
MORE = 10
NEWEST = "SELECT max(number) FROM sessions WHERE account_id = ?1"


async def end_one(account: AccountId, number: int, now: int, tx: Transaction) -> None:
    """End a session as an operator does."""
    assert await log_out_number(tx, account, number, now) == 1


def on(number: int) -> Device:
    """Return a device."""
    return Device(f"device {number}", "android")


async def sign_in_everywhere(world: World, account: AccountId) -> None:
    """Sign in on one device after the other, a second apart."""
    for number in range(MAX_KNOWN_DEVICES + MORE):
        world.clock.time += 1
        await world.session(account, on(number))


async def sign_in_and_out(world: World, account: AccountId) -> None:
    """Sign in and out repeatedly on one device."""
    for _ in range(MAX_LOGGED_OUT_TOKENS + MORE):
        world.clock.time += 1
        await world.sessions.logout(await world.session(account))


async def change_phone(world: World, account: AccountId) -> None:
    """Change to one number after the other, until that is refused; the code is not used up."""
    session = await world.session(account)
    for number in range(MAX_CONTACT_CHANGES):
        phone = f"138{number:08}"
        await world.contacts.change_phone(session, phone, await world.code(phone))
    code = await world.code("13700000000")
    with pytest.raises(TooManyTries):
        await world.contacts.change_phone(session, "13700000000", code)
    oldest = (await list_contact_changes(world.engine, account))[-1]
    assert oldest.old_address == PHONE  # an operator can still undo the first one


async def identify(world: World, account: AccountId) -> None:
    """Sign in and out repeatedly on one device."""
    session = await world.session(account)
    for number in range(MORE):
        phone = f"138{number:08}"
        await world.contacts.change_phone(session, phone, await world.code(phone))
    rules = InvitationRules()
    coins = Coins(world.engine, world.clock)
    invitations = Invitations(world.engine, world.clock, DayCalendar(SHANGHAI), coins, rules)
    await invitations.change_code(account, "lake2026")


async def prove(world: World, account: AccountId) -> None:
    """Prove both targets repeatedly."""
    session = await world.session(account)
    for _ in range(MORE):
        await world.contacts.change_phone(session, PHONE, await world.code(PHONE))
        await world.contacts.change_email(session, EMAIL, await world.code(EMAIL))


async def ask(world: World, account: AccountId) -> None:
    """Request codes for one number."""
    del account
    for _ in range(MORE):
        await world.code(PHONE)


async def hide_modules(world: World, account: AccountId) -> None:
    """Set ignored modules on one device after the other."""
    settings = DeviceSettings(world.engine, world.clock)
    for number in range(MOST_SET_DEVICES + MORE):
        await settings.set_ignored_modules(account, f"device {number}", "10")


async def set_notifications(world: World, account: AccountId) -> None:
    """Set notifications on one device after the other."""
    settings = DeviceSettings(world.engine, world.clock)
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
"""How to make a table grow, and how many rows remain of one account or target."""
OTHERWISE: Mapping[str, str] = {
    "accounts": "tests/ratelimit/test_send_limits.py",
    "spent_captchas": "tests/domain/test_maintenance.py",
    "tallies": "tests/domain/test_maintenance.py",
    "outbox": "tests/domain/test_outbox.py",
    "session_ends": "tests/domain/test_session_ends.py",
    "sockets": "tests/domain/test_presence.py",
    "socket_processes": "tests/domain/test_presence.py",
    "profiles": "tests/domain/test_personal_data.py",
    "remarks": "tests/domain/test_remarks.py",
    "invitation_changes": "tests/domain/test_invitations.py",
    "invitations": "tests/domain/test_invitations.py",
    "inviters": "tests/domain/test_invitations.py",
    "coin_entries": "tests/domain/test_profile_edits.py",
    "coin_refusals": "tests/domain/test_maintenance.py",
    **{bound.table: bound.test for bound in TABLE_BOUNDS if bound.test},
}
"""Tables whose bound is tested in another file."""
