"""Password hashes: parameters, equal cost, bounded work (security P2, P4, P5, E2)."""

import asyncio
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hupan.domain import hashing
from hupan.domain.hash_worker import HashCost
from hupan.domain.hashing import HashClient, HashProcess, PasswordHasher
from hupan.errors import Busy

pytestmark = pytest.mark.one_engine

CHEAP = HashCost(memory_kib=8, passes=1)


@pytest.fixture
def pool() -> Iterator[PasswordHasher]:
    """Two threads with the parameters of production."""
    pool = PasswordHasher(HashCost(), threads=2)
    yield pool
    pool.close()


def test_what_is_stored_tells_its_parameters(pool: PasswordHasher) -> None:
    """argon2id, 19 MiB, two passes, one lane, a salt of 16 bytes (P4)."""
    stored = asyncio.run(pool.hash("correct horse"))
    match = re.fullmatch(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$([^$]+)\$[^$]+", stored)
    assert match is not None
    assert len(match[1]) == 22


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=80).filter(lambda text: text.isprintable()))
def test_exact_bytes_count(password: str) -> None:
    """What was set verifies, and nothing beside it does: no trimming, no cutting (P2)."""
    pool = PasswordHasher(CHEAP, threads=1)
    try:
        stored = asyncio.run(pool.hash(password))
        assert asyncio.run(pool.verify(stored, password))
        for other in (password + "x", password + " ", password[:-1], password.swapcase() + "x"):
            assert not asyncio.run(pool.verify(stored, other))
    finally:
        pool.close()


def test_risen_parameters_ask_for_a_new_hash(pool: PasswordHasher) -> None:
    """A hash made with other parameters is outdated, one of today's is not (P4)."""
    old = PasswordHasher(CHEAP, threads=1)
    assert pool.is_outdated(asyncio.run(old.hash("x")))
    assert not pool.is_outdated(asyncio.run(pool.hash("x")))
    old.close()


def test_nobody_costs_what_somebody_costs(
    pool: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a hash, one verification of the same parameters is done, and fails (E2)."""
    seen: list[str] = []
    matches = HashProcess.verify

    def counting(process: HashProcess, stored: str, password: str) -> bool:
        seen.append(stored)
        return matches(process, stored, password)

    monkeypatch.setattr(HashProcess, "verify", counting)
    stored = asyncio.run(pool.hash("right"))
    for none in ("", "$2b$12$of/another/kind", stored.replace("p=1", "p=2"), stored[:-1]):
        assert not asyncio.run(pool.verify(none, "right"))
    assert not asyncio.run(pool.verify(stored, "wrong"))
    assert [one.rsplit("$", 2)[0] for one in seen] == [stored.rsplit("$", 2)[0]] * 5


def test_a_full_queue_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the threads and eight waiting for each, and after too long a wait, it is Busy (P5)."""
    pool = PasswordHasher(CHEAP, threads=1)

    async def verify(at: int) -> bool:
        async with pool.slot(HashClient(f"target {at}", f"host {at}")):
            return await pool.verify("", "x")

    async def rush() -> list[object]:
        return await asyncio.gather(*(verify(at) for at in range(30)), return_exceptions=True)

    outcomes = asyncio.run(rush())
    assert sum(outcome is False for outcome in outcomes) == 9
    assert sum(isinstance(outcome, Busy) for outcome in outcomes) == 21
    pool.close()
    monkeypatch.setattr(hashing, "MAX_WAIT_SECONDS", 0.0)
    pool = PasswordHasher(CHEAP, threads=1)
    outcomes = asyncio.run(rush())
    pool.close()
    at_once = hashing.SLOTS_PER_THREAD
    assert [outcome is False for outcome in outcomes] == [True] * at_once + [False] * 28
    assert all(isinstance(outcome, Busy) for outcome in outcomes[at_once:])
