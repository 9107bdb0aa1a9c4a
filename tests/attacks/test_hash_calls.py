"""Every way to fail at a sign-in costs the same: one verification, one count (security E2, E3)."""

import asyncio
from pathlib import Path

import pytest

from hupan.domain.accounts import Bans
from hupan.domain.hash_worker import HashCost
from hupan.domain.hashing import PasswordHasher
from hupan.domain.login import PasswordLogins
from hupan.errors import WrongEmailOrPassword
from hupan.model import Limit
from hupan.ratelimit.stored import StoredLimiter
from hupan.rules import DAY_SECONDS, StoredLimits
from hupan.store.accounts import find_password_hash, set_password_hash
from tests.support.holding import ON, Holding, open_holding

LIMITS = StoredLimits(
    enabled=True,
    wrong_codes=(),
    wrong_passwords=(Limit("wrong-passwords-day", 2, DAY_SECONDS),),
    code_sends=(),
)
RIGHT, WRONG = "the lake at seven", "the lake at eight"


def logins(home: Holding) -> PasswordLogins:
    """Sign-ins by password on the parts of a holding."""
    limiter = StoredLimiter(enabled=True)
    return PasswordLogins(
        home.engine, home.clock, home.targets, home.password_hasher, home.sessions, limiter, LIMITS
    )


async def prepare(home: Holding) -> dict[str, tuple[str, str]]:
    """Accounts in each state; what is tried -> address and password."""
    emails = {state: f"{state}@example.com" for state in ("plain", "bare", "banned", "locked")}
    for state, email in emails.items():
        account = await home.account(email=email)
        if state != "bare":
            await home.resets.reset(email, await home.code(email), RIGHT)
        if state == "banned":
            await Bans(home.engine, home.clock).ban(account.id, "test")
    for _ in range(2):
        with pytest.raises(WrongEmailOrPassword):
            await logins(home).sign_in(emails["locked"], WRONG, ON)
    return {
        "wrong password": (emails["plain"], WRONG),
        "unknown address": ("unknown@example.com", RIGHT),
        "no password": (emails["bare"], RIGHT),
        "banned, wrong password": (emails["banned"], WRONG),
        "locked, wrong password": (emails["locked"], WRONG),
        "locked, right password": (emails["locked"], RIGHT),
        "empty password": (emails["plain"], ""),
        "endless password": (emails["plain"], "x" * 1024),
    }


def test_each_failure_verifies_once_and_reads_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong, unknown, without password, banned, locked: one refusal, one hash (security E2, E3)."""

    async def scenario(home: Holding) -> None:
        tries = await prepare(home)
        verified: list[str] = []
        verify = home.password_hasher.verify

        async def counting(stored: str, password: str) -> bool:
            verified.append(stored)
            return await verify(stored, password)

        monkeypatch.setattr(home.password_hasher, "verify", counting)
        for name, (email, password) in tries.items():
            verified.clear()
            with pytest.raises(WrongEmailOrPassword):
                await logins(home).sign_in(email, password, ON)
            assert len(verified) == 1, name

    with open_holding(tmp_path / "hupan.db", LIMITS) as home:
        asyncio.run(scenario(home))


def test_an_old_short_password_signs_in_and_is_hashed_anew(tmp_path: Path) -> None:
    """Length is asked when a password is set, never at sign-in; old hashes are renewed (P1, P4)."""

    async def scenario(home: Holding) -> None:
        account = await home.account(email="old@example.com")
        imported = PasswordHasher(HashCost(memory_kib=16, passes=2), 1)
        stored = await imported.hash("abc123")
        imported.close()
        await home.engine.run_transaction(lambda tx: set_password_hash(tx, account.id, stored))
        assert home.password_hasher.is_outdated(stored)
        for _ in range(2):
            assert await logins(home).sign_in("old@example.com", "abc123", ON)
        renewed = await find_password_hash(home.engine, account.id)
        assert renewed != stored
        assert not home.password_hasher.is_outdated(renewed)
        with pytest.raises(WrongEmailOrPassword):
            await logins(home).sign_in("old@example.com", "abc124", ON)

    with open_holding(tmp_path / "hupan.db", LIMITS) as home:
        asyncio.run(scenario(home))
