"""Every kind of failed sign-in costs the same: one verification, one count (security E2, E3)."""

from pathlib import Path

import pytest

from hupan.domain.accounts import Bans
from hupan.domain.hash_worker import HashCost
from hupan.domain.hashing import PasswordHasher
from hupan.domain.sessions import PasswordLogins
from hupan.errors import WrongEmailOrPassword
from hupan.model import Limit
from hupan.ratelimit.stored import StoredLimiter
from hupan.rules import DAY_SECONDS, StoredLimits
from hupan.store.accounts import find_password_hash, set_password_hash
from tests.support.world import ON, World, open_world

pytestmark = pytest.mark.slow

LIMITS = StoredLimits(
    enabled=True,
    wrong_codes=(),
    wrong_passwords=(Limit("wrong-passwords-day", 2, DAY_SECONDS),),
    code_sends=(),
)
RIGHT, WRONG = "the lake at seven", "the lake at eight"


def logins(world: World) -> PasswordLogins:
    """Return the password sign-in of a world."""
    limiter = StoredLimiter(enabled=True)
    return PasswordLogins(
        world.engine,
        world.clock,
        world.targets,
        world.password_hasher,
        world.sessions,
        limiter,
        LIMITS,
    )


async def prepare(world: World) -> dict[str, tuple[str, str]]:
    """Create an account in each state; return the attempts: name -> address and password."""
    emails = {state: f"{state}@example.com" for state in ("plain", "bare", "banned", "locked")}
    for state, email in emails.items():
        account = await world.account(email=email)
        if state != "bare":
            await world.resets.reset(email, await world.code(email), RIGHT)
        if state == "banned":
            await Bans(world.engine, world.clock).ban(account.id, "test")
    for _ in range(2):
        with pytest.raises(WrongEmailOrPassword):
            await logins(world).sign_in(emails["locked"], WRONG, ON)
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


async def test_each_failure_verifies_once_and_reads_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong, unknown, without password, banned, locked: one refusal, one hash (security E2, E3)."""
    async with open_world(tmp_path / "hupan.db", limits=LIMITS) as world:
        tries = await prepare(world)
        verified: list[str] = []
        verify = world.password_hasher.verify

        async def counting(stored: str, password: str) -> bool:
            verified.append(stored)
            return await verify(stored, password)

        monkeypatch.setattr(world.password_hasher, "verify", counting)
        for name, (email, password) in tries.items():
            verified.clear()
            with pytest.raises(WrongEmailOrPassword):
                await logins(world).sign_in(email, password, ON)
            assert len(verified) == 1, name


async def test_an_old_short_password_signs_in_and_is_hashed_again(tmp_path: Path) -> None:
    """Length is checked when a password is set, not at sign-in; old hashes are renewed (P1, P4)."""
    async with open_world(tmp_path / "hupan.db", limits=LIMITS) as world:
        account = await world.account(email="old@example.com")
        imported = PasswordHasher(HashCost(memory_kib=16, passes=2), 1)
        stored = await imported.hash("abc123")
        imported.close()
        await world.engine.run_transaction(lambda tx: set_password_hash(tx, account.id, stored))
        assert world.password_hasher.is_outdated(stored)
        for _ in range(2):
            assert await logins(world).sign_in("old@example.com", "abc123", ON)
        renewed = await find_password_hash(world.engine, account.id)
        assert renewed != stored
        assert not world.password_hasher.is_outdated(renewed)
        with pytest.raises(WrongEmailOrPassword):
            await logins(world).sign_in("old@example.com", "abc124", ON)
