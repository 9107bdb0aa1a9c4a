"""All routes that accept a code share one limit of guesses (security C5, E5)."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from hupan.domain.sessions import Device
from hupan.errors import WrongCode
from hupan.model import Limit, Session
from hupan.rules import StoredLimits
from hupan.store.database import Transaction
from hupan.store.rate_counters import try_increment
from tests.support.world import NO_LIMITS, NOW, World, open_world

HOUR = 3600
LIMITS = StoredLimits(
    enabled=True,
    wrong_codes=(Limit("wrong-codes-hour", 10, HOUR),),
    wrong_passwords=(Limit("wrong-passwords-hour", 20, HOUR),),
    code_sends=(),
)
FREE_PHONE, FREE_EMAIL = "13900000001", "free@example.com"
OWN_PHONE, OWN_EMAIL = "13900000002", "own@example.com"
PASSWORD = "the lake at seven"
Call: TypeAlias = Callable[[World, Session, str], Awaitable[None]]

CALLS: dict[str, tuple[str, Call]] = {
    "bind phone": (FREE_PHONE, lambda on, by, code: on.contacts.bind_phone(by, FREE_PHONE, code)),
    "bind email": (FREE_EMAIL, lambda on, by, code: on.contacts.bind_email(by, FREE_EMAIL, code)),
    "change phone": (
        FREE_PHONE,
        lambda on, by, code: on.contacts.change_phone(by, FREE_PHONE, code),
    ),
    "change email": (
        FREE_EMAIL,
        lambda on, by, code: on.contacts.change_email(by, FREE_EMAIL, code),
    ),
    "reset": (OWN_EMAIL, lambda on, _by, code: on.resets.reset(OWN_EMAIL, code, PASSWORD)),
}


async def guess_wrong(world: World, address: str, call: Callable[[str], Awaitable[None]]) -> None:
    """Guess ten times, five at each of two codes: a resend never resets the limit."""
    for _ in range(2):
        code = await world.code(address)
        for step in range(1, 6):
            with pytest.raises(WrongCode):
                await call(f"{(int(code) + step) % 10**6:06}")


@pytest.mark.parametrize("name", CALLS)
async def test_ten_wrong_guesses_an_hour(tmp_path: Path, name: str) -> None:
    """After ten wrong guesses at two codes the right third one is refused for an hour."""
    address, call = CALLS[name]

    async with open_world(tmp_path / "hupan.db", limits=LIMITS) as world:
        has_some = name.startswith("change") or name == "reset"
        bound = {"phone": OWN_PHONE, "email": OWN_EMAIL} if has_some else {}
        account = await world.account(**bound)
        session = await world.session(account.id)

        async def tried(code: str) -> None:
            await call(world, session, code)

        await guess_wrong(world, address, tried)
        with pytest.raises(WrongCode):
            await tried(await world.code(address))
        world.clock.time = NOW + HOUR
        fresh = await world.session(account.id)
        await call(world, fresh, await world.code(address))


async def test_strangers_do_not_lock_the_owner_out(tmp_path: Path) -> None:
    """Guesses of another account leave the limit of the owner's device unused (C5)."""
    async with open_world(tmp_path / "hupan.db", limits=LIMITS) as world:
        owner = await world.account(phone=OWN_PHONE)
        session = await world.session(owner.id)
        stranger = await world.session((await world.account()).id, Device("elsewhere", ""))

        async def tried(code: str) -> None:
            await world.contacts.bind_phone(stranger, OWN_PHONE, code)

        await guess_wrong(world, OWN_PHONE, tried)
        with pytest.raises(WrongCode):
            await tried(await world.code(OWN_PHONE))
        await world.contacts.change_phone(session, OWN_PHONE, await world.code(OWN_PHONE))
        assert await world.count("step_ups") == 1


async def test_a_new_password_forgets_wrong_ones(tmp_path: Path) -> None:
    """After a reset the owner signs in with the new password, despite wrong attempts."""
    async with open_world(tmp_path / "hupan.db", limits=LIMITS) as world:
        await world.account(email=OWN_EMAIL)
        counted = "INSERT INTO tallies (subject, name, count, ends_at) VALUES (?1, ?2, 20, ?3)"
        subject = f"password:{OWN_EMAIL}:"
        await world.engine.run_transaction(
            lambda tx: tx.execute(counted, subject, "wrong-passwords-hour", NOW + HOUR)
        )
        await world.resets.reset(OWN_EMAIL, await world.code(OWN_EMAIL), PASSWORD)
        left = "SELECT 1 FROM tallies WHERE subject = ?1"
        assert await world.engine.fetch_one(left, subject) is None


SUBJECTS = "SELECT subject FROM tallies ORDER BY subject"


async def count(subject: str, tx: Transaction) -> None:
    """Fill a counter."""
    await try_increment(tx, subject, Limit("any", 20, HOUR), NOW)


async def count_against(world: World, *addresses: str) -> None:
    """Fill every counter of some targets: attempts on two devices, and messages."""
    for address in addresses:
        channel = "email" if "@" in address else "sms"
        tries = [f"{channel}:{address}:", f"{channel}:{address}:ab"]
        if channel == "email":
            tries += [f"password:{address}:", f"password:{address}:ab"]
        for subject in (*tries, f"send:{channel}:{address}:"):
            await world.engine.run_transaction(partial(count, subject))


@pytest.mark.parametrize("how", ["change", "undo"])
@pytest.mark.parametrize("old", [OWN_PHONE, OWN_EMAIL])
async def test_a_target_that_leaves_takes_no_lock_along(tmp_path: Path, how: str, old: str) -> None:
    """Its next owner starts with all attempts; messages sent to it still count (security A4)."""
    new = FREE_EMAIL if "@" in old else FREE_PHONE

    async def change(world: World, session: Session, to: str) -> None:
        call = world.contacts.change_email if "@" in to else world.contacts.change_phone
        await call(session, to, await world.code(to))

    async with open_world(tmp_path / "hupan.db", limits=NO_LIMITS) as world:
        bound = {"email" if "@" in old else "phone": old}
        account = await world.account(**bound)
        session = await world.session(account.id)
        if how == "undo":
            await change(world, session, new)
        left, kept = (new, old) if how == "undo" else (old, new)
        await count_against(world, left, kept)
        if how == "undo":
            await world.undo.undo(account.id, 1)
        else:
            await change(world, session, new)
        channel = "email" if "@" in old else "sms"
        subjects = [row[0] for row in await world.engine.fetch_all(SUBJECTS)]
        assert [subject for subject in subjects if left in subject] == [f"send:{channel}:{left}:"]
        assert len([subject for subject in subjects if kept in subject]) == (5 if "@" in old else 3)
