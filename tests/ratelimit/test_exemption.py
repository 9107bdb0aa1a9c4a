"""Test targets: no limit of their own, for a time, and no other exception (C3, C5)."""

from pathlib import Path

import pytest

from hupan.admin.limits import exemption_lines, exemption_rows
from hupan.config import Settings
from hupan.config.types import CONTACT_ADDRESSES
from hupan.crypto import SecretBox
from hupan.domain.codes import Codes
from hupan.environment import make_contact_parser
from hupan.errors import AppError
from hupan.model import Limit
from hupan.ratelimit.stored import (
    Exemption,
    StoredLimiter,
    all_keys,
    code_attempts_key,
    password_attempts_key,
    sends_key,
)
from hupan.ratelimit.table import make_exemption
from hupan.rng import SeededRandomSource
from hupan.rules import StoredLimits
from hupan.store.codes import Code
from hupan.store.database import Transaction
from tests.support.world import World, open_world

PHONE, EMAIL, STRANGER = "13900000001", "Tester@Example.com", "13900000011"
UNTIL = "2026-12-01T08:00:00+08:00"
ENDS_AT = 1_796_083_200
ONCE = (Limit("once", 1, 3600),)
LIMITS = StoredLimits(enabled=True, wrong_codes=ONCE, wrong_passwords=ONCE, code_sends=ONCE)


def settings(*exempt: str, until: str = UNTIL) -> Settings:
    """Return the settings of a server with such targets."""
    return Settings(limits_exempt=exempt, limits_exempt_until=until)


def exempt(*texts: str, until: str = UNTIL) -> Exemption:
    """Return the exemption of a server with such targets."""
    its = settings(*texts, until=until)
    return make_exemption(its, make_contact_parser(its))


async def times_taken(world: World, limiter: StoredLimiter, subject: str, now: int) -> int:
    """Return how many of three events pass a limit of one."""

    async def change(tx: Transaction) -> int:
        return sum([await limiter.take(tx, subject, ONCE, now) for _ in range(3)])

    return await world.engine.run_transaction(change)


@pytest.mark.parametrize(
    ("subject", "taken"),
    [
        (sends_key("sms", PHONE), 3),
        (code_attempts_key("sms", PHONE), 3),
        (code_attempts_key("sms", PHONE) + "0f" * 32, 3),
        (sends_key("email", EMAIL.lower()), 3),
        (password_attempts_key(EMAIL.lower()), 3),
        (sends_key("sms", STRANGER), 1),
        (code_attempts_key("sms", STRANGER), 1),
        (password_attempts_key(f"not-{EMAIL.lower()}"), 1),
        ("sent:sms:", 1),
        ("block:1390000:", 1),
    ],
)
async def test_what_is_not_counted(tmp_path: Path, subject: str, taken: int) -> None:
    """Only sends and attempts of the targets, until the end; the server's limits apply (C11)."""
    limiter = StoredLimiter(enabled=True, exemption=exempt(PHONE, EMAIL))
    async with open_world(tmp_path / "hupan.db") as world:
        before = await times_taken(world, limiter, subject, ENDS_AT - 1)
        after = await times_taken(world, limiter, f"{subject}after", ENDS_AT)
    assert (before, after) == (taken, 1)


async def test_five_tries_kill_a_code_of_theirs_too(tmp_path: Path) -> None:
    """A code has five attempts and works once, for exempt targets too (security C2, C3)."""
    limiter = StoredLimiter(enabled=True, exemption=Exemption(all_keys("sms", PHONE), 2**40))
    async with open_world(tmp_path / "hupan.db") as world:
        world.codes = Codes(SecretBox(b"k" * 32), SeededRandomSource("codes"), limiter, LIMITS, 300)
        target, now = world.target(PHONE), int(world.clock.now())
        assert target is not None

        async def spend(text: str) -> Code | AppError:
            return await world.engine.run_transaction(
                lambda tx: world.codes.redeem(tx, target, text, now=now)
            )

        async def scenario() -> list[bool]:
            code = await world.code(PHONE)
            wrong = f"{(int(code) + 1) % 10**6:06}"
            tries = [*[wrong] * 5, code]
            killed = [isinstance(await spend(text), Code) for text in tries]
            fresh = await world.code(PHONE)
            return killed + [isinstance(await spend(text), Code) for text in (fresh, fresh)]

        assert await scenario() == [False] * 6 + [True, False]


def test_without_an_end_nothing_is_exempt() -> None:
    """A server reports that when it starts, in both languages."""
    its = settings(PHONE, until="")
    assert not make_exemption(its, make_contact_parser(its)).covers(sends_key("sms", PHONE), 0)
    (line,) = exemption_lines(its, ENDS_AT)
    assert "忽略" in line.zh
    assert "limits_exempt_until is not set" in line.en


def test_an_end_that_is_past_is_reported() -> None:
    """The server starts anyway: an expired exemption is no reason to stop."""
    its = settings(PHONE)
    assert [one["inForce"] for one in exemption_rows(its, ENDS_AT - 1)] == [True]
    assert [one["inForce"] for one in exemption_rows(its, ENDS_AT)] == [False]
    assert "is past" in exemption_lines(its, ENDS_AT)[0].en


def test_what_is_in_force_is_shown_masked() -> None:
    """Number, end and masked targets of the exemption are shown (security L1)."""
    lines = exemption_lines(settings(PHONE, EMAIL, "+85291234567"), ENDS_AT - 1)
    assert len(lines) == 2
    assert lines[0].en == f"⚠ 2 exempt from limits until {UNTIL}"
    assert lines[1].en.endswith("+85****4567")
    assert exemption_lines(settings(), ENDS_AT) == []


@pytest.mark.parametrize(
    ("written", "subject"),
    [
        ("+86 139 0000 0001", sends_key("sms", PHONE)),
        ("\u202a0086-139-0000-0001\u202c", sends_key("sms", PHONE)),
        ("１３９００００ ０００１", sends_key("sms", PHONE)),
        ("Tester@中文.com", sends_key("email", "tester@xn--fiq228c.com")),
    ],
)
def test_a_target_may_be_pasted(written: str, subject: str) -> None:
    """The setting accepts numbers and addresses in any pasted form (wire.md 5)."""
    loaded = CONTACT_ADDRESSES.parse(written)
    assert isinstance(loaded, tuple)
    assert subject in exempt(*loaded).key_prefixes


def test_words_are_no_targets() -> None:
    """A value that is neither a number nor an address is refused."""
    for written in ("hello world", "1390000000a", "138,0013", "-" * 61):
        with pytest.raises(ValueError, match=r".*"):
            CONTACT_ADDRESSES.parse(written)
