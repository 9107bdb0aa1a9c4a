"""Argon2id by libsodium is the argon2id of the reference implementation (security P4; RFC 9106)."""

import argon2
import pytest
from argon2.low_level import Type, hash_secret
from hypothesis import given, settings
from hypothesis import strategies as st

from hupan.domain.hash_worker import HashCost, hash_password, verify_password

pytestmark = pytest.mark.one_engine
CHEAP = HashCost(memory_kib=8, passes=1)
RIGHT = "the lake at seven"
WRITTEN = hash_secret(RIGHT.encode(), b"s" * 16, 1, 8, 1, 32, Type.ID).decode()


@pytest.mark.parametrize("cost", [CHEAP, HashCost(64, 3), HashCost()])
def test_the_reference_reads_what_was_written(cost: HashCost) -> None:
    """Each string that is stored verifies by argon2-cffi, and no other password does."""
    stored = hash_password(RIGHT, cost)
    assert argon2.PasswordHasher().verify(stored, RIGHT)
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(stored, RIGHT + " ")


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80), st.binary(min_size=16, max_size=16), st.integers(1, 4))
def test_what_the_reference_wrote_is_read(password: str, salt: bytes, passes: int) -> None:
    """What earlier releases stored through argon2-cffi signs in as before."""
    stored = hash_secret(password.encode(), salt, passes, 32, 1, 32, Type.ID).decode()
    assert verify_password(stored, password)
    assert not verify_password(stored, password + "x")


def test_two_hashes_of_one_password_differ() -> None:
    """Each has a salt of its own."""
    assert hash_password(RIGHT, CHEAP) != hash_password(RIGHT, CHEAP)


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        (WRITTEN, ""),
        (WRITTEN, RIGHT),
        (WRITTEN, "$2b$12$" + "a" * 53),
        (WRITTEN, WRITTEN[:-1]),
        (WRITTEN, WRITTEN + "A"),
        (WRITTEN, WRITTEN + "\n"),
        ("argon2id", "argon2i"),
        ("v=19", "v=16"),
        ("p=1", "p=2"),
        ("m=8", "m=7"),
        ("m=8", "m=4294967296"),
        ("t=1", "t=0"),
    ],
)
def test_what_is_no_such_string_matches_nothing(part: str, instead: str) -> None:
    """Another form, another version, a cut or lengthened string, parameters that cannot be."""
    assert verify_password(WRITTEN, RIGHT)
    assert not verify_password(WRITTEN.replace(part, instead), RIGHT)
