"""Every route that takes a code takes it from the same budget of guesses (security C5, E5)."""

import asyncio
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
from tests.support.holding import Holding, open_holding
from tests.support.world import NOW

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
Call: TypeAlias = Callable[[Holding, Session, str], Awaitable[None]]

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


async def guess_wrong(
    holding: Holding, address: str, call: Callable[[str], Awaitable[None]]
) -> None:
    """Guess ten times, five at each of two codes: a resend never refills the budget."""
    for _ in range(2):
        code = await holding.code(address)
        for step in range(1, 6):
            with pytest.raises(WrongCode):
                await call(f"{(int(code) + step) % 10**6:06}")


@pytest.mark.parametrize("name", CALLS)
def test_ten_wrong_guesses_an_hour(tmp_path: Path, name: str) -> None:
    """After ten wrong guesses over two codes the right third code is refused for an hour."""
    address, call = CALLS[name]

    async def scenario(holding: Holding) -> None:
        has_some = name.startswith("change") or name == "reset"
        bound = {"phone": OWN_PHONE, "email": OWN_EMAIL} if has_some else {}
        account = await holding.account(**bound)
        session = await holding.session(account.id)

        async def tried(code: str) -> None:
            await call(holding, session, code)

        await guess_wrong(holding, address, tried)
        with pytest.raises(WrongCode):
            await tried(await holding.code(address))
        holding.clock.time = NOW + HOUR
        fresh = await holding.session(account.id)
        await call(holding, fresh, await holding.code(address))

    with open_holding(tmp_path / "hupan.db", LIMITS) as holding:
        asyncio.run(scenario(holding))


def test_strangers_do_not_lock_the_owner_out(tmp_path: Path) -> None:
    """Whoever guesses at a number elsewhere leaves the owner's device its own budget (C5)."""

    async def scenario(holding: Holding) -> None:
        owner = await holding.account(phone=OWN_PHONE)
        session = await holding.session(owner.id)
        stranger = await holding.session((await holding.account()).id, Device("elsewhere", ""))

        async def tried(code: str) -> None:
            await holding.contacts.bind_phone(stranger, OWN_PHONE, code)

        await guess_wrong(holding, OWN_PHONE, tried)
        with pytest.raises(WrongCode):
            await tried(await holding.code(OWN_PHONE))
        await holding.contacts.change_phone(session, OWN_PHONE, await holding.code(OWN_PHONE))
        assert await holding.count("step_ups") == 1

    with open_holding(tmp_path / "hupan.db", LIMITS) as holding:
        asyncio.run(scenario(holding))


def test_a_new_password_forgets_wrong_ones(tmp_path: Path) -> None:
    """Who forgot a password and tried many is let in with the one that was set."""

    async def scenario(holding: Holding) -> None:
        await holding.account(email=OWN_EMAIL)
        counted = "INSERT INTO tallies (subject, name, count, ends_at) VALUES (?1, ?2, 20, ?3)"
        subject = f"password:{OWN_EMAIL}:"
        await holding.engine.run_transaction(
            lambda tx: tx.execute(counted, subject, "wrong-passwords-hour", NOW + HOUR)
        )
        await holding.resets.reset(OWN_EMAIL, await holding.code(OWN_EMAIL), PASSWORD)
        left = "SELECT 1 FROM tallies WHERE subject = ?1"
        assert await holding.engine.fetch_one(left, subject) is None

    with open_holding(tmp_path / "hupan.db", LIMITS) as holding:
        asyncio.run(scenario(holding))


SUBJECTS = "SELECT subject FROM tallies ORDER BY subject"


async def count(subject: str, tx: Transaction) -> None:
    """Fill a tally."""
    await try_increment(tx, subject, Limit("any", 20, HOUR), NOW)


async def count_against(holding: Holding, *addresses: str) -> None:
    """Fill every tally of some targets: of tries on two devices, and of messages."""
    for address in addresses:
        channel = "email" if "@" in address else "sms"
        tries = [f"{channel}:{address}:", f"{channel}:{address}:ab"]
        if channel == "email":
            tries += [f"password:{address}:", f"password:{address}:ab"]
        for subject in (*tries, f"send:{channel}:{address}:"):
            await holding.engine.run_transaction(partial(count, subject))


@pytest.mark.parametrize("how", ["change", "undo"])
@pytest.mark.parametrize("old", [OWN_PHONE, OWN_EMAIL])
def test_a_target_that_leaves_takes_no_lock_along(tmp_path: Path, how: str, old: str) -> None:
    """Its next owner starts with every guess; what was sent to it still counts (security A4)."""
    new = FREE_EMAIL if "@" in old else FREE_PHONE

    async def change(holding: Holding, session: Session, to: str) -> None:
        call = holding.contacts.change_email if "@" in to else holding.contacts.change_phone
        await call(session, to, await holding.code(to))

    async def scenario(holding: Holding) -> None:
        bound = {"email" if "@" in old else "phone": old}
        account = await holding.account(**bound)
        session = await holding.session(account.id)
        if how == "undo":
            await change(holding, session, new)
        left, kept = (new, old) if how == "undo" else (old, new)
        await count_against(holding, left, kept)
        if how == "undo":
            await holding.undo.undo(account.id, 1)
        else:
            await change(holding, session, new)
        channel = "email" if "@" in old else "sms"
        subjects = [row[0] for row in await holding.engine.fetch_all(SUBJECTS)]
        assert [subject for subject in subjects if left in subject] == [f"send:{channel}:{left}:"]
        assert len([subject for subject in subjects if kept in subject]) == (5 if "@" in old else 3)

    with open_holding(tmp_path / "hupan.db") as holding:
        asyncio.run(scenario(holding))
