"""A hash changes only when one code is consumed (security P6)."""

import asyncio
import itertools
from pathlib import Path
from typing import Literal, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hupan.domain.codes import CodePurpose
from hupan.errors import AppError
from hupan.store.accounts import find_password_hash
from tests.support.stores import STORES
from tests.support.world import World, open_world

pytestmark = pytest.mark.slow

ADDRESSES = ("a@example.com", "b@example.com", "nobody@example.com")
PASSWORDS = ("the lake at seven", "the lake at eight", "password", "short")
Guess: TypeAlias = Literal["right", "wrong", "other"]
Step: TypeAlias = tuple[str, CodePurpose, Guess, str]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(ADDRESSES),
        st.sampled_from(("own", "new", "reset", "decoy")),
        st.sampled_from(("right", "wrong", "other")),
        st.sampled_from(PASSWORDS),
    ),
    max_size=6,
)
_names = itertools.count()


async def hashes(world: World) -> list[str]:
    """Return the hashes of all accounts."""
    rows = await world.engine.fetch_all("SELECT password_hash FROM accounts ORDER BY id")
    return [str(row[0]) for row in rows]


async def live(world: World) -> dict[str, str]:
    """Return the class of each live code by its target."""
    rows = await world.engine.fetch_all("SELECT target, class FROM codes")
    return {str(row[0]): str(row[1]) for row in rows}


async def play(world: World, steps: list[Step]) -> None:
    """Reset passwords in every way, with right and wrong values, and compare the effects."""
    for address in ADDRESSES[:2]:
        await world.account(email=address)
    for address, kind, guess, password in steps:
        code = await world.code(address, kind)
        other = await world.code("c@example.com", "new")
        wrong = f"{(int(code) + 1) % 10**6:06}"
        given = {"right": code, "wrong": wrong, "other": other}[guess]
        before, codes = await hashes(world), await live(world)
        granted = True
        try:
            await world.resets.reset(address, given, password)
        except AppError:
            granted = False
        after, left = await hashes(world), await live(world)
        changed = [
            at for at, pair in enumerate(zip(before, after, strict=True)) if len({*pair}) > 1
        ]
        assert len(changed) == granted
        if granted:
            assert set(codes) - set(left) == {address}
            assert codes[address] in ("own", "reset")
            assert ADDRESSES[changed[0]] == address
            assert password in PASSWORDS[:2]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_a_hash_changes_with_one_code(tmp_path: Path, steps: list[Step]) -> None:
    """In any order of requests, a changed hash consumed exactly one code of its address."""
    place = tmp_path / f"{next(_names)}.db"
    with open_world(place) as world:
        asyncio.run(play(world, steps))
    STORES.forget(place)  # a database is emptied for the next example, which costs less than a new


async def test_at_once_one_password_is_set(tmp_path: Path) -> None:
    """Of twenty resets with one right code one succeeds, and its password works."""
    async with open_world(tmp_path / "hupan.db") as world:
        account = await world.account(email=ADDRESSES[0])
        code = await world.code(ADDRESSES[0])
        passwords = [f"reeds by lake {number}" for number in range(10)]
        outcomes = await asyncio.gather(
            *(world.resets.reset(ADDRESSES[0], code, password) for password in passwords),
            return_exceptions=True,
        )
        (won,) = [at for at, outcome in enumerate(outcomes) if outcome is None]
        stored = await find_password_hash(world.engine, account.id)
        assert await world.password_hasher.verify(stored, passwords[won])


async def test_a_failure_of_the_write_keeps_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the hash cannot be written, the code is not consumed and sessions stay (P6)."""
    async with open_world(tmp_path / "hupan.db") as world:
        account = await world.account(email=ADDRESSES[0])
        await world.session(account.id)
        code = await world.code(ADDRESSES[0])

        async def fail(*_: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("hupan.domain.passwords.set_password_hash", fail)
        with pytest.raises(ZeroDivisionError):
            await world.resets.reset(ADDRESSES[0], code, PASSWORDS[0])
        assert await world.count("sessions") == 1
        monkeypatch.undo()
        await world.resets.reset(ADDRESSES[0], code, PASSWORDS[0])
        assert await world.count("sessions") == 0


@pytest.mark.one_engine
async def test_no_password_is_at_rest(tmp_path: Path) -> None:
    """Neither the store nor its log holds a password or a code in plain text (security P7, C1)."""

    async def scenario(world: World) -> list[str]:
        await world.account(email=ADDRESSES[0])
        codes = [await world.code(ADDRESSES[0]) for _ in range(3)]
        for code in codes:
            await asyncio.gather(
                world.resets.reset(ADDRESSES[0], code, PASSWORDS[0]), return_exceptions=True
            )
        return codes

    async with open_world(tmp_path / "hupan.db") as world:
        codes = await scenario(world)
        stored_files = list(tmp_path.iterdir())  # noqa: ASYNC240 - nothing else runs in this loop
        kept = b"".join(path.read_bytes() for path in stored_files)
        assert ADDRESSES[0].encode() in kept
        for secret in (PASSWORDS[0], *codes):
            assert secret.encode() not in kept


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("guess", ["right", "wrong"])
async def test_every_path_hashes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, guess: str
) -> None:
    """Known or unknown, right or wrong: one hash, so the duration is equal (security E2)."""
    async with open_world(tmp_path / "hupan.db") as world:
        await world.account(email=ADDRESSES[0])
        code = await world.code(address, "own")
        hashed = []
        hash_password = world.password_hasher.hash

        async def counting(password: str) -> str:
            hashed.append(password)
            return await hash_password(password)

        monkeypatch.setattr(world.password_hasher, "hash", counting)
        tried = code if guess == "right" else f"{(int(code) + 1) % 10**6:06}"
        await asyncio.gather(
            world.resets.reset(address, tried, PASSWORDS[0]), return_exceptions=True
        )
        assert hashed == [PASSWORDS[0]]
